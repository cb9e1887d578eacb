// What the steps of a run need of it; the run itself is in execution.ts.
import type { Resolved } from "@spindle/graph-model";
import type { NodeMove } from "../record/changes.ts";
import type { ChangedRow, EngineRecord, NewNodeRun, RunRow } from "../record/types.ts";
import type { Decisions } from "../tasks/decisions.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import type { NodePlane } from "./node-plane.ts";
import type { Reuse } from "./reuse.ts";
import type { DecidedRow, Scope } from "./scope.ts";

export interface ExecutionParts {
  record: EngineRecord;
  workers: Pick<WorkerPlane, "dispatch" | "cancel">;
  decisions: Pick<Decisions, "wait">;
  nodePlane: Pick<NodePlane, "run">;
}

export class RunTooLarge extends Error {}
/** Nothing runs and somebody is waited for: the run is put to rest. */
export class Parked extends Error {}

export interface Running {
  readonly parts: ExecutionParts;
  readonly run: RunRow;
  readonly resolved: Resolved;
  readonly reuse: Reuse;
  readonly cancelled: boolean;
  /** Ends what runs in this process. */
  readonly signal: AbortSignal;
  /** Ends the waiting for workers. */
  readonly closeSignal: AbortSignal;
  row(path: string): DecidedRow;
  /** Everything in a level that a node calls. */
  walk(scope: Scope): Promise<void>;
  /** A call is over: what ran inside it is asked for by nobody any more. */
  forget(scope: Scope): void;
  /** The row that is to be made for a node, or an element of it, at a path. */
  fresh(scope: Scope, id: string, path: string, element?: boolean): NewNodeRun;
  /** @throws RunTooLarge */
  ensure(scope: Scope, nodes: NewNodeRun[]): Promise<void>;
  /** Resolves when a node, or an element of it, may begin. */
  begin(scope: Scope, id: string, element?: boolean): Promise<void>;
  /** Steps until the row is decided; each step changes it or waits for it to change. */
  untilDecided(path: string, step: (row: DecidedRow) => Promise<void>): Promise<DecidedRow>;
  /** Holds a decided node at its breakpoint, and keeps its row. */
  conclude(scope: Scope, id: string): Promise<void>;
  /** Changes a row; one that somebody else changed meanwhile is read again. */
  change(row: DecidedRow, one: NodeMove): Promise<DecidedRow>;
  note(moved: ChangedRow, more: Partial<DecidedRow>): DecidedRow;
  reload(row: DecidedRow): Promise<DecidedRow>;
  /** Asks the record for something that ends by itself. */
  request<T>(asking: () => Promise<T>): Promise<T>;
  /** Anything else that keeps the run from resting. */
  work<T>(doing: () => Promise<T>): Promise<T>;
  /** Waits for a person; rejects when the run is put to rest meanwhile. */
  person(row: DecidedRow, isOver: (row: DecidedRow) => boolean): Promise<void>;
}
