// What the steps of one run share. The run itself is in execution.ts (its phases, and when it rests), scheduler.ts (what begins when)
// and row-cache.ts (its rows); each imports the next.
import type { Resolved } from "@spindle/graph-model";
import type { NodeRecord } from "../record/record.ts";
import type { RunRow } from "../record/types.ts";
import type { Decisions } from "../tasks/decisions.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import type { NodePlane } from "./node-plane.ts";
import type { Reuse } from "./reuse.ts";
import type { Activity, RowCache } from "./row-cache.ts";
import type { DecidedRow, Scope } from "./scope.ts";

export interface ExecutionParts {
  record: NodeRecord;
  workers: Pick<WorkerPlane, "dispatch" | "cancel">;
  decisions: Pick<Decisions, "wait">;
  nodePlane: Pick<NodePlane, "run">;
}

/** The run in this process, as its nodes see it. */
export interface Lifecycle extends Activity {
  readonly isCancelled: boolean;
  /** Ends what runs in this process: the run is cancelled, or no longer driven here. */
  readonly endSignal: AbortSignal;
  /** Ends the waiting for workers, who go on: the run is no longer driven here. */
  readonly closeSignal: AbortSignal;
  /** Waits for a person; rejects when the run is put to rest meanwhile. */
  awaitPerson(row: DecidedRow, isOver: (row: DecidedRow) => boolean): Promise<void>;
}

/** Begins more than the node that asks. */
export interface Walker {
  /** Resolves when a node, or an element of it, may begin (docs/decisions/0024). */
  begin(scope: Scope, id: string, isElement?: boolean): Promise<void>;
  /** Everything in a level that a node calls. */
  walk(scope: Scope): Promise<void>;
}

export interface RunContext {
  readonly parts: ExecutionParts;
  readonly run: RunRow;
  readonly resolved: Resolved;
  readonly rows: RowCache;
  readonly reuse: Reuse;
  readonly life: Lifecycle;
}
