// Every named edit (DESIGN section 1, "command"): one transaction with the user's origin; undo is Yjs' own, per origin.
import type { GraphInterface } from "@spindle/schemas";
import * as Y from "yjs";
import {
  type EdgeMetadata,
  edgeId,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type GraphNode,
  type NodeSettings,
  nodePosition,
  nodeSettings,
  type Position,
} from "../graph.ts";
import type { PortAddress } from "../interface.ts";
import { stripState } from "../io/document.ts";
import { mergedText } from "../text-change.ts";
import { type Body, bodyOf, fieldsOf, type ListName, listOf } from "./body.ts";
import {
  asValue,
  DEFINITION,
  definitionsOf,
  entriesOf,
  headOf,
  isMap,
  MARK,
  METADATA,
  metadataOf,
  rootsOf,
  stored,
  write,
  type YMap,
} from "./layout.ts";
import { definitionOf, type Sheet, sheetGraph } from "./sheet.ts";
import { isProse, isText, retype } from "./text.ts";

export type NewNode = Pick<GraphNode, "service" | "plane"> & Partial<GraphNode> & { position: Position };

function edit<T>(sheet: Sheet, origin: unknown, change: () => T): T {
  return sheet.transact(change, origin);
}

/** How a string is set. */
export interface Typing {
  /** It is typed text, of which several people's letters merge, however short. */
  isText?: boolean;
  /** What the field held when the person began to type: what others have typed since then stays. */
  base?: string;
}

/** Replaces the whole document, as an import does. */
export function loadGraph(doc: Y.Doc, origin: unknown, input: Graph): void {
  const graph = stripState(input);
  edit(doc, origin, () => {
    const head = headOf(doc);
    for (const root of rootsOf(doc)) if (root !== head) root.clear();
    const { nodes: _, editor, ...rest } = (graph.metadata ?? {}) as Record<string, unknown>;
    const { positions: __, ...view } = (editor ?? {}) as Record<string, unknown>;
    head.set("workflowId", graph.workflowId);
    head.set("context", graph.context ?? {});
    head.delete("metadata"); // of layout 1
    write(metadataOf(doc), METADATA, { ...rest, ...(Object.keys(view).length > 0 ? { editor: view } : {}) });
    const body = bodyOf(doc) as Body;
    graph.nodes.forEach((node, index) =>
      body.putNode(node, index, nodePosition(graph, node.id), nodeSettings(graph, node.id) as Record<string, unknown>),
    );
    graph.edges.forEach((edge, index) => body.putEdge(edge, edgeId(edge, index)));
  });
}

/** An id that is free now; two people who add at once differ by the random part. */
function freshId(body: Body, service: string): string {
  const stem = (service.split(".").at(-1) ?? "node").replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 40);
  for (let tries = 0; ; tries++) {
    const id = `${stem}_${random(4 + tries)}`;
    if (!body.nodes.has(id)) return id;
  }
}

const random = (letters: number): string =>
  Math.random()
    .toString(36)
    .slice(2, 2 + letters);

/** @throws Error if there is no such definition */
export function addNode(sheet: Sheet, origin: unknown, node: NewNode): string {
  const body = bodyOf(sheet);
  if (!body) throw new Error(`There is no definition ${definitionOf(sheet)}.`);
  const id = freshId(body, node.service);
  edit(sheet, origin, () => body.putNode({ ...node, id, status: "pending" }, body.nextOrder(), node.position, {}));
  return id;
}

/** Removes nodes, their wires, and the wires named. */
export function remove(sheet: Sheet, origin: unknown, nodes: readonly string[], edges: readonly string[] = []): void {
  const gone = new Set(nodes);
  edit(sheet, origin, () => {
    const body = bodyOf(sheet);
    if (!body) return;
    for (const key of edges.map((id) => body.edgeKey(id))) if (key !== undefined) body.edges.delete(key);
    body.edges.forEach((edge, key) => {
      if (isMap(edge) && (gone.has(edge.get("from") as string) || gone.has(edge.get("to") as string))) body.edges.delete(key);
    });
    for (const id of gone) body.dropNode(id);
  });
}

export function moveNodes(sheet: Sheet, origin: unknown, places: Readonly<Record<string, Position>>): void {
  edit(sheet, origin, () => {
    for (const [id, { x, y }] of Object.entries(places)) bodyOf(sheet)?.place(id, { x: Math.round(x), y: Math.round(y) });
  });
}

export function renameNode(sheet: Sheet, origin: unknown, id: string, name: string): void {
  edit(sheet, origin, () => bodyOf(sheet)?.node(id)?.set("name", name.slice(0, 200)));
}

