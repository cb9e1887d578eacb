import { isRunEnd } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect } from "react";
import { useTRPC } from "./provider";
import { showEvent, showLive, showSnapshot, useRunStore } from "./run-store";

/** Follows a run into the run store; `undefined` shows none. */
export function useRun(id: string | undefined): void {
  const trpc = useTRPC();
  const client = useQueryClient();
  useEffect(() => {
    if (useRunStore.getState().run?.id !== id) useRunStore.getState().clear();
  }, [id]);
  useSubscription(
    trpc.runs.watch.subscriptionOptions(
      { id: id ?? "" },
      {
        enabled: id !== undefined,
        onData: ({ data }) => {
          if (data.kind === "snapshot") showSnapshot(data.run);
          else if (data.kind === "live") showLive(data.live);
          else {
            const known = showEvent(data.event);
            const ended = isRunEnd(data.event.type);
            if (!known || ended) void client.fetchQuery(trpc.runs.get.queryOptions({ id: id ?? "" }, { staleTime: 0 })).then(showSnapshot);
            if (ended) void client.invalidateQueries({ queryKey: trpc.runs.list.queryKey() });
          }
        },
      },
    ),
  );
}
