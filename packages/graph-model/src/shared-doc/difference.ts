// What a copy of a graph has that the document lacks, or says in other words: what somebody edited on another epoch (docs/decisions/0046).
import { edgeId, edgeMetadata, type Graph, type GraphNode, isObject, nodePosition, nodeSettings, record } from "../graph.ts";
import type { ListName } from "./body.ts";
import { bodyOf } from "./body.ts";
import { setEdge, setEntry, setParam, setSetting } from "./commands.ts";
import { DEFINITION, definitionsOf, stored } from "./layout.ts";
import { docOf, type Sheet, sheetGraph, sheetOn } from "./sheet.ts";

export interface Difference {
  /** Nodes, wires, inputs, groups and so on that only the copy has. */
  added: number;
  /** Those of which the copy says something else. */
  changed: number;
  /** Nodes that only the document has. They stay when the difference is applied. */
  others: number;
}

/** Nothing of a document is taken away by a difference, so each of these only adds or overwrites. */
interface Change {
  kind: "added" | "changed";
  apply(): void;
}

/** Frames are known by their place alone, so no two of them can be compared. */
const LISTS: readonly [name: ListName, part: "interface" | "editor", key: "name" | "id"][] = [
  ["inputs", "interface", "name"],
  ["outputs", "interface", "name"],
  ["groups", "editor", "id"],
  ["notes", "editor", "id"],
];

/** @param sheet of the whole document */
export function differenceTo(sheet: Sheet, copy: Graph): Difference {
  const changes = [...changesTo(sheet, copy, undefined)];
  const count = (kind: Change["kind"]) => changes.filter((one) => one.kind === kind).length;
  const own = new Set(copy.nodes.map(({ id }) => id));
  const others = sheetGraph(sheetOn(sheet, undefined)).nodes.filter(({ id }) => !own.has(id)).length;
  return { added: count("added"), changed: count("changed"), others };
}

/** Makes the document say what the copy says, and keeps what only the document has. One edit. */
export function applyDifference(sheet: Sheet, origin: unknown, copy: Graph): void {
  docOf(sheet).transact(() => {
    for (const change of [...changesTo(sheet, copy, origin)]) change.apply();
  }, origin);
}

function* changesTo(sheet: Sheet, copy: Graph, origin: unknown): Generator<Change> {
  const whole = sheetOn(sheet, undefined);
  const now = sheetGraph(whole);
  yield* changesOn(whole, now, copy, origin);
  const known = record(now.metadata?.definitions);
  for (const [name, definition] of Object.entries(record(copy.metadata?.definitions))) {
    if (!isObject(definition)) continue;
    const own = known[name];
    if (isObject(own)) yield* changesOn(sheetOn(sheet, name), asGraph(own), asGraph(definition), origin);
    else yield { kind: "added", apply: () => void definitionsOf(docOf(sheet)).set(name, stored(DEFINITION, definition)) };
  }
}

const asGraph = (definition: Record<string, unknown>): Graph =>
  ({ ...definition, nodes: listIn(definition.nodes), edges: listIn(definition.edges) }) as unknown as Graph;
const listIn = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Of a graph, or of one of its definitions. */
function* changesOn(sheet: Sheet, now: Graph, copy: Graph, origin: unknown): Generator<Change> {
  const nodes = new Map(now.nodes.map((node) => [node.id, node]));
  for (const node of copy.nodes) {
    const own = nodes.get(node.id);
    if (own) yield* changesOfNode(sheet, [now, own], [copy, node], origin);
    else
      yield {
        kind: "added",
        apply: () => {
          const body = bodyOf(sheet);
          body?.putNode(node, body.nextOrder(), nodePosition(copy, node.id), { ...nodeSettings(copy, node.id) });
        },
      };
  }
  const edges = new Map(now.edges.map((edge, index) => [edgeId(edge, index), edge]));
  for (const [index, edge] of copy.edges.entries()) {
    const id = edgeId(edge, index);
    const own = edges.get(id);
    if (!own) yield { kind: "added", apply: () => bodyOf(sheet)?.putEdge(edge, id) };
    else if (!isSame([own.kind, edgeMetadata(own)], [edge.kind, edgeMetadata(edge)])) {
      const { id: _, sourcePort: __, targetPort: ___, ...metadata } = edgeMetadata(edge);
      yield { kind: "changed", apply: () => setEdge(sheet, origin, id, { ...metadata, ...(edge.kind ? { kind: edge.kind } : {}) }) };
    }
  }
  for (const [name, part, key] of LISTS) {
    const own = new Map(listIn(record(now.metadata?.[part])[name]).map((entry) => [entry[key], entry]));
    for (const entry of listIn(record(copy.metadata?.[part])[name])) {
      const id = entry[key];
      if (typeof id !== "string" || isSame(own.get(id), entry)) continue;
      yield { kind: own.has(id) ? "changed" : "added", apply: () => void setEntry(sheet, origin, name, id, entry) };
    }
  }
}

function* changesOfNode(
  sheet: Sheet,
  [now, own]: readonly [Graph, GraphNode],
  [copy, node]: readonly [Graph, GraphNode],
  origin: unknown,
): Generator<Change> {
  const { id } = node;
  const changes: (() => void)[] = [];
  if (!isSame(own.name, node.name)) changes.push(() => bodyOf(sheet)?.node(id)?.set("name", node.name));
  for (const [name, value] of Object.entries(node.params ?? {}))
    if (!isSame(own.params?.[name], value)) changes.push(() => setParam(sheet, origin, id, name, value));
  const settings = nodeSettings(now, id);
  for (const [name, value] of Object.entries(nodeSettings(copy, id)) as [keyof typeof settings, unknown][])
    if (!isSame(settings[name], value)) changes.push(() => setSetting(sheet, origin, id, name, value));
  const position = nodePosition(copy, id);
  if (position && !isSame(nodePosition(now, id), position)) changes.push(() => bodyOf(sheet)?.place(id, position));
  if (changes.length > 0) yield { kind: "changed", apply: () => changes.forEach((change) => void change()) };
}

/** The same JSON, in whatever order its keys come. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => isSame(one, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}
