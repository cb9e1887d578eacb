// What a run freezes when it is accepted (DESIGN M4): the engine of every node, those in definitions too.
import {
  autoEngine,
  definitionGraph,
  definitionNames,
  elementDefinition,
  type Graph,
  type GraphNode,
  type Library,
  mapEdge,
  nodeSettings,
  planGraph,
} from "@spindle/graph-model";
import type { FrozenNode, FrozenNodes, NewNodeRun } from "../record/types.ts";

export function freezeNodes(graph: Graph, library: Library): FrozenNodes {
  const levels = new Map([["", graph], ...definitionNames(graph).map((name) => [name, definitionGraph(graph, name) as Graph] as const)]);
  return Object.fromEntries(
    [...levels].map(([name, level]) => [name, Object.fromEntries(level.nodes.map((node) => [node.id, freezeNode(level, node, library)]))]),
  );
}

function freezeNode(graph: Graph, node: GraphNode, library: Library): FrozenNode {
  const settings = nodeSettings(graph, node.id);
  const definition = elementDefinition(graph, node, library);
  const engine = definition?.engines.find((one) => one.id === settings.engine) ?? (definition && autoEngine(definition));
  if (!definition || !engine) throw new Error(`No definition for the validated node ${node.id}.`);
  return {
    plane: engine.plane,
    service: node.service,
    version: definition.version,
    engine: engine.id,
    draft: engine.draft,
    timeoutSeconds: Math.round(settings.timeoutSeconds ?? Math.max(0, definition.timeoutSeconds)),
  };
}

/** The node runs that every run has from the start; those in loops, maps and subgraphs come to be as it goes. */
export function rootNodes(graph: Graph, library: Library, frozen: FrozenNodes): NewNodeRun[] {
  const { root, regions } = planGraph(graph);
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  return root.items
    .filter((item) => !regions.has(item))
    .map((id) => {
      const gathers = mapEdge(graph, id) !== undefined || elementDefinition(graph, byId.get(id) as GraphNode, library)?.calls !== undefined;
      const own = frozen[""]?.[id] as FrozenNode;
      return { ...own, ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}), nodeId: id, path: id };
    });
}
