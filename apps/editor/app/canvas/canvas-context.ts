// What the parts of the canvas act on that React Flow draws.
import type { Sheet } from "@spindle/graph-model/shared-doc";
import { createContext, useContext } from "react";
import type { Selection } from "./selection";

interface CanvasContext {
  sheet: Sheet;
  select(next: Selection): void;
}

const Context = createContext<CanvasContext | undefined>(undefined);
export const CanvasProvider = Context.Provider;

export function useCanvas(): CanvasContext {
  const canvas = useContext(Context);
  if (!canvas) throw new Error("This is drawn on the canvas alone.");
  return canvas;
}
