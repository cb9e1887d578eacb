// How a graph lies in a Y.Doc (DESIGN C2, docs/decisions/0020): maps keyed by id or by name, mutated in place, so that concurrent edits
// merge field by field, and texts, which merge letter by letter.

import * as Y from "yjs";
import { isObject } from "../graph.ts";
import { isProse } from "./text.ts";

/** The number of this layout. A document of an older one is migrated by the server when it is loaded (migrate.ts). */
export const LAYOUT = 2;

export type YMap = Y.Map<unknown>;

export const nodesOf = (doc: Y.Doc): YMap => doc.getMap("nodes");
export const edgesOf = (doc: Y.Doc): YMap => doc.getMap("edges");
/** `layout`, `workflowId` and `context`. */
export const headOf = (doc: Y.Doc): YMap => doc.getMap("graph");
export const definitionsOf = (doc: Y.Doc): YMap => doc.getMap("definitions");
/** The graph's metadata, less what lies in its nodes: positions and settings. */
export const metadataOf = (doc: Y.Doc): YMap => doc.getMap("metadata");

/** The parts of a document; whatever else an update brings is refused (admit.ts), and undo covers each of them. */
export const ROOTS = [
  "nodes",
  "edges",
  "graph",
  "metadata",
  "interface",
  "inputs",
  "outputs",
  "editor",
  "collapsed",
  "groups",
  "frames",
  "notes",
  "definitions",
];
export const rootsOf = (doc: Y.Doc): YMap[] => ROOTS.map((name) => doc.getMap(name));

/** 1 for a document that names none, which a document without any edit does not either. */
export function layoutOf(doc: Y.Doc): number {
  const layout = headOf(doc).get("layout");
  return typeof layout === "number" && Number.isSafeInteger(layout) && layout > 0 ? layout : 1;
}

/** Fields of a graph's own node that are stored as they are. */
export const PLAIN_FIELDS = ["service", "plane", "name", "retries", "tags", "progressWeight"] as const;

export const isMap = (value: unknown): value is YMap => value instanceof Y.Map;

/** In an entry of a list its place; in a map or a list that it is there although it is empty. A key of that name is `##`. */
export const MARK = "#";
const escaped = (key: string): string => (key.startsWith(MARK) ? `${MARK}${key}` : key);
export const unescaped = (key: string): string => (key.startsWith(MARK) ? key.slice(1) : key);

/** What of a JSON value is stored apart. */
export type Shape =
  /** All of it is one value, of which the last writer's counts. A `text` that is prose, or `always`, is a Y.Text. */
  | { kind: "value"; text: "never" | "prose" | "always" }
  /** An object is a map of its keys. An `open` one has no mark: it is read as absent while it is empty. */
  | { kind: "map"; parts: Readonly<Record<string, Shape>>; rest: Shape; open?: true }
  /** A list of objects is a map of them. `idOf` is how the entry at a place is known. */
  | { kind: "list"; entry: Shape & { kind: "map" }; idOf(entry: Record<string, unknown>, index: number): string };
export type MapShape = Shape & { kind: "map" };
export type ListShape = Shape & { kind: "list" };

const VALUE: Shape = { kind: "value", text: "never" };
const FIELD: Shape = { kind: "value", text: "prose" };
const map = (parts: MapShape["parts"], rest: Shape = VALUE): MapShape => ({ kind: "map", parts, rest });
const list = (entry: MapShape, idOf: ListShape["idOf"]): ListShape => ({ kind: "list", entry, idOf });
const named = (value: unknown, place: string): string => (typeof value === "string" ? value : place);

const open = (shape: MapShape): MapShape => ({ ...shape, open: true });

