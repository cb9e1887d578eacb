// What is known of the run that is looked at. Each node card reads only its own part.
import { parsePath } from "@spindle/graph-model";
import { isEndedNodeState, isEndedRunState, type RunEvent } from "@spindle/schemas";
import { create } from "zustand";
import type { Live, NodeCount, NodeRunView, NodeState, RunView } from "./types";

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

/** The state that each event leads a run or a node to. */
const LEADS_TO: Record<RunEvent["type"], { run?: RunView["state"]; node?: NodeState }> = {
  "run.queued": { run: "queued" },
  "run.running": { run: "running" },
  "run.waiting": { run: "waiting" },
  "run.cancelling": {},
  "run.succeeded": { run: "succeeded" },
  "run.failed": { run: "failed" },
  "run.cancelled": { run: "cancelled" },
  "node.dispatched": { node: "dispatched" },
  "node.running": { node: "running" },
  "node.retrying": { node: "dispatched" },
  "node.waiting": { node: "waiting" },
  "node.held": { node: "waiting" },
  "node.resumed": { node: "queued" },
  "node.succeeded": { node: "succeeded" },
  "node.skipped": { node: "skipped" },
  "node.failed": { node: "failed" },
  "node.cancelled": { node: "cancelled" },
  "node.dead": { node: "dead" },
  "loop.limit": {},
};

/** Applies a committed event to what a snapshot said; false if this page is older than the server and does not know such an event. */
export function showEvent(event: RunEvent): boolean {
  if (!Object.hasOwn(LEADS_TO, event.type)) return false;
  useRunStore.setState((now) => {
    if (!now.run || event.seq <= now.run.lastSeq) return now;
    const run = changedRun(now.run, event);
    const { node: state } = LEADS_TO[event.type];
    if (!("node" in event) || event.type === "loop.limit" || !state) return { ...now, run };
    const { type, node, path } = event;
    const { calls, element, visits } = parsePath(path);
    if (calls.length > 0) return { ...now, run }; // what runs inside a subgraph is asked for where it is shown
    const counts = isEndedNodeState(state) && (element !== undefined || visits.length > 0) ? counted(now.counts, node, state) : now.counts;
    if (element !== undefined) return { ...now, run, counts };
    const elements = type === "node.running" ? event.body.elements : undefined;
    const known = elements === undefined ? counts : { ...counts, [node]: { total: elements, done: 0, failed: 0 } };
    const live = { ...now.live };
    if (type === "node.retrying" || visits.length > 0) delete live[node];
    return { ...now, run, live, counts: known, nodes: { ...now.nodes, [node]: changedNode(now.nodes[node], event, state) } };
  });
  return true;
}

function changedRun(old: RunView, event: RunEvent): RunView {
  const run = { ...old, lastSeq: event.seq };
  if (event.type === "run.cancelling") run.cancelling = true;
  const { run: state } = LEADS_TO[event.type];
  if (!state) return run;
  run.state = state;
  if (state === "running") run.startedAt ??= event.at;
  if (isEndedRunState(state)) run.finishedAt = event.at;
  if (event.type === "run.failed" || event.type === "run.cancelled") run.error = event.body.error;
  return run;
}

type NodeEvent = Exclude<Extract<RunEvent, { node: string }>, { type: "loop.limit" }>;

function changedNode(known: NodeRunView | undefined, event: NodeEvent, state: NodeState): NodeRunView {
  const { at, attempt, node, path } = event;
  // A node of a loop's body is known from its first visit on; each visit starts from nothing.
  const old = known?.path === path ? known : { ...EMPTY, title: known?.title ?? node, node, path };
  const next = { ...old, state, held: null, attempt, reused: false, error: null, finishedAt: isEndedNodeState(state) ? at : null };
  switch (event.type) {
    case "node.running":
      return { ...next, why: event.body.why ?? old.why, startedAt: old.startedAt ?? at };
    case "node.dispatched":
      return { ...next, why: event.body.why ?? old.why };
    case "node.succeeded":
      return { ...next, output: event.body.output, reused: event.body.cached !== undefined, why: event.body.why ?? old.why };
    case "node.failed":
    case "node.cancelled":
      return { ...next, error: event.body.error, why: event.body.why ?? old.why };
    case "node.retrying":
    case "node.skipped":
    case "node.dead":
      return { ...next, error: event.body.error };
    case "node.held":
    case "node.resumed": {
      const held = event.type === "node.held" ? event.body.held : null;
      // At a breakpoint after the node its output stands already.
      if (event.body.held === "after") return { ...old, held, attempt };
      return { ...next, held };
    }
    case "node.waiting":
      return next;
    default:
      return event satisfies never;
  }
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
