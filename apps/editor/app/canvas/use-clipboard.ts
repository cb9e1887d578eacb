// Copy and paste through the system's clipboard, as a graph: it works between tabs and into a text editor.
import { type Graph, nodePosition, readGraphText } from "@spindle/graph-model";
import { copyNodes, pasteNodes } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { ME } from "../session/use-document";
import { CARD } from "./flow";
import { type Box, cardBoxes, freePlace, viewBox } from "./free-place";
import { type Selection, selectionOf } from "./selection";

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable], .monaco-editor") !== null;

export function useClipboard(doc: Y.Doc, selection: Selection, onSelect: (next: Selection) => void): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  const pointer = useRef<{ x: number; y: number }>();
  useEffect(() => {
    const point = (event: PointerEvent) => {
      const isOverCanvas = event.target instanceof Element && event.target.closest(".react-flow") !== null;
      pointer.current = isOverCanvas ? { x: event.clientX, y: event.clientY } : undefined;
    };
    const copy = (event: ClipboardEvent) => {
      const copied = isTyping(event.target) || String(getSelection()) ? undefined : copyNodes(doc, [...selection.nodes]);
      if (!copied) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", JSON.stringify(copied, null, 2));
    };
    const paste = (event: ClipboardEvent) => {
      if (isTyping(event.target)) return;
      const { graph } = readGraphText(event.clipboardData?.getData("text/plain") ?? "");
      if (!graph) return;
      event.preventDefault();
      const size = sizeOf(graph);
      const view = viewBox(store.getState());
      const middle = pointer.current
        ? flow.screenToFlowPosition(pointer.current)
        : { x: view.x + view.width / 2, y: view.y + view.height / 2 };
      const wished = { x: middle.x - size.width / 2, y: middle.y - size.height / 2, ...size };
      const place = freePlace(wished, [...cardBoxes(doc, store.getState()).values()]);
      onSelect(selectionOf({ nodes: pasteNodes(doc, ME, graph, place) }));
    };
    document.addEventListener("pointermove", point);
    document.addEventListener("copy", copy);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("pointermove", point);
      document.removeEventListener("copy", copy);
      document.removeEventListener("paste", paste);
    };
  }, [doc, selection, onSelect, flow, store]);
}

function sizeOf(graph: Graph): Pick<Box, "width" | "height"> {
  const places = graph.nodes.map((node) => nodePosition(graph, node.id) ?? { x: 0, y: 0 });
  const spread = (of: number[]) => Math.max(...of) - Math.min(...of);
  return { width: spread(places.map(({ x }) => x)) + CARD.width, height: spread(places.map(({ y }) => y)) + CARD.height };
}
