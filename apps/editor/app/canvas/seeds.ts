// What becomes of a seed at each run: it stays, it is drawn anew, or it counts up. The run has the seed that is seen while it goes on.
import { type Graph, type Library, type NodeSettings, nodeSettings, type ResolvedNode, record, resolve } from "@spindle/graph-model";
import { type Sheet, setParam, setSetting } from "@spindle/graph-model/shared-doc";
import type { RunOptions } from "@spindle/schemas";
import { ME } from "../session/use-document";
import { reach } from "./reach";

export const SEED_MODES = { fixed: "Stays", random: "Random", increment: "Counts up" } as const;
export type SeedMode = keyof typeof SEED_MODES;

/** No schema knows the key, and nothing but this page reads it. */
const KEY = "x-seeds";

export const isSeed = (schema: Record<string, unknown>): boolean => schema["x-widget"] === "seed";

export function seedMode(settings: NodeSettings, name: string): SeedMode {
  const mode = record((settings as Record<string, unknown>)[KEY])[name];
  return mode === "random" || mode === "increment" ? mode : "fixed";
}

export function setSeedMode(sheet: Sheet, graph: Graph, id: string, name: string, mode: SeedMode): void {
  const { [name]: _, ...others } = record((nodeSettings(graph, id) as Record<string, unknown>)[KEY]);
  const next = mode === "fixed" ? others : { ...others, [name]: mode };
  setSetting(sheet, ME, id, KEY as keyof NodeSettings, Object.keys(next).length > 0 ? next : undefined);
}

/** The largest seed that is drawn; every engine takes it. */
const LARGEST = 2 ** 31 - 1;

/** Moves the seeds on that do so, of the nodes that a run has; what is wired, pinned or off stays. */
export function moveSeeds(sheet: Sheet, graph: Graph, library: Library, part: RunOptions["part"], random = Math.random): void {
  const { root } = resolve(graph, library);
  sheet.transact(() => {
    for (const id of partOf(graph, part)) {
      const node = root.node(id);
      if (!node || node.settings.pinned || node.settings.disabled) continue;
      for (const { name, schema } of seedsOf(node)) {
        const mode = seedMode(node.settings, name);
        if (mode !== "fixed") setParam(sheet, ME, id, name, nextSeed(mode, node.node.params?.[name] ?? schema.default, schema, random));
      }
    }
  }, ME);
}

function partOf(graph: Graph, part: RunOptions["part"]): Iterable<string> {
  if (!part) return graph.nodes.map(({ id }) => id);
  const own = new Set([part.node]);
  return part.of === "only" ? own : reach(graph, own, part.of === "to" ? "upstream" : "downstream");
}

const seedsOf = ({ definition, sources }: ResolvedNode): { name: string; schema: Record<string, unknown> }[] => [
  ...(definition?.parameters ?? []).filter(({ schema }) => isSeed(schema)),
  ...sources.flatMap(({ kind, port }) => (isSeed(port.schema) && kind !== "wire" && kind !== "upstream" ? [port] : [])),
];

function nextSeed(mode: SeedMode, value: unknown, schema: Record<string, unknown>, random: () => number): number {
  const { minimum = 0, maximum = LARGEST } = schema as { minimum?: number; maximum?: number };
  const [least, most] = [Math.max(0, minimum), Math.min(maximum, LARGEST)];
  if (mode === "random") return least + Math.floor(random() * (most - least + 1));
  const next = (typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : least) + 1;
  return next > maximum ? least : Math.max(next, least);
}