/** Makes a node a use of another capability. Parameters that `params` lacks go; those that stay are left as they are. */
export function changeService(
  sheet: Sheet,
  origin: unknown,
  id: string,
  { service, plane, name, params }: Required<Pick<GraphNode, "service" | "plane" | "name" | "params">>,
): void {
  edit(sheet, origin, () => {
    const body = bodyOf(sheet);
    const node = body?.node(id);
    if (!node) return;
    for (const [key, value] of Object.entries({ service, plane, name })) node.set(key, value);
    const held = body?.params(id);
    for (const key of [...(held?.keys() ?? [])]) if (!Object.hasOwn(params ?? {}, key)) held?.delete(key);
  });
}

/** `undefined` takes the parameter away, so that its default holds again. */
export function setParam(sheet: Sheet, origin: unknown, id: string, name: string, value: unknown, how: Typing = {}): void {
  edit(sheet, origin, () => setIn(bodyOf(sheet)?.params(id), name, value, how));
}

/** Engine, time-out and whatever else `metadata.nodes[id]` may hold. */
export function setSetting(sheet: Sheet, origin: unknown, id: string, name: keyof NodeSettings, value: unknown): void {
  edit(sheet, origin, () => setIn(bodyOf(sheet)?.settings(id), name, value, { isValue: true }));
}

/** A string goes into the text that is there, letter by letter; else it is a text if it is prose or typed as one. */
function setIn(map: YMap | undefined, name: string, value: unknown, how: Typing & { isValue?: boolean }): void {
  if (!map) return;
  const held = map.get(name);
  if (value === undefined) map.delete(name);
  else if (typeof value !== "string" || how.isValue) map.set(name, asValue(value));
  else if (isText(held)) retype(held, how.base === undefined ? value : mergedText(how.base, value, held.toString()));
  else if (how.isText || isProse(value))
    map.set(name, new Y.Text(how.base === undefined || typeof held !== "string" ? value : mergedText(how.base, value, held)));
  else map.set(name, value);
}

const FIRST_LIMIT = 10;

/** A port; or a node, of an edge that only orders two of them. */
type End = Pick<PortAddress, "node"> & Partial<PortAddress>;

/** Wires an output to an input; an input has one wire, and one more that leads back to it, so an older one goes. */
export function connect(sheet: Sheet, origin: unknown, from: End, to: End, as?: "loop" | "map"): string {
  const id = `${from.node}.${from.port ?? ""}-${to.node}.${to.port ?? ""}`
    .slice(0, 48)
    .concat(`_${random(6)}`)
    .replaceAll(/[^A-Za-z0-9_.:-]/g, "_");
  const more = as === "loop" ? { loop: { maxIterations: FIRST_LIMIT } } : as === "map" ? { map: {} } : {};
  edit(sheet, origin, () => {
    const body = bodyOf(sheet);
    if (!body) return;
    body.edges.forEach((edge, old) => {
      if (!isMap(edge) || edge.get("to") !== to.node) return;
      const { targetPort, loop } = fieldsOf(edge.get("metadata")) as { targetPort?: string; loop?: unknown };
      if (to.port !== undefined && targetPort === to.port && Boolean(loop) === (as === "loop")) body.edges.delete(old);
    });
    const ports = from.port !== undefined && to.port !== undefined ? { sourcePort: from.port, targetPort: to.port } : {};
    body.putEdge({ from: from.node, to: to.node, kind: "normal", metadata: { ...ports, ...more } }, id);
  });
  return id;
}

/** `null` takes a part away. */
export interface EdgeChange extends Pick<EdgeMetadata, "when" | "loop" | "map"> {
  points?: readonly Position[] | null;
  kind?: NonNullable<GraphEdge["kind"]>;
}

/** What an edge carries besides its ends. `base` is that of `when`. */
export function setEdge(sheet: Sheet, origin: unknown, id: string, change: EdgeChange, how: Pick<Typing, "base"> = {}): void {
  const { kind, ...metadata } = change;
  edit(sheet, origin, () => {
    const body = bodyOf(sheet);
    const key = body?.edgeKey(id);
    const edge = key === undefined ? undefined : body?.edges.get(key);
    if (!body || !isMap(edge)) return;
    if (kind) edge.set("kind", kind);
    for (const [name, value] of Object.entries(metadata))
      if (value !== undefined) setIn(body.edgeMetadata(edge), name, value ?? undefined, { ...how, isText: true });
  });
}

/** Declares the whole interface. Entries are known by their names: of one that stays, only what differs is written. */
export function setInterface(sheet: Sheet, origin: unknown, value: GraphInterface): void {
  edit(sheet, origin, () => {
    for (const side of ["inputs", "outputs"] as const) {
      const list = listOf(sheet, side);
      if (!list) return;
      list.map.set(MARK, true);
      const declared = value[side] ?? [];
      const names = new Set(declared.map((one) => one.name));
      for (const { id, key } of list.entries()) if (!names.has(id)) list.map.delete(key);
      declared.forEach((one, index) => putFields(list.entry(one.name, { name: one.name }), { ...one, [MARK]: index }, true));
    }
  });
}

/**
 * Sets fields of an entry of a list, which is added at the end if there is none of that id; `undefined` takes a field away. An input
 * or output is known by its name, a group or note by its id, and a frame, or whatever has no id, by its place. Returns the id.
 */
