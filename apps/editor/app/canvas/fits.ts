// While a link is dragged, every port at which it may end says whether it fits; the canvas provides how that is asked.
import { useConnection, useNodeId } from "@xyflow/react";
import { createContext, useContext, useMemo } from "react";

export type FitQuestion = (from: { node: string; port: string }, to: { node: string; port: string }) => boolean;

export const FitContext = createContext<FitQuestion>(() => false);

/** Undefined while no link is dragged to ports of that side. */
export function useFits(port: string, side: "in" | "out"): boolean | undefined {
  const ask = useContext(FitContext);
  const node = useNodeId();
  // Text, since an object would be another one at each move of the pointer.
  const dragged = useConnection((connection) =>
    connection.inProgress && connection.fromHandle?.type === (side === "in" ? "source" : "target")
      ? `${connection.fromNode.id}\n${connection.fromHandle.id}`
      : undefined,
  );
  return useMemo(() => {
    if (dragged === undefined || node === null) return undefined;
    const [otherNode = "", otherPort = ""] = dragged.split("\n");
    const [other, own] = [
      { node: otherNode, port: otherPort },
      { node, port },
    ];
    return side === "in" ? ask(other, own) : ask(own, other);
  }, [ask, dragged, node, port, side]);
}
