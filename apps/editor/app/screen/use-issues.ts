import { type Graph, type Issue, type Library, validate } from "@spindle/graph-model";
import { useMemo, useRef } from "react";

const NONE: Issue[] = [];

/** What is wrong with the graph. While a definition that it uses is on its way, that is what was wrong before. */
export function useIssues(graph: Graph | undefined, library: Library, isDefined: boolean, ofDocument = NONE): Issue[] {
  const last = useRef(NONE);
  return useMemo(() => {
    if (graph && isDefined) last.current = graph.nodes.length > 0 ? [...validate(graph, library), ...ofDocument] : NONE;
    return last.current;
  }, [graph, library, isDefined, ofDocument]);
}
