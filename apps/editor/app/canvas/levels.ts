// The levels of a graph: the graph itself, and what its nodes call. The canvas shows one of them.
import { CALL, definitionNames, type Graph, graphInside, type Issue } from "@spindle/graph-model";

/** The graph itself, or one of its definitions as it is seen by the calls that lead to it. */
export interface GraphLevel {
  /** The nodes that call, outermost first; none for the graph itself. */
  calls: readonly string[];
  /** The name of the definition; undefined for the graph itself. */
  definition: string | undefined;
  graph: Graph;
}

/** The name of what a node calls; undefined for any other node. */
export function subgraphOf(graph: Graph, id: string): string | undefined {
  const node = graph.nodes.find((one) => one.id === id);
  const name = node?.service === CALL ? node.params?.definition : undefined;
  return typeof name === "string" && definitionNames(graph).includes(name) ? name : undefined;
}

/** The level that the calls lead to, or as far as they lead. */
export function levelAt(whole: Graph, calls: readonly string[]): GraphLevel {
  let level: GraphLevel = { calls: [], definition: undefined, graph: whole };
  for (const call of calls) {
    const definition = subgraphOf(level.graph, call);
    const graph = definition === undefined ? undefined : graphInside(whole, definition);
    if (definition === undefined || !graph) break;
    level = { calls: [...level.calls, call], definition, graph };
  }
  return level;
}

/** The shortest way to a definition; undefined if nothing that can be reached calls it. */
export function callsTo(whole: Graph, definition: string): readonly string[] | undefined {
  const front: GraphLevel[] = [levelAt(whole, [])];
  const seen = new Set<string>();
  for (const level of front)
    for (const { id } of level.graph.nodes) {
      const called = subgraphOf(level.graph, id);
      if (called === undefined || seen.has(called)) continue;
      const next = levelAt(whole, [...level.calls, id]);
      if (called === definition) return next.calls;
      seen.add(called);
      front.push(next); // the list grows while it is walked
    }
  return undefined;
}

/** The issues of one level, with their places as they are in it. */
export function issuesOf(issues: readonly Issue[], definition: string | undefined): Issue[] {
  if (definition === undefined) return issues.filter(({ place }) => place.definition === undefined);
  const root = `/metadata/definitions/${definition.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return issues.flatMap((issue) => {
    const { definition: of, pointer, ...place } = issue.place;
    if (of !== definition) return [];
    const inner = pointer?.startsWith(root) ? pointer.slice(root.length) : pointer;
    return [{ ...issue, place: { ...place, ...(inner ? { pointer: inner } : {}) } }];
  });
}

/** Calls as they stand in an address, and back. */
export const addressOf = (calls: readonly string[]): string => calls.join("/");
export const callsOf = (address: string | null): string[] => (address ? address.split("/").filter(Boolean) : []);
