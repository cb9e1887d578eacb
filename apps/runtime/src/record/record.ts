// What may be asked of the record of runs. PostgreSQL keeps it (postgres-record.ts); a second one, in memory, keeps node runs for tests
// of the engine and for the bench (memory-record.testing.ts).
import type { EventEmitter } from "node:events";
import type { RunEvent, RunEventError } from "@spindle/schemas";
import type { NodeChange } from "./changes.ts";
import type {
  ChangedRow,
  Earlier,
  NewNodeRun,
  NewRun,
  NodeRunRow,
  Note,
  QueuedTask,
  RunRow,
  StandingTask,
  StoredRow,
  Tally,
} from "./types.ts";

/** Node runs, as a run is carried out. */
export interface NodeRecord {
  /** The changed row, or undefined if the change came under an old fence or from a state that does not allow it. */
  change(change: NodeChange): Promise<ChangedRow | undefined>;
  nodeRun(id: string): Promise<StoredRow | undefined>;
  /** Node runs that come to be during a run, in their order; those that are there already are left as they are. */
  add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]>;
  /** An event that changes nothing; once per path and type. */
  note(run: string, event: Note): Promise<void>;
  /** The newest that succeeded under a key. */
  cached(key: string): Promise<Earlier | undefined>;
  /** The newest success of a path in the runs of a graph. */
  lastOf(graph: string, path: string): Promise<Earlier | undefined>;
  /** The newest success of each node of a graph, or of one run of it, by path. */
  outputsOf(from: { graph: string } | { run: string }): Promise<Map<string, Earlier>>;
}

type OwnedRun = Pick<RunRow, "id" | "fence">;

/** Runs, from their acceptance to their end. */
export interface RunStates {
  /** A run with its node runs, which it returns. With an `owner` it runs already, and is that one's. */
  create(run: NewRun): Promise<NodeRunRow[]>;
  /** Changes a run's state with its event; false if it cannot change so from the state it is in, or belongs to another owner by now. */
  changeRun(
    run: OwnedRun,
    ...change:
      | [change: "start", more?: undefined]
      | [change: "succeed", more: { outputs: Record<string, unknown> }]
      | [change: "fail" | "cancel", more: { error: RunEventError; outputs?: Record<string, unknown> }]
  ): Promise<boolean>;
  /** Marks the run; false if it has ended. */
  requestCancel(id: string): Promise<boolean>;
  /**
   * Puts a run to rest that only people can move: no owner, no lease. False if one of the `waiting` answered meanwhile, or the
   * run is another's.
   */
  park(run: OwnedRun, waiting: number): Promise<boolean>;
  /** Somebody answered: a parked run may be claimed again. */
  wake(id: string): Promise<void>;
  /** People who were asked and whose time is up. */
  overdue(): Promise<NodeRunRow[]>;
}

/** Which runtime drives which run. */
export interface RunOwnership {
  /**
   * Takes runs that nobody owns, or whose owner is silent; two runtimes never get the same one. Renew first: an owner without a
   * lease is silent.
   */
  claim(owner: string): Promise<RunRow[]>;
  /** Renews this owner's lease. Returns the runs that are still its own, and whether each is to be cancelled. */
  renew(owner: string, leaseMs: number): Promise<Map<string, { fence: number; cancelRequested: boolean }>>;
  /** Of runs those that are still this owner's and open. */
  own(owner: string, runs: readonly string[]): Promise<RunRow[]>;
  /** A runtime that stops leaves its runs to others at once, and forgets those that stopped long ago. */
  leave(owner: string): Promise<void>;
}

/** What is shown of runs, and kept beside them. */
export interface RunHistory {
  /** By run: its node runs without those of groups, how many of them succeeded, and whether any is a draft. */
  countNodes(runs: readonly string[]): Promise<Map<string, { nodes: number; done: number; draft: boolean }>>;
  /** How the node runs of a run stand that are not inside a call. */
  tallies(run: string): Promise<Tally[]>;
  events(run: string, since: number): Promise<RunEvent[]>;
  /** Bytes of each node run's output, and of its input where that is asked for, as JSON. */
  sizesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, number>>;
  /** The values of node runs by id, the inputs only where they are asked for. */
  valuesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, Pick<StoredRow, "input" | "output">>>;
  /** Keeps what a try of a node wrote; no part of what the run means. */
  log(nodeRun: string, attempt: number, text: string): Promise<void>;
  /** What the tries of a node run wrote, the first one first. */
  logs(run: string, path: string): Promise<{ attempt: number; text: string }[]>;
  /** When each task of a run was first given to the workers, by path. */
  queuedAt(run: string): Promise<Map<string, Date>>;
  /** Nothing that ran until now answers for anything later; of one graph, or of all. Returns how many it was. */
  clearCache(graph?: string): Promise<number>;
  /**
   * Milliseconds that successful runs of these engines took, in the median of the newest hundred, by `service\nengine`. A task that was
   * over before it was seen running took none.
   */
  durations(of: readonly { service: string; engine: string }[]): Promise<Map<string, number>>;
}

/** Tasks on their way to workers: the outbox. */
export interface TaskQueue {
  /** Tasks that are due, about in the order in which they go; `most` of each route, so that one whose workers are gone holds up no other. */
  due(most: number): Promise<QueuedTask[]>;
  /**
   * Sends those of these tasks that are still to be sent, in this order, in one transaction with the note that they were.
   * Returns how many it settled. @throws on an outage; they stay due
   */
  send(tasks: readonly string[], send: (rows: readonly NodeRunRow[]) => Promise<void>): Promise<number>;
  /** Notes that a task was sent; false if it is not the current try of its node run any more. */
  markSent(row: Pick<NodeRunRow, "id" | "fence">): Promise<boolean>;
  /** Tasks that run or wait for a worker, in about the order in which they go; whoever has been sent is before whoever has not. */
  standing(): Promise<StandingTask[]>;
  /** Node runs whose task was sent and has not ended. */
  sent(): Promise<NodeRunRow[]>;
}

export interface RunRecord extends NodeRecord, RunStates, RunOwnership, RunHistory {
  readonly queue: TaskQueue;
  /** Says that a run has new events; a hint, never the truth. */
  readonly changed: EventEmitter;
  /** Changes that came too late. */
  stale: number;
  nodeRuns(run: string): Promise<StoredRow[]>;
  nodeRunsById(ids: readonly string[]): Promise<StoredRow[]>;
  /** Which of these node runs are neither with a worker nor with a person any more. */
  moved(ids: readonly string[]): Promise<string[]>;
}
