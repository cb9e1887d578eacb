// Where the focus goes when what had it goes, and whose the keys are while nothing has it.
import { useRef } from "react";
import { isField } from "./keys";

const CANVAS = ".canvas-area";
const LAYERS = "[role=dialog], [role=menu]";

/** Whose the keys are while nothing has the focus: `lost` if they were a field's that went. */
export type KeyHolder = "canvas" | "other" | "lost";

let holder: KeyHolder = "canvas";
export const keyHolder = (): KeyHolder => holder;

/** Follows who has the keys. Dialogs and menus only borrow them. Returns how to stop. */
export function followKeys(): () => void {
  const follow = ({ type, target }: Event) => {
    if (!(target instanceof Element) || target.closest(LAYERS)) return;
    if (type === "focusin" && isField(target)) holder = "lost";
    else holder = target.closest(CANVAS) ? "canvas" : "other";
  };
  holder = "canvas";
  document.addEventListener("pointerdown", follow, true);
  document.addEventListener("focusin", follow, true);
  return () => {
    document.removeEventListener("pointerdown", follow, true);
    document.removeEventListener("focusin", follow, true);
  };
}

/** Whether the canvas may take the focus: from nothing, or from a part of its own, and never from a field. */
export function isFocusFree(): boolean {
  const at = document.activeElement;
  return at === null || at === document.body || (!isField(at) && at.closest(CANVAS) !== null);
}

/** Puts the focus on the card that is selected, or on the canvas. */
export function focusCanvas(): void {
  const aim = document.querySelector<HTMLElement>(".react-flow__node.selected") ?? document.querySelector<HTMLElement>(".canvas");
  aim?.focus({ preventScroll: true });
}

/** The id of the card that has the focus, or in which something has it. */
export const focusedCard = (): string | undefined =>
  document.activeElement?.closest(".react-flow__node")?.getAttribute("data-id") ?? undefined;

/** For `onCloseAutoFocus` of a dialog that keys open: the focus goes back to what had it, or else to the canvas. */
export function useReturnOfFocus(): (event: Event) => void {
  const cameFrom = useRef(document.activeElement);
  return (event) => {
    event.preventDefault();
    if (document.activeElement !== document.body) return;
    const before = cameFrom.current;
    if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus({ preventScroll: true });
    else if (holder === "canvas") focusCanvas();
  };
}

/** Puts the focus on the title of the node that is selected, or on its first field. */
export function focusInspector(what: "title" | "first field"): void {
  const found = what === "title" ? ".inspector .inspector-head input" : ".inspector .scroll :is(input, textarea, select)";
  const field = document.querySelector<HTMLInputElement>(found);
  field?.focus();
  if (what === "title") field?.select();
}
