// What a browser hears while it looks at a run: committed events without a gap, and lossy live news in between.
import { on } from "node:events";
import { isRunEnd, type RunEvent } from "@spindle/schemas";
import type { LibraryHead } from "../services/library-documents.ts";
import type { RunView } from "../services/run-service.ts";
import type { Services } from "../services/services.ts";
import type { Live } from "../tasks/live.ts";

export type RunNews =
  | { kind: "snapshot"; seq: number; run: RunView }
  | { kind: "event"; event: RunEvent }
  | { kind: "live"; seq: number; live: Live };

const POLL_MS = 2000;

export async function* watchRun(
  { runs, record, live }: Services,
  id: string,
  since: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<RunNews> {
  const queue: Live[] = [];
  let wake: () => void = () => {};
  const onChange = () => wake();
  const onLive = (news: Live) => {
    const at = queue.findIndex((progress) => progress.node === news.node);
    const waiting = queue[at];
    if (waiting)
      // A slow reader gets the latest news, not all of it.
      queue[at] = waiting.frame && waiting.preview === news.preview ? { frame: waiting.frame, ...news } : news;
    else queue.push(news);
    wake();
  };
  record.changed.on(id, onChange);
  live.changed.on(id, onLive);
  signal?.addEventListener("abort", onChange);
  try {
    const run = await runs.get(id);
    let seq = since > 0 ? Math.min(since, run.lastSeq) : run.lastSeq;
    if (since === 0) yield { kind: "snapshot", seq: run.lastSeq, run };
    for (let ended = since === 0 && run.finishedAt !== null; !ended && !signal?.aborted; ) {
      const ring = new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, POLL_MS).unref(); // another runtime may have committed events
      });
      for (const event of await record.history.events(id, seq)) {
        seq = event.seq;
        yield { kind: "event", event };
        ended ||= isRunEnd(event.type);
      }
      for (let news = queue.shift(); news; news = queue.shift()) yield { kind: "live", seq, live: news };
      if (!ended) await ring;
    }
  } finally {
    record.changed.off(id, onChange);
    live.changed.off(id, onLive);
    signal?.removeEventListener("abort", onChange);
  }
}

export async function* watchLibrary({ library }: Services, signal: AbortSignal | undefined): AsyncGenerator<LibraryHead> {
  yield library.documents.now;
  for await (const _ of on(library.changed, "changed", signal ? { signal } : {})) yield library.documents.now;
}
