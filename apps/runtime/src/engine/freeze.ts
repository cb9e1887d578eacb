// What a run freezes when it is accepted (DESIGN M4): the engine of every node, those in definitions too.
import { createHash } from "node:crypto";
import {
  chosenEngine,
  definitionGraph,
  definitionNames,
  type Engine,
  elementDefinition,
  type Graph,
  type GraphNode,
  itemNodes,
  type Library,
  mapEdge,
  nodeSettings,
  type Plan,
  planRegions,
  serversOf,
} from "@spindle/graph-model";
import { BUS } from "@spindle/schemas";
import type { FrozenNode, FrozenNodes, NewNodeRun } from "../record/types.ts";

export function freezeNodes(graph: Graph, library: Library): FrozenNodes {
  const levels = new Map([["", graph], ...definitionNames(graph).map((name) => [name, definitionGraph(graph, name) as Graph] as const)]);
  return Object.fromEntries(
    [...levels].map(([name, level]) => {
      const plan = planRegions(level, library);
      const servers = new Map([...plan.groups.values()].map((one, index) => [one.id, serverOf(level, one.nodes, index, library)]));
      const nodes = level.nodes.map(
        (node) => [node.id, freezeNode(level, node, library, servers.get(plan.groupOf.get(node.id)?.id ?? ""))] as const,
      );
      return [name, { ...Object.fromEntries(nodes), ...freezeGroups(plan, Object.fromEntries(nodes)) }];
    }),
  );
}

/** The same one each time, so that it finds its models loaded and its own cache filled; another one for the next region. */
function serverOf(graph: Graph, nodes: readonly string[], index: number, library: Library): Engine | undefined {
  const all = serversOf(graph, nodes, library);
  const live = all.filter((one) => one.live);
  const choice = live.length > 0 ? live : all;
  const start = createHash("sha256").update(graph.workflowId).digest().readUInt32BE(0);
  return choice[(start + index) % Math.max(1, choice.length)];
}

/** A region goes to its server as one task, which its nodes' rows only gather from. */
function freezeGroups({ groups }: Plan, nodes: Readonly<Record<string, FrozenNode>>): Record<string, FrozenNode> {
  return Object.fromEntries(
    [...groups.values()].map(({ id, nodes: inside }) => {
      const own = inside.map((one) => nodes[one] as FrozenNode);
      const timeoutSeconds = own.reduce((sum, one) => sum + one.timeoutSeconds, 0);
      return [id, asRegion({ ...(own[0] as FrozenNode), timeoutSeconds })];
    }),
  );
}

/** What a worker of the Comfy plane takes is a region, be it of one node. */
export const asRegion = <T extends FrozenNode>(node: T): T => ({ ...node, service: BUS.region, version: BUS.regionVersion });

function freezeNode(graph: Graph, node: GraphNode, library: Library, server: Engine | undefined): FrozenNode {
  const settings = nodeSettings(graph, node.id);
  const definition = elementDefinition(graph, node, library);
  // A run with a node that would run and has no live engine is not accepted (`whyNotNow`); a row that does not run names the first.
  const engine = server ?? (definition && (chosenEngine(definition, settings.engine) ?? definition.engines[0]));
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

/** The node runs that every run has from the start; those in loops, maps and subgraphs come to be as it goes. */
export function rootNodes(graph: Graph, library: Library, frozen: FrozenNodes): NewNodeRun[] {
  const plan = planRegions(graph, library);
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  return plan.root.items
    .flatMap((item) => itemNodes(plan, item))
    .map((id) => {
      const node = byId.get(id);
      const gathers = mapEdge(graph, id) !== undefined || (node && elementDefinition(graph, node, library)?.calls !== undefined);
      const own = frozen[""]?.[id] as FrozenNode;
      return { ...own, ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}), nodeId: id, path: id };
    });
}
