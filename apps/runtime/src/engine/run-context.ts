// What the steps of one run share. The run itself is in execution.ts (its phases, and when it rests), scheduler.ts (when its nodes are ready)
// and row-cache.ts (its rows); each imports the next.
import type { Resolved } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";
import type { EarlierResults, NodeRunRecord } from "../record/record.ts";
import type { RunRow } from "../record/types.ts";
import type { Cancels } from "../tasks/cancels.ts";
import type { WorkerTasks } from "../tasks/worker-tasks.ts";
import type { NodePlane } from "./node-plane.ts";
import type { OpenEngines, OpenEnginesParts } from "./open-engines.ts";
import type { Pace } from "./pace.ts";
import type { Reuse } from "./reuse.ts";
import type { RowCache } from "./row-cache.ts";
import type { Activity, RunValues } from "./run-values.ts";

export interface ExecutionParts extends OpenEnginesParts {
  nodes: Pick<NodeRunRecord, "add" | "change" | "drop" | "find" | "note">;
  results: Omit<EarlierResults, "clear">;
  workers: Pick<WorkerTasks, "dispatch">;
  cancels: Pick<Cancels, "cancel">;
  nodePlane: Pick<NodePlane, "run">;
}

/** What ends the run in this process, and what keeps it from resting. */
export interface Lifecycle extends Activity {
  readonly isCancelled: boolean;
  /** Aborted when the run is cancelled, or is no longer driven here: what runs in this process ends. */
  readonly endSignal: AbortSignal;
  /** Aborted when the run is no longer driven here: nothing waits for its workers any more, which go on. */
  readonly closeSignal: AbortSignal;
  /** Waits for a person. The row once it is over; undefined if the run is cancelled meanwhile. @throws when the run is put to rest */
  awaitPerson(row: NodeRunRow, isOver: (row: NodeRunRow) => boolean): Promise<NodeRunRow | undefined>;
}

export interface RunContext {
  readonly parts: ExecutionParts;
  readonly run: RunRow;
  readonly resolved: Resolved;
  readonly rows: RowCache;
  readonly values: RunValues;
  readonly pace: Pace;
  readonly reuse: Reuse;
  readonly engines: OpenEngines;
  readonly life: Lifecycle;
}
