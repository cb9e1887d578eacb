import { definitionGraph, definitionNames, type Graph, type Library } from "@spindle/graph-model";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect, useMemo, useRef } from "react";
import { followLibrary, useLibraryState, wantDefinitions } from "./library-store";
import { useTRPC } from "./provider";

interface PageLibrary {
  library: Library;
  /** Nodes can be found and added. */
  isListed: boolean;
  /** The graph that the page was opened with has all its definitions. */
  loaded: boolean;
  /** The graph as it is now has them: before, what is wrong with it is not known. */
  isDefined: boolean;
  /** What keeps ComfyUI away, or the library itself. */
  trouble: string | undefined;
}

/** The node library as the planes advertise it now, with the definitions of what the graph uses. */
export function useLibrary(graph: Graph | undefined): PageLibrary {
  const trpc = useTRPC();
  useSubscription(trpc.library.watch.subscriptionOptions(undefined, { onData: followLibrary }));
  const used = useMemo(() => (graph ? classesIn(graph) : NONE), [graph]);
  useEffect(() => wantDefinitions(used), [used]);
  const { library, isListed, defined, trouble } = useLibraryState();
  const isDefined = isListed && used.every((id) => defined.has(id) || !library.find("comfy", id));
  const loaded = useRef(false);
  loaded.current ||= isDefined && graph !== undefined;
  return { library, isListed, loaded: loaded.current, isDefined, trouble };
}

const NONE: readonly string[] = [];

/** ComfyUI's classes that the graph uses, its subgraphs included. */
function classesIn(graph: Graph): string[] {
  const bodies = [graph, ...definitionNames(graph).flatMap((name) => definitionGraph(graph, name) ?? [])];
  return [...new Set(bodies.flatMap(({ nodes }) => nodes.flatMap(({ plane, service }) => (plane === "comfy" ? [service] : []))))];
}
