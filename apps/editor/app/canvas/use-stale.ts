// Which results of the run that is looked at an edit has made stale, and why. Each card reads its own part.
import type { Graph, Library } from "@spindle/graph-model";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { useRunStore } from "../session/run-store";
import { levelAt } from "./levels";
import { staleCauses } from "./stale";

const useCauses = create<{ causes: ReadonlyMap<string, string> }>(() => ({ causes: new Map() }));

/** Why a new run would not find the node's result again; undefined if it would. */
export const useStale = (node: string): string | undefined => useCauses((state) => state.causes.get(node));

/** Edits that follow one another at once are looked at together. */
const REST_MS = 150;

/** @param calls those that lead to what is shown */
export function useStaleness(graph: Graph | undefined, calls: readonly string[], library: Library): void {
  const run = useRunStore((store) => store.run?.id);
  const { data: ran } = useQuery({
    queryKey: ["graph of run", run],
    queryFn: () => graphOfRun(run ?? ""),
    enabled: run !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => {
    if (!graph || !ran || run === undefined) return useCauses.setState({ causes: new Map() });
    const before = levelAt(ran, calls);
    const isKnown = before.calls.length === calls.length; // else the run did not have what is shown
    const timer = setTimeout(
      () => useCauses.setState({ causes: isKnown ? staleCauses(graph, before.graph, library) : new Map() }),
      REST_MS,
    );
    return () => clearTimeout(timer);
  }, [graph, calls, ran, run, library]);
}

/** @throws Error where the server does not give the graph */
async function graphOfRun(run: string): Promise<Graph> {
  const answer = await fetch(`/api/runs/${encodeURIComponent(run)}/graph`);
  if (!answer.ok) throw new Error(`The graph of the run was answered ${answer.status}.`);
  return answer.json();
}
