import type { Graph, Library } from "@spindle/graph-model";
import type { Edge } from "@xyflow/react";
import { useMemo } from "react";
import { toEdges } from "./flow";
import { useMarkedWires } from "./use-critical-path";

/** The wires of a graph, with those of the critical path marked while it is shown. */
export const useDrawnWires = (graph: Graph, library: Library): Edge[] =>
  useMarkedWires(useMemo(() => toEdges(graph, library), [graph, library]));
