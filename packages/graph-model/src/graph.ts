import type { EdgeMetadata, EditorMetadata, Graph, GraphEdge, GraphNode, MapSettings, NodeSettings, Position } from "@spindle/schemas";
import { record } from "./object.ts";

export { isObject, record } from "./object.ts";
export type { EdgeMetadata, EditorMetadata, Graph, GraphEdge, GraphNode, MapSettings, NodeSettings, Position };
export type Plane = GraphNode["plane"];
export type EdgeKind = NonNullable<GraphEdge["kind"]>;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** As they are written: `validate` says what in them does not fit the type. */
export function nodeSettings(graph: Graph, id: string): NodeSettings {
  return record(record(graph.metadata?.nodes)[id]) as NodeSettings;
}

/** As it is written: `validate` says what in it does not fit the type. */
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

/** The package that a node which no worker offers comes from, where an import said so: its name in ComfyUI's registry, or `owner/name`. */
export function nodePack(graph: Graph, id: string): string | undefined {
  const pack = packsIn(graph)[id];
  return typeof pack === "string" && pack !== COMFY_CORE ? pack.slice(0, 100) : undefined;
}

/** Whether an import said that the node comes with ComfyUI itself. */
export const isOfComfyCore = (graph: Graph, id: string): boolean => packsIn(graph)[id] === COMFY_CORE;

const COMFY_CORE = "comfy-core";
const packsIn = (graph: Graph): Record<string, unknown> => record(record(graph.metadata?.editor).packs);

export function nodeTitle(node: Pick<GraphNode, "id" | "name">): string {
  return node.name || node.id;
}
