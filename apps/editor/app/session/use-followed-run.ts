import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTRPC } from "./provider";
import { useRunStore } from "./run-store";

/** The newest run of the graph, whoever started it: everybody sees the same one. One's own is followed at once. */
export function useFollowedRun(graphId: string): [string | undefined, (run: string) => void] {
  const trpc = useTRPC();
  const [own, setOwn] = useState<string>();
  const { data } = useQuery({ ...trpc.runs.list.queryOptions({ graphId, limit: 1 }), refetchInterval: 1500 });
  const newest = data?.[0]?.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a newer run than one's own takes over when the list names it
  useEffect(() => setOwn(undefined), [newest]);
  useEffect(() => () => useRunStore.getState().clear(), []);
  return [own ?? newest, setOwn];
}
