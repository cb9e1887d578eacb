import { isRunEnd } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect, useRef } from "react";
import { withFrame } from "./frames";
import { onceAFrame } from "./once-a-frame";
import { useTRPC } from "./provider";
import { isKnownEvent, showNews, useRunStore, type WatchedNews } from "./run-store";
import type { Live } from "./types";

const show = onceAFrame<WatchedNews>(showNews);
let shown = Promise.resolve();

/** News of a node after what came before it, once its picture can be painted. */
function showInTurn(live: Live): void {
  const ready = withFrame(live);
  shown = shown.then(async () => show({ kind: "live", live: await ready }));
}

/** Follows a run into the run store; `undefined` shows none. */
export function useRun(id: string | undefined): void {
  const trpc = useTRPC();
  const client = useQueryClient();
  const shownId = useRef(id);
  shownId.current = id;
  useEffect(() => {
    if (useRunStore.getState().run?.id !== id) useRunStore.getState().clear();
  }, [id]);
  useSubscription(
    trpc.runs.watch.subscriptionOptions(
      { id: id ?? "" },
      {
        enabled: id !== undefined,
        onData: ({ data }) => {
          if (data.kind === "live") return showInTurn(data.live);
          show(data);
          if (data.kind === "snapshot") return;
          const ended = isRunEnd(data.event.type);
          if (ended || !isKnownEvent(data.event))
            void client
              .fetchQuery(trpc.runs.get.queryOptions({ id: id ?? "" }, { staleTime: 0 }))
              .then((run) => run.id === shownId.current && show({ kind: "snapshot", run }));
          if (ended) void client.invalidateQueries({ queryKey: trpc.runs.list.queryKey() });
        },
      },
    ),
  );
}
