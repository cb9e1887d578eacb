// What is known of the run that is looked at. Each node card reads only its own part.
import { parsePath } from "@spindle/graph-model";
import {
  type ArtifactRef,
  isEndedNodeState,
  isEndedRunState,
  isNodeEnd,
  NODE_CHANGES,
  type NodeChangeName,
  RUN_CHANGES,
  type RunChangeName,
  type RunEvent,
  type RunState,
} from "@spindle/schemas";
import { create } from "zustand";
import type { Live, NodeCount, RunView, ShownNodeRun } from "./types";

/** What is known of the nodes of one level of the graph. */
export interface LevelRuns {
  nodes: Record<string, ShownNodeRun>;
  live: Record<string, Live>;
  counts: Record<string, NodeCount>;
  /** The previews of each node that the server keeps, the oldest first. They stay when the run is over. */
  previews: Readonly<Record<string, readonly ArtifactRef[]>>;
}

interface RunStore extends LevelRuns {
  /** The run that is to be shown: news of any other, which may still be on their way, are left out. */
  watched: string | undefined;
  run: RunView | undefined;
  /** The level that the canvas shows, while it is not the graph itself. */
  inside: (LevelRuns & { calls: readonly string[] }) | undefined;
  /** From now on that run is shown; undefined shows none. */
  watch(run: string | undefined): void;
}

const NOTHING_KNOWN: LevelRuns = { nodes: {}, live: {}, counts: {}, previews: {} };

export const useRunStore = create<RunStore>((set) => ({
  watched: undefined,
  run: undefined,
  ...NOTHING_KNOWN,
  inside: undefined,
  watch: (id) =>
    set(({ run }) => (run !== undefined && run.id === id ? { watched: id } : { watched: id, run: undefined, ...NOTHING_KNOWN })),
}));

/** What is known of the level that the canvas shows. */
export const shownRuns = (): LevelRuns => useRunStore.getState().inside ?? useRunStore.getState();
export const useShownRuns = <T>(read: (level: LevelRuns) => T): T => useRunStore((store) => read(store.inside ?? store));

/**
 * Something of the run that is looked at, as long as it has not ended: while it starts, runs or waits for a person. The run itself is another
 * with each event: a component reads no more of it than it draws.
 */
export const useOpenRun = <T>(read: (run: RunView) => T): T | undefined =>
  useRunStore((store) => {
    const run = openRun(store);
    return run && read(run);
  });

export const openRun = ({ run }: Pick<RunStore, "run">): RunView | undefined => (run && !isEndedRunState(run.state) ? run : undefined);

export const useIsRunOpen = (): boolean => useOpenRun(() => true) ?? false;

/** News of a run: all of it as it is now, a committed event, or what a node reports meanwhile. */
export type WatchedNews = { kind: "snapshot"; run: RunView } | { kind: "event"; event: RunEvent } | { kind: "live"; live: Live };

/** News, with the id of the run that they are of. */
export interface NewsOfRun {
  of: string;
  news: WatchedNews;
}

/** Shows news in their order, as one change of the page. */
export const showNews = (all: readonly NewsOfRun[]): void => useRunStore.setState((now) => all.reduce(withNews, now));

function withNews(now: RunStore, { of, news }: NewsOfRun): RunStore {
  if (of !== now.watched) return now;
  if (news.kind === "snapshot") return withSnapshot(now, news.run);
  return news.kind === "event" ? withEvent(now, news.event) : withLive(now, news.live);
}

function withSnapshot(now: RunStore, run: RunView): RunStore {
  return {
    ...now,
    run,
    previews: run.live.reduce(withPreviews, now.run?.id === run.id ? now.previews : {}),
    nodes: Object.assign(
      Object.fromEntries(run.nodes.map((node) => [node.node, node])),
      ...run.live.map((progress) =>
        moving(
          run.nodes.find(({ node }) => node === progress.node),
          progress,
        ),
      ),
    ),
    live: Object.fromEntries(run.live.map((one) => [one.node, one])),
    counts: run.counts,
  };
}

