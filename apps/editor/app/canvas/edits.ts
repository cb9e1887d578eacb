// Edits of what is selected. Each is one step of undo.
import { canConnect, edgeMetadata, type Graph, type Library, nodePosition, nodeSettings } from "@spindle/graph-model";
import { connect, copyNodes, pasteNodes, remove, setSetting } from "@spindle/graph-model/shared-doc";
import type * as Y from "yjs";
import { ME } from "../session/use-document";
import type { Selection } from "./selection";

const APART = 32;

/** Copies the nodes and the wires between them a little lower to the right. Returns the ids of the copies. */
export function duplicate(doc: Y.Doc, ids: readonly string[]): string[] {
  const copied = copyNodes(doc, ids);
  if (!copied) return [];
  const places = copied.nodes.map((node) => nodePosition(copied, node.id) ?? { x: 0, y: 0 });
  const at = { x: Math.min(...places.map(({ x }) => x)) + APART, y: Math.min(...places.map(({ y }) => y)) + APART };
  return pasteNodes(doc, ME, copied, at);
}

export function removeSelected(doc: Y.Doc, { nodes, edges }: Selection): void {
  remove(doc, ME, [...nodes], [...edges]);
}

/** Removes the nodes, and wires what came into each of them to where its outputs went, as far as the types fit. */
export function removeAndReconnect(doc: Y.Doc, graph: Graph, library: Library, nodes: ReadonlySet<string>): void {
  let left: Graph = {
    ...graph,
    nodes: graph.nodes.filter((node) => !nodes.has(node.id)) as Graph["nodes"],
    edges: graph.edges.filter((edge) => !nodes.has(edge.from) && !nodes.has(edge.to)),
  };
  doc.transact(() => {
    remove(doc, ME, [...nodes]);
    for (const { from, to } of [...nodes].flatMap((id) => bridgesOver(graph, id, nodes))) {
      const isWired = left.edges.some((edge) => edge.to === to.node && edgeMetadata(edge).targetPort === to.port);
      if (isWired || !canConnect(left, library, from, to).ok) continue;
      connect(doc, ME, from, to);
      const made = { from: from.node, to: to.node, metadata: { sourcePort: from.port, targetPort: to.port } };
      left = { ...left, edges: [...left.edges, made] };
    }
  }, ME);
}

interface Bridge {
  from: { node: string; port: string };
  to: { node: string; port: string };
}

/** Every pair of a wire's start before the node and a wire's end behind it, neither of which goes too. */
function bridgesOver(graph: Graph, id: string, gone: ReadonlySet<string>): Bridge[] {
  const data = graph.edges.flatMap((edge) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    return sourcePort && targetPort ? [{ from: { node: edge.from, port: sourcePort }, to: { node: edge.to, port: targetPort } }] : [];
  });
  const before = data.filter((wire) => wire.to.node === id && !gone.has(wire.from.node));
  const behind = data.filter((wire) => wire.from.node === id && !gone.has(wire.to.node));
  return behind.flatMap(({ to }) => before.map(({ from }) => ({ from, to })));
}

/** Sets a setting of every node alike: to `value`, or away if all of them have it already. */
export function toggleSetting(
  doc: Y.Doc,
  graph: Graph,
  ids: readonly string[],
  name: "disabled" | "breakpoint",
  value: true | "before",
): void {
  const next = ids.every((id) => nodeSettings(graph, id)[name] === value) ? undefined : value;
  doc.transact(() => {
    for (const id of ids) setSetting(doc, ME, id, name, next);
  }, ME);
}

/** Pins what each node gave; unpins them all if all are pinned. @param outputsOf what a node gave in the run that is looked at */
export function togglePins(doc: Y.Doc, graph: Graph, ids: readonly string[], outputsOf: (id: string) => object | undefined): void {
  const isPinned = ids.every((id) => nodeSettings(graph, id).pinned);
  doc.transact(() => {
    for (const id of ids) {
      if (isPinned) setSetting(doc, ME, id, "pinned", undefined);
      else if (outputsOf(id) && !nodeSettings(graph, id).pinned) setSetting(doc, ME, id, "pinned", outputsOf(id));
    }
  }, ME);
}
