// Control flow on edges, and calls: conditions, loops, maps (SPEC, and its limits).
import type { NodeParts } from "../definitions.ts";
import { edgeId, edgeMetadata, type GraphEdge, isLoopEdge, isMapEdge, type MapSettings } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { Level } from "../level.ts";
import { calledName } from "../subgraphs.ts";
import { misfits } from "./misfits.ts";

const MAP_SAYS: Readonly<Record<keyof MapSettings, string>> = {
  limit: "The limit is a whole number from 1 to 1,000: how many elements run at once.",
  tolerate: "Tolerated failures are a whole number from 0.",
};

/** Issues of the edges of a level, which depend on its wiring alone. */
export function checkControl(level: Level): Issue[] {
  const { graph, wiring, loopProblems } = level;
  if (wiring.conditions.size + wiring.mapped.size + loopProblems.length === 0) return [];
  const place = new Map(graph.edges.map((edge, index) => [edge, { edge: edgeId(edge, index), pointer: `/edges/${index}/metadata` }]));
  const at = (edge: GraphEdge, key: string) => {
    const found = place.get(edge);
    return { edge: found?.edge ?? "", pointer: `${found?.pointer}/${key}` };
  };
  return [
    ...graph.edges.flatMap((edge) => {
      const why = level.condition(edge)?.fault;
      return why ? [issue("error", "edge.bad_condition", why, at(edge, "when"))] : [];
    }),
    ...loopProblems.map(({ edge, why }) => issue("error", "graph.bad_loop", why, at(edge, "loop"))),
    ...graph.edges.flatMap((edge) => (isMapEdge(edge) ? checkMap(level, edge, at(edge, "map")) : [])),
  ];
}

function checkMap({ wiring }: Level, edge: GraphEdge, place: { edge: string; pointer: string }): Issue[] {
  const bad = (why: string) => [issue("error", "edge.bad_map", why, { ...place, node: edge.to })];
  const { map, sourcePort, targetPort } = edgeMetadata(edge);
  if (isLoopEdge(edge)) return bad("An edge is a loop or a map, not both.");
  if (!sourcePort || !targetPort) return bad("A map needs a wire: a list at one end, the input that takes each element at the other.");
  if (wiring.mapped.get(edge.to) !== edge) return bad("A node is mapped over one list.");
  const [, setting] = misfits("EdgeMetadata", { map }).wrong.find(({ path }) => path.length > 1)?.path ?? [];
  return setting === undefined ? [] : bad(MAP_SAYS[setting as keyof MapSettings]);
}

/** Issues of a node that calls a definition. */
export function checkCall({ node, isLostCall }: NodeParts): Issue[] {
  if (!isLostCall) return [];
  const message = `There is no definition ${JSON.stringify(calledName(node) ?? "")} in this graph.`;
  return [issue("error", "node.unknown_definition", message, { node: node.id, port: "definition" })];
}
