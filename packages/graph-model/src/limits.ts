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
    return { value: JSON.parse(text), issues: [] };
  } catch (error) {
    return { issues: [issue("error", "graph.not_json", `The text is not JSON: ${(error as Error).message}.`)] };
  }
}

/** An object on the way into a value. */
interface Step {
  value: object;
  depth: number;
  up?: Step;
  key: string;
}

/** Walks without recursion, so that a hostile depth cannot exhaust the stack. Most documents have no issue: pointers are made for those alone. */
export function checkLimits(value: unknown): Issue[] {
  const issues: Issue[] = [];
  const stack: Step[] = isContainer(value) ? [{ value, depth: 1, key: "" }] : [];
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (at.depth > LIMITS.depth) {
      issues.push(issue("error", "graph.too_deep", `Nested deeper than ${LIMITS.depth} levels.`, { pointer: pointerTo(at) }));
      break;
    }
    for (const key of Object.keys(at.value)) {
      const part = (at.value as Record<string, unknown>)[key];
      if (FORBIDDEN.has(key))
        issues.push(
          issue("error", "graph.forbidden_key", `The key "${key}" is not allowed.`, { pointer: `${pointerTo(at)}/${escaped(key)}` }),
        );
      else if (isContainer(part)) stack.push({ value: part, depth: at.depth + 1, up: at, key });
    }
  }
  return [...issues, ...checkCounts(value)];
}

const isContainer = (value: unknown): value is object => value !== null && typeof value === "object";
const escaped = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");

function pointerTo(step: Step): string {
  let pointer = "";
  for (let at = step; at.up; at = at.up) pointer = `/${escaped(at.key)}${pointer}`;
  return pointer;
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
