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

/**
 * What the ids of the nodes and the edges say, whatever else the nodes are. Validation gets by with places in the graph's list;
 * sets and maps of ids are made when somebody asks.
 */
export class Neighbours {
  /** The place of each node; of several with one id that of the last. */
  readonly index: ReadonlyMap<string, number>;
  readonly incoming: ReadonlyMap<string, readonly GraphEdge[]>;
  readonly following: Following;
  readonly order: readonly string[];
  private readonly edges: readonly GraphEdge[];
  private after: Topology["outgoing"] | undefined;
  private before: Topology["predecessors"] | undefined;
  private next: Topology["successors"] | undefined;

  constructor({ nodes, edges }: Graph) {
    const incoming = new Map<string, GraphEdge[]>();
    const index = new Map<string, number>();
    for (let at = 0; at < nodes.length; at++) {
      const { id } = nodes[at] as GraphNode;
      incoming.set(id, NO_EDGES);
      index.set(id, at);
    }
    const pairs = new Int32Array(2 * edges.length);
    let count = 0;
    for (const edge of edges) {
      const from = index.get(edge.from);
      const to = index.get(edge.to);
      if (from === undefined || to === undefined || isLoopEdge(edge)) continue;
      addTo(incoming, edge.to, edge);
      pairs[count++] = from;
      pairs[count++] = to;
    }
    this.edges = edges;
    this.index = index;
    this.incoming = incoming;
    this.following = following(nodes.length, pairs, count);
    this.order = sorted(nodes, index, this.following);
  }

  get successors(): Topology["successors"] {
    if (this.next) return this.next;
    const successors = new Map<string, ReadonlySet<string>>();
    const { from, to } = this.following;
    const ids: string[] = [];
    for (const [id, at] of this.index) ids[at] = id;
    for (const [id, at] of this.index) {
      const after = new Set<string>();
      for (let place = from[at] as number; place < (from[at + 1] as number); place++) after.add(ids[to[place] as number] as string);
      successors.set(id, after.size === 0 ? NO_NODES : after);
    }
    this.next = successors;
    return successors;
  }

  /** Whether no edge leads on from a node. */
  isEnd(id: string): boolean {
    const at = this.index.get(id);
    return at !== undefined && this.following.from[at] === this.following.from[at + 1];
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

/**
 * The places after the one at `at` are those of `to` between `from[at]` and `from[at + 1]`, each once; what else stands in `to` means
 * nothing. No part of these arrays is given away as a view: a view costs more than a small level does.
 */
interface Following {
  from: Int32Array;
  to: Int32Array;
}

/** @param pairs of places, one after the other: where each edge starts and ends; the first `count` entries are meant */
function following(places: number, pairs: Int32Array, count: number): Following {
  const from = new Int32Array(places + 1);
  for (let at = 0; at < count; at += 2) (from[(pairs[at] as number) + 1] as number)++;
  for (let at = 0; at < places; at++) (from[at + 1] as number) += from[at] as number;
  const to = new Int32Array(count / 2);
  const free = from.slice();
  for (let at = 0; at < count; at += 2) to[(free[pairs[at] as number] as number)++] = pairs[at + 1] as number;
  const source = new Int32Array(places).fill(-1);
  let kept = 0;
  for (let at = 0, begin = 0; at < places; at++) {
    const end = from[at + 1] as number;
    from[at] = kept;
    for (; begin < end; begin++) {
      const next = to[begin] as number;
      if (source[next] === at) continue;
      source[next] = at;
      to[kept++] = next;
    }
  }
  from[places] = kept;
  return { from, to };
}

/** By the places of the nodes; of several with one id only the last has a place. */
function sorted(nodes: readonly GraphNode[], index: ReadonlyMap<string, number>, { from, to }: Following): string[] {
  const open = new Int32Array(nodes.length);
  const count = from[nodes.length] as number;
  for (let place = 0; place < count; place++) (open[to[place] as number] as number)++;
  const places: number[] = [];
  for (const at of index.values()) if (open[at] === 0) places.push(at);
  for (let done = 0; done < places.length; done++) {
    const at = places[done] as number;
    for (let place = from[at] as number; place < (from[at + 1] as number); place++) {
      const next = to[place] as number;
      if (--(open[next] as number) === 0) places.push(next);
    }
  }
  return places.map((at) => (nodes[at] as GraphNode).id);
}

/** All that is reached from any of the nodes by one step or more, each looked at once. @param next the neighbours of each node */
export function reached(next: ReadonlyMap<string, ReadonlySet<string>>, from: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const open = [...from];
  for (let id = open.pop(); id !== undefined; id = open.pop())
    for (const neighbour of next.get(id) ?? []) {
      if (found.has(neighbour)) continue;
      found.add(neighbour);
      open.push(neighbour);
    }
  return found;
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
