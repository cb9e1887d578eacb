import { type Graph, type GraphEdge, type GraphNode, isLoopEdge } from "./graph.ts";

/** Neighbourhoods by the edges that lead forward (loop edges are left out); several edges between two nodes count once. */
export interface Topology {
  node: ReadonlyMap<string, GraphNode>;
  incoming: ReadonlyMap<string, readonly GraphEdge[]>;
  outgoing: ReadonlyMap<string, readonly GraphEdge[]>;
  predecessors: ReadonlyMap<string, ReadonlySet<string>>;
  successors: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every node after its predecessors; nodes on a cycle, and what follows them, are missing. */
  order: readonly string[];
}

export function topology(graph: Graph): Topology {
  const node = new Map(graph.nodes.map((one) => [one.id, one]));
  const make = <T>(empty: () => T) => new Map([...node.keys()].map((id) => [id, empty()]));
  const incoming = make<GraphEdge[]>(() => []);
  const outgoing = make<GraphEdge[]>(() => []);
  const predecessors = make(() => new Set<string>());
  const successors = make(() => new Set<string>());
  for (const edge of graph.edges) {
    if (!node.has(edge.from) || !node.has(edge.to) || isLoopEdge(edge)) continue;
    incoming.get(edge.to)?.push(edge);
    outgoing.get(edge.from)?.push(edge);
    predecessors.get(edge.to)?.add(edge.from);
    successors.get(edge.from)?.add(edge.to);
  }
  return { node, incoming, outgoing, predecessors, successors, order: sorted(predecessors, successors) };
}

function sorted(predecessors: Map<string, Set<string>>, successors: Map<string, Set<string>>): string[] {
  const open = new Map([...predecessors].map(([id, set]) => [id, set.size]));
  const order = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  for (let at = 0; at < order.length; at++)
    for (const next of successors.get(order[at] as string) ?? []) {
      const left = (open.get(next) as number) - 1;
      open.set(next, left);
      if (left === 0) order.push(next);
    }
  return order;
}

/** Every node upstream of `id`, with how many edges away it is. */
export function upstream(graph: Topology, id: string): Map<string, number> {
  const distance = new Map<string, number>();
  let front = [...(graph.predecessors.get(id) ?? [])];
  for (let steps = 1; front.length > 0; steps++) {
    const fresh = front.filter((one) => one !== id && !distance.has(one));
    for (const one of fresh) distance.set(one, steps);
    front = [...new Set(fresh.flatMap((one) => [...(graph.predecessors.get(one) ?? [])]))];
  }
  return distance;
}
