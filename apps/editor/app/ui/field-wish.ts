// The field of the inspector that is to have the focus as soon as it is drawn.
import { create } from "zustand";

interface Wish {
  node: string;
  /** The name of a parameter, an input or a setting. */
  field: string;
}

export const useFieldWish = create<{ wish: Wish | undefined }>(() => ({ wish: undefined }));

export const wishField = (node: string, field: string): void => useFieldWish.setState({ wish: { node, field } });

const CONTROLS = "input, textarea, select, [role=switch], [role=radio], button";

/** Puts the focus on the control of a field, and the field in view. */
export function grantWish({ field }: Wish): void {
  useFieldWish.setState({ wish: undefined });
  const row = document.querySelector(`.inspector [data-field="${CSS.escape(field)}"]`);
  row?.scrollIntoView({ block: "center" });
  row?.querySelector<HTMLElement>(CONTROLS)?.focus({ preventScroll: true });
}
