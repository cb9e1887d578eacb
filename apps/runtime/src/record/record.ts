// What may be asked of the record of runs: one interface for each purpose, so that a module names the part that it uses. PostgreSQL
// keeps the record (postgres-record.ts); a second one, in memory, keeps node runs for tests of the run engine and for the bench
// (memory-record.testing.ts).
import type { EventEmitter } from "node:events";
import type { Priority, RunEvent, RunEventError } from "@spindle/schemas";
import type { NodeChange } from "./changes.ts";
import type { FrozenBodies, NewNodeRun } from "./frozen.ts";
import type { ChangedRow, ImpossibleNodeRun, NodeRunRow, TaskRow } from "./node-run.ts";
import type {
  Earlier,
  EventNote,
  NewRun,
  OpenNodeRun,
  OpenRun,
  PausedDevice,
  QueuedTask,
  RecalledTask,
  RunRow,
  StandingTask,
  Tally,
  Took,
  WaitingRow,
} from "./types.ts";

export interface RunRecord {
  readonly nodes: NodeRunRecord;
  readonly runs: Runs;
  readonly frozen: FrozenDefinitions;
  readonly leases: RunLeases;
  readonly results: EarlierResults;
  readonly queue: TaskQueue;
  readonly orders: QueueOrders;
  readonly history: RunHistory;
  /** Emits a run's id when the run has new events. The events may be late or missing here; the rows say what is true. */
  readonly changed: EventEmitter;
}

/** Node runs, as a run is carried out. */
export interface NodeRunRecord {
  /** The changed row, or undefined if the change came under an old fence or from a state that does not allow it. */
  change(change: NodeChange): Promise<ChangedRow | undefined>;
  /**
   * Drops the changes of a run that wait to be written and by which a node run would begin, because the run is cancelled: whoever made
   * one is answered undefined, and finds the node run as it was. What is being written, and what ends a node run that has begun, stays.
   */
  drop(run: string): void;
  /** How many changes and results came too late. */
  stale: number;
  /** Node runs that come to be during a run, in their order; those that are there already are left as they are. */
  add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]>;
  /** Adds an event that changes no row, once per path and type. */
  note(run: string, event: EventNote): Promise<void>;
  /** Keeps what a try of a node wrote to its log. */
  log(nodeRun: string, attempt: number, text: string): Promise<void>;
  /** @throws ImpossibleNodeRun, as `ofRun` does */
  find(id: string): Promise<NodeRunRow | undefined>;
  /** Several node runs; what is wrong with one of them holds up no other. */
  findAll(ids: readonly string[]): Promise<(NodeRunRow | ImpossibleNodeRun)[]>;
  ofRun(run: string): Promise<NodeRunRow[]>;
  /** The node runs of a run that have not ended, with what is needed to cancel them. */
  openOf(run: string): Promise<OpenNodeRun[]>;
  /** Which of these node runs wait neither for a worker, nor for a person, nor for an engine any more. */
  moved(ids: readonly string[]): Promise<string[]>;
  /** Node runs that wait for a person whose time is up. */
  overdue(): Promise<Pick<TaskRow, "id" | "run_id" | "fence">[]>;
}

type OwnedRun = Pick<RunRow, "id" | "fence">;

/** Runs, from their acceptance to their end. */
export interface Runs {
  /** Accepts a run with its node runs, which it returns. A run with an `owner` is running already, and is that runtime's. */
  create(run: NewRun): Promise<NodeRunRow[]>;
  /** Changes a run's state with its event; false if the run cannot change so from the state it is in, or has another owner by now. */
  change(
    run: OwnedRun,
    ...change:
      | [change: "start", more?: undefined]
      | [change: "succeed", more: { outputs: Record<string, unknown> }]
      | [change: "fail" | "cancel", more: { error: RunEventError; outputs?: Record<string, unknown> }]
  ): Promise<boolean>;
  /** Marks the run as to be cancelled, and lets it be claimed if it rests; false if it has ended. */
  requestCancel(id: string): Promise<boolean>;
  /** Marks node runs of a run as to be cancelled, and lets the run be claimed if it rests. Those that have ended stay as they are. */
  requestNodeCancels(run: string, ids: readonly string[]): Promise<void>;
  /** The node runs of all runs that are marked so and have not ended, with the runtime that owns their run. */
  toCancel(): Promise<(OpenNodeRun & { owner: string | null })[]>;
  /**
   * Puts a run to rest that only people can move: it has no owner and no lease then. False if one of the `waiting` node runs was
   * answered meanwhile, or the run has another owner.
   */
  park(run: OwnedRun, waiting: number): Promise<boolean>;
  /** Lets a parked run be claimed again, because a person answered. */
  wake(id: string): Promise<void>;
  /** What the run has frozen by now, engines that were chosen since it was accepted included. */
  frozenOf(id: string): Promise<Pick<RunRow, "engines" | "definitions">>;
}

/** What runs have frozen, by content hash. */
export interface FrozenDefinitions {
  /** Stores what is not stored yet. Before a run names a hash, its body is here. */
  keep(bodies: FrozenBodies): Promise<void>;
  find(hashes: readonly string[]): Promise<FrozenBodies>;
}

/** How many runtimes may die under a run of which no node run ends: the run may be why, and would end the next one, too. */
export const MOST_DEATHS = 10;

/** How many leases the trial of a run with so many deaths lasts: the longer it takes to end a runtime, the longer it has to be watched. */
export const trialLeases = (deaths: number): number => 2 ** Math.max(0, deaths - 5);

/** What the owner of a run has to know of it. */
export interface LeasedRun {
  fence: number;
  cancelRequested: boolean;
  /** Deaths of runtimes, as in RunRow. */
  deaths: number;
}

