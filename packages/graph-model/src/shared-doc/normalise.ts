// DESIGN C2: merges can break invariants, so every reader sees the document through this one function.

import { type Graph, validateGraph } from "@spindle/schemas";
import type * as Y from "yjs";
import type { GraphEdge, GraphNode, Position } from "../graph.ts";
import { isObject } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { checkLimits, FORBIDDEN, ID_PATTERN, LIMITS } from "../limits.ts";
import {
  compare,
  edgesOf,
  headOf,
  isMap,
  METADATA,
  metadataOf,
  nodesOf,
  numberOr,
  OWN_EDGE,
  OWN_NODE,
  PLAIN_FIELDS,
  type YMap,
} from "./layout.ts";
import { keep, type Read, Tree } from "./tree.ts";

export interface Normalised {
  graph: Graph;
  issues: Issue[];
}

/** How deep the maps of a document lie. */
const ROOT = 1;
const ENTRY = 2;
const HEAD = { kind: "map", parts: {}, rest: { kind: "value", text: "never" } } as const;

const plainObject = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/** Pure and total: equal documents give equal results on every replica, and none throws. Broken parts are left out and named in `issues`. */
export const normalise = (doc: Y.Doc): Normalised => new Reader(doc, false).read();

/**
 * Reads a document again and again, until the document is destroyed. Each result equals that of `normalise`, and what no edit has
 * touched since the last one is the same object: nodes, edges, settings, definitions and the nodes in them. An edit costs what it
 * touched, and besides a look at each node and edge of the graph, which is not read again.
 */
export function reader(doc: Y.Doc): () => Normalised {
  const following = new Reader(doc, true);
  doc.on("afterTransaction", (transaction: Y.Transaction) => following.touch(transaction));
  return () => following.read();
}

interface NodeRead {
  id: string;
  order: number;
  /** Absent for one that is damaged. */
  node?: GraphNode;
  position?: Position;
  settings?: Record<string, unknown>;
  issues: readonly Issue[];
}

interface EdgeRead {
  id: string;
  edge?: GraphEdge;
  issues: readonly Issue[];
}

class Reader {
  private readonly tree: Tree;
  private readonly nodes: Collection<NodeRead>;
  private readonly edges: Collection<EdgeRead>;
  private last: Normalised | undefined;
  private isStale = true;

  constructor(
    private readonly doc: Y.Doc,
    private readonly isKept: boolean,
  ) {
    this.tree = new Tree(isKept);
    this.nodes = new Collection(nodesOf(doc), (id, value, before) => this.readNode(id, value, before));
    this.edges = new Collection(edgesOf(doc), (id, value, before) => this.readEdge(id, value, before));
  }

  touch({ changed, changedParentTypes }: Y.Transaction): void {
    if (changed.size === 0) return;
    this.isStale = true;
    this.tree.touch(changedParentTypes.keys());
    for (const [type, keys] of changed)
      for (const all of [this.nodes, this.edges])
        if (type === (all.map as unknown)) for (const key of keys) if (key !== null) all.touched?.add(key);
    for (const { _item: item } of changedParentTypes.keys())
      for (const all of [this.nodes, this.edges])
        if (item && item.parent === all.map && item.parentSub !== null) all.touched?.add(item.parentSub);
  }

  read(): Normalised {
    if (!this.isStale && this.last) return this.last;
    this.isStale = false;
    const before = this.last?.graph;
    const nodes = this.nodes.all();
    const edges = this.edges.all();
    const head = this.tree.read(headOf(this.doc), HEAD, ROOT);
    const data = this.tree.read(metadataOf(this.doc), METADATA, ROOT);
    const { workflowId, context, metadata: ofLayout1 } = plainObject(head.json);
    const ranked = nodes.filter((one) => one.node).sort((a, b) => a.order - b.order);
    const known = new Set(ranked.map((one) => one.id));
    const graph = keep(before, {
      schema: "langgraph.v1",
      workflowId: typeof workflowId === "string" ? workflowId : "graph",
      context: keep(before?.context, plainObject(context), true),
      metadata: metadataWith({ ...plainObject(ofLayout1), ...plainObject(data.json) }, nodes, plainObject(before?.metadata)),
      nodes: keep(
        before?.nodes,
        ranked.map((one) => one.node),
      ),
      edges: keep(
        before?.edges,
        edges.flatMap(({ edge }) => (edge && known.has(edge.from) && known.has(edge.to) ? [edge] : [])),
      ),
    } as Graph);
    const issues = [
      ...losses("the graph's own settings", head, data),
      ...nodes.flatMap((one) => one.issues),
      ...edges.flatMap((one) => one.issues),
      ...(this.isKept && isFit(graph) ? [] : checkLimits(graph)),
    ];
    this.last = { graph, issues };
    return this.last;
  }

