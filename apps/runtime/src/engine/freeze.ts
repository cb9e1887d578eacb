// What a run freezes when it is accepted (DESIGN M4): the engine of every node, those in definitions too.
import { createHash } from "node:crypto";
import {
  type Graph,
  itemNodes,
  type Level,
  type Library,
  type LibraryEngine,
  type Plan,
  type Region,
  type ResolvedNode,
  resolve,
} from "@spindle/graph-model";
import { BUS } from "@spindle/schemas";
import type { FrozenNode, FrozenNodes, NewNodeRun } from "../record/types.ts";

const COMFY = "comfy";

export function freezeNodes(graph: Graph, library: Library): FrozenNodes {
  const { root, definitions } = resolve(graph, library);
  return Object.fromEntries([root, ...definitions.values()].map((level) => [level.name, freezeLevel(level)]));
}

function freezeLevel(level: Level): Record<string, FrozenNode> {
  const servers = new Map([...level.plan.regions.values()].map((region, index) => [region.id, serverOf(level, region, index)]));
  const nodes = Object.fromEntries(
    level.nodes.map((one) => [one.node.id, freezeNode(one, one.region && servers.get(one.region.id))] as const),
  );
  return { ...nodes, ...freezeRegions(level.plan, nodes) };
}

/** The server of a region: the same in each run, so that its models are loaded and its cache is filled, and another for the next region. */
function serverOf(level: Level, region: Region, index: number): LibraryEngine | undefined {
  const all = level.serversOf(region);
  const live = all.filter((one) => one.live);
  const choice = live.length > 0 ? live : all;
  const start = createHash("sha256").update(level.graph.workflowId).digest().readUInt32BE(0);
  return choice[(start + index) % Math.max(1, choice.length)];
}

/** The frozen tasks of the regions: a region is one task of its server, from whose result the rows of its nodes are filled. */
function freezeRegions({ regions }: Plan, nodes: Readonly<Record<string, FrozenNode>>): Record<string, FrozenNode> {
  return Object.fromEntries(
    [...regions.values()].map(({ id, nodes: inside }) => {
      const own = inside.map((one) => nodes[one] as FrozenNode);
      const timeoutSeconds = own.reduce((sum, one) => sum + one.timeoutSeconds, 0);
      return [id, asRegion({ ...(own[0] as FrozenNode), timeoutSeconds })];
    }),
  );
}

/** A node as a region, which is all that a worker of the Comfy plane takes. */
export const asRegion = <T extends FrozenNode>(node: T): T => ({ ...node, service: BUS.region, version: BUS.regionVersion });

function freezeNode({ node, settings, element: definition, engine: chosen }: ResolvedNode, server: LibraryEngine | undefined): FrozenNode {
  // A run with a node that would run and has no live engine is not accepted (`whyNotNow`); a row that does not run names the first.
  const engine = server ?? chosen ?? definition?.engines[0];
  if (!definition || !engine) throw new Error(`No definition for the validated node ${node.id}.`);
  const frozen = {
    plane: engine.plane,
    service: node.service,
    version: definition.version,
    engine: engine.id,
    draft: engine.draft,
    timeoutSeconds: Math.round(settings.timeoutSeconds ?? Math.max(0, definition.timeoutSeconds)),
    ...(definition.stallSeconds ? { stallSeconds: Math.ceil(definition.stallSeconds) } : {}),
  };
  return engine.blueprint ? asRegion(frozen) : frozen;
}

/** The node runs that a run has from the start; those in loops, maps and subgraphs are added while it runs. */
export function rootNodes(graph: Graph, library: Library, frozen: FrozenNodes): NewNodeRun[] {
  const { root } = resolve(graph, library);
  return root.plan.root.items.flatMap((item) => itemNodes(root.plan, item)).map((id) => newNodeRun(frozen, root, id, id));
}

/** The row that is to be made for a node at a path, or for an element of one. A node that gathers the outputs of others runs in this process. */
export function newNodeRun(frozen: FrozenNodes, level: Level, id: string, path: string, isElement = false): NewNodeRun {
  const node = level.node(id);
  const own = frozen[level.name]?.[id] as FrozenNode;
  const gathers = (node?.mapped !== undefined && !isElement) || node?.element?.calls !== undefined;
  return {
    ...(isElement && own.plane === COMFY ? asRegion(own) : own),
    ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}),
    nodeId: id,
    path,
  };
}
