// Where commands write: the nodes and edges of a graph or of one of its definitions, and the lists around them.
import * as Y from "yjs";
import { edgeMetadata, type GraphEdge, type GraphNode, isObject, type Position } from "../graph.ts";
import {
  child,
  DEFINITION,
  definitionsOf,
  EDGE,
  edgesOf,
  entriesOf,
  isMap,
  type ListShape,
  MARK,
  type MapShape,
  METADATA,
  metadataOf,
  nodesOf,
  OWN_EDGE,
  OWN_NODE,
  PLAIN_FIELDS,
  partShape,
  stored,
  write,
  type YMap,
} from "./layout.ts";
import { definitionOf, docOf, type Sheet } from "./sheet.ts";
import { Tree } from "./tree.ts";

/** The JSON of a value of a document that is being changed. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  const { json } = new Tree(false).read(value, { kind: "value", text: "never" }, 1);
  return isObject(json) ? json : {};
}

/** The nodes and edges of one graph. Its two kinds differ in where a node's place and settings lie, and in how an edge is known. */
export interface Body {
  readonly nodes: YMap;
  readonly edges: YMap;
  nextOrder(): number;
  putNode(node: GraphNode, order: number, position: Position | undefined, settings: Record<string, unknown>): void;
  putEdge(edge: GraphEdge, id: string): void;
  node(id: string): YMap | undefined;
  params(id: string): YMap | undefined;
  settings(id: string): YMap | undefined;
  place(id: string, position: Position): void;
  dropNode(id: string): void;
  /** The key of an edge that `edgeId` calls `id`. */
  edgeKey(id: string): string | undefined;
  edgeMetadata(edge: YMap): YMap;
}

const nextOrder = (nodes: YMap, key: string): number =>
  [...nodes.values()].reduce<number>((most, node) => Math.max(most, (isMap(node) && Number(node.get(key))) || 0), -1) + 1;
const mapAt = (map: YMap, key: string): YMap | undefined => {
  const found = map.get(key);
  return isMap(found) ? found : undefined;
};

/** Nothing for a definition that is not there (any more). */
export function bodyOf(sheet: Sheet): Body | undefined {
  const [doc, definition] = [docOf(sheet), definitionOf(sheet)];
  if (definition === undefined) return ownBody(nodesOf(doc), edgesOf(doc));
  const definitions = definitionsOf(doc);
  if (!definitions.has(definition)) return undefined;
  return definitionBody(child(definitions, partShape(METADATA, "definitions") as MapShape, definition));
}

function ownBody(nodes: YMap, edges: YMap): Body {
  const inNode = (id: string, part: string) => {
    const node = mapAt(nodes, id);
    return node && child(node, OWN_NODE, part);
  };
  return {
    nodes,
    edges,
    nextOrder: () => nextOrder(nodes, "order"),
    putNode: (node, order, position, settings) => {
      const fields = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, node[key] ?? undefined]));
      nodes.set(node.id, write(new Y.Map(), OWN_NODE, { ...fields, order, position, params: node.params ?? {}, settings }));
    },
    putEdge: (edge, id) => {
      const { id: _, ...metadata } = edgeMetadata(edge) as Record<string, unknown>;
      edges.set(id, write(new Y.Map(), OWN_EDGE, { from: edge.from, to: edge.to, kind: edge.kind, metadata }));
    },
    node: (id) => mapAt(nodes, id),
    params: (id) => inNode(id, "params"),
    settings: (id) => inNode(id, "settings"),
    place: (id, position) => void mapAt(nodes, id)?.set("position", position),
    dropNode: (id) => nodes.delete(id),
    edgeKey: (id) => (edges.has(id) ? id : undefined),
    edgeMetadata: (edge) => child(edge, OWN_EDGE, "metadata"),
  };
}

