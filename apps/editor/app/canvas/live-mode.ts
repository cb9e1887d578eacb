// "Run as I edit": what a person's edits made stale, and which of that runs by itself.
import {
  CALL,
  definitionNames,
  type Graph,
  type Level,
  type Library,
  type NodeDefinition,
  type ResolvedNode,
  resolve,
  writtenDefinition,
} from "@spindle/graph-model";
import { calledFrom } from "./definitions";
import { reach } from "./reach";
import { staleCauses } from "./stale";

/** The nodes whose results an edit made stale. */
export function editedSince(before: Graph, after: Graph, library: Library): Set<string> {
  const edited = new Set(staleCauses(after, before, library).keys());
  const changed = new Set(
    definitionNames(after).filter((name) => !isSame(writtenDefinition(before, name), writtenDefinition(after, name))),
  );
  if (changed.size === 0) return edited;
  const calling = after.nodes.filter((node) => node.service === CALL && calledFrom([node], after).some((name) => changed.has(name)));
  for (const id of reach(
    after,
    calling.map(({ id }) => id),
    "downstream",
  ))
    edited.add(id);
  return edited;
}

const isSame = (one: unknown, other: unknown): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);

export interface LiveWork {
  /** Runs up to these nodes do all that runs by itself. */
  targets: string[];
  /** What needs a GPU, and what only runs after it: a person starts it. */
  waiting: string[];
  /** What has effects elsewhere or asks a person, and what only runs after it. */
  never: string[];
}

type Price = "cheap" | "dear" | "never";

/**
 * @param edited what this person's edits made stale
 * @param plan what a run of the whole graph would do
 */
export function liveWork(
  graph: Graph,
  library: Library,
  edited: ReadonlySet<string>,
  plan: readonly { node: string; does: "runs" | "reuses" | "skips" | "waits" }[],
): LiveWork {
  const resolved = resolve(graph, library);
  const priceOf = pricing((name) => resolved.level(name));
  const prices = new Map<string, Price>();
  const { predecessors } = resolved.root.plan.shape;
  const does = new Map(plan.map((each) => [each.node, each.does]));
  const { order } = resolved.root.plan.shape;
  for (const id of order) {
    const node = resolved.root.node(id);
    const what = does.get(id);
    if (!node || what === undefined || what === "reuses" || what === "skips") continue;
    const before = [...(predecessors.get(id) ?? [])].map((other) => prices.get(other));
    const own = what === "waits" || !edited.has(id) ? "dear" : priceOf(node);
    prices.set(id, own === "never" || before.includes("never") ? "never" : before.includes("dear") ? "dear" : own);
  }
  const of = (price: Price) => order.filter((id) => edited.has(id) && prices.get(id) === price);
  const cheap = new Set(of("cheap"));
  const isPassed = (id: string) => [...reach(graph, [id], "downstream")].some((other) => other !== id && cheap.has(other));
  return { targets: [...cheap].filter((id) => !isPassed(id)), waiting: of("dear"), never: of("never") };
}

/** What a node costs, a subgraph as much as the dearest node in it. */
function pricing(levelOf: (name: string) => Level): (node: ResolvedNode) => Price {
  const known = new Map<string, Price>();
  const priceOf = ({ definition, engine, isOff, passes, settings }: ResolvedNode): Price => {
    if (isOff || passes || settings.pinned) return "cheap";
    if (!definition) return "dear";
    if (definition.calls !== undefined) return priceIn(definition.calls);
    if (definition.human || !definition.idempotent || settings.breakpoint) return "never";
    return engine?.draft || !needsGpu(definition) ? "cheap" : "dear";
  };
  const priceIn = (name: string): Price => {
    const price = known.get(name);
    if (price) return price;
    known.set(name, "dear"); // of one that calls itself, which no run takes
    const inner = levelOf(name).nodes.map(priceOf);
    const found = inner.includes("never") ? "never" : inner.includes("dear") ? "dear" : "cheap";
    known.set(name, found);
    return found;
  };
  return priceOf;
}

/** Whatever runs on a ComfyUI server does: only its own node classes know which of them load a model. */
const needsGpu = ({ gpu, plane }: NodeDefinition): boolean => gpu === true || plane === "comfy";
