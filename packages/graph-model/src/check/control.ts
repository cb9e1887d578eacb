// Control flow on edges and settings of nodes: conditions, loops, maps, pins, breakpoints (SPEC, and its limits).
import { whyNoCondition } from "../condition.ts";
import { mapEdge } from "../definitions.ts";
import { edgeId, edgeMetadata, type Graph, type GraphEdge, type GraphNode, isLoopEdge, isMapEdge, nodeSettings } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { planGraph } from "../plan.ts";
import { CALL, calledName, hasDefinition } from "../subgraphs.ts";
import type { Topology } from "../topology.ts";

export const MAX_MAP_LIMIT = 1000;

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
    ...graph.nodes.flatMap((node) => checkSettings(graph, node)),
  ];
}

function checkMap(graph: Graph, edge: GraphEdge, place: { edge: string; pointer: string }): Issue[] {
  const bad = (why: string) => [issue("error", "edge.bad_map", why, { ...place, node: edge.to })];
  const { map, sourcePort, targetPort } = edgeMetadata(edge);
  if (isLoopEdge(edge)) return bad("An edge is a loop or a map, not both.");
  if (!sourcePort || !targetPort) return bad("A map needs a wire: a list at one end, the input that takes each element at the other.");
  if (mapEdge(graph, edge.to) !== edge) return bad("A node is mapped over one list.");
  const { limit, tolerate } = Object(map) as Record<string, unknown>;
  if (limit !== undefined && !(Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= MAX_MAP_LIMIT))
    return bad(`The limit is a whole number from 1 to ${MAX_MAP_LIMIT.toLocaleString("en")}: how many elements run at once.`);
  if (tolerate !== undefined && !(Number.isInteger(tolerate) && Number(tolerate) >= 0))
    return bad("Tolerated failures are a whole number from 0.");
  return [];
}

function checkSettings(graph: Graph, node: GraphNode): Issue[] {
  const { pinned, breakpoint, disabled } = nodeSettings(graph, node.id) as Record<string, unknown>;
  const bad = (port: string, why: string) => issue("error", "param.invalid", why, { node: node.id, port });
  const isObject = pinned !== null && typeof pinned === "object" && !Array.isArray(pinned);
  const name = calledName(node);
  return [
    ...(pinned !== undefined && pinned !== null && !isObject ? [bad("pinned", "A pinned output is an object with a value per port.")] : []),
    ...(breakpoint !== undefined && breakpoint !== null && breakpoint !== "before" && breakpoint !== "after"
      ? [bad("breakpoint", "A breakpoint is before or after the node.")]
      : []),
    ...(disabled === true ? [issue("info", "node.disabled", "The node is off: it is skipped.", { node: node.id })] : []),
    ...(node.service === CALL && (name === undefined || !hasDefinition(graph, name))
      ? [
          issue("error", "node.unknown_definition", `There is no definition ${JSON.stringify(name ?? "")} in this graph.`, {
            node: node.id,
            port: "definition",
          }),
        ]
      : []),
  ];
}
