// Every named edit (DESIGN section 1, "command"): one transaction with the user's origin; undo is Yjs' own, per origin.
import type { GraphInterface } from "@spindle/schemas";
import * as Y from "yjs";
import {
  type EdgeMetadata,
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
import { edgesOf, headOf, isMap, mapOf, nodesOf, PLAIN_FIELDS, type YNode } from "./layout.ts";
import { normalise } from "./normalise.ts";

export type NewNode = Pick<GraphNode, "service" | "plane"> & Partial<GraphNode> & { position: Position };

function edit<T>(doc: Y.Doc, origin: unknown, change: () => T): T {
  return doc.transact(change, origin);
}

/** Replaces the whole document, as an import does. */
export function loadGraph(doc: Y.Doc, origin: unknown, input: Graph): void {
  const graph = stripState(input);
  edit(doc, origin, () => {
    nodesOf(doc).clear();
    edgesOf(doc).clear();
    const { nodes: _, editor, ...rest } = (graph.metadata ?? {}) as Record<string, unknown>;
    const { positions: __, ...view } = (editor ?? {}) as Record<string, unknown>;
    const head = headOf(doc);
    head.set("workflowId", graph.workflowId);
    head.set("context", graph.context ?? {});
    head.set("metadata", { ...rest, ...(Object.keys(view).length > 0 ? { editor: view } : {}) });
    graph.nodes.forEach((node, index) =>
      putNode(doc, node, index, nodePosition(graph, node.id), nodeSettings(graph, node.id) as Record<string, unknown>),
    );
    graph.edges.forEach((edge, index) => putEdge(doc, edge, edgeMetadata(edge).id ?? `e${index}`));
  });
}

function putNode(doc: Y.Doc, node: GraphNode, order: number, position: Position | undefined, settings: Record<string, unknown>): void {
  const fields = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, node[key] ?? undefined]));
  const map = mapOf({ ...fields, order, position });
  map.set("params", mapOf((node.params ?? {}) as Record<string, unknown>));
  map.set("settings", mapOf(settings));
  nodesOf(doc).set(node.id, map);
}

function putEdge(doc: Y.Doc, edge: GraphEdge, id: string): void {
  const { id: _, ...metadata } = edgeMetadata(edge) as Record<string, unknown>;
  edgesOf(doc).set(id, mapOf({ from: edge.from, to: edge.to, kind: edge.kind, metadata }));
}

/** An id that is free now; two people who add at once differ by the random part. */
function freshId(doc: Y.Doc, service: string): string {
  const stem = (service.split(".").at(-1) ?? "node").replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 40);
  for (let tries = 0; ; tries++) {
    const id = `${stem}_${Math.random()
      .toString(36)
      .slice(2, 6 + tries)}`;
    if (!nodesOf(doc).has(id)) return id;
  }
}

const nextOrder = (doc: Y.Doc): number =>
  [...nodesOf(doc).values()].reduce((most, node) => Math.max(most, Number(node.get("order")) || 0), -1) + 1;

export function addNode(doc: Y.Doc, origin: unknown, node: NewNode): string {
  const id = freshId(doc, node.service);
  edit(doc, origin, () => putNode(doc, { ...node, id, status: "pending" }, nextOrder(doc), node.position, {}));
  return id;
}

/** Removes nodes, their wires, and the wires named. */
export function remove(doc: Y.Doc, origin: unknown, nodes: readonly string[], edges: readonly string[] = []): void {
  const gone = new Set(nodes);
  edit(doc, origin, () => {
    for (const id of edges) edgesOf(doc).delete(id);
    edgesOf(doc).forEach((edge, id) => {
      if (gone.has(edge.get("from") as string) || gone.has(edge.get("to") as string)) edgesOf(doc).delete(id);
    });
    for (const id of gone) nodesOf(doc).delete(id);
  });
}

export function moveNodes(doc: Y.Doc, origin: unknown, places: Readonly<Record<string, Position>>): void {
  edit(doc, origin, () => {
    for (const [id, { x, y }] of Object.entries(places))
      nodesOf(doc)
        .get(id)
        ?.set("position", { x: Math.round(x), y: Math.round(y) });
  });
}

export function renameNode(doc: Y.Doc, origin: unknown, id: string, name: string): void {
  edit(doc, origin, () => nodesOf(doc).get(id)?.set("name", name.slice(0, 200)));
}

/** `undefined` takes the parameter away, so that its default holds again. */
export function setParam(doc: Y.Doc, origin: unknown, id: string, name: string, value: unknown): void {
  edit(doc, origin, () => setIn(nodesOf(doc).get(id), "params", name, value));
}

