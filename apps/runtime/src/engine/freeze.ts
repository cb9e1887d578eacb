// What a run freezes when it is accepted (DESIGN M4): the engine of every node, those in definitions too, and which nodes are a region. A node
// that finds no live engine is open: its engine is empty until one is chosen for the whole run (open-engines.ts).
import { createHash } from "node:crypto";
import {
  autoEngine,
  canonicalText,
  enginesAlone,
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
  serverOfEngine,
} from "@spindle/graph-model";
import { BUS } from "@spindle/schemas";
import type { FrozenLevel, FrozenNode, FrozenNodes, NewNodeRun } from "../record/frozen.ts";

const COMFY = "comfy";

/**
 * What speaks against a server of the Comfy plane: 0 nothing, 1 that it does something else first, or does not answer, by the last report;
 * more, the more tasks in a row have failed there.
 */
export type Burden = (server: string) => number;

const NONE: Burden = () => 0;

export function freezeNodes(graph: Graph, library: Library, burden = NONE): FrozenNodes {
  const { root, definitions } = resolve(graph, library);
  return Object.fromEntries([root, ...definitions.values()].map((level) => [level.name, freezeLevel(level, burden)]));
}

function freezeLevel(level: Level, burden: Burden): FrozenLevel {
  const alone = level.nodes.filter(({ region }) => !region);
  return Object.assign(
    Object.fromEntries(alone.map((one) => [one.node.id, freezeNode(one, engineAlone(one, burden))])),
    ...[...level.plan.regions.values()].map((region, index) => freezeRegion(level, region, index, burden)),
  );
}

/**
 * What an item of a level would freeze now, by id: a node, or a region with its nodes. Undefined if it has no live engine, none of the
 * version that the run froze, or is not in the library.
 */
export function freezeItem(level: Level, id: string, version: string, burden = NONE): FrozenLevel | undefined {
  const region = level.plan.regions.get(id);
  const node = level.node(id);
  const isThere = (inside: string) => level.node(inside)?.element !== undefined;
  const frozen = region?.nodes.every(isThere)
    ? freezeRegion(level, region, [...level.plan.regions.keys()].indexOf(id), burden)
    : node?.definition?.version === version
      ? { [id]: freezeNode(node, engineAlone(node, burden)) }
      : {};
  return frozen[id] && !hasOpenEngine(frozen[id]) ? frozen : undefined;
}

/** Whether no engine is chosen yet, of what a run froze or of a row. */
export const hasOpenEngine = ({ engine }: { engine: string }): boolean => engine === "";

/** A region is one task of its server, from whose result the rows of its nodes are filled. */
function freezeRegion(level: Level, region: Region, index: number, burden: Burden): FrozenLevel {
  const { id, nodes } = region;
  const server = serverOf(level, region, index, burden);
  const own = nodes.map((inside) => freezeNode(level.node(inside) as ResolvedNode, server));
  const timeoutSeconds = own.reduce((sum, one) => sum + one.timeoutSeconds, 0);
  const task = { ...asRegion({ ...(own[0] as FrozenNode), timeoutSeconds }), nodes };
  return { ...Object.fromEntries(nodes.map((inside, at) => [inside, own[at] as FrozenNode])), [id]: task };
}

/**
 * The server of a region: the same in each run, so that its models are loaded and its cache is filled, and another for the next region. While
 * that one is busy, or fails, the next free one stands in. One that is named is waited for; else there is none while none is live.
 */
function serverOf(level: Level, region: Region, index: number, burden: Burden): LibraryEngine | undefined {
  const all = level.serversOf(region);
  const live = all.filter((one) => one.live);
  const choice = live.length > 0 || !level.members(region).some(namesEngine) ? live : all;
  const start = createHash("sha256").update(level.graph.workflowId).digest().readUInt32BE(0);
  const turn = (start + index) % Math.max(1, choice.length);
  return freeOf([...choice.slice(turn), ...choice.slice(0, turn)], burden);
}

/** The engine of a node that is in no region. A workflow that several servers have runs on one that is free. */
function engineAlone(node: ResolvedNode, burden: Burden): LibraryEngine | undefined {
  const { definition } = node;
  if (!definition || namesEngine(node)) return node.engine;
  const engines = [...enginesAlone(node)];
  const first = autoEngine({ ...definition, engines });
  const name = first?.blueprint?.name;
  const isAlike = (one: LibraryEngine) => one.live && one.auto !== false && one.blueprint?.name === name;
  return first?.plane === COMFY ? freeOf(engines.filter(isAlike), burden) : first;
}

/** The first one of those against whose servers least speaks. */
function freeOf(engines: readonly LibraryEngine[], burden: Burden): LibraryEngine | undefined {
  const burdens = engines.map(({ id }) => burden(serverOfEngine(id)));
  return engines[burdens.indexOf(Math.min(...burdens))];
}

const namesEngine = ({ settings: { engine = "auto" }, passes }: ResolvedNode): boolean => !passes && engine !== "auto";

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
    ...(engine?.licence ? { licence: engine.licence } : {}),
    timeoutSeconds: Math.round(settings.timeoutSeconds ?? Math.max(0, definition.timeoutSeconds)),
    ...(definition.stallSeconds ? { stallSeconds: Math.ceil(definition.stallSeconds) } : {}),
  };
  return engine?.blueprint ? { ...asRegion(frozen), workflow: workflowHash(engine.blueprint) } : frozen;
}

const workflows = new WeakMap<object, string>();

/** By which a run names the ComfyUI workflow that an engine is. */
function workflowHash(workflow: object): string {
  const hash = workflows.get(workflow) ?? contentHash(workflow);
  workflows.set(workflow, hash);
  return hash;
}

/** Of the canonical text, as hexadecimal digits. */
export const contentHash = (value: object): string => createHash("sha256").update(canonicalText(value)).digest("hex");

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
  const { nodes: _, workflow: __, licence: ___, ...own } = frozen[level.name]?.[id] ?? ({} as FrozenNode);
  const gathers = (node?.mapped !== undefined && !isElement) || node?.element?.calls !== undefined;
  return {
    ...(isElement && own.plane === COMFY ? asRegion(own) : own),
    ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}),
    nodeId: id,
    path,
  };
}
