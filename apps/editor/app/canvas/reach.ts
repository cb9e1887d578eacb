import type { Graph } from "@spindle/graph-model";

/** The nodes and all that lead to them, or that they lead to, by loop edges too. */
export function reach(graph: Graph, ids: Iterable<string>, way: "upstream" | "downstream"): Set<string> {
  const next = new Map<string, string[]>();
  for (const edge of graph.edges) {
    const [at, to] = way === "upstream" ? [edge.to, edge.from] : [edge.from, edge.to];
    const known = next.get(at);
    if (known) known.push(to);
    else next.set(at, [to]);
  }
  const found = new Set(ids);
  for (const id of found) for (const other of next.get(id) ?? []) found.add(other);
  return found;
}