const FIELDS = map({}, FIELD);
const EDGE_FIELDS = map({ when: { kind: "value", text: "always" } }, FIELD);
export const EDGE = map({ metadata: EDGE_FIELDS });
export const OWN_EDGE = map({ metadata: open(EDGE_FIELDS) });
const NODE = map({ params: FIELDS });
const SETTINGS = map({});
export const OWN_NODE = map({ params: open(FIELDS), settings: open(SETTINGS) });
const INTERFACE = map({
  inputs: list(FIELDS, ({ name }, index) => named(name, `${index}`)),
  outputs: list(FIELDS, ({ name }, index) => named(name, `${index}`)),
});
const AROUND = {
  collapsed: map({}),
  groups: list(FIELDS, ({ id }, index) => named(id, `${index}`)),
  frames: list(FIELDS, (_, index) => `${index}`),
  notes: list(FIELDS, ({ id }, index) => named(id, `${index}`)),
};
const edgeName = (metadata: unknown, index: number): string => named(isObject(metadata) ? metadata.id : undefined, `e${index}`);
const definition = (settings: Shape): MapShape =>
  map({
    nodes: list(NODE, ({ id }, index) => named(id, `${index}`)),
    edges: list(EDGE, ({ metadata }, index) => edgeName(metadata, index)),
    metadata: map({ interface: INTERFACE, editor: map({ ...AROUND, positions: map({}) }), nodes: settings }),
  });
export const DEFINITION = definition(map({}, SETTINGS));
/** Its parts are roots of the document, and so are theirs: nobody has to create them, so no two people can at once. */
export const METADATA = open(map({ interface: INTERFACE, editor: map(AROUND), definitions: map({}, DEFINITION) }));

const isRoot = ({ doc, _item }: YMap): boolean => doc !== null && _item === null;
export const partShape = ({ parts, rest }: MapShape, key: string): Shape => (Object.hasOwn(parts, key) ? (parts[key] as Shape) : rest);

/** Where the part `key` of `parent` lies, if it has a place of its own that is not in `parent`. */
export const rootPart = (parent: YMap, shape: MapShape, key: string): YMap | undefined =>
  isRoot(parent) && Object.hasOwn(shape.parts, key) ? parent.doc?.getMap(key) : undefined;

/** Whether `value` is what its shape says; otherwise it stays one value. */
const fits = (shape: Shape, value: unknown): boolean =>
  shape.kind === "map" ? isObject(value) : shape.kind === "list" && Array.isArray(value) && value.every((one) => isObject(one));

/** A JSON value as it is stored in a map. */
export function stored(shape: Shape, value: unknown): unknown {
  if (shape.kind !== "value") return fits(shape, value) ? write(new Y.Map(), shape, value) : asValue(value);
  const isTyped = typeof value === "string" && (shape.text === "always" || (shape.text === "prose" && isProse(value)));
  return isTyped ? new Y.Text(value) : asValue(value);
}

/** Yjs tells values apart by their `constructor`, so an object with a key of that name has to be a map. */
export function asValue(value: unknown): unknown {
  if (!isObject(value) || !Object.hasOwn(value, "constructor")) return value;
  return new Y.Map(Object.entries(value).map(([key, inner]) => [key, asValue(inner)]));
}

/** Writes an object or a list into an empty map, in its order. */
export function write<M extends YMap>(into: M, shape: Shape, value: unknown): M {
  if (shape.kind === "list") writeList(into, shape, value as Record<string, unknown>[]);
  else if (shape.kind === "map") writeMap(into, shape, value as Record<string, unknown>);
  return into;
}

function writeMap(into: YMap, shape: MapShape, value: Record<string, unknown>): void {
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  if (keys.length === 0 && !shape.open) into.set(MARK, true);
  const own = shape === DEFINITION ? definitionOf(value) : shape;
  for (const key of keys) {
    const name = shape.open ? key : escaped(key);
    const part = partShape(own, key);
    const root = rootPart(into, shape, key);
    if (root && fits(part, value[key])) {
      into.set(name, undefined); // keeps its place among the keys
      write(root, part, value[key]);
    } else into.set(name, stored(part, value[key]));
  }
  if (isRoot(into)) return;
  // Made by whoever makes the whole, so that no two people make them at once, of whom one would lose.
  for (const [key, part] of Object.entries(own.parts)) if (part.kind !== "value" && !keys.includes(key)) into.set(key, emptyPart(part));
}

