// Loops as regions (SPEC L1 to L4): at each level the items, nodes and loops, form a graph without cycles.
import { edgeMetadata, type Graph, type GraphEdge, isLoopEdge } from "./graph.ts";
import { type Topology, topology } from "./topology.ts";

export const MAX_ITERATIONS = 10_000;

/** The whole graph, or the body of one loop. */
export interface Region {
  /** Empty for the whole graph; `loop:tail>head` for a loop, which no node can be called. */
  id: string;
  /** Where the loop's edge starts and ends; empty for the whole graph. */
  tail: string;
  head: string;
  edge?: GraphEdge;
  maxIterations: number;
  nodes: ReadonlySet<string>;
  parent?: Region;
  /** Nodes, loops inside this region by their id and groups by theirs, each after its predecessors. */
  items: readonly string[];
  predecessors: ReadonlyMap<string, ReadonlySet<string>>;
  successors: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Nodes that run together as one item of their region. */
export interface Group {
  /** `group:first>`, which no node can be called. */
  id: string;
  /** Each after its predecessors. */
  nodes: readonly string[];
}

export const groupId = (first: string): string => `group:${first}>`;
export const isGroupId = (id: string): boolean => id.startsWith("group:") && id.endsWith(">");

/** The nodes that an item has rows for: itself, and those of its group; none for a loop, whose visits have them. */
export const itemNodes = ({ regions, groups }: Pick<Plan, "regions" | "groups">, item: string): readonly string[] =>
  regions.has(item) ? [] : [item, ...(groups.get(item)?.nodes ?? [])];

export interface LoopProblem {
  edge: GraphEdge;
  why: string;
}

export interface Plan {
  shape: Topology;
  root: Region;
  regions: ReadonlyMap<string, Region>;
  /** The innermost region of each node. */
  home: ReadonlyMap<string, Region>;
  /** By id, and the group of each node that is in one. */
  groups: ReadonlyMap<string, Group>;
  groupOf: ReadonlyMap<string, Group>;
  /** Loop edges that are none; they are left out of the regions. */
  problems: readonly LoopProblem[];
}

type Draft = Omit<Region, "items" | "predecessors" | "successors" | "parent"> & { parent?: Draft };

/** Which nodes of a region run together; groups must leave its items without a cycle. */
export type Grouping = (region: Region) => readonly Group[];

export function planGraph(graph: Graph, shape: Topology = topology(graph), grouping: Grouping = () => []): Plan {
  const problems: LoopProblem[] = [];
  const drafts: Draft[] = [];
  for (const edge of graph.edges.filter((one) => isLoopEdge(one) && shape.node.has(one.from) && shape.node.has(one.to))) {
    const found = draft(shape, edge);
    if ("why" in found) problems.push(found);
    else drafts.push(found);
  }
  const nested = nest(drafts, problems);
  const root: Draft = { id: "", tail: "", head: "", maxIterations: 1, nodes: new Set(shape.node.keys()) };
  for (const one of nested) one.parent ??= root;
  const home = new Map([...shape.node.keys()].map((id) => [id, nested.find((one) => one.nodes.has(id)) ?? root]));
  const finished = new Map<Draft, Region>();
  const groups: Group[] = [];
  for (const one of [root, ...nested]) {
    const region = finish(one, home, shape);
    const together = grouping(region);
    groups.push(...together);
    finished.set(one, together.length > 0 ? contract(region, together) : region);
  }
  for (const one of nested) (finished.get(one) as { parent?: Region }).parent = finished.get(one.parent as Draft) as Region;
  const get = (one: Draft) => finished.get(one) as Region;
  return {
    shape,
    root: get(root),
    regions: new Map(nested.map((one) => [one.id, get(one)])),
    home: new Map([...home].map(([id, one]) => [id, get(one)])),
    groups: new Map(groups.map((one) => [one.id, one])),
    groupOf: new Map(groups.flatMap((one) => one.nodes.map((id) => [id, one] as const))),
    problems,
  };
}

/** Each group becomes one item. */
function contract(region: Region, groups: readonly Group[]): Region {
  const holder = new Map(groups.flatMap((one) => one.nodes.map((id) => [id, one.id] as const)));
  const of = (item: string): string => holder.get(item) ?? item;
  const items = [...new Set(region.items.map(of))];
  const predecessors = new Map(items.map((id) => [id, new Set<string>()]));
  const successors = new Map(items.map((id) => [id, new Set<string>()]));
  for (const [item, before] of region.predecessors)
    for (const one of before) {
      const [from, to] = [of(one), of(item)];
      if (from === to) continue;
      predecessors.get(to)?.add(from);
      successors.get(from)?.add(to);
    }
  return { ...region, items: ordered(items, predecessors, successors), predecessors, successors };
}

function draft(shape: Topology, edge: GraphEdge): Draft | LoopProblem {
  const { maxIterations } = edgeMetadata(edge).loop ?? {};
  if (!(Number.isInteger(maxIterations) && Number(maxIterations) >= 1 && Number(maxIterations) <= MAX_ITERATIONS))
    return { edge, why: `A loop needs maxIterations, a whole number from 1 to ${MAX_ITERATIONS.toLocaleString("en")}.` };
  const after = reach(edge.to, shape.successors);
  const before = reach(edge.from, shape.predecessors);
  const nodes = new Set([...after].filter((id) => before.has(id)));
  if (nodes.size === 0) return { edge, why: `A loop leads back: no path leads from ${edge.to} to ${edge.from}.` };
  return { id: `loop:${edge.from}>${edge.to}`, tail: edge.from, head: edge.to, edge, maxIterations: Number(maxIterations), nodes };
}

/** Smallest first, each with the next larger one around it; loops that overlap, or are one and the same, are problems. */
function nest(drafts: Draft[], problems: LoopProblem[]): Draft[] {
  const kept: Draft[] = [];
  for (const one of drafts.sort((a, b) => a.nodes.size - b.nodes.size)) {
    const clash = kept.find((other) => {
      const common = [...other.nodes].filter((id) => one.nodes.has(id)).length;
      return common > 0 && (common < other.nodes.size || (other.nodes.size === one.nodes.size && other.head === one.head));
    });
    if (clash) problems.push({ edge: one.edge as GraphEdge, why: `Loops lie inside each other or apart; this one overlaps ${clash.id}.` });
    else {
      for (const inner of kept) if (!inner.parent && [...inner.nodes].every((id) => one.nodes.has(id))) inner.parent = one;
      kept.push(one);
    }
  }
  return kept;
}

function reach(from: string, next: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set([from]);
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop())
    for (const one of next.get(id) ?? [])
      if (!found.has(one)) {
        found.add(one);
        open.push(one);
      }
  return found;
}