type NodeEvent = Extract<RunEvent, { type: (typeof NODE_CHANGES)[NodeChangeName]["event"] }>;
const NODE_EVENTS: ReadonlySet<string> = new Set(Object.values(NODE_CHANGES).map(({ event }) => event));
const movesNode = (event: RunEvent): event is NodeEvent => NODE_EVENTS.has(event.type);

type RunChange = (typeof RUN_CHANGES)[RunChangeName];
const RUN_STATES = Object.fromEntries(Object.values(RUN_CHANGES).map(({ event, to }) => [event, to])) as Record<
  RunChange["event"],
  RunState
>;

/** The events that no change of state writes, each with the state of which it tells nevertheless. */
const OTHER_EVENTS: Readonly<Record<Exclude<RunEvent["type"], NodeEvent["type"] | RunChange["event"]>, RunState | undefined>> = {
  "run.cancelling": undefined,
  "node.engine": undefined,
  "loop.limit": undefined,
};
const LEADS_RUN_TO: Readonly<Record<string, RunState | undefined>> = { ...RUN_STATES, ...OTHER_EVENTS };

/** Whether this page knows such an event: it may be older than the server. */
export const isKnownEvent = (event: RunEvent): boolean => movesNode(event) || Object.hasOwn(LEADS_RUN_TO, event.type);

/** Applies a committed event to what a snapshot said. */
function withEvent(now: RunStore, event: RunEvent): RunStore {
  if (!isKnownEvent(event) || !now.run || event.seq <= now.run.lastSeq) return now;
  const run = changedRun(now.run, event);
  if (event.type === "node.engine") return { ...now, run, nodes: withEngine(now.nodes, event) };
  if (!movesNode(event)) return { ...now, run };
  const { type, node, path } = event;
  const { calls, element, visits } = parsePath(path);
  if (calls.length > 0) return { ...now, run }; // node runs inside a subgraph are loaded where they are shown
  const counts = isNodeEnd(type) && (element !== undefined || visits.length > 0) ? counted(now.counts, node, type) : now.counts;
  if (element !== undefined) return { ...now, run, counts };
  const elements = type === "node.running" ? event.body.elements : undefined;
  const known = elements === undefined ? counts : { ...counts, [node]: { total: elements, done: 0, failed: 0 } };
  const live = { ...now.live };
  const isNew = type === "node.retrying" || visits.length > 0;
  if (isNew) delete live[node];
  const previews = isNew && now.previews[node] ? { ...now.previews, [node]: [] } : now.previews;
  return { ...now, run, live, previews, counts: known, nodes: { ...now.nodes, [node]: changedNode(now.nodes[node], event) } };
}

/** The engine is that of the node, whichever of its node runs has chosen it; of a node inside a subgraph it is loaded where that is shown. */
function withEngine(nodes: RunStore["nodes"], { node, path, body }: Extract<RunEvent, { type: "node.engine" }>): RunStore["nodes"] {
  const known = nodes[node];
  return known && parsePath(path).calls.length === 0 ? { ...nodes, [node]: { ...known, ...body } } : nodes;
}

function changedRun(old: RunView, event: RunEvent): RunView {
  const run = { ...old, lastSeq: event.seq };
  if (event.type === "run.cancelling") run.cancelling = true;
  const state = LEADS_RUN_TO[event.type];
  if (!state) return run;
  run.state = state;
  if (state === "running") run.startedAt ??= event.at;
  if (isEndedRunState(state)) run.finishedAt = event.at;
  if (event.type === "run.failed" || event.type === "run.cancelled") run.error = event.body.error;
  return run;
}

