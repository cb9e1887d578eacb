// Control flow on edges, and calls: conditions, loops, maps (SPEC, and its limits).
import { whyNoCondition } from "../condition.ts";
import { mapEdge } from "../definitions.ts";
import { edgeId, edgeMetadata, type Graph, type GraphEdge, type GraphNode, isLoopEdge, isMapEdge, type MapSettings } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { planGraph } from "../plan.ts";
import { CALL, calledName, hasDefinition } from "../subgraphs.ts";
import type { Topology } from "../topology.ts";
import { misfits } from "./misfits.ts";

const MAP_SAYS: Readonly<Record<keyof MapSettings, string>> = {
  limit: "The limit is a whole number from 1 to 1,000: how many elements run at once.",
  tolerate: "Tolerated failures are a whole number from 0.",
};

export function checkControl(graph: Graph, shape: Topology): Issue[] {
  const place = new Map(graph.edges.map((edge, index) => [edge, { edge: edgeId(edge, index), pointer: `/edges/${index}/metadata` }]));
  const at = (edge: GraphEdge, key: string) => {
    const found = place.get(edge);
    return { edge: found?.edge ?? "", pointer: `${found?.pointer}/${key}` };
  };
  return [
    ...graph.edges.flatMap((edge) => {
      const { when } = edgeMetadata(edge);
      const why = when === undefined || when === null ? undefined : whyNoCondition(when);
      return why ? [issue("error", "edge.bad_condition", why, at(edge, "when"))] : [];
    }),
    ...planGraph(graph, shape).problems.map(({ edge, why }) => issue("error", "graph.bad_loop", why, at(edge, "loop"))),
    ...graph.edges.flatMap((edge) => (isMapEdge(edge) ? checkMap(graph, edge, at(edge, "map")) : [])),
    ...graph.nodes.flatMap((node) => checkCall(graph, node)),
  ];
}

function checkMap(graph: Graph, edge: GraphEdge, place: { edge: string; pointer: string }): Issue[] {
  const bad = (why: string) => [issue("error", "edge.bad_map", why, { ...place, node: edge.to })];
  const { map, sourcePort, targetPort } = edgeMetadata(edge);
  if (isLoopEdge(edge)) return bad("An edge is a loop or a map, not both.");
  if (!sourcePort || !targetPort) return bad("A map needs a wire: a list at one end, the input that takes each element at the other.");
  if (mapEdge(graph, edge.to) !== edge) return bad("A node is mapped over one list.");
  const [, setting] = misfits("EdgeMetadata", { map }).wrong.find(({ path }) => path.length > 1)?.path ?? [];
  return setting === undefined ? [] : bad(MAP_SAYS[setting as keyof MapSettings]);
}

function checkCall(graph: Graph, node: GraphNode): Issue[] {
  const name = calledName(node);
  if (node.service !== CALL || (name !== undefined && hasDefinition(graph, name))) return [];
  const message = `There is no definition ${JSON.stringify(name ?? "")} in this graph.`;
  return [issue("error", "node.unknown_definition", message, { node: node.id, port: "definition" })];
}
