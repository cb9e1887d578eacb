import { isRunEnd } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect } from "react";
import { withFrame } from "./frames";
import { onceAFrame } from "./once-a-frame";
import { useTRPC } from "./provider";
import { isKnownEvent, type NewsOfRun, showNews, useRunStore } from "./run-store";
import type { Live } from "./types";

const show = onceAFrame<NewsOfRun>(showNews);
let shown = Promise.resolve();

/** News of a node after what came before it, once its picture can be painted. */
function showInTurn(of: string, live: Live): void {
  const ready = withFrame(live);
  shown = shown.then(async () => show({ of, news: { kind: "live", live: await ready } }));
}

/** Follows a run into the run store; `undefined` shows none. */
export function useRun(id: string | undefined): void {
  const trpc = useTRPC();
  const client = useQueryClient();
  useEffect(() => useRunStore.getState().watch(id), [id]);
  useSubscription(
    trpc.runs.watch.subscriptionOptions(
      { id: id ?? "" },
      {
        enabled: id !== undefined,
        onData: ({ data }) => {
          const of = id ?? "";
          if (data.kind === "live") return showInTurn(of, data.live);
          show({ of: data.kind === "event" ? data.event.run : data.run.id, news: data });
          if (data.kind === "snapshot") return;
          const ended = isRunEnd(data.event.type);
          if (ended || !isKnownEvent(data.event))
            void client
              .fetchQuery(trpc.runs.get.queryOptions({ id: of }, { staleTime: 0 }))
              .then((run) => show({ of: run.id, news: { kind: "snapshot", run } }));
          if (ended) void client.invalidateQueries({ queryKey: trpc.runs.list.queryKey() });
        },
      },
    ),
  );
}
