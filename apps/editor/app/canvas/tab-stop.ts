// The canvas is one stop of Tab: one card is reached by it, with what is in it; keys go on from there to the others.
import { useNodeId } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { create } from "zustand";
import { focusedCard } from "../ui/focus";

const useReached = create<{ node: string | undefined }>(() => ({ node: undefined }));

/** For a control on a card: `tabIndex` that keeps it out of Tab's way unless Tab reaches its card. Nothing elsewhere. */
export function useCardTab(): { tabIndex?: -1 } {
  const card = useNodeId();
  const isReached = useReached(({ node }) => card === null || node === card);
  return isReached ? REACHED : PASSED;
}
const REACHED: { tabIndex?: -1 } = {};
const PASSED = { tabIndex: -1 } as const;

/** For the canvas: the card that Tab reaches, and what follows the focus there. */
export function useTabStop(nodes: readonly (Card & { type?: string })[], selected: ReadonlySet<string>): [string | undefined, () => void] {
  const [focused, setFocused] = useState<string>();
  const stop = useMemo(
    () =>
      tabStopOf(
        nodes.filter(({ type }) => type === "card"),
        focused,
        selected,
      ),
    [nodes, focused, selected],
  );
  useEffect(() => useReached.setState({ node: stop }), [stop]);
  const follow = useCallback(() => setFocused((now) => focusedCard() ?? now), []);
  return [stop, follow];
}

interface Card {
  id: string;
  position: { x: number; y: number };
}

/** The card that Tab reaches: the one that had the focus last, else the first that is selected, else the first from the left. */
export function tabStopOf(cards: readonly Card[], focused: string | undefined, selected: ReadonlySet<string>): string | undefined {
  if (cards.some(({ id }) => id === focused)) return focused;
  const chosen = cards.find(({ id }) => selected.has(id));
  if (chosen) return chosen.id;
  const [first] = cards.toSorted((one, other) => one.position.x - other.position.x || one.position.y - other.position.y);
  return first?.id;
}
