// Yjs carries more than JSON does. This is the one reading of a document's values, so that every replica reads the same.
import * as Y from "yjs";
import { LIMITS } from "../limits.ts";
import { isText } from "./text.ts";

/** Why a value is not read, and why an edit that brings it is refused. */
export const LOSS = {
  bytes: "It holds bytes, which JSON cannot carry.",
  type: "It holds something that is neither a map, a text nor JSON.",
  entry: "An entry of a list is damaged.",
  depth: `It is nested deeper than ${LIMITS.depth} levels.`,
} as const;

/**
 * The JSON of a value at `depth` of its document, as `JSON.stringify` has it: `undefined` is absent, and a number that is not
 * finite is null. What JSON cannot carry is absent too, and `onLoss` gets the reason. Never throws.
 */
export function jsonOf(value: unknown, depth: number, onLoss: (reason: string) => void): unknown {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object") return lost(`It holds a ${typeof value}, which JSON cannot carry.`);
  if (depth > LIMITS.depth) return lost(LOSS.depth);
  if (Array.isArray(value)) return value.map((item) => jsonOf(item, depth + 1, onLoss) ?? null);
  if (value instanceof Uint8Array) return lost(LOSS.bytes);
  if (value instanceof Y.Map) return jsonOfEntries(value.entries(), depth, onLoss);
  if (isText(value)) return value.toString();
  if (value instanceof Y.AbstractType || value instanceof Y.Doc) return lost(LOSS.type);
  return jsonOfEntries(Object.entries(value), depth, onLoss);

  function lost(reason: string): undefined {
    onLoss(reason);
    return undefined;
  }
}

function jsonOfEntries(entries: Iterable<[string, unknown]>, depth: number, onLoss: (reason: string) => void): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  for (const [key, value] of entries) {
    const json = jsonOf(value, depth + 1, onLoss);
    if (json !== undefined) kept.push([key, json]);
  }
  return Object.fromEntries(kept);
}
