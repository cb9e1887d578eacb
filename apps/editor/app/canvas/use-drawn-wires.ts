import type { Graph, Library } from "@spindle/graph-model";
import type { Edge } from "@xyflow/react";
import { useMemo, useRef } from "react";
import { useShownRuns } from "../session/run-store";
import { toEdges } from "./flow";
import { useMarkedWires } from "./use-critical-path";

/** The wires of a graph, with those of the critical path marked while it is shown. */
export const useDrawnWires = (graph: Graph, library: Library): Edge[] =>
  useMarkedWires(useMemo(() => toEdges(graph, library), [graph, library]));

/** What changes the look of a wire: ids of wires and of nodes. */
export interface WireMarks {
  selected: ReadonlySet<string>;
  /** The wire that what is dragged would be put into. */
  aimed: string | undefined;
  running: ReadonlySet<string>;
  queued: ReadonlySet<string>;
}

/** Marks wires. One whose marks are the same stays the same object, since React Flow draws every other one anew. */
export function wireMarker(): (wires: readonly Edge[], marks: WireMarks) => Edge[] {
  const known = new WeakMap<Edge, Edge>();
  return (wires, { selected, aimed, running, queued }) =>
    wires.map((wire) => {
      const flows = running.has(wire.target) ? "flow" : queued.has(wire.target) ? "queued" : "";
      const className = `${wire.className ?? ""} ${flows} ${wire.id === aimed ? "aimed" : ""}`;
      const isSelected = selected.has(wire.id);
      const before = known.get(wire);
      if (before?.className === className && before.selected === isSelected) return before;
      const marked = { ...wire, selected: isSelected, className };
      known.set(wire, marked);
      return marked;
    });
}

/** @param aimed the wire that what is dragged would be put into */
export function useWireMarks(wires: readonly Edge[], selected: ReadonlySet<string>, aimed: string | undefined): Edge[] {
  const mark = useRef<ReturnType<typeof wireMarker>>();
  mark.current ??= wireMarker();
  const running = useNodesIn("running");
  const queued = useNodesIn("queued");
  return useMemo(
    () => (mark.current as ReturnType<typeof wireMarker>)(wires, { selected, aimed, running: idsIn(running), queued: idsIn(queued) }),
    [wires, selected, aimed, running, queued],
  );
}

/** The nodes with a node run in this state, as one text: nothing is drawn anew while they stay the same. */
const useNodesIn = (state: string): string =>
  useShownRuns((store) => {
    const found = Object.values(store.nodes).filter((nodeRun) => nodeRun.state === state);
    return found.map((nodeRun) => nodeRun.node).join("\n");
  });
const idsIn = (text: string): ReadonlySet<string> => new Set(text.split("\n"));
