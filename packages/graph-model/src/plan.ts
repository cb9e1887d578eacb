// Loops and their bodies (SPEC RL1 to RL4): at each level the items, nodes and loops, form a graph without cycles.

import { edgeMetadata, type Graph, type GraphEdge, isLoopEdge } from "./graph.ts";
import { LIMITS } from "./limits.ts";
import { type Topology, topology } from "./topology.ts";

export const MAX_ITERATIONS = 10_000;

/** The whole graph, or the body of one loop. */
export interface PlanBody {
  /** Empty for the whole graph; `loop:tail>head` for a loop, which no node can be called. */
  id: string;
  /** Where the loop's edge starts and ends; empty for the whole graph. */
  tail: string;
  head: string;
  edge?: GraphEdge;
  maxIterations: number;
  nodes: ReadonlySet<string>;
  parent?: PlanBody;
  /** Nodes, loops inside this body by their id and regions by theirs, each after its predecessors. */
  items: readonly string[];
  predecessors: ReadonlyMap<string, ReadonlySet<string>>;
  successors: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Nodes that run together as one item of their body. */
export interface Region {
  /** `group:first>`, which no node can be called. Rows keep it, so it stays as the first release wrote it. */
  id: string;
  /** Each after its predecessors. */
  nodes: readonly string[];
}

export const regionId = (first: string): string => `group:${first}>`;
export const isRegionId = (id: string): boolean => id.startsWith("group:") && id.endsWith(">");

/** The nodes that an item has rows for: itself, and those of its region; none for a loop, whose visits have them. */
export const itemNodes = ({ loops, regions }: Pick<Plan, "loops" | "regions">, item: string): readonly string[] =>
  loops.has(item) ? [] : [item, ...(regions.get(item)?.nodes ?? [])];

export interface LoopProblem {
  edge: GraphEdge;
  why: string;
}

export interface Plan {
  shape: Topology;
  root: PlanBody;
  loops: ReadonlyMap<string, PlanBody>;
  /** The innermost body around each node. */
  home: ReadonlyMap<string, PlanBody>;
  /** Regions by id, and the region of each node that is in one. */
  regions: ReadonlyMap<string, Region>;
  regionOf: ReadonlyMap<string, Region>;
  /** Loop edges that make no loop; they are left out of the bodies. */
  problems: readonly LoopProblem[];
}

type Draft = Omit<PlanBody, "items" | "predecessors" | "successors" | "parent"> & { parent?: Draft };

/** Which nodes of a body run together; regions must leave its items without a cycle. */
export type FindRegions = (body: PlanBody) => readonly Region[];

/** The loops of a graph, the larger ones around the smaller: all that its plan needs of its wires. */
export interface Loops {
  root: Draft;
  nested: readonly Draft[];
  problems: readonly LoopProblem[];
  /** The position of each node in the order. */
  position: ReadonlyMap<string, number>;
}

export function findLoops(graph: Graph, shape: Topology): Loops {
  const problems: LoopProblem[] = [];
  const drafts: Draft[] = [];
  const position = new Map<string, number>();
  for (const [index, id] of shape.order.entries()) position.set(id, index);
  const size = shape.incoming.size;
  let walked = 0;
  for (const edge of graph.edges.filter((one) => isLoopEdge(one) && shape.incoming.has(one.from) && shape.incoming.has(one.to))) {
    const found = draft(shape, position, edge, () => walked++);
    if (walked > WALKS_PER_NODE * size) {
      problems.push({ edge, why: `${TOO_DEEP} Too many lie around the same nodes.` });
      break;
    }
    if (!found) continue;
    if ("why" in found) problems.push(found);
    else drafts.push(found);
  }
  const nested = nest(drafts, problems);
  const nodes = new Set(shape.order.length < size ? [...shape.order, ...shape.incoming.keys()] : shape.order);
  const root: Draft = { id: "", tail: "", head: "", maxIterations: 1, nodes };
  for (const loop of nested) loop.parent ??= root;
  return { root, nested, problems, position };
}

/** @param loops of the graph, or of one with the same wires */
export function planGraph(
  graph: Graph,
  shape: Topology = topology(graph),
  findRegions: FindRegions = () => [],
  loops: Loops = findLoops(graph, shape),
): Plan {
  const { root, nested, problems, position } = loops;
  if (nested.length === 0 && shape.order.length === root.nodes.size) return withoutLoops(shape, whole(root, shape), findRegions, problems);
  const home = new Map<string, Draft>();
  for (const id of shape.incoming.keys()) home.set(id, root);
  for (const loop of [...nested].reverse()) for (const id of loop.nodes) home.set(id, loop); // the innermost loop comes last, and stays
  const finished = new Map<Draft, PlanBody>();
  const regions: Region[] = [];
  for (const unfinished of [root, ...nested]) {
    const body = finish(unfinished, home, shape, position);
    const together = findRegions(body);
    regions.push(...together);
    finished.set(unfinished, together.length > 0 ? contract(body, together) : body);
  }
  for (const loop of nested) (finished.get(loop) as { parent?: PlanBody }).parent = finished.get(loop.parent as Draft) as PlanBody;
  const get = (one: Draft) => finished.get(one) as PlanBody;
  const homes = new Map<string, PlanBody>();
  for (const [id, innermost] of home) homes.set(id, get(innermost));
  return {
    shape,
    root: get(root),
    loops: new Map(nested.map((one) => [one.id, get(one)])),
    home: homes,
    ...regionsOf(regions),
    problems,
  };
}

/** Each region becomes one item. */
function contract(body: PlanBody, regions: readonly Region[]): PlanBody {
  const holder = new Map(regions.flatMap((region) => region.nodes.map((id) => [id, region.id] as const)));
  const of = (item: string): string => holder.get(item) ?? item;
  const items = [...new Set(body.items.map(of))];
  const predecessors = new Map(items.map((id) => [id, new Set<string>()]));
  const successors = new Map(items.map((id) => [id, new Set<string>()]));
  for (const [item, before] of body.predecessors)
    for (const source of before) {
      const [from, to] = [of(source), of(item)];
      if (from === to) continue;
      predecessors.get(to)?.add(from);
      successors.get(from)?.add(to);
    }
  return { ...body, items: ordered(items, predecessors, successors), predecessors, successors };
}

const TOO_DEEP = `Loops lie at most ${LIMITS.depth} deep inside one another.`;
/** Loops at the limit of depth look at each node twice, and at what else leads on from it. */
const WALKS_PER_NODE = 4 * LIMITS.depth;

/** Loops whose ends lie on a cycle of the other edges are left out: that cycle is the graph's problem. */
function draft(shape: Topology, position: ReadonlyMap<string, number>, edge: GraphEdge, walk: () => void): Draft | LoopProblem | undefined {
  const { maxIterations } = edgeMetadata(edge).loop ?? {};
  if (!(Number.isInteger(maxIterations) && Number(maxIterations) >= 1 && Number(maxIterations) <= MAX_ITERATIONS))
    return { edge, why: `A loop needs maxIterations, a whole number from 1 to ${MAX_ITERATIONS.toLocaleString("en")}.` };
  const [first, last] = [position.get(edge.to), position.get(edge.from)];
  if (first === undefined || last === undefined) return undefined;
  // What lies between both ends lies between them in the order as well, and the rest of the graph need not be walked.
  const within = (id: string): boolean => {
    walk();
    const at = position.get(id) ?? -1;
    return at >= first && at <= last;
  };
  const after = reach(edge.to, shape.successors, within);
  const before = after.has(edge.from) ? reach(edge.from, shape.predecessors, (id) => within(id) && after.has(id)) : new Set<string>();
  if (before.size === 0) return { edge, why: `A loop leads back: no path leads from ${edge.to} to ${edge.from}.` };
  const nodes = new Set([...before].sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0)));
  return { id: `loop:${edge.from}>${edge.to}`, tail: edge.from, head: edge.to, edge, maxIterations: Number(maxIterations), nodes };
}

