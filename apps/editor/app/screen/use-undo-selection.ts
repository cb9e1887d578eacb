// Undo and redo bring back the place and what was selected there when the edit was made, and the focus goes on there.
import { normalise, sheetOn } from "@spindle/graph-model/shared-doc";
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { goOnAt } from "../canvas/landing";
import { levelAt } from "../canvas/levels";
import type { Selection } from "../canvas/selection";
import type { ShownLevel } from "./use-level";

interface StackEvent {
  stackItem: { meta: Map<unknown, unknown> };
}

const SELECTION = "selection";

interface Kept {
  calls: readonly string[];
  selection: Selection;
}

export function useUndoSelection(undo: Y.UndoManager | undefined, level: ShownLevel): void {
  const now = useRef(level);
  now.current = level;
  useEffect(() => {
    if (!undo) return;
    // An edit enters the stack before the page selects what it made; its undo enters the other stack before this page hears of it.
    const keep = ({ stackItem }: StackEvent) => {
      const { calls, selection } = now.current;
      stackItem.meta.set(SELECTION, { calls, selection } satisfies Kept);
    };
    const restore = ({ stackItem }: StackEvent) => {
      const kept = stackItem.meta.get(SELECTION) as Kept | undefined;
      if (!kept) return goOnAt(undo.doc, []);
      const { definition, calls } = levelAt(normalise(undo.doc).graph, kept.calls);
      now.current.open(calls, calls.length === kept.calls.length ? kept.selection : undefined);
      goOnAt(sheetOn(undo.doc, definition), kept.selection.nodes);
    };
    undo.on("stack-item-added", keep);
    undo.on("stack-item-popped", restore);
    return () => {
      undo.off("stack-item-added", keep);
      undo.off("stack-item-popped", restore);
    };
  }, [undo]);
}
