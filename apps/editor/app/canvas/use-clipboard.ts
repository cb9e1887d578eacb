// Copy and paste through the system's clipboard, as a graph: it works between tabs and into a text editor.
import { type Graph, nodePosition, readGraphText } from "@spindle/graph-model";
import { copyNodes, pasteNodes } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import { asOwnStep, ME, type SharedDocument } from "../session/use-document";
import { isField } from "../ui/keys";
import { toast } from "../ui/toast";
import { removeSelected } from "./edits";
import { CARD } from "./flow";
import { type Box, cardBoxes, freePlace, viewBox } from "./free-place";
import { goOnAt, land } from "./landing";
import { type Selection, selectionOf } from "./selection";
import type { Pointer } from "./use-pointer";

export interface Clipboard {
  copy(): void;
  cut(): void;
  paste(): void;
}

const NO_GRAPH = "What was copied is no graph, so it cannot be pasted.";

export function useClipboard(
  shared: SharedDocument | undefined,
  pointer: RefObject<Pointer | undefined>,
  selection: Selection,
  onSelect: (next: Selection) => void,
): Clipboard {
  const doc = shared?.doc;
  const flow = useReactFlow();
  const store = useStoreApi();
  /** What the selected nodes are as text; undefined if there are none. */
  const copied = (): string | undefined => {
    const graph = doc && copyNodes(doc, [...selection.nodes]);
    return graph && JSON.stringify(graph, null, 2);
  };
  const cut = () => {
    if (!shared) return;
    asOwnStep(shared, () => removeSelected(shared.doc, selection));
    goOnAt(shared.doc, []);
  };
  /** Puts what the text holds under the pointer, or in the middle of the view. Returns whether it holds a graph. */
  const paste = (text: string): boolean => {
    const { graph } = readGraphText(text);
    if (!graph || !shared) return false;
    const size = sizeOf(graph);
    const view = viewBox(store.getState());
    const middle = pointer.current
      ? flow.screenToFlowPosition(pointer.current)
      : { x: view.x + view.width / 2, y: view.y + view.height / 2 };
    const wished = { x: middle.x - size.width / 2, y: middle.y - size.height / 2, ...size };
    const place = freePlace(wished, [...cardBoxes(shared.doc, store.getState()).values()]);
    const nodes = asOwnStep(shared, () => pasteNodes(shared.doc, ME, graph, place));
    onSelect(selectionOf({ nodes }));
    land(...nodes);
    return true;
  };
  const now = useRef({ copied, cut, paste });
  now.current = { copied, cut, paste };
  useEffect(() => {
    const put = (event: ClipboardEvent) => {
      const text = isField(event.target) || String(getSelection()) ? undefined : now.current.copied();
      if (text === undefined) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", text);
      if (event.type === "cut") now.current.cut();
    };
    const insert = (event: ClipboardEvent) => {
      if (isField(event.target)) return;
      if (now.current.paste(event.clipboardData?.getData("text/plain") ?? "")) event.preventDefault();
      else toast("info", NO_GRAPH);
    };
    document.addEventListener("copy", put);
    document.addEventListener("cut", put);
    document.addEventListener("paste", insert);
    return () => {
      document.removeEventListener("copy", put);
      document.removeEventListener("cut", put);
      document.removeEventListener("paste", insert);
    };
  }, []);
  const write = async (act?: () => void) => {
    try {
      const text = copied();
      if (text === undefined) return;
      await navigator.clipboard.writeText(text);
      act?.();
    } catch {
      toast("bad", "The browser does not let this page write to the clipboard. The keys for it do the same.");
    }
  };
  const read = async () => {
    try {
      if (!paste(await navigator.clipboard.readText())) toast("info", NO_GRAPH);
    } catch {
      toast("bad", "The browser does not let this page read the clipboard. The keys for it do the same.");
    }
  };
  return { copy: () => void write(), cut: () => void write(cut), paste: () => void read() };
}

function sizeOf(graph: Graph): Pick<Box, "width" | "height"> {
  const places = graph.nodes.map((node) => nodePosition(graph, node.id) ?? { x: 0, y: 0 });
  const spread = (of: number[]) => Math.max(...of) - Math.min(...of);
  return { width: spread(places.map(({ x }) => x)) + CARD.width, height: spread(places.map(({ y }) => y)) + CARD.height };
}
