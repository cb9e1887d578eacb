// DESIGN C2: merges can break invariants, so every reader sees the document through this one function.
import { type Graph, validateGraph } from "@spindle/schemas";
import type * as Y from "yjs";
import { checkLimits, ID_PATTERN } from "../check/limits.ts";
import type { GraphEdge, GraphNode } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { edgesOf, headOf, isMap, nodesOf, PLAIN_FIELDS } from "./layout.ts";

export interface Normalised {
  graph: Graph;
  issues: Issue[];
}

const plainObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** Pure: equal documents give equal results on every replica. Broken parts are left out and named in `issues`. */
export function normalise(doc: Y.Doc): Normalised {
  const issues: Issue[] = [];
  const head = headOf(doc);
  const positions: Record<string, unknown> = {};
  const settings: Record<string, unknown> = {};
  const ranked: { order: number; node: GraphNode }[] = [];
  nodesOf(doc).forEach((value, id) => {
    const node = isMap(value) ? readNode(id, value) : undefined;
    if (!node) return void issues.push(issue("warning", "graph.schema", `The node ${id.slice(0, 64)} is damaged and left out.`));
    ranked.push({ order: numberOr(value.get("order"), 0), node });
    const place = plainObject(value.get("position"));
    if (Number.isFinite(place.x) && Number.isFinite(place.y)) positions[id] = { x: place.x, y: place.y };
    const own = isMap(value.get("settings")) ? (value.get("settings") as Y.Map<unknown>).toJSON() : {};
    if (Object.keys(own).length > 0) settings[id] = own;
  });
  ranked.sort((a, b) => a.order - b.order || compare(a.node.id, b.node.id));
  const nodes = ranked.map((one) => one.node);
  const known = new Set(nodes.map((node) => node.id));
  const edges: GraphEdge[] = [];
  for (const [id, value] of [...edgesOf(doc)].sort(([a], [b]) => compare(a, b))) {
    const edge = isMap(value) ? readEdge(id, value) : undefined;
    if (edge && known.has(edge.from) && known.has(edge.to)) edges.push(edge);
    else if (!edge) issues.push(issue("warning", "edge.dangling", `The edge ${id.slice(0, 64)} is damaged and left out.`));
  }
  const rest = plainObject(head.get("metadata"));
  const metadata: Record<string, unknown> = { ...rest };
  if (Object.keys(positions).length > 0) metadata.editor = { ...plainObject(rest.editor), positions };
  if (Object.keys(settings).length > 0) metadata.nodes = settings;
  const workflowId = head.get("workflowId");
  const graph: Graph = {
    schema: "langgraph.v1",
    workflowId: typeof workflowId === "string" ? workflowId : "graph",
    context: plainObject(head.get("context")),
    metadata,
    nodes: nodes as Graph["nodes"],
    edges,
  };
  return { graph, issues: [...issues, ...checkLimits(graph)] };
}

function readNode(id: string, map: Y.Map<unknown>): GraphNode | undefined {
  const fields = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, map.get(key)]).filter(([, value]) => value !== undefined));
  const params = isMap(map.get("params")) ? (map.get("params") as Y.Map<unknown>).toJSON() : {};
  const node = { id, ...fields, status: "pending", ...(Object.keys(params).length > 0 ? { params } : {}) };
  const alone = { schema: "langgraph.v1", workflowId: "x", nodes: [node], edges: [] };
  return ID_PATTERN.test(id) && validateGraph(alone) ? (node as GraphNode) : undefined;
}

function readEdge(id: string, map: Y.Map<unknown>): GraphEdge | undefined {
  const { from, to, kind, metadata } = map.toJSON();
  if (typeof from !== "string" || typeof to !== "string") return undefined;
  if (kind !== undefined && !["normal", "on_success", "on_failure"].includes(kind as string)) return undefined;
  return { from, to, ...(kind ? { kind: kind as GraphEdge["kind"] } : {}), metadata: { ...plainObject(metadata), id } };
}

const numberOr = (value: unknown, otherwise: number): number => (typeof value === "number" && Number.isFinite(value) ? value : otherwise);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
