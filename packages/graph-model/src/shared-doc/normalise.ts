// DESIGN C2: merges can break invariants, so every reader sees the document through this one function.
import { type Graph, validateGraph } from "@spindle/schemas";
import type * as Y from "yjs";
import { checkLimits, ID_PATTERN } from "../check/limits.ts";
import type { GraphEdge, GraphNode } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { jsonOf } from "./json.ts";
import { edgesOf, headOf, isMap, nodesOf, PLAIN_FIELDS } from "./layout.ts";

export interface Normalised {
  graph: Graph;
  issues: Issue[];
}

/** How deep the maps of a document lie. */
const ROOT = 1;
const ENTRY = 2;

const plainObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** Pure and total: equal documents give equal results on every replica, and none throws. Broken parts are left out and named in `issues`. */
export function normalise(doc: Y.Doc): Normalised {
  const issues: Issue[] = [];
  const read = (value: unknown, depth: number, what: string): Record<string, unknown> =>
    plainObject(
      jsonOf(value, depth, (reason) => issues.push(issue("warning", "graph.schema", `A part of ${what} is left out. ${reason}`))),
    );
  const head = read(headOf(doc), ROOT, "the graph's own settings");
  const positions: Record<string, unknown> = {};
  const settings: Record<string, unknown> = {};
  const ranked: { order: number; node: GraphNode }[] = [];
  for (const [id, value] of entriesOf(nodesOf(doc))) {
    const fields = isMap(value) ? read(value, ENTRY, `the node ${id.slice(0, 64)}`) : {};
    const node = readNode(id, fields);
    if (!node) {
      issues.push(issue("warning", "graph.schema", `The node ${id.slice(0, 64)} is damaged and left out.`));
      continue;
    }
    ranked.push({ order: numberOr(fields.order, 0), node });
    const place = plainObject(fields.position);
    if (Number.isFinite(place.x) && Number.isFinite(place.y)) positions[id] = { x: place.x, y: place.y };
    const own = plainObject(fields.settings);
    if (Object.keys(own).length > 0) settings[id] = own;
  }
  ranked.sort((a, b) => a.order - b.order || compare(a.node.id, b.node.id));
  const nodes = ranked.map((one) => one.node);
  const known = new Set(nodes.map((node) => node.id));
  const edges: GraphEdge[] = [];
  for (const [id, value] of entriesOf(edgesOf(doc))) {
    const edge = isMap(value) ? readEdge(id, read(value, ENTRY, `the edge ${id.slice(0, 64)}`)) : undefined;
    if (edge && known.has(edge.from) && known.has(edge.to)) edges.push(edge);
    else if (!edge) issues.push(issue("warning", "edge.dangling", `The edge ${id.slice(0, 64)} is damaged and left out.`));
  }
  const rest = plainObject(head.metadata);
  const metadata: Record<string, unknown> = { ...rest };
  if (Object.keys(positions).length > 0) metadata.editor = { ...plainObject(rest.editor), positions };
  if (Object.keys(settings).length > 0) metadata.nodes = settings;
  const { workflowId } = head;
  const graph: Graph = {
    schema: "langgraph.v1",
    workflowId: typeof workflowId === "string" ? workflowId : "graph",
    context: plainObject(head.context),
    metadata,
    nodes: nodes as Graph["nodes"],
    edges,
  };
  return { graph, issues: [...issues, ...checkLimits(graph)] };
}

function readNode(id: string, fields: Readonly<Record<string, unknown>>): GraphNode | undefined {
  const known = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, fields[key]]).filter(([, value]) => value !== undefined));
  const params = plainObject(fields.params);
  const node = { id, ...known, status: "pending", ...(Object.keys(params).length > 0 ? { params } : {}) };
  const alone = { schema: "langgraph.v1", workflowId: "x", nodes: [node], edges: [] };
  return ID_PATTERN.test(id) && validateGraph(alone) ? (node as GraphNode) : undefined;
}

function readEdge(id: string, { from, to, kind, metadata }: Readonly<Record<string, unknown>>): GraphEdge | undefined {
  if (typeof from !== "string" || typeof to !== "string") return undefined;
  if (kind !== undefined && !["normal", "on_success", "on_failure"].includes(kind as string)) return undefined;
  return { from, to, ...(kind ? { kind: kind as GraphEdge["kind"] } : {}), metadata: { ...plainObject(metadata), id } };
}

/** A map's own order is that of its edits as they came to this replica. */
const entriesOf = (map: Y.Map<Y.Map<unknown>>): [string, Y.Map<unknown>][] => [...map].sort(([a], [b]) => compare(a, b));
const numberOr = (value: unknown, otherwise: number): number => (typeof value === "number" && Number.isFinite(value) ? value : otherwise);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
