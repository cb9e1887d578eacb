// What a run freezes when it is accepted (DESIGN M4): the engine of every node, those in definitions too, and which nodes are a region. A node
// that finds no live engine is open: its engine is empty until one is chosen for the whole run (open-engines.ts).
import { createHash } from "node:crypto";
import {
  type Graph,
  isRegionId,
  itemNodes,
  type Level,
  type Library,
  type LibraryEngine,
  type Region,
  type Resolved,
  type ResolvedNode,
  resolve,
} from "@spindle/graph-model";
import { BUS } from "@spindle/schemas";
import type { FrozenLevel, FrozenNode, FrozenNodes, NewNodeRun } from "../record/frozen.ts";

const COMFY = "comfy";

export function freezeNodes(graph: Graph, library: Library): FrozenNodes {
  const { root, definitions } = resolve(graph, library);
  return Object.fromEntries([root, ...definitions.values()].map((level) => [level.name, freezeLevel(level)]));
}

function freezeLevel(level: Level): FrozenLevel {
  const alone = level.nodes.filter(({ region }) => !region);
  return Object.assign(
    Object.fromEntries(alone.map((one) => [one.node.id, freezeNode(one, one.engine)])),
    ...[...level.plan.regions.values()].map((region, index) => freezeRegion(level, region, index)),
  );
}

/**
 * What an item of a level would freeze now, by id: a node, or a region with its nodes. Undefined if it has no live engine, or none of the
 * version that the node asks for.
 */
export function freezeItem(level: Level, id: string): FrozenLevel | undefined {
  const region = level.plan.regions.get(id);
  const node = level.node(id);
  const named = node?.settings.version;
  const frozen = region
    ? freezeRegion(level, region, [...level.plan.regions.keys()].indexOf(id))
    : node?.definition && (named === undefined || named === node.definition.version)
      ? { [id]: freezeNode(node, node.engine) }
      : {};
  return frozen[id] && !hasOpenEngine(frozen[id]) ? frozen : undefined;
}

/** Whether no engine is chosen yet, of what a run froze or of a row. */
export const hasOpenEngine = ({ engine }: { engine: string }): boolean => engine === "";

/** A region is one task of its server, from whose result the rows of its nodes are filled. */
function freezeRegion(level: Level, { id, nodes }: Region, index: number): FrozenLevel {
  const server = serverOf(level, { id, nodes }, index);
  const own = nodes.map((inside) => freezeNode(level.node(inside) as ResolvedNode, server));
  const timeoutSeconds = own.reduce((sum, one) => sum + one.timeoutSeconds, 0);
  const task = { ...asRegion({ ...(own[0] as FrozenNode), timeoutSeconds }), nodes };
  return { ...Object.fromEntries(nodes.map((inside, at) => [inside, own[at] as FrozenNode])), [id]: task };
}

/**
 * The server of a region: the same in each run, so that its models are loaded and its cache is filled, and another for the next region. One
 * that is named is waited for; else there is none while none is live.
 */
function serverOf(level: Level, region: Region, index: number): LibraryEngine | undefined {
  const all = level.serversOf(region);
  const live = all.filter((one) => one.live);
  const isNamed = level.members(region).some(({ settings: { engine = "auto" }, passes }) => !passes && engine !== "auto");
  const choice = live.length > 0 || !isNamed ? live : all;
  const start = createHash("sha256").update(level.graph.workflowId).digest().readUInt32BE(0);
  return choice[(start + index) % Math.max(1, choice.length)];
}

/** A node as a region, which is all that a worker of the Comfy plane takes. */
const asRegion = <T extends FrozenNode>(node: T): T => ({ ...node, service: BUS.region, version: BUS.regionVersion });

function freezeNode({ node, settings, element: definition }: ResolvedNode, engine: LibraryEngine | undefined): FrozenNode {
  if (!definition) throw new Error(`No definition for the validated node ${node.id}.`);
  const frozen = {
    plane: engine?.plane ?? definition.plane,
    service: node.service,
    version: definition.version,
    engine: engine?.id ?? "",
    draft: engine?.draft ?? false,
    timeoutSeconds: Math.round(settings.timeoutSeconds ?? Math.max(0, definition.timeoutSeconds)),
    ...(definition.stallSeconds ? { stallSeconds: Math.ceil(definition.stallSeconds) } : {}),
  };
  return engine?.blueprint ? asRegion(frozen) : frozen;
}

/** What a run's graph means with a library, in the regions that the run has frozen. */
export function resolvedAs(resolved: Resolved, frozen: FrozenNodes): Resolved {
  const split = Object.entries(frozen).map(([name, level]) => {
    const regions = Object.entries(level).filter(([id]) => isRegionId(id));
    return [name, regions.flatMap(([id, { nodes }]) => (nodes ? [{ id, nodes }] : []))] as const;
  });
  return resolved.splitAs(new Map(split.filter(([, regions]) => regions.length > 0)));
}

/** The node runs that a run has from the start; those in loops, maps and subgraphs are added while it runs. */
export function rootNodes(graph: Graph, library: Library, frozen: FrozenNodes): NewNodeRun[] {
  const { root } = resolve(graph, library);
  return root.plan.root.items.flatMap((item) => itemNodes(root.plan, item)).map((id) => newNodeRun(frozen, root, id, id));
}

/** The row that is to be made for a node at a path, or for an element of one. A node that gathers the outputs of others runs in this process. */
export function newNodeRun(frozen: FrozenNodes, level: Level, id: string, path: string, isElement = false): NewNodeRun {
  const node = level.node(id);
  const { nodes: _, ...own } = frozen[level.name]?.[id] ?? ({} as FrozenNode);
  const gathers = (node?.mapped !== undefined && !isElement) || node?.element?.calls !== undefined;
  return {
    ...(isElement && own.plane === COMFY ? asRegion(own) : own),
    ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}),
    nodeId: id,
    path,
  };
}
