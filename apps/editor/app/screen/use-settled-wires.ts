// Says so when another person wires the same input at the same moment: one of the two wires stays.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { type SettledWires, settleWires } from "@spindle/graph-model/shared-doc";
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { toast } from "../ui/toast";

/** @param graph what the page shows */
export function useSettledWires(doc: Y.Doc | undefined, graph: Graph | undefined): void {
  const now = useRef(graph);
  now.current = graph;
  useEffect(() => doc && settleWires(doc, (settled) => toast("info", settledWords(settled, now.current))), [doc]);
}

export function settledWords({ stays, goes, isMine }: SettledWires, graph: Graph | undefined): string {
  const title = (id: string) => nodeTitle(graph?.nodes.find((node) => node.id === id) ?? { id });
  const what = `Another person wired ${stays.port} of ${title(stays.to)} at the same moment.`;
  return isMine
    ? `${what} The wire from ${title(stays.from)} stays, and yours from ${title(goes.from)} was taken away. Wire it again if it is the right one.`
    : `${what} Your wire from ${title(stays.from)} stays, and theirs from ${title(goes.from)} was taken away.`;
}
