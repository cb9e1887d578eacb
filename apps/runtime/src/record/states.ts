// The whole life of a node run (DESIGN W1): every change there is, and what it may start from.
export type NodeState =
  | "queued"
  | "waiting"
  | "dispatched"
  | "running"
  | "succeeded"
  | "skipped"
  | "failed"
  | "cancelled"
  | "dead"
  | "unknown";
export type RunState = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";

interface Change {
  from: readonly NodeState[];
  to: NodeState;
  event: string;
  /** A raised fence makes everything that was said under the old one stale. */
  raisesFence?: true;
  counts?: "attempt" | "crash";
}

export const CHANGES = {
  /** To a worker's stream, for the first time. */
  dispatch: { from: ["queued"], to: "dispatched", event: "node.dispatched", raisesFence: true, counts: "attempt" },
  /** On the node plane, in this process. */
  begin: { from: ["queued"], to: "running", event: "node.running", raisesFence: true, counts: "attempt" },
  /** The worker reported. */
  start: { from: ["dispatched"], to: "running", event: "node.running" },
  /** Another try after a failure that may pass. */
  retry: { from: ["dispatched", "running"], to: "dispatched", event: "node.retrying", raisesFence: true, counts: "attempt" },
  /** Another try after the process under the node died. */
  retryAfterCrash: { from: ["dispatched", "running"], to: "dispatched", event: "node.retrying", raisesFence: true, counts: "crash" },
  retryHere: { from: ["running"], to: "running", event: "node.retrying", raisesFence: true, counts: "attempt" },
  /** The transport lost the entry; the attempt is still the same one. */
  redispatch: { from: ["dispatched", "running"], to: "dispatched", event: "node.dispatched", raisesFence: true },
  /** The runtime that ran the node is gone; this one runs it again. */
  takeOver: { from: ["running"], to: "running", event: "node.running", raisesFence: true },
  succeed: { from: ["dispatched", "running"], to: "succeeded", event: "node.succeeded" },
  fail: { from: ["queued", "dispatched", "running"], to: "failed", event: "node.failed" },
  die: { from: ["dispatched", "running"], to: "dead", event: "node.dead" },
  skip: { from: ["queued"], to: "skipped", event: "node.skipped" },
  /** On the node plane, for what was over before it was worth a row of its own that it runs. */
  succeedHere: { from: ["queued"], to: "succeeded", event: "node.succeeded", raisesFence: true, counts: "attempt" },
  failHere: { from: ["queued"], to: "failed", event: "node.failed", raisesFence: true, counts: "attempt" },
  /** An earlier node run's output stands for this one's (DESIGN E11, E12). */
  reuse: { from: ["queued"], to: "succeeded", event: "node.succeeded", raisesFence: true },
  /** The pinned output stands for the node's own. */
  pin: { from: ["queued"], to: "succeeded", event: "node.succeeded", raisesFence: true },
  /** A person is asked (DESIGN E7). */
  ask: { from: ["queued"], to: "waiting", event: "node.waiting" },
  answer: { from: ["waiting"], to: "succeeded", event: "node.succeeded", raisesFence: true },
  /** At a breakpoint before the node, and on from there. */
  hold: { from: ["queued"], to: "waiting", event: "node.held" },
  resume: { from: ["waiting"], to: "queued", event: "node.resumed" },
  /** At a breakpoint after it: the output stands, but nothing that depends on it starts. */
  holdAfter: { from: ["succeeded"], to: "succeeded", event: "node.held" },
  resumeAfter: { from: ["succeeded"], to: "succeeded", event: "node.resumed" },
  cancel: { from: ["queued", "waiting", "dispatched", "running"], to: "cancelled", event: "node.cancelled", raisesFence: true },
} as const satisfies Record<string, Change>;

export type ChangeName = keyof typeof CHANGES;

const TERMINAL: ReadonlySet<string> = new Set(["succeeded", "skipped", "failed", "cancelled", "dead", "unknown"]);
export const isTerminal = (state: string): boolean => TERMINAL.has(state);

/** The seed's words for a node's status (DESIGN G9). */
export const SEED_NODE_STATUS: Record<NodeState, "ready" | "running" | "completed" | "skipped" | "failed"> = {
  queued: "ready",
  waiting: "ready",
  dispatched: "running",
  running: "running",
  succeeded: "completed",
  skipped: "skipped",
  failed: "failed",
  cancelled: "failed",
  dead: "failed",
  unknown: "failed",
};

/** The seed's JobStatus (DESIGN W1). */
export const SEED_JOB_STATUS: Record<RunState, "queued" | "running" | "completed" | "failed"> = {
  queued: "queued",
  running: "running",
  waiting: "running",
  succeeded: "completed",
  failed: "failed",
  cancelled: "failed",
};