/** A loop that was kept, as long as no larger one lies around it. */
interface Outermost {
  draft: Draft;
  /** Levels of loops inside, its own included. */
  height: number;
  /** The nodes at which this loop starts, and at which loops of the same size inside it start. */
  heads: ReadonlySet<string>;
}

/**
 * Smallest first, each with the next larger one around it; loops that overlap, or are one and the same, are problems, and so
 * are those that lie too deep inside one another. A node knows the outermost loop around it so far, so that a loop is
 * compared with those at its own nodes alone.
 */
function nest(drafts: Draft[], problems: LoopProblem[]): Draft[] {
  const kept: Draft[] = [];
  const around = new Map<string, Outermost>();
  for (const loop of drafts.sort((a, b) => a.nodes.size - b.nodes.size)) {
    const inside = new Map<Outermost, number>();
    for (const id of loop.nodes) {
      const inner = around.get(id);
      if (inner) inside.set(inner, (inside.get(inner) ?? 0) + 1);
    }
    const equal = [...inside.keys()].find(({ draft: { nodes } }) => nodes.size === loop.nodes.size);
    const clash =
      [...inside].find(
        ([
          {
            draft: { nodes },
          },
          common,
        ]) => common < nodes.size,
      )?.[0] ?? (equal?.heads.has(loop.head) ? equal : undefined);
    const height = 1 + Math.max(0, ...[...inside.keys()].map((inner) => inner.height));
    const refuse = (why: string) => problems.push({ edge: loop.edge as GraphEdge, why });
    if (clash) refuse(`Loops lie inside each other or apart; this one overlaps ${clash.draft.id}.`);
    else if (height > LIMITS.depth) refuse(TOO_DEEP);
    else {
      for (const inner of inside.keys()) inner.draft.parent = loop;
      const own = { draft: loop, height, heads: new Set([...(equal?.heads ?? []), loop.head]) };
      for (const id of loop.nodes) around.set(id, own);
      kept.push(loop);
    }
  }
  return kept;
}

