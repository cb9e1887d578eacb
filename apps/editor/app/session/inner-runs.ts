// What ran inside the calls that the canvas shows. The page is told of the graph's own nodes alone, so the others are asked for.
import { parsePath } from "@spindle/graph-model";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTRPC } from "./provider";
import { type LevelRuns, useIsRunOpen, useRunStore } from "./run-store";
import type { NodeCount, ShownNodeRun } from "./types";

/** Events that follow one another at once are one question. */
const REST_MS = 250;
const AGAIN_MS = 1500;
const NOTHING: LevelRuns = { nodes: {}, live: {}, counts: {}, previews: {} };

/** Whether a node run is inside these calls, whichever element of a list or visit of a loop the calls were. */
export function isWithin(path: string, calls: readonly string[]): boolean {
  const own = parsePath(path).calls;
  return own.length === calls.length && own.every((call, index) => call.split("#")[0] === calls[index]);
}

/** Of each node the run that is shown on its card, and how many elements it has. @param runs in the order in which they began */
export function levelRuns(runs: readonly ShownNodeRun[], calls: readonly string[]): LevelRuns {
  const nodes: Record<string, ShownNodeRun> = {};
  const counts: Record<string, NodeCount> = {};
  for (const run of runs) {
    if (!isWithin(run.path, calls)) continue;
    if (parsePath(run.path).element === undefined) {
      nodes[run.node] = run;
      continue;
    }
    const { total, done, failed } = counts[run.node] ?? { total: 0, done: 0, failed: 0 };
    const isFailed = run.state === "failed" || run.state === "dead";
    counts[run.node] = { total: total + 1, done: done + Number(run.state === "succeeded"), failed: failed + Number(isFailed) };
  }
  return { ...NOTHING, nodes, counts };
}

/** Keeps the run store's `inside` up to date with the run that is looked at. */
export function useInnerRuns(calls: readonly string[]): void {
  const trpc = useTRPC();
  const client = useQueryClient();
  const run = useRunStore((store) => store.run?.id);
  const isOpen = useIsRunOpen();
  const isInside = calls.length > 0;
  const seq = useRunStore((store) => (isInside ? store.run?.lastSeq : undefined));
  const { data } = useQuery({
    ...trpc.runs.nodeRuns.queryOptions({ id: run ?? "" }),
    enabled: isInside && run !== undefined,
    refetchInterval: isOpen ? AGAIN_MS : false,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: each event of the run is a reason to ask again
  useEffect(() => {
    if (!isInside || run === undefined) return;
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: trpc.runs.nodeRuns.queryKey({ id: run }) }), REST_MS);
    return () => clearTimeout(timer);
  }, [isInside, run, seq, isOpen]);
  useEffect(() => {
    useRunStore.setState({ inside: isInside ? { ...(run === undefined || !data ? NOTHING : levelRuns(data, calls)), calls } : undefined });
    return () => useRunStore.setState({ inside: undefined });
  }, [isInside, run, data, calls]);
}