/** Engine, time-out and whatever else `metadata.nodes[id]` may hold. */
export function setSetting(doc: Y.Doc, origin: unknown, id: string, name: keyof NodeSettings, value: unknown): void {
  edit(doc, origin, () => setIn(nodesOf(doc).get(id), "settings", name, value));
}

function setIn(node: YNode | undefined, field: "params" | "settings", name: string, value: unknown): void {
  if (!node) return;
  if (!isMap(node.get(field))) node.set(field, new Y.Map());
  const map = node.get(field) as Y.Map<unknown>;
  if (value === undefined) map.delete(name);
  else map.set(name, value);
}

const FIRST_LIMIT = 10;

/** Wires an output to an input; an input has one wire, and one more that leads back to it, so an older one goes. */
export function connect(doc: Y.Doc, origin: unknown, from: PortAddress, to: PortAddress, as?: "loop" | "map"): string {
  const id = `${from.node}.${from.port}-${to.node}.${to.port}`
    .slice(0, 48)
    .concat(`_${Math.random().toString(36).slice(2, 8)}`)
    .replaceAll(/[^A-Za-z0-9_.:-]/g, "_");
  const more = as === "loop" ? { loop: { maxIterations: FIRST_LIMIT } } : as === "map" ? { map: {} } : {};
  edit(doc, origin, () => {
    edgesOf(doc).forEach((edge, old) => {
      const { targetPort, loop } = (edge.get("metadata") ?? {}) as { targetPort?: string; loop?: unknown };
      if (edge.get("to") === to.node && targetPort === to.port && Boolean(loop) === (as === "loop")) edgesOf(doc).delete(old);
    });
    putEdge(doc, { from: from.node, to: to.node, kind: "normal", metadata: { sourcePort: from.port, targetPort: to.port, ...more } }, id);
  });
  return id;
}

/** `null` takes a part away. */
export interface EdgeChange extends Pick<EdgeMetadata, "when" | "loop" | "map"> {
  kind?: NonNullable<GraphEdge["kind"]>;
}

/** What an edge carries besides its ends. */
export function setEdge(doc: Y.Doc, origin: unknown, id: string, { kind, ...metadata }: EdgeChange): void {
  edit(doc, origin, () => {
    const edge = edgesOf(doc).get(id);
    if (!edge) return;
    if (kind) edge.set("kind", kind);
    const next = { ...((edge.get("metadata") ?? {}) as Record<string, unknown>), ...metadata };
    edge.set("metadata", Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null && value !== undefined)));
  });
}

export function setInterface(doc: Y.Doc, origin: unknown, value: GraphInterface): void {
  edit(doc, origin, () => {
    const head = headOf(doc);
    head.set("metadata", { ...((head.get("metadata") as object | undefined) ?? {}), interface: value });
  });
}

/** What copy puts on the clipboard: the nodes, and the wires between them. */
export function copyNodes(doc: Y.Doc, ids: readonly string[]): Graph | undefined {
  const { graph } = normalise(doc);
  const wanted = new Set(ids);
  const nodes = graph.nodes.filter((node) => wanted.has(node.id));
  if (nodes.length === 0) return undefined;
  return { ...graph, nodes: nodes as Graph["nodes"], edges: graph.edges.filter((edge) => wanted.has(edge.from) && wanted.has(edge.to)) };
}

/** Adds a copied graph under new ids, its upper left corner at `at`. Returns the new ids. */
export function pasteNodes(doc: Y.Doc, origin: unknown, copied: Graph, at: Position): string[] {
  const places = copied.nodes.map((node) => nodePosition(copied, node.id) ?? { x: 0, y: 0 });
  const left = Math.min(...places.map((place) => place.x));
  const top = Math.min(...places.map((place) => place.y));
  return edit(doc, origin, () => {
    const renamed = new Map<string, string>();
    copied.nodes.forEach((node, index) => {
      const id = freshId(doc, node.service);
      const place = places[index] as Position;
      renamed.set(node.id, id);
      putNode(
        doc,
        { ...node, id },
        nextOrder(doc),
        { x: at.x + place.x - left, y: at.y + place.y - top },
        nodeSettings(copied, node.id) as Record<string, unknown>,
      );
    });
    copied.edges.forEach((edge) => {
      const from = renamed.get(edge.from);
      const to = renamed.get(edge.to);
      if (from && to) putEdge(doc, { ...edge, from, to }, `${from}-${to}_${Math.random().toString(36).slice(2, 8)}`.slice(-64));
    });
    return [...renamed.values()];
  });
}
