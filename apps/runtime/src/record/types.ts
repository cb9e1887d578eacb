// What the record keeps of runs, and what it is given to keep. Node runs are in node-run.ts.
import type { NODE_CHANGES, NodeChangeName, NodeState, RunEvent, RunOptions, RunState } from "@spindle/schemas";
import type { EventOf } from "./changes.ts";
import type { FrozenNodes, NewNodeRun } from "./frozen.ts";
import type { NodeRunRow } from "./node-run.ts";

/** What a run was asked to do, and what stands in for the rest. */
export interface RecordedOptions extends RunOptions {
  /** The run whose outputs stand for what is not run again; without one the newest of the graph (DESIGN E17). */
  base?: string;
}

/** A request that may be sent twice and starts one run, by hashes of its sender's key and of what it asks for. */
export interface KeyedRequest {
  key: string;
  hash: string;
}

export interface NewRun {
  id: string;
  revision: string;
  graph?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  /** Hashes of the definitions that its nodes have. */
  definitions: readonly string[];
  options: RecordedOptions;
  /** The person who asked for the run; empty where the request names none. */
  submitter: string;
  owner?: string;
  request?: KeyedRequest;
  nodes: NewNodeRun[];
}

export interface RunRow {
  id: string;
  revision_id: string;
  graph_id: string | null;
  state: RunState;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  /** Hashes of the definitions that its nodes have; null where it was accepted before runs froze them. */
  definitions: readonly string[] | null;
  options: RecordedOptions;
  owner: string | null;
  /** Raised by each runtime that takes the run over. */
  fence: number;
  cancel_requested: boolean;
  /**
   * How many runtimes died under it since a node run of it ended last: positive while the run is on trial or waits for it, and negative
   * once it has survived the trial; absent where the run was accepted just now.
   */
  deaths?: number;
}

/** A node run whose output may stand for another's. */
export interface Earlier {
  id: string;
  run_id: string;
  node_id: string;
  service: string;
  version: string;
  engine: string;
  input: Record<string, unknown> | null;
  output: Record<string, unknown>;
  cache_key: string | null;
}

/** How many node runs of one node are in one state: one, or, where the node runs once per element of a list, several. */
export interface Tally {
  nodeId: string;
  /** The path of one of these node runs. */
  path: string;
  state: NodeState;
  broken: boolean;
  runs: number;
}

type NoteType = Exclude<Extract<RunEvent, { node: string }>["type"], (typeof NODE_CHANGES)[NodeChangeName]["event"]>;
/** An event of a node that changes no row. */
export type EventNote = { [Type in NoteType]: Pick<EventOf<Type>, "type" | "node" | "path" | "body"> }[NoteType];

/** A node run that has not ended, as it is cancelled. */
export type OpenNodeRun = Pick<NodeRunRow, "id" | "run_id" | "fence" | "state" | "plane" | "service" | "version" | "engine">;

/** A task that is nobody's any more, by the fence under which it was sent. */
export type RecalledTask = Pick<NodeRunRow, "id" | "run_id" | "fence" | "plane" | "service" | "version" | "engine">;

type Routed = Pick<NodeRunRow, "plane" | "service" | "version" | "engine" | "run_id">;

/** A task that is due and was not sent. */
export type QueuedTask = Routed & { outbox: string; priority: number; submitter: string };

/** A device that begins nothing new, or `all` of them. */
export interface PausedDevice {
  device: string;
  /** Who paused it; empty where nobody is named. */
  by: string;
  at: Date;
}

/** How long something took in the past, in milliseconds: the median, and what one of ten was below and above. */
export interface Took {
  ms: number;
  low: number;
  high: number;
}

/** A task that runs, for `spent` milliseconds, or waits for a worker. */
export type StandingTask = Routed & Pick<NodeRunRow, "id" | "node_id" | "path" | "state" | "fence"> & { spent: number | null };

/** A run that has not ended, as far as it says why its node runs are not running. */
export interface OpenRun {
  id: string;
  revision_id: string;
  state: RunState;
  cancel_requested: boolean;
  /** When it began, or was accepted. */
  since: Date;
  /** Whether no runtime with a lease drives it, although one should. */
  unowned: boolean;
  /** When the lease of the runtime that drove it ran out, where that is still known. */
  owner_until: Date | null;
}

/** A node run that has not ended, or that is held after it ran. */
export type WaitingRow = Pick<
  NodeRunRow,
  "id" | "run_id" | "node_id" | "path" | "state" | "plane" | "service" | "version" | "engine" | "attempt" | "fence" | "cancel_requested"
> & {
  changed_at: Date;
  /** At a breakpoint that nobody has left yet. */
  held: "before" | "after" | null;
  /** Milliseconds until its next try may be sent; null where that is no wait. */
  retry_in: number | null;
  /** Milliseconds until it goes on without an answer; null where it never does. */
  answer_in: number | null;
};
