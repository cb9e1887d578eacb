// The JSON of a document's maps, read once and again only where it changed: what is untouched is the same object as before.

import * as Y from "yjs";
import { isObject } from "../graph.ts";
import { jsonOf, LOSS } from "./json.ts";
import {
  DEFINITION,
  entriesOf,
  isMap,
  type ListShape,
  MARK,
  type MapShape,
  rootPart,
  type Shape,
  tidy,
  unescaped,
  type YMap,
} from "./layout.ts";

/** A value as JSON, and why parts of it are left out. */
export interface Read {
  json: unknown;
  losses: readonly string[];
}

const NONE: readonly string[] = [];
const ABSENT: Read = { json: undefined, losses: NONE };

export class Tree {
  private readonly types = new WeakMap<object, Read & { isStale?: true }>();
  /** What was read of a value that lies in the document as it is: Yjs never changes one. */
  private readonly values = new WeakMap<object, Read & { depth: number }>();

  /** @param isKept whether anything is read more than once */
  constructor(private readonly isKept: boolean) {}

  /** These types, or something below them, have changed. */
  touch(types: Iterable<object>): void {
    for (const type of types) {
      const known = this.types.get(type);
      if (known) known.isStale = true;
    }
  }

  /** `depth` is that of the value in its document, `before` what was read in its place before. */
  read(value: unknown, shape: Shape, depth: number, before?: unknown): Read {
    if (!isMap(value) || shape.kind === "value") return this.plain(value, depth, before);
    // The parts of a root are roots: a change of theirs is none of its own.
    const known = this.isKept ? this.types.get(value) : undefined;
    if (known && !known.isStale && !hasRootParts(value, shape)) return known;
    const lost: string[] = [];
    const old = known?.json ?? before;
    const json = shape.kind === "list" ? this.list(value, shape, depth, old, lost) : this.object(value, shape, depth, old, lost);
    const now = { json: keep(old, json), losses: lost.length > 0 ? lost : NONE };
    if (this.isKept) this.types.set(value, now);
    return now;
  }

  /** The JSON alone; why parts of it are left out is added to `lost`. */
  private json(value: unknown, shape: Shape, depth: number, before: unknown, lost: string[]): unknown {
    if (typeof value === "string" || typeof value === "boolean") return value;
    const { json, losses } = this.read(value, shape, depth, before);
    if (losses.length > 0) lost.push(...losses);
    return json;
  }

  private plain(value: unknown, depth: number, before: unknown): Read {
    if (value === undefined) return ABSENT;
    const isKept = this.isKept && typeof value === "object" && value !== null && !(value instanceof Y.AbstractType);
    const known = isKept ? this.values.get(value) : undefined;
    if (known?.depth === depth) return known;
    const losses: string[] = [];
    const json = jsonOf(value, depth, (reason) => losses.push(reason));
    const now = { json: keep(before, json, true), losses: losses.length > 0 ? losses : NONE, depth };
    if (isKept) this.values.set(value, now);
    return now;
  }

  private list(map: YMap, shape: ListShape, depth: number, before: unknown, lost: string[]): unknown[] | undefined {
    const old: readonly unknown[] = Array.isArray(before) ? before : [];
    const there: unknown[] = [];
    const entries = entriesOf(map);
    for (const [index, entry] of entries.entries()) {
      const json = this.json(entry.map, shape.entry, depth + 1, old[index], lost);
      if (json !== undefined) there.push(json);
    }
    if (entries.length < map.size - (map.has(MARK) ? 1 : 0)) lost.push(LOSS.entry);
    return there.length > 0 || map.has(MARK) ? there : undefined;
  }

  private object(map: YMap, shape: MapShape, depth: number, before: unknown, lost: string[]): Record<string, unknown> | undefined {
    const old = isObject(before) ? before : {};
    const entries: [string, unknown][] = [];
    const rooted = hasRootParts(map, shape) ? Object.entries(shape.parts) : [];
    for (const [key, value] of map.entries()) {
      if (key === MARK && !shape.open) continue;
      const part = Object.hasOwn(shape.parts, key) ? shape.parts[key] : undefined;
      const root = part && rootPart(map, shape, key);
      const name = shape.open ? key : unescaped(key);
      const was = Object.hasOwn(old, name) ? old[name] : undefined;
      const inRoot = root && this.json(root, part, 1, undefined, lost);
      const json = inRoot ?? this.json(value, part ?? shape.rest, depth + 1, was, lost);
      if (json !== undefined) entries.push([name, json]);
    }
    for (const [key, part] of rooted) {
      const json = map.has(key) ? undefined : this.json(rootPart(map, shape, key), part, 1, undefined, lost);
      if (json !== undefined) entries.push([key, json]);
    }
    if (entries.length === 0 && (shape.open || !map.has(MARK))) return undefined;
    const json = Object.fromEntries(entries);
    return shape === DEFINITION ? tidied(map, json) : json;
  }
}

/** Merges leave edges and settings of nodes that are gone; what is stored as one value says what a file said. */
function tidied(map: YMap, json: Record<string, unknown>): Record<string, unknown> {
  const { edges, settings } = tidy(json);
  const metadata = map.get("metadata");
  const { nodes: _, ...rest } = isObject(json.metadata) ? json.metadata : {};
  const isLeft = settings && isMap(metadata) && isMap(metadata.get("nodes"));
  return {
    ...json,
    ...(edges && isMap(map.get("edges")) ? { edges } : {}),
    ...(isLeft ? { metadata: Object.keys(settings).length > 0 ? { ...rest, nodes: settings } : rest } : {}),
  };
}

const hasRootParts = (map: YMap, shape: Shape): boolean =>
  map._item === null && shape.kind === "map" && Object.keys(shape.parts).length > 0;

/** `before` if it says the same as `now`. With `isDeep` all of both is compared; else what is new in `now` is a difference. */
export function keep<T>(before: unknown, now: T, isDeep = false): T {
  return isSame(before, now, isDeep) ? (before as T) : now;
}

function isSame(before: unknown, now: unknown, isDeep: boolean): boolean {
  if (before === now) return true;
  if (before === null || now === null || typeof before !== "object" || typeof now !== "object") return false;
  if (Array.isArray(before) !== Array.isArray(now)) return false;
  const keys = Object.keys(now);
  const old = Object.keys(before);
  if (keys.length !== old.length) return false;
  for (const [index, key] of keys.entries()) {
    const [was, is] = [(before as Record<string, unknown>)[key], (now as Record<string, unknown>)[key]];
    if (key !== old[index] || !(was === is || (isDeep && isSame(was, is, true)))) return false;
  }
  return true;
}
