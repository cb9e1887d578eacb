// While a wire is dragged, every input says whether it fits; the canvas provides how that is asked.
import { useNodeId } from "@xyflow/react";
import { createContext, useContext, useMemo } from "react";

export type FitQuestion = (from: { node: string; port: string }, to: { node: string; port: string }) => boolean;

export const FitContext = createContext<FitQuestion>(() => false);

/** @param from `node\nport` of the dragged output; undefined while nothing is dragged */
export function useFits(from: string | undefined, port: string): boolean | undefined {
  const ask = useContext(FitContext);
  const node = useNodeId();
  return useMemo(() => {
    if (from === undefined || node === null) return undefined;
    const [fromNode = "", fromPort = ""] = from.split("\n");
    return ask({ node: fromNode, port: fromPort }, { node, port });
  }, [ask, from, node, port]);
}
