// What the record keeps of runs and node runs.
import type { NODE_CHANGES, NodeChangeName, NodeState, RunEvent, RunEventError, RunOptions, RunState } from "@spindle/schemas";
import type { EventOf } from "./changes.ts";

export interface NodeRunRow {
  id: string;
  run_id: string;
  node_id: string;
  path: string;
  state: NodeState;
  attempt: number;
  fence: number;
  crashes: number;
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeout_seconds: number;
  stall_seconds: number;
  input: Record<string, unknown> | null;
  error: RunEventError | null;
  broken: boolean;
  /** At a breakpoint. */
  held: "before" | "after" | null;
  /** The breakpoint was left. */
  passed: boolean;
  /** The node run whose output it took. */
  reused_from?: string | null;
}

/** What a change gives back: the parts of a row that changes can touch. */
export type ChangedRow = Pick<
  NodeRunRow,
  "id" | "run_id" | "node_id" | "path" | "state" | "attempt" | "fence" | "crashes" | "error" | "broken" | "held" | "passed"
>;

/** What a run froze of a node when it started. */
export interface FrozenNode {
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeoutSeconds: number;
  /** None: no limit. */
  stallSeconds?: number;
}

export interface NewNodeRun extends FrozenNode {
  nodeId: string;
  path: string;
}

/** By definition (empty for the graph itself) and node. */
export type FrozenNodes = Record<string, Record<string, FrozenNode>>;

/** What a run was asked to do, and what stands in for the rest. */
export interface RecordedOptions extends RunOptions {
  /** The run whose outputs stand for what is not run again; without one the newest of the graph (DESIGN E17). */
  base?: string;
}

export interface NewRun {
  id: string;
  revision: string;
  graph?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  options: RecordedOptions;
  /** Who asked for it; empty where nobody says. */
  submitter: string;
  owner?: string;
  nodes: NewNodeRun[];
}

export interface RunRow {
  id: string;
  revision_id: string;
  graph_id: string | null;
  state: RunState;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  options: RecordedOptions;
  owner: string | null;
  /** Raised by each runtime that takes the run over. */
  fence: number;
  cancel_requested: boolean;
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

/** Node runs of one node, in one state: one of them, or, of a map, as many of its elements as are in it. */
export interface Tally {
  nodeId: string;
  /** Of one of them. */
  path: string;
  state: NodeState;
  broken: boolean;
  runs: number;
}

type NoteType = Exclude<Extract<RunEvent, { node: string }>["type"], (typeof NODE_CHANGES)[NodeChangeName]["event"]>;
/** An event of a node that changes no row. */
export type Note = { [Type in NoteType]: Pick<EventOf<Type>, "type" | "node" | "path" | "body"> }[NoteType];

/** A node run with its output. */
export type StoredRow = NodeRunRow & { output: Record<string, unknown> | null };

type Routed = Pick<NodeRunRow, "plane" | "service" | "engine" | "run_id">;

/** A task that is due and was not sent. */
export type QueuedTask = Routed & { outbox: string; priority: number; submitter: string };

/** A task that runs, for `spent` milliseconds, or waits for a worker. */
export type StandingTask = Routed & Pick<NodeRunRow, "id" | "node_id" | "path" | "state"> & { spent: number | null };
