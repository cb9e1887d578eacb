// How a graph lies in a Y.Doc (DESIGN C2): Y.Maps keyed by id, mutated in place, so that concurrent edits merge field by field.
import * as Y from "yjs";

export type YNode = Y.Map<unknown>;
export type YEdge = Y.Map<unknown>;

export const nodesOf = (doc: Y.Doc): Y.Map<YNode> => doc.getMap("nodes");
export const edgesOf = (doc: Y.Doc): Y.Map<YEdge> => doc.getMap("edges");
/** `workflowId`, `context` and the metadata that has no better place. */
export const headOf = (doc: Y.Doc): Y.Map<unknown> => doc.getMap("graph");

/** Fields of a graph's node that are stored as they are. */
export const PLAIN_FIELDS = ["service", "plane", "name", "retries", "tags", "progressWeight"] as const;

export function mapOf(entries: Record<string, unknown>): Y.Map<unknown> {
  const map = new Y.Map<unknown>();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) map.set(key, value);
  return map;
}

export const isMap = (value: unknown): value is Y.Map<unknown> => value instanceof Y.Map;

/** The parts of a document; whatever else an update brings is refused (admit.ts). */
export const rootsOf = (doc: Y.Doc): ReadonlySet<unknown> => new Set<unknown>([nodesOf(doc), edgesOf(doc), headOf(doc)]);
