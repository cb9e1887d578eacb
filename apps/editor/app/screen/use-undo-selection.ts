// Undo and redo bring back what was selected when the edit was made, and the focus goes on there.
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { goOnAt } from "../canvas/landing";
import type { Selection } from "../canvas/selection";

interface StackEvent {
  stackItem: { meta: Map<unknown, unknown> };
}

const SELECTION = "selection";

export function useUndoSelection(undo: Y.UndoManager | undefined, selection: Selection, onSelect: (next: Selection) => void): void {
  const now = useRef(selection);
  now.current = selection;
  useEffect(() => {
    if (!undo) return;
    // An edit enters the stack before the page selects what it made; its undo enters the other stack before this page hears of it.
    const keep = ({ stackItem }: StackEvent) => stackItem.meta.set(SELECTION, now.current);
    const restore = ({ stackItem }: StackEvent) => {
      const kept = stackItem.meta.get(SELECTION) as Selection | undefined;
      if (kept) onSelect(kept);
      goOnAt(undo.doc, kept?.nodes ?? []);
    };
    undo.on("stack-item-added", keep);
    undo.on("stack-item-popped", restore);
    return () => {
      undo.off("stack-item-added", keep);
      undo.off("stack-item-popped", restore);
    };
  }, [undo, onSelect]);
}
