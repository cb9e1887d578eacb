// DESIGN G7: limits that are checked before anything else looks at a document.
import type { Issue } from "./issue.ts";
import { issue } from "./issue.ts";

/**
 * `depth` holds for nested values, nested loops and calls inside calls. `conditions` are the characters of all conditions
 * together: reading them costs some microseconds per character, at the worst. `visits` are those of nodes while producers of
 * names are looked for at one level: a walk over it for each name. `fields` are those of one form, `nodeRuns` those of one run.
 */
export const LIMITS = {
  bytes: 2 * 1024 * 1024,
  depth: 32,
  nodes: 5000,
  edges: 20000,
  conditions: 100_000,
  visits: 10_000_000,
  fields: 200,
  nodeRuns: 100_000,
} as const;
/** How deep a node's output may be nested: maps and calls put values from outside, of `depth` at most, into lists and objects. */
export const OUTPUT_DEPTH = 2 * LIMITS.depth;
export const ID_PATTERN = /^[A-Za-z0-9_.:-]{1,64}$/;
export const FORBIDDEN: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Parses text that may come from anywhere. With `value` undefined there is at least one error issue. */
export function parseText(text: string): { value?: unknown; issues: Issue[] } {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > LIMITS.bytes)
    return { issues: [issue("error", "graph.too_large", `The document has ${bytes} bytes; the limit is ${LIMITS.bytes}.`)] };
  try {
    // Editors of Windows begin a file with a byte order mark, which is no part of its text.
    return { value: JSON.parse(text.replace(/^\uFEFF/, "")), issues: [] };
  } catch (error) {
    return { issues: [issue("error", "graph.not_json", `The text is not JSON: ${(error as Error).message}.`)] };
  }
}

/** Walks without recursion, so that a hostile depth cannot exhaust the stack. */
export function checkLimits(value: unknown): Issue[] {
  const issues: Issue[] = [];
  const stack: Place[] = [{ value, depth: 1 }];
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (at.value === null || typeof at.value !== "object") continue; // the document itself
    if (at.depth > LIMITS.depth) {
      issues.push(issue("error", "graph.too_deep", `Nested deeper than ${LIMITS.depth} levels.`, { pointer: pointerOf(at) }));
      break;
    }
    for (const key of Object.keys(at.value)) {
      const place = { value: (at.value as Record<string, unknown>)[key], depth: at.depth + 1, key, within: at };
      if (FORBIDDEN.has(key))
        issues.push(issue("error", "graph.forbidden_key", `The key "${key}" is not allowed.`, { pointer: pointerOf(place) }));
      else if (place.value !== null && typeof place.value === "object") stack.push(place);
    }
  }
  return [...issues, ...checkCounts(value)];
}

/** A value inside a document; its JSON pointer is written only where something is wrong with it. */
interface Place {
  value: unknown;
  depth: number;
  key?: string;
  within?: Place;
}

function pointerOf({ key, within }: Place): string {
  return key === undefined || !within ? "" : `${pointerOf(within)}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/**
 * Why a value is nested too deep or has too many values in it, as a sentence; undefined if neither. Never recurses.
 * @param most.values counts the value itself and all inside it
 */
export function whyTooLarge(value: unknown, most: { depth: number; values?: number } = LIMITS): string | undefined {
  const { depth, values = Number.POSITIVE_INFINITY } = most;
  let count = 1;
  const open: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let at = open.pop(); at; at = open.pop()) {
    if (at.value === null || typeof at.value !== "object") continue;
    if (at.depth > depth) return `The value is nested deeper than ${depth} levels.`;
    const inside = Object.values(at.value);
    count += inside.length;
    if (count > values) return `The value has more than ${values.toLocaleString("en")} values in it.`;
    for (const part of inside) if (part !== null && typeof part === "object") open.push({ value: part, depth: at.depth + 1 });
  }
  return undefined;
}

/**
 * Bytes of a JSON value as text, in UTF-8, without making more of that text than one string; past `most` the count ends with some
 * number above it. Never recurses.
 */
export function jsonBytes(value: unknown, most: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && bytes <= most) {
    const at = open.pop();
    if (typeof at === "string") bytes += at.length > most - bytes ? at.length : new TextEncoder().encode(JSON.stringify(at)).length;
    else if (Array.isArray(at)) {
      bytes += Math.max(2, at.length + 1);
      for (const part of at) open.push(part);
    } else if (at !== null && typeof at === "object") {
      const entries = Object.entries(at).filter(([, part]) => part !== undefined);
      bytes += Math.max(2, 2 * entries.length + 1);
      for (const [key, part] of entries) open.push(key, part);
    } else bytes += String(at ?? null).length;
  }
  return bytes;
}

function checkCounts(value: unknown): Issue[] {
  const { nodes, edges } = (value ?? {}) as { nodes?: unknown; edges?: unknown };
  const over = (what: string, list: unknown, most: number): Issue[] =>
    Array.isArray(list) && list.length > most
      ? [issue("error", "graph.too_large", `${list.length} ${what}; the limit is ${most}.`, { pointer: `/${what}` })]
      : [];
  return [...over("nodes", nodes, LIMITS.nodes), ...over("edges", edges, LIMITS.edges)];
}
