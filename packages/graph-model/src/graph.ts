import type { Graph, GraphEdge, GraphNode } from "@spindle/schemas";

export type { Graph, GraphEdge, GraphNode };
export type Plane = GraphNode["plane"];
export type EdgeKind = NonNullable<GraphEdge["kind"]>;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What the seed's node has no field for (`metadata.nodes[id]`, DESIGN G1). */
export interface NodeSettings {
  version?: string;
  /** `auto` where absent. */
  engine?: string;
  timeoutSeconds?: number;
  /** The outputs the node is taken to have given; it does not run. */
  pinned?: Record<string, unknown>;
  /** Off: skipped, as if a choice had gone elsewhere. */
  disabled?: boolean;
  breakpoint?: "before" | "after";
}

export interface EdgeMetadata {
  id?: string;
  sourcePort?: string;
  targetPort?: string;
  /** A condition (CEL); `true` where absent. */
  when?: string;
  /** The edge leads back: its body runs again while the edge is taken. */
  loop?: { maxIterations: number };
  /** The edge carries a list; its target runs once per element. */
  map?: MapSettings;
}

export interface MapSettings {
  /** How many elements run at once; all where absent. */
  limit?: number;
  /** How many elements may fail before the node fails; their places in the lists are null. */
  tolerate?: number;
}

export interface Position {
  x: number;
  y: number;
}

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export function nodeSettings(graph: Graph, id: string): NodeSettings {
  return record(record(graph.metadata?.nodes)[id]) as NodeSettings;
}

export function edgeMetadata(edge: GraphEdge): EdgeMetadata {
  return record(edge.metadata) as EdgeMetadata;
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;
export const isLoopEdge = (edge: GraphEdge): boolean => isSet(edgeMetadata(edge).loop);
export const isMapEdge = (edge: GraphEdge): boolean => isSet(edgeMetadata(edge).map);

/** An edge without an id of its own is known by its place, which is stable within one document. */
export function edgeId(edge: GraphEdge, index: number): string {
  const { id } = edgeMetadata(edge);
  return typeof id === "string" ? id : `e${index}`;
}

export function nodePosition(graph: Graph, id: string): Position | undefined {
  const place = record(record(record(graph.metadata?.editor).positions)[id]);
  return typeof place.x === "number" && typeof place.y === "number" ? { x: place.x, y: place.y } : undefined;
}

/** The package that a node which no worker offers comes from, where an import said so. */
export function nodePack(graph: Graph, id: string): string | undefined {
  const pack = record(record(graph.metadata?.editor).packs)[id];
  return typeof pack === "string" && pack !== "comfy-core" ? pack.slice(0, 100) : undefined;
}

export function nodeTitle(node: GraphNode): string {
  return node.name || node.id;
}
