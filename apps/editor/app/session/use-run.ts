import { isRunEnd } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect } from "react";
import { withFrame } from "./frames";
import { useTRPC } from "./provider";
import { showEvent, showLive, showSnapshot, useRunStore } from "./run-store";
import type { Live } from "./types";

let shown = Promise.resolve();

/** News of a node after what came before it, once its picture can be painted. */
function showInTurn(live: Live): void {
  const ready = withFrame(live);
  shown = shown.then(async () => showLive(await ready));
}

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
          else if (data.kind === "live") showInTurn(data.live);
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