/** Its nodes have a map for their settings from the start. A part that is about nodes it does not have stays as it is, for a person to see. */
function definitionOf(value: Record<string, unknown>): MapShape {
  const isLoose = tidy(value);
  const ids = [...nodeIds(value)];
  const shape = definition(isLoose.settings ? VALUE : map(Object.fromEntries(ids.map((id) => [id, SETTINGS])), SETTINGS));
  return isLoose.edges ? { ...shape, parts: { ...shape.parts, edges: VALUE } } : shape;
}

/** A part that is absent; it is read as such until something is in it. */
function emptyPart(shape: Shape): YMap {
  const made: YMap = new Y.Map();
  if (shape.kind === "map")
    for (const [key, part] of Object.entries(shape.parts)) if (part.kind !== "value") made.set(key, emptyPart(part));
  return made;
}

function writeList(into: YMap, shape: ListShape, value: readonly Record<string, unknown>[]): void {
  into.set(MARK, true);
  const taken = new Set([MARK]);
  value.forEach((fields, index) => {
    const id = shape.idOf(fields, index);
    let key = id;
    for (let more = 2; taken.has(key); more++) key = `${id} ${more}`;
    taken.add(key);
    const entry = write(new Y.Map<unknown>(), shape.entry, fields);
    entry.set(MARK, index);
    into.set(key, entry);
  });
}

/** The map in which the part or entry `key` of `parent` lies; made, of what fits of the value that is there, if there is none. */
export function child(parent: YMap, shape: MapShape, key: string): YMap {
  const part = partShape(shape, key);
  const given = parent.get(key);
  const root = rootPart(parent, shape, key);
  if (!root && isMap(given)) return given;
  const held = given instanceof Y.AbstractType ? undefined : given; // a text, which a page of ours never puts there
  const made = root ?? emptyPart(part);
  if (!root) parent.set(key, made);
  if (held !== undefined) {
    if (part.kind === "list") write(made, part, Array.isArray(held) ? held.filter((one) => isObject(one)) : []);
    else if (fits(part, held)) write(made, part, held);
    if (root) parent.set(key, undefined);
  }
  return made;
}

const nodeIds = ({ nodes }: Record<string, unknown>): Set<string> =>
  new Set((Array.isArray(nodes) ? nodes : []).flatMap((one: unknown) => (isObject(one) && typeof one.id === "string" ? [one.id] : [])));

/** The edges and settings of a definition without those of nodes that it does not have, if there are such. */
export function tidy(definition: Record<string, unknown>): { edges?: unknown[]; settings?: Record<string, unknown> } {
  const ids = nodeIds(definition);
  const { edges } = definition;
  const all: unknown[] = Array.isArray(edges) ? edges : [];
  const whole = all.filter((one) => !isObject(one) || (ids.has(one.from as string) && ids.has(one.to as string)));
  const settings = isObject(definition.metadata) && isObject(definition.metadata.nodes) ? Object.entries(definition.metadata.nodes) : [];
  const own = settings.filter(([id]) => ids.has(id));
  return {
    ...(whole.length < all.length ? { edges: whole } : {}),
    ...(own.length < settings.length ? { settings: Object.fromEntries(own) } : {}),
  };
}

export interface Entry {
  key: string;
  order: number;
  map: YMap;
}

/** The entries of a list, in the one order that all replicas have. */
export function entriesOf(list: YMap): Entry[] {
  const entries: Entry[] = [];
  for (const [key, value] of list) if (key !== MARK && isMap(value)) entries.push({ key, order: numberOr(value.get(MARK), 0), map: value });
  return entries.sort((a, b) => a.order - b.order || compare(a.key, b.key));
}

export const numberOr = (value: unknown, otherwise: number): number =>
  typeof value === "number" && Number.isFinite(value) ? value : otherwise;
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
