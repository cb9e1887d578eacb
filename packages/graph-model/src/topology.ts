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

export const topology = (graph: Graph): Topology => new GraphShape(graph, new Neighbours(graph));

/** A topology whose nodes are looked up when somebody asks for one. */
export class GraphShape implements Topology {
  private found: ReadonlyMap<string, GraphNode> | undefined;

  /** @param neighbours of the graph, or of one with the same ids and edges */
  constructor(
    private readonly graph: Pick<Graph, "nodes">,
    private readonly neighbours: Neighbours,
  ) {}

  get node(): ReadonlyMap<string, GraphNode> {
    this.found ??= new Map(this.graph.nodes.map((node) => [node.id, node]));
    return this.found;
  }
  get incoming(): Topology["incoming"] {
    return this.neighbours.incoming;
  }
  get outgoing(): Topology["outgoing"] {
    return this.neighbours.outgoing;
  }
  get predecessors(): Topology["predecessors"] {
    return this.neighbours.predecessors;
  }
  get successors(): Topology["successors"] {
    return this.neighbours.successors;
  }
  get order(): Topology["order"] {
    return this.neighbours.order;
  }
}

/** What the ids of the nodes and the edges say, whatever else the nodes are. Half of it is made when somebody asks. */
export class Neighbours {
  readonly incoming: ReadonlyMap<string, readonly GraphEdge[]>;
  readonly successors: ReadonlyMap<string, ReadonlySet<string>>;
  readonly order: readonly string[];
  private readonly edges: readonly GraphEdge[];
  private after: Topology["outgoing"] | undefined;
  private before: Topology["predecessors"] | undefined;

  constructor({ nodes, edges }: Graph) {
    const incoming = new Map<string, GraphEdge[]>();
    const successors = new Map<string, Set<string>>();
    const waits = new Map<string, number>();
    for (const { id } of nodes) {
      incoming.set(id, NO_EDGES);
      successors.set(id, NO_NODES);
      waits.set(id, 0);
    }
    for (const edge of edges) {
      const { from, to } = edge;
      if (!incoming.has(from) || !incoming.has(to) || isLoopEdge(edge)) continue;
      addTo(incoming, to, edge);
      if (!successors.get(from)?.has(to)) waits.set(to, (waits.get(to) as number) + 1);
      join(successors, from, to);
    }
    this.edges = edges;
    this.incoming = incoming;
    this.successors = successors;
    this.order = sorted(waits, successors);
  }

  get outgoing(): Topology["outgoing"] {
    if (this.after) return this.after;
    const outgoing = new Map<string, GraphEdge[]>();
    for (const id of this.incoming.keys()) outgoing.set(id, NO_EDGES);
    for (const edge of this.edges)
      if (this.incoming.has(edge.from) && this.incoming.has(edge.to) && !isLoopEdge(edge)) addTo(outgoing, edge.from, edge);
    this.after = outgoing;
    return outgoing;
  }

  get predecessors(): Topology["predecessors"] {
    if (this.before) return this.before;
    const predecessors = new Map<string, ReadonlySet<string>>();
    for (const [id, edges] of this.incoming) predecessors.set(id, edges.length === 0 ? NO_NODES : new Set(edges.map(({ from }) => from)));
    this.before = predecessors;
    return predecessors;
  }
}

// Shared by all nodes without any, and never added to.
const NO_EDGES: GraphEdge[] = [];
const NO_NODES = new Set<string>();

function addTo(lists: Map<string, GraphEdge[]>, id: string, edge: GraphEdge): void {
  const list = lists.get(id);
  if (list === NO_EDGES) lists.set(id, [edge]);
  else list?.push(edge);
}

function join(sets: Map<string, Set<string>>, id: string, other: string): void {
  const set = sets.get(id);
  if (set === NO_NODES) sets.set(id, new Set([other]));
  else set?.add(other);
}

/** @param open how many predecessors of each node are not in the order yet */
function sorted(open: Map<string, number>, successors: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const order: string[] = [];
  for (const [id, count] of open) if (count === 0) order.push(id);
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
    for (const nodeId of fresh) distance.set(nodeId, steps);
    front = [...new Set(fresh.flatMap((one) => [...(graph.predecessors.get(one) ?? [])]))];
  }
  return distance;
}
