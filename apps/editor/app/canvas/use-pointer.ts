import type { Position } from "@spindle/graph-model";
import { type RefObject, useEffect, useRef } from "react";

export interface Pointer extends Position {
  /** Nothing lies under it but the canvas. */
  isOverPane: boolean;
}

/** Where the pointer is in the window; undefined while it is not over the canvas. A menu over the canvas leaves it where it was. */
export function usePointer(): RefObject<Pointer | undefined> {
  const pointer = useRef<Pointer>();
  useEffect(() => {
    const point = ({ target, clientX: x, clientY: y }: PointerEvent) => {
      if (!(target instanceof Element)) pointer.current = undefined;
      else if (target.closest(".react-flow")) pointer.current = { x, y, isOverPane: target.matches(".react-flow__pane") };
      else if (!target.closest("[role=menu]")) pointer.current = undefined;
    };
    document.addEventListener("pointermove", point);
    return () => document.removeEventListener("pointermove", point);
  }, []);
  return pointer;
}