function reach(from: string, next: ReadonlyMap<string, ReadonlySet<string>>, within: (id: string) => boolean): Set<string> {
  const found = new Set([from]);
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop())
    for (const neighbour of next.get(id) ?? [])
      if (!found.has(neighbour) && within(neighbour)) {
        found.add(neighbour);
        open.push(neighbour);
      }
  return found;
}

/** Without loops and cycles the items are the nodes, and what lies between them is the shape's. */
const whole = (root: Draft, { order, predecessors, successors }: Topology): PlanBody =>
  ({ ...root, items: order, predecessors, successors }) as PlanBody;

const NO_LOOPS: Plan["loops"] = new Map();
const NO_REGIONS: Plan["regions"] = new Map();

function withoutLoops(shape: Topology, all: PlanBody, findRegions: FindRegions, problems: Plan["problems"]): Plan {
  const regions = findRegions(all);
  const root = regions.length > 0 ? contract(all, regions) : all;
  const home = new Map<string, PlanBody>();
  for (const id of shape.order) home.set(id, root);
  return { shape, root, loops: NO_LOOPS, home, ...regionsOf(regions), problems };
}

const regionsOf = (regions: readonly Region[]): Pick<Plan, "regions" | "regionOf"> =>
  regions.length === 0
    ? { regions: NO_REGIONS, regionOf: NO_REGIONS }
    : {
        regions: new Map(regions.map((region) => [region.id, region])),
        regionOf: new Map(regions.flatMap((region) => region.nodes.map((id) => [id, region] as const))),
      };

/** Edges between nodes become edges between the items that hold them at this level. */
function finish(body: Draft, home: ReadonlyMap<string, Draft>, shape: Topology, settled: ReadonlyMap<string, number>): PlanBody {
  const holder = (id: string): string | undefined => {
    let at = home.get(id);
    if (at === body) return id;
    while (at && at.parent !== body) at = at.parent;
    return at?.id;
  };
  const predecessors = new Map<string, Set<string>>();
  const successors = new Map<string, Set<string>>();
  for (const id of body.nodes) {
    const item = settled.has(id) ? holder(id) : undefined;
    if (item === undefined || predecessors.has(item)) continue;
    predecessors.set(item, new Set());
    successors.set(item, new Set());
  }
  const items = [...predecessors.keys()]; // in the order of the graph
  for (const id of body.nodes) {
    const from = holder(id);
    if (from === undefined) continue;
    for (const next of shape.successors.get(id) ?? []) {
      const to = body.nodes.has(next) ? holder(next) : undefined;
      if (to === undefined || from === to) continue;
      predecessors.get(to)?.add(from);
      successors.get(from)?.add(to);
    }
  }
  return { ...body, items: ordered(items, predecessors, successors), predecessors, successors } as PlanBody;
}

function ordered(items: string[], predecessors: Map<string, Set<string>>, successors: Map<string, Set<string>>): string[] {
  const open = new Map<string, number>();
  const order: string[] = [];
  for (const id of items) {
    const before = predecessors.get(id)?.size ?? 0;
    open.set(id, before);
    if (before === 0) order.push(id);
  }
  for (let at = 0; at < order.length; at++)
    for (const next of successors.get(order[at] as string) ?? []) {
      const left = (open.get(next) as number) - 1;
      open.set(next, left);
      if (left === 0) order.push(next);
    }
  return order;
}
