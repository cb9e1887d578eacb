// Copy and paste through the system's clipboard, as a graph: it works between tabs and into a text editor.
import { type Graph, readGraphText } from "@spindle/graph-model";
import { copyNodes, pasteNodes } from "@spindle/graph-model/shared-doc";
import type { ReactFlowInstance } from "@xyflow/react";
import { useEffect } from "react";
import type * as Y from "yjs";
import { ME } from "../session/use-document";
import type { CardNode } from "./node-card";

interface Parts {
  doc: Y.Doc;
  graph: Graph;
  nodes: CardNode[];
  setNodes(change: (now: CardNode[]) => CardNode[]): void;
  flow: ReactFlowInstance;
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable], .monaco-editor") !== null;

export function useClipboard({ doc, nodes, setNodes, flow }: Parts): void {
  useEffect(() => {
    const copy = (event: ClipboardEvent) => {
      const copied =
        isTyping(event.target) || String(getSelection())
          ? undefined
          : copyNodes(
              doc,
              nodes.filter((node) => node.selected).map((node) => node.id),
            );
      if (!copied) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", JSON.stringify(copied, null, 2));
    };
    const paste = (event: ClipboardEvent) => {
      if (isTyping(event.target)) return;
      const { graph } = readGraphText(event.clipboardData?.getData("text/plain") ?? "");
      if (!graph) return;
      event.preventDefault();
      const middle = flow.screenToFlowPosition({ x: innerWidth / 2, y: innerHeight / 2 });
      const added = new Set(pasteNodes(doc, ME, graph, { x: middle.x - 152, y: middle.y - 130 }));
      setTimeout(() => setNodes((now) => now.map((node) => ({ ...node, selected: added.has(node.id) }))), 50);
    };
    document.addEventListener("copy", copy);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("copy", copy);
      document.removeEventListener("paste", paste);
    };
  }, [doc, nodes, setNodes, flow]);
}