/** Which runtime drives which run. */
export interface RunLeases {
  /**
   * Takes runs that nobody owns, or whose owner is silent; two runtimes never get the same run. A runtime renews its lease before it
   * claims: an owner without a lease counts as silent.
   * @param suspects whether suspects are taken: half of those with the most deaths, and one of those with nine. Otherwise up to 50 of all
   *   other runs. Suspects are runs with two deaths or more, and with one while an open run has nine; not those to be cancelled.
   */
  claim(owner: string, suspects?: boolean): Promise<RunRow[]>;
  /** Says that these runs of the owner have survived their trial. */
  clear(owner: string, runs: readonly string[]): Promise<void>;
  /** Takes back one death of a run that another runtime has claimed, because the former owner lives. */
  lives(run: OwnedRun): Promise<void>;
  /** Renews this owner's lease, and takes back its death if one was counted under its runs. Returns the runs that are still its own, as they stand. */
  renew(owner: string, leaseMs: number): Promise<Map<string, LeasedRun>>;
  /** Those of the runs that are still this owner's and open. */
  own(owner: string, runs: readonly string[]): Promise<RunRow[]>;
  /** Gives up the lease of a runtime that stops, so that others may claim its runs at once. */
  leave(owner: string): Promise<void>;
}

/** Results that may stand for those of later node runs. */
export interface EarlierResults {
  /** The newest success under a cache key. */
  cached(key: string): Promise<Earlier | undefined>;
  /** The newest success of a path in the runs of a graph. */
  lastOf(graph: string, path: string): Promise<Earlier | undefined>;
  /** The newest success of each node of a graph, or of one run of it, by path. */
  outputsOf(from: { graph: string } | { run: string }): Promise<Map<string, Earlier>>;
  /** Removes the cache keys of all results until now; of one graph, or of all graphs. Returns how many there were. */
  clear(graph?: string): Promise<number>;
}

/** Tasks on their way to workers: the outbox. */
export interface TaskQueue {
  /**
   * Tasks that are due, about in the order in which they are sent; at most `most` of each route, so that a route whose workers are
   * gone holds up no other.
   */
  due(most: number): Promise<QueuedTask[]>;
  /**
   * Sends those of these tasks that are still to be sent, in this order, in one transaction with the note that they were.
   * Returns how many it settled. @throws on an outage; they stay due
   */
  send(tasks: readonly string[], send: (rows: readonly TaskRow[]) => Promise<void>): Promise<number>;
  /** Notes that a task was sent; false if it is not the current try of its node run any more. */
  markSent(row: Pick<TaskRow, "id" | "fence">): Promise<boolean>;
  /** Tasks that run or wait for a worker, in about the order in which workers take them; tasks that were sent come first. */
  standing(): Promise<StandingTask[]>;
  /** Node runs whose task was sent and has not ended. */
  sent(): Promise<TaskRow[]>;
  /** Takes the tasks out of the queue that were cancelled before they were sent: they keep nobody's place. */
  settle(): Promise<void>;
  /** Some of the tasks whose node runs were cancelled, and of which Redis was not told yet. */
  recalled(): Promise<RecalledTask[]>;
  /** Notes that Redis was told of them. */
  forget(tasks: readonly RecalledTask[]): Promise<void>;
  /**
   * How long successful runs of these engines took, of the newest hundred, by `service\nengine`. A task that was over before it was seen
   * running took no time.
   */
  durations(of: readonly { service: string; engine: string }[]): Promise<Map<string, Took>>;
}

/** What people decide about the queue. */
export interface QueueOrders {
  /** Devices that begin nothing new (DESIGN E20). */
  paused(): Promise<PausedDevice[]>;
  /** Leaves a device alone that is paused already. @param device `all` for every one */
  pause(device: string, by: string): Promise<void>;
  /** Without a device all of them. */
  resume(device?: string): Promise<void>;
  /** Notes that a task is on the bus no more, so that it is due again. */
  unsent(row: Pick<TaskRow, "id" | "fence">): Promise<void>;
  /** Changes whose tasks go first: returns what a run had before; undefined if it has ended. */
  prioritise(run: string, priority: Priority): Promise<Priority | undefined>;
}

/** What is shown of runs. */
export interface RunHistory {
  /** By run: its node runs without those of regions, how many of them succeeded, and whether any is a draft. */
  countNodes(runs: readonly string[]): Promise<Map<string, { nodes: number; done: number; draft: boolean }>>;
  /** Of these runs those that have not ended; without runs the oldest 1,000 that have not. */
  openRuns(runs?: readonly string[]): Promise<OpenRun[]>;
  /**
   * What of these runs has not ended, at most 20,000 node runs. `begun`: without those that are queued and have
   * their engine. `drawn`: those of the graph itself,
   * without elements of a list and what runs inside calls.
   */
  waitingIn(runs: readonly string[], which: "begun" | "drawn" | "all"): Promise<WaitingRow[]>;
  /** How the node runs of a run stand that are not inside a call. */
  tallies(run: string): Promise<Tally[]>;
  events(run: string, since: number): Promise<RunEvent[]>;
  /** Bytes of each node run's output, and of its input where that is asked for, as JSON. */
  sizesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, number>>;
  /** The values of node runs by id, the inputs only where they are asked for. */
  valuesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, Pick<NodeRunRow, "input" | "output">>>;
  /** What the tries of a node run, or of the region that it is in, wrote to their logs, the first one first. */
  logs(run: string, path: string): Promise<{ attempt: number; text: string }[]>;
  /** When each task of a run was first given to the workers, by path. */
  queuedAt(run: string): Promise<Map<string, Date>>;
}
