// Copy and paste through the system's clipboard, as a graph: it works between tabs and into a text editor. What is no graph, a file or
// a text, is pasted as a node that holds it.
import { type Graph, type Library, nodePosition, type Position } from "@spindle/graph-model";
import { setParam, sheetGraph } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import { graphTextOf } from "../session/files";
import { readWithDefinitions } from "../session/library-store";
import { asOwnStep, ME, type SharedDocument } from "../session/use-document";
import { isField } from "../ui/keys";
import { toast, toastError } from "../ui/toast";
import { around, type Box } from "./box";
import { copySelected, notesOf, pasteCopied, place, removeSelected } from "./edits";
import { CARD, withPlaces } from "./flow";
import { cardBoxes, freePlace, viewBox } from "./free-place";
import { type HeldValue, heldFile, heldText } from "./holders";
import { goOnAt, land } from "./landing";
import { NOTE_SIZE } from "./note-card";
import { type Selection, selectionOf } from "./selection";
import type { Pointer } from "./use-pointer";

export interface Clipboard {
  copy(): void;
  cut(): void;
  paste(): void;
  /** Puts what a file carries on the canvas, or the file itself, as a node. @param at in the window; the middle of the view without it */
  putFile(file: File, at?: Position): Promise<void>;
}

export function useClipboard(
  shared: SharedDocument | undefined,
  library: Library,
  pointer: RefObject<Pointer | undefined>,
  selection: Selection,
  onSelect: (next: Selection) => void,
): Clipboard {
  const flow = useReactFlow();
  const store = useStoreApi();
  /** What is selected, as text; undefined if no node and no note is. */
  const copied = (): string | undefined => {
    const graph = shared && copySelected(shared.sheet, sheetGraph(shared.sheet), selection);
    return graph && JSON.stringify(graph, null, 2);
  };
  const cut = () => {
    if (!shared) return;
    asOwnStep(shared, () => removeSelected(shared.sheet, selection));
    goOnAt(shared.sheet, []);
  };
  /** The free place for something of that size whose middle is wished at a point of the window, or else in the middle of the view. */
  const placeFor = (size: Pick<Box, "width" | "height">, at: Position | undefined): Position => {
    const view = viewBox(store.getState());
    const middle = at ? flow.screenToFlowPosition(at) : { x: view.x + view.width / 2, y: view.y + view.height / 2 };
    const wished = { x: middle.x - size.width / 2, y: middle.y - size.height / 2, ...size };
    return shared ? freePlace(wished, [...cardBoxes(shared.sheet, store.getState()).values()]) : wished;
  };
  const show = (nodes: string[], notes: string[] = []) => {
    onSelect(selectionOf({ nodes, notes }));
    land(...nodes);
  };
  const putGraph = (given: Graph, at: Position | undefined) => {
    const graph = withPlaces(given); // a workflow in API format has no places
    if (!shared) return;
    const put = asOwnStep(shared, () => pasteCopied(shared.sheet, graph, placeFor(sizeOf(graph), at)));
    show(put.nodes, put.notes);
  };
  const putHeld = ({ definition, input, value }: HeldValue, at: Position | undefined) => {
    if (!shared) return;
    const put = () =>
      shared.sheet.transact(() => {
        const id = place(shared.sheet, definition, placeFor(CARD, at));
        setParam(shared.sheet, ME, id, input, value, { isText: typeof value === "string" });
        return id;
      }, ME);
    show([asOwnStep(shared, put)]);
  };
  /** A graph, or a ComfyUI workflow; what is JSON and neither is refused with a reason, and any other text becomes a node. */
  const putText = async (text: string, at: Position | undefined) => {
    if (text.trim() === "") return toast("info", "The clipboard holds nothing that can be put on the canvas.");
    if (!/^\s*[{[]/.test(text)) return putHeld(heldText(text, library), at);
    const notes = onlyNotes(text);
    if (notes) return putGraph(notes, at);
    const { graph, issues } = await readWithDefinitions(text);
    if (graph) putGraph(graph, at);
    else toast("bad", `What was pasted looks like a graph, and is none. ${issues[0]?.message ?? ""}`);
  };
  const putFile = async (file: File, at: Position | undefined) => {
    try {
      const carried = await graphTextOf(file).catch(() => undefined);
      if (carried === undefined) putHeld(await heldFile(file, library), at);
      else await putText(carried, at);
    } catch (error) {
      toastError(error);
    }
  };
  const paste = async (text: string) => {
    try {
      await putText(text, pointer.current ?? undefined);
    } catch (error) {
      toastError(error);
    }
  };
  const now = useRef({ copied, cut, paste, putFile });
  now.current = { copied, cut, paste, putFile };
  useEffect(() => {
    const put = (event: ClipboardEvent) => {
      const text = isField(event.target) || String(getSelection()).trim() ? undefined : now.current.copied();
      if (text === undefined) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", text);
      if (event.type === "cut") now.current.cut();
    };
    const insert = (event: ClipboardEvent) => {
      if (isField(event.target)) return;
      event.preventDefault();
      const [file] = event.clipboardData?.files ?? [];
      if (file) void now.current.putFile(file, pointer.current ?? undefined);
      else void now.current.paste(event.clipboardData?.getData("text/plain") ?? "");
    };
    document.addEventListener("copy", put);
    document.addEventListener("cut", put);
    document.addEventListener("paste", insert);
    return () => {
      document.removeEventListener("copy", put);
      document.removeEventListener("cut", put);
      document.removeEventListener("paste", insert);
    };
  }, [pointer]);
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
      await paste(await navigator.clipboard.readText());
    } catch {
      toast("bad", "The browser does not let this page read the clipboard. The keys for it do the same.");
    }
  };
  return { copy: () => void write(), cut: () => void write(cut), paste: () => void read(), putFile };
}

/** A graph of notes alone, which is no graph that could be opened; undefined for any other text. */
function onlyNotes(text: string): Graph | undefined {
  try {
    const graph = JSON.parse(text) as Graph;
    const isEmpty = graph?.schema === "langgraph.v1" && Array.isArray(graph.nodes) && graph.nodes.length === 0;
    return isEmpty && notesOf(graph).length > 0 ? { ...graph, edges: [] } : undefined;
  } catch {
    return undefined; // what is wrong with it is said by the reader of graphs
  }
}

function sizeOf(graph: Graph): Pick<Box, "width" | "height"> {
  const cards = graph.nodes.map((node) => ({ ...(nodePosition(graph, node.id) ?? { x: 0, y: 0 }), ...CARD }));
  return around([...cards, ...notesOf(graph).map(({ position, size }) => ({ ...position, ...NOTE_SIZE, ...size }))]);
}
