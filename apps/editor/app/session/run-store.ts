// What is known of the run that is looked at. Each node card reads only its own part.
import { parsePath } from "@spindle/graph-model";
import { create } from "zustand";
import type { Live, NodeCount, NodeRunView, RunView } from "./types";

interface RunStore {
  run: RunView | undefined;
  nodes: Record<string, NodeRunView>;
  live: Record<string, Live>;
  counts: Record<string, NodeCount>;
  clear(): void;
}

export const useRunStore = create<RunStore>((set) => ({
  run: undefined,
  nodes: {},
  live: {},
  counts: {},
  clear: () => set({ run: undefined, nodes: {}, live: {}, counts: {} }),
}));

export function showSnapshot(run: RunView): void {
  useRunStore.setState({
    run,
    nodes: Object.assign(
      Object.fromEntries(run.nodes.map((one) => [one.node, one])),
      ...run.live.map((one) =>
        moving(
          run.nodes.find(({ node }) => node === one.node),
          one,
        ),
      ),
    ),
    live: Object.fromEntries(run.live.map((one) => [one.node, one])),
    counts: run.counts,
  });
}

interface RunEvent {
  seq: number;
  type: string;
  at: string;
  node?: string;
  path?: string;
  attempt?: number;
  body?: Record<string, unknown>;
}

const RUN_STATES: Record<string, RunView["state"]> = {
  "run.queued": "queued",
  "run.running": "running",
  "run.waiting": "waiting",
  "run.succeeded": "succeeded",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};
const NODE_STATES: Record<string, NodeRunView["state"]> = {
  "node.dispatched": "dispatched",
  "node.running": "running",
  "node.retrying": "dispatched",
  "node.succeeded": "succeeded",
  "node.skipped": "skipped",
  "node.failed": "failed",
  "node.cancelled": "cancelled",
  "node.dead": "dead",
  "node.waiting": "waiting",
  "node.held": "waiting",
  "node.resumed": "queued",
};
const ENDED = new Set(["succeeded", "skipped", "failed", "cancelled", "dead"]);

/** Applies a committed event to what a snapshot said. */
export function showEvent(event: RunEvent): void {
  useRunStore.setState((now) => {
    if (!now.run || event.seq <= now.run.lastSeq) return now;
    const run = changedRun(now.run, event);
    const { type, node } = event;
    const next = NODE_STATES[type];
    if (!node || !next) return { ...now, run };
    const { calls, element, visits } = parsePath(event.path ?? node);
    if (calls.length > 0) return { ...now, run }; // a subgraph's inside is told where one looks for it
    const counts = ENDED.has(next) && (element !== undefined || visits.length > 0) ? counted(now.counts, node, next) : now.counts;
    if (element !== undefined) return { ...now, run, counts };
    const elements = event.body?.elements;
    const known = typeof elements === "number" ? { ...counts, [node]: { total: elements, done: 0, failed: 0 } } : counts;
    const live = { ...now.live };
    if (type === "node.retrying" || visits.length > 0) delete live[node];
    return { ...now, run, live, counts: known, nodes: { ...now.nodes, [node]: changedNode(now.nodes[node], node, next, event) } };
  });
}

function changedRun(old: RunView, { seq, type, at, body = {} }: RunEvent): RunView {
  const run = { ...old, lastSeq: seq };
  if (type === "run.cancelling") run.cancelling = true;
  const state = RUN_STATES[type];
  if (!state) return run;
  run.state = state;
  if (state === "running") run.startedAt ??= at;
  if (["succeeded", "failed", "cancelled"].includes(state)) run.finishedAt = at;
  if (body.error) run.error = body.error as Record<string, unknown>;
  return run;
}

const ERRORS = new Set(["failed", "dead", "cancelled", "skipped"]);

function changedNode(known: NodeRunView | undefined, node: string, state: NodeRunView["state"], event: RunEvent): NodeRunView {
  const { type, at, attempt, body = {}, path = node } = event;
  // A node of a loop's body is known from its first visit on; each visit starts from nothing.
  const old = known?.path === path ? known : { ...EMPTY, title: known?.title ?? node, node, path };
  const held = type === "node.held" ? (body.held as NodeRunView["held"]) : null;
  const isOver = held === "after" || (type === "node.resumed" && old.state === "succeeded");
  return {
    ...old,
    state: isOver ? "succeeded" : state,
    held,
    attempt: attempt ?? old.attempt,
    startedAt: state === "running" ? (old.startedAt ?? at) : old.startedAt,
    finishedAt: ENDED.has(state) ? at : isOver ? old.finishedAt : null,
    output: (body.output as NodeRunView["output"]) ?? old.output,
    reused: body.cached !== undefined,
    why: typeof body.why === "string" ? body.why : old.why,
    error: ERRORS.has(state) || type === "node.retrying" ? ((body.error ?? null) as NodeRunView["error"]) : null,
  };
}

const EMPTY = {
  state: "queued" as const,
  held: null,
  attempt: 0,
  engine: "",
  draft: false,
  input: null,
  output: null,
  error: null,
  startedAt: null,
  finishedAt: null,
  reused: false,
  why: null,
};

function counted(counts: Record<string, NodeCount>, node: string, state: string): Record<string, NodeCount> {
  const old = counts[node] ?? { total: 0, done: 0, failed: 0 };
  const ended = old.done + old.failed + 1;
  const next = {
    total: Math.max(old.total, ended),
    done: old.done + (state === "succeeded" ? 1 : 0),
    failed: old.failed + (state === "failed" || state === "dead" ? 1 : 0),
  };
  return { ...counts, [node]: next };
}

export function showLive(live: Live): void {
  useRunStore.setState((now) => {
    const moved = moving(now.nodes[live.node], live);
    return { live: { ...now.live, [live.node]: live }, ...(moved ? { nodes: { ...now.nodes, ...moved } } : {}) };
  });
}

/** A node that runs as part of a group has no state of its own until the group is over; what it reports shows it meanwhile. */
function moving(node: NodeRunView | undefined, live: Live): Record<string, NodeRunView> | undefined {
  if (live.queue || !node || !["queued", "running", "succeeded"].includes(node.state) || node.output !== null || node.attempt > 0)
    return undefined;
  const state = live.progress === 1 ? "succeeded" : "running";
  return node.state === state ? undefined : { [node.node]: { ...node, state } };
}