/** Edges between nodes become edges between the items that hold them at this level. */
function finish(region: Draft, home: ReadonlyMap<string, Draft>, shape: Topology): Region {
  const holder = (id: string): string | undefined => {
    let at = home.get(id);
    if (at === region) return id;
    while (at && at.parent !== region) at = at.parent;
    return at?.id;
  };
  const inside = new Set(shape.order.filter((id) => region.nodes.has(id)).map(holder));
  const items = [...inside].filter((id) => id !== undefined);
  const predecessors = new Map(items.map((id) => [id, new Set<string>()]));
  const successors = new Map(items.map((id) => [id, new Set<string>()]));
  for (const id of region.nodes)
    for (const next of shape.successors.get(id) ?? []) {
      const [from, to] = [holder(id), region.nodes.has(next) ? holder(next) : undefined];
      if (from === undefined || to === undefined || from === to) continue;
      predecessors.get(to)?.add(from);
      successors.get(from)?.add(to);
    }
  return { ...region, items: ordered(items, predecessors, successors), predecessors, successors } as Region;
}

function ordered(items: string[], predecessors: Map<string, Set<string>>, successors: Map<string, Set<string>>): string[] {
  const open = new Map(items.map((id) => [id, predecessors.get(id)?.size ?? 0]));
  const order = items.filter((id) => open.get(id) === 0);
  for (let at = 0; at < order.length; at++)
    for (const next of successors.get(order[at] as string) ?? []) {
      const left = (open.get(next) as number) - 1;
      open.set(next, left);
      if (left === 0) order.push(next);
    }
  return order;
}