function changedNode(known: ShownNodeRun | undefined, event: NodeEvent): ShownNodeRun {
  const { at, attempt, node, path } = event;
  // A node of a loop's body is known from its first visit on; each visit starts from nothing.
  const old: ShownNodeRun = known?.path === path ? known : { ...UNSEEN, ...OPEN, state: "queued", title: known?.title ?? node, node, path };
  const { title, engine, draft, licence, input, startedAt, why, queuedAt } = old;
  const about = {
    node,
    title,
    path,
    attempt,
    engine,
    draft,
    ...(licence ? { licence } : {}),
    input,
    startedAt,
    why,
    notRunning: null,
    ...(queuedAt ? { queuedAt } : {}),
    ...OPEN,
  };
  switch (event.type) {
    case "node.running":
      return { ...about, state: "running", why: event.body.why ?? why, startedAt: startedAt ?? at };
    case "node.dispatched":
      return { ...about, state: "dispatched", why: event.body.why ?? why };
    case "node.retrying":
      return { ...about, state: event.body.here ? "running" : "dispatched", error: event.body.error };
    case "node.waiting":
      return { ...about, state: "waiting" };
    case "node.held":
      if (event.body.held === "before") return { ...about, state: "waiting", held: "before" };
      return old.state === "succeeded" ? { ...old, held: "after", attempt } : old;
    case "node.resumed":
      if (event.body.held === "before") return { ...about, state: "queued" };
      return old.state === "succeeded" ? { ...old, held: null, notRunning: null, attempt } : old;
    case "node.succeeded": {
      const { output, cached, why: reason = why } = event.body;
      return { ...about, state: "succeeded", output, reused: cached !== undefined, why: reason, finishedAt: at };
    }
    case "node.failed":
      return { ...about, state: "failed", error: event.body.error, why: event.body.why ?? why, finishedAt: at };
    case "node.cancelled":
      return { ...about, state: "cancelled", error: event.body.error, why: event.body.why ?? why, finishedAt: at };
    case "node.skipped":
      return { ...about, state: "skipped", error: event.body.error, finishedAt: at };
    case "node.dead":
      return { ...about, state: "dead", error: event.body.error, finishedAt: at };
    default:
      return event satisfies never;
  }
}

const UNSEEN = { attempt: 0, engine: "", draft: false, input: null, startedAt: null, why: null, notRunning: null };
/** The fields that a node run does not have while it goes on. */
const OPEN = { held: null, output: null, error: null, finishedAt: null, reused: false } as const;

function counted(counts: Record<string, NodeCount>, node: string, end: NodeEvent["type"]): Record<string, NodeCount> {
  const old = counts[node] ?? { total: 0, done: 0, failed: 0 };
  const ended = old.done + old.failed + 1;
  const next = {
    total: Math.max(old.total, ended),
    done: old.done + (end === "node.succeeded" ? 1 : 0),
    failed: old.failed + (end === "node.failed" || end === "node.dead" ? 1 : 0),
  };
  return { ...counts, [node]: next };
}

function withLive(now: RunStore, live: Live): RunStore {
  const known = now.nodes[live.node];
  const notRunning = live.notRunning ?? null;
  const node = known && !isEndedNodeState(known.state) && known.notRunning !== notRunning ? { ...known, notRunning } : known;
  const moved = moving(node, live) ?? (node && node !== known ? { [live.node]: node } : undefined);
  const previews = withPreviews(now.previews, live);
  return { ...now, live: { ...now.live, [live.node]: live }, previews, ...(moved ? { nodes: { ...now.nodes, ...moved } } : {}) };
}

const withPreviews = (known: RunStore["previews"], { node, previews }: Live): RunStore["previews"] =>
  previews && known[node]?.at(-1)?.artifact !== previews.at(-1)?.artifact ? { ...known, [node]: previews } : known;

/**
 * A node that runs as part of a region has no state of its own until the region is over; what it reports shows it meanwhile. Of any other
 * only committed events tell: what it reports may come before its result is stored.
 */
function moving(node: ShownNodeRun | undefined, live: Live): Record<string, ShownNodeRun> | undefined {
  if (!live.inRegion || live.notRunning || !node || node.output !== null || node.attempt > 0) return undefined;
  if (node.state !== "queued" && node.state !== "running" && node.state !== "succeeded") return undefined;
  const state = live.progress === 1 ? "succeeded" : "running";
  return node.state === state ? undefined : { [node.node]: { ...node, ...OPEN, state } };
}