function definitionBody(definition: YMap): Body {
  const part = (...path: string[]) => {
    let [at, shape]: [YMap, MapShape] = [definition, DEFINITION];
    for (const key of path) [at, shape] = [child(at, shape, key), partShape(shape, key) as MapShape];
    return at;
  };
  const nodes = part("nodes");
  const edges = part("edges");
  const nodeShape = (partShape(DEFINITION, "nodes") as ListShape).entry;
  const settingsShape = partShape(partShape(DEFINITION, "metadata") as MapShape, "nodes") as MapShape;
  return {
    nodes,
    edges,
    nextOrder: () => nextOrder(nodes, MARK),
    putNode: ({ position: _, ...node }: GraphNode & { position?: unknown }, order, position, settings) => {
      const entry = write(new Y.Map<unknown>(), nodeShape, { ...node, status: "pending" });
      entry.set(MARK, order);
      nodes.set(node.id, entry);
      if (position) part("metadata", "editor", "positions").set(node.id, position);
      part("metadata", "nodes").set(node.id, Object.keys(settings).length > 0 ? stored(settingsShape.rest, settings) : new Y.Map());
    },
    putEdge: (edge, id) => {
      const entry = write(new Y.Map<unknown>(), EDGE, { ...edge, metadata: { ...edge.metadata, id } });
      entry.set(MARK, nextOrder(edges, MARK));
      edges.set(id, entry);
    },
    node: (id) => mapAt(nodes, id),
    params: (id) => {
      const node = mapAt(nodes, id);
      return node && child(node, nodeShape, "params");
    },
    settings: (id) => (nodes.has(id) ? child(part("metadata", "nodes"), settingsShape, id) : undefined),
    place: (id, position) => void (nodes.has(id) && part("metadata", "editor", "positions").set(id, position)),
    dropNode: (id) => {
      nodes.delete(id);
      part("metadata", "editor", "positions").delete(id);
      part("metadata", "nodes").delete(id);
    },
    edgeKey: (id) => keyOf(edges, partShape(DEFINITION, "edges") as ListShape, id),
    edgeMetadata: (edge) => child(edge, EDGE, "metadata"),
  };
}

/** The key of the entry that is known as `id`: by what it says of itself, or by its place. */
const keyOf = (list: YMap, shape: ListShape, id: string): string | undefined =>
  entriesOf(list).find((one, index) => shape.idOf(fieldsOf(one.map), index) === id)?.key;

export type ListName = "inputs" | "outputs" | "groups" | "frames" | "notes";

export interface List {
  readonly map: YMap;
  entries(): { id: string; key: string }[];
  find(id: string): string | undefined;
  /** The entry of that id, made of `first` at the end if there is none. */
  entry(id: string, first: Record<string, unknown>): YMap;
}

export function listOf(sheet: Sheet, name: ListName): List | undefined {
  const [doc, definition] = [docOf(sheet), definitionOf(sheet)];
  const group = name === "inputs" || name === "outputs" ? "interface" : "editor";
  const definitions = definitionsOf(doc);
  if (definition !== undefined && !definitions.has(definition)) return undefined;
  const [metadata, shape] =
    definition === undefined
      ? [metadataOf(doc), METADATA]
      : [
          child(child(definitions, partShape(METADATA, "definitions") as MapShape, definition), DEFINITION, "metadata"),
          partShape(DEFINITION, "metadata") as MapShape,
        ];
  const groupShape = partShape(shape, group) as MapShape;
  const listShape = partShape(groupShape, name) as ListShape;
  const map = child(child(metadata, shape, group), groupShape, name);
  const find = (id: string) => keyOf(map, listShape, id);
  return {
    map,
    find,
    entries: () => entriesOf(map).map((one, index) => ({ id: listShape.idOf(fieldsOf(one.map), index), key: one.key })),
    entry: (id, first) => {
      const key = find(id);
      if (key !== undefined) return map.get(key) as YMap;
      let free = id;
      for (let more = 2; free === MARK || map.has(free); more++) free = `${id} ${more}`;
      const made = write(new Y.Map<unknown>(), listShape.entry, first);
      made.set(MARK, Math.max(-1, ...entriesOf(map).map((one) => one.order)) + 1);
      map.set(free, made);
      return made;
    },
  };
}