  private readNode(id: string, value: unknown, before: NodeRead | undefined): NodeRead {
    const what = `the node ${id.slice(0, 64)}`;
    const old = before && { ...before.node, position: before.position, settings: before.settings };
    const read = isMap(value) ? this.tree.read(value, OWN_NODE, ENTRY, old) : undefined;
    const fields = plainObject(read?.json);
    const lost = losses(what, read);
    const order = numberOr(fields.order, 0);
    const node = nodeOf(id, fields, before?.node);
    if (!node)
      return { id, order, issues: [...lost, issue("warning", "graph.schema", `The node ${id.slice(0, 64)} is damaged and left out.`)] };
    const { x, y } = plainObject(fields.position);
    const settings = plainObject(fields.settings);
    return {
      id,
      order,
      node,
      issues: lost,
      ...(Number.isFinite(x) && Number.isFinite(y) ? { position: keep(before?.position, { x, y } as Position) } : {}),
      ...(Object.keys(settings).length > 0 ? { settings } : {}),
    };
  }

  private readEdge(id: string, value: unknown, before: EdgeRead | undefined): EdgeRead {
    const read = isMap(value) ? this.tree.read(value, OWN_EDGE, ENTRY) : undefined;
    const issues = losses(`the edge ${id.slice(0, 64)}`, read);
    const edge = read && edgeOf(id, plainObject(read.json));
    if (edge) return { id, edge: keep(before?.edge, edge, true), issues };
    return { id, issues: [...issues, issue("warning", "edge.dangling", `The edge ${id.slice(0, 64)} is damaged and left out.`)] };
  }
}

/** What lies in a root by id, sorted by it: a map's own order is that of its edits as they came to this replica. */
class Collection<T extends { id: string }> {
  /** Ids that are to be read again; absent for all. */
  touched: Set<string> | undefined;
  private readonly known = new Map<string, T>();
  private list: readonly T[] = [];

  constructor(
    readonly map: YMap,
    private readonly readOne: (id: string, value: unknown, before: T | undefined) => T,
  ) {}

  all(): readonly T[] {
    if (this.touched?.size === 0) return this.list;
    let isSame = true;
    for (const id of this.touched ?? this.map.keys()) {
      const before = this.known.get(id);
      if (this.map.has(id)) this.known.set(id, this.readOne(id, this.map.get(id), before));
      else this.known.delete(id);
      if (this.map.has(id) !== (before !== undefined)) isSame = false;
    }
    this.touched = new Set();
    this.list = isSame ? this.list.map(({ id }) => this.known.get(id) as T) : [...this.known.values()].sort((a, b) => compare(a.id, b.id));
    return this.list;
  }
}

function nodeOf(id: string, fields: Readonly<Record<string, unknown>>, before: GraphNode | undefined): GraphNode | undefined {
  const known = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, fields[key]]).filter(([, value]) => value !== undefined));
  const params = plainObject(fields.params);
  const node = { id, ...known, status: "pending", ...(Object.keys(params).length > 0 ? { params } : {}) } as GraphNode;
  if (keep(before, node) === before) return before;
  const alone = { schema: "langgraph.v1", workflowId: "x", nodes: [node], edges: [] };
  return ID_PATTERN.test(id) && validateGraph(alone) ? node : undefined;
}

function edgeOf(id: string, { from, to, kind, metadata }: Readonly<Record<string, unknown>>): GraphEdge | undefined {
  if (typeof from !== "string" || typeof to !== "string") return undefined;
  if (kind !== undefined && !["normal", "on_success", "on_failure"].includes(kind as string)) return undefined;
  return { from, to, ...(kind ? { kind: kind as GraphEdge["kind"] } : {}), metadata: { ...plainObject(metadata), id } };
}

/** The metadata of a document, with the places and settings that lie in its nodes. */
function metadataWith(rest: Record<string, unknown>, nodes: readonly NodeRead[], before: Record<string, unknown>): Record<string, unknown> {
  const positions = nodes.flatMap(({ id, position }) => (position ? [[id, position]] : []));
  const settings = nodes.flatMap(({ id, settings: own }) => (own ? [[id, own]] : []));
  const places = () => keep(plainObject(before.editor).positions, Object.fromEntries(positions));
  return keep(before, {
    ...rest,
    ...(positions.length > 0 ? { editor: keep(before.editor, { ...plainObject(rest.editor), positions: places() }) } : {}),
    ...(settings.length > 0 ? { nodes: keep(before.nodes, Object.fromEntries(settings)) } : {}),
  });
}

const losses = (what: string, ...reads: (Read | undefined)[]): Issue[] =>
  reads.flatMap((read) =>
    (read?.losses ?? []).map((reason) => issue("warning", "graph.schema", `A part of ${what} is left out. ${reason}`)),
  );

const heights = new WeakMap<object, number>();

/** Levels of objects and lists in what a reader gave, which nobody changes; infinite with a key that no document may have. */
function heightOf(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const known = heights.get(value);
  if (known !== undefined) return known;
  let most = 0;
  for (const [key, inner] of Object.entries(value)) most = Math.max(most, FORBIDDEN.has(key) ? Number.POSITIVE_INFINITY : heightOf(inner));
  heights.set(value, most + 1);
  return most + 1;
}

/** Whether `checkLimits` has nothing to say: it walks the whole graph, and this what is new in it. */
const isFit = (graph: Graph): boolean =>
  heightOf(graph) <= LIMITS.depth && graph.nodes.length <= LIMITS.nodes && graph.edges.length <= LIMITS.edges;
