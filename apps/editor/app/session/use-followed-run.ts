import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTRPC } from "./provider";
import { useRunStore } from "./run-store";
import type { RunView } from "./types";

export interface FollowedRun {
  id: string | undefined;
  /** Why nothing of it is running, as the server says it (DESIGN E18); null while something is. */
  notRunning: RunView["notRunning"];
  follow(run: string): void;
}

/** The newest run of the graph, whoever started it: everybody sees the same one. One's own is followed at once. */
export function useFollowedRun(graphId: string): FollowedRun {
  const trpc = useTRPC();
  const [own, setOwn] = useState<string>();
  const { data } = useQuery({ ...trpc.runs.list.queryOptions({ graphId, limit: 1 }), refetchInterval: 1500 });
  const newest = data?.[0]?.id;
  const id = own ?? newest;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a newer run than one's own takes over when the list names it
  useEffect(() => setOwn(undefined), [newest]);
  useEffect(() => () => useRunStore.getState().watch(undefined), []);
  return { id, notRunning: data?.find((run) => run.id === id)?.notRunning ?? null, follow: setOwn };
}
