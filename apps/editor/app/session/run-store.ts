// What is known of the run that is looked at. Each node card reads only its own part.
import { create } from "zustand";
import type { Live, NodeRunView, RunView } from "./types";

interface RunStore {
  run: RunView | undefined;
  nodes: Record<string, NodeRunView>;
  live: Record<string, Live>;
  clear(): void;
}

export const useRunStore = create<RunStore>((set) => ({
  run: undefined,
  nodes: {},
  live: {},
  clear: () => set({ run: undefined, nodes: {}, live: {} }),
}));

export function showSnapshot(run: RunView): void {
  useRunStore.setState({
    run,
    nodes: Object.fromEntries(run.nodes.map((one) => [one.node, one])),
    live: Object.fromEntries(run.live.map((one) => [one.node, one])),
  });
}

interface RunEvent {
  seq: number;
  type: string;
  at: string;
  node?: string;
  attempt?: number;
  body?: Record<string, unknown>;
}

const RUN_STATES: Record<string, RunView["state"]> = {
  "run.queued": "queued",
  "run.running": "running",
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
};
const ENDED = new Set(["succeeded", "skipped", "failed", "cancelled", "dead"]);

/** Applies a committed event to what a snapshot said. */
export function showEvent({ seq, type, at, node, attempt, body = {} }: RunEvent): void {
  useRunStore.setState((now) => {
    if (!now.run || seq <= now.run.lastSeq) return now;
    const run = { ...now.run, lastSeq: seq };
    if (type === "run.cancelling") run.cancelling = true;
    const state = RUN_STATES[type];
    if (state) {
      run.state = state;
      if (state === "running") run.startedAt ??= at;
      if (["succeeded", "failed", "cancelled"].includes(state)) run.finishedAt = at;
      if (body.error) run.error = body.error as Record<string, unknown>;
    }
    const old = node ? now.nodes[node] : undefined;
    const next = NODE_STATES[type];
    if (!node || !old || !next) return { ...now, run };
    const changed: NodeRunView = {
      ...old,
      state: next,
      attempt: attempt ?? old.attempt,
      startedAt: next === "running" ? (old.startedAt ?? at) : old.startedAt,
      finishedAt: ENDED.has(next) ? at : null,
      output: (body.output as NodeRunView["output"]) ?? old.output,
      error:
        next === "failed" || next === "dead" || next === "cancelled" || type === "node.retrying" || next === "skipped"
          ? ((body.error ?? null) as NodeRunView["error"])
          : null,
    };
    const live = { ...now.live };
    if (type === "node.retrying") delete live[node];
    return { ...now, run, live, nodes: { ...now.nodes, [node]: changed } };
  });
}

export function showLive(live: Live): void {
  useRunStore.setState((now) => ({ live: { ...now.live, [live.node]: live } }));
}