export function setEntry(
  sheet: Sheet,
  origin: unknown,
  of: ListName,
  id: string | undefined,
  fields: Record<string, unknown>,
  how: Typing = {},
): string {
  return edit(sheet, origin, () => {
    const list = listOf(sheet, of);
    const known = id ?? (of === "frames" ? String(list?.entries().length ?? 0) : `${of.slice(0, -1)}_${random(8)}`);
    const first = of === "frames" ? {} : of === "inputs" || of === "outputs" ? { name: known } : { id: known };
    if (list) putFields(list.entry(known, first), fields, false, how);
    return known;
  });
}

export function removeEntry(sheet: Sheet, origin: unknown, of: ListName, id: string): void {
  edit(sheet, origin, () => {
    const list = listOf(sheet, of);
    const key = list?.find(id);
    if (list && key !== undefined) list.map.delete(key);
  });
}

/** Puts an entry in front of another, or at the end. */
export function moveEntry(sheet: Sheet, origin: unknown, of: ListName, id: string, before?: string): void {
  edit(sheet, origin, () => {
    const list = listOf(sheet, of);
    const key = list?.find(id);
    if (!list || key === undefined) return;
    const others = entriesOf(list.map).filter((one) => one.key !== key);
    const next = others.findIndex((one) => one.key === (before === undefined ? undefined : list.find(before)));
    const [left, right] = next < 0 ? [others.at(-1), undefined] : [others[next - 1], others[next]];
    const order = right ? (left ? (left.order + right.order) / 2 : right.order - 1) : (left?.order ?? -1) + 1;
    // Two that were added at once may have one order between them: what comes after makes room.
    if (right && (order === right.order || order === left?.order)) others.forEach((one, at) => one.map.set(MARK, at < next ? at : at + 1));
    (list.map.get(key) as YMap).set(MARK, right && (order === right.order || order === left?.order) ? next : order);
  });
}

function putFields(entry: YMap, fields: Record<string, unknown>, isWhole: boolean, how: Typing = {}): void {
  if (isWhole) for (const key of [...entry.keys()]) if (fields[key] === undefined) entry.delete(key);
  const before = fieldsOf(entry);
  for (const [key, value] of Object.entries(fields))
    if (JSON.stringify(before[key]) !== JSON.stringify(value))
      setIn(entry, key, value, key === "name" || key === "id" ? { isValue: true } : how);
}

/** Makes a definition, or replaces it whole. */
export function setDefinition(doc: Y.Doc, origin: unknown, name: string, definition: object): void {
  edit(doc, origin, () => definitionsOf(doc).set(name, stored(DEFINITION, definition)));
}

export function removeDefinition(doc: Y.Doc, origin: unknown, name: string): void {
  edit(doc, origin, () => definitionsOf(doc).delete(name));
}

/** What copy puts on the clipboard: the nodes, and the wires between them. */
export function copyNodes(sheet: Sheet, ids: readonly string[]): Graph | undefined {
  const graph = sheetGraph(sheet);
  const wanted = new Set(ids);
  const nodes = graph.nodes.filter((node) => wanted.has(node.id));
  if (nodes.length === 0) return undefined;
  return { ...graph, nodes: nodes as Graph["nodes"], edges: graph.edges.filter((edge) => wanted.has(edge.from) && wanted.has(edge.to)) };
}

/** Adds a copied graph under new ids, its upper left corner at `at`. Returns the new ids. */
export function pasteNodes(sheet: Sheet, origin: unknown, copied: Graph, at: Position): string[] {
  const places = copied.nodes.map((node) => nodePosition(copied, node.id) ?? { x: 0, y: 0 });
  const left = Math.min(...places.map((place) => place.x));
  const top = Math.min(...places.map((place) => place.y));
  return edit(sheet, origin, () => {
    const body = bodyOf(sheet);
    if (!body) return [];
    const renamed = new Map<string, string>();
    const first = body.nextOrder();
    copied.nodes.forEach((node, index) => {
      const id = freshId(body, node.service);
      const place = places[index] as Position;
      renamed.set(node.id, id);
      body.putNode(
        { ...node, id },
        first + index,
        { x: at.x + place.x - left, y: at.y + place.y - top },
        nodeSettings(copied, node.id) as Record<string, unknown>,
      );
    });
    copied.edges.forEach((edge) => {
      const from = renamed.get(edge.from);
      const to = renamed.get(edge.to);
      const { points, ...metadata } = edgeMetadata(edge);
      const moved = Array.isArray(points) ? { points: points.map(({ x, y }) => ({ x: at.x + x - left, y: at.y + y - top })) } : {};
      if (from && to) body.putEdge({ ...edge, from, to, metadata: { ...metadata, ...moved } }, `${from}-${to}_${random(6)}`.slice(-64));
    });
    return [...renamed.values()];
  });
}
