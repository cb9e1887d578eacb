// One run in this process: its phase, and when it rests. What begins when is the scheduler's affair (scheduler.ts).
import { setMaxListeners } from "node:events";
import type { Resolved } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { NodeRunRow } from "../record/node-run.ts";
import type { RunRow } from "../record/types.ts";
import { Cancelled } from "./node-plane.ts";
import { OpenEngines } from "./open-engines.ts";
import { Pace } from "./pace.ts";
import { Reuse } from "./reuse.ts";
import { RowCache } from "./row-cache.ts";
import type { ExecutionParts, Lifecycle } from "./run-context.ts";
import { RunValues } from "./run-values.ts";
import { Scheduler } from "./scheduler.ts";
import { LevelRun, Scope } from "./scope.ts";

const CANCELS_AT_ONCE = 16;

/** Nothing runs and a person is waited for: the run is put to rest. */
export class Parked extends Error {
  constructor(
    /** How many people are waited for. */
    readonly waitingFor: number,
  ) {
    super("Waiting for a person.");
  }
}

/**
 * `driving`: nodes begin. `cancelling`: what runs is being ended, and nothing begins. `ending`: every node is decided, and the run's own end
 * is being written. `resting`: only people can move the run. `closed`: another runtime drives the run, or driving it failed.
 */
type Phase = "driving" | "cancelling" | "ending" | "resting" | "closed";

export class RunExecution {
  readonly root: Scope;
  readonly life: RunLife;
  readonly rows: RowCache;
  readonly values: RunValues;
  /** The node runs that were there when this process took the run up, until what they store is counted. */
  private readonly left: NodeRunRow[];
  private readonly scheduler: Scheduler;

  constructor(
    private readonly parts: ExecutionParts,
    readonly run: RunRow,
    resolved: Resolved,
    rows: readonly NodeRunRow[],
  ) {
    const pace = new Pace();
    this.life = new RunLife(parts.decisions);
    this.root = new Scope(new LevelRun(resolved.root, run.inputs, 0), "");
    this.values = new RunValues(run.id, this.life);
    this.left = [...rows];
    this.rows = new RowCache(parts.nodes, run.id, rows, this.life, pace, this.values);
    const reuse = new Reuse(parts.results, run, resolved.root.plan);
    const engines = new OpenEngines(parts, run, resolved, this.life);
    this.scheduler = new Scheduler({ parts, run, resolved, rows: this.rows, values: this.values, pace, reuse, engines, life: this.life });
  }

  /** Runs the graph to its end. @throws Parked, or the reason for which it was closed */
  async drive(): Promise<void> {
    if (this.run.cancel_requested) await this.cancel(); // requested while another runtime owned the run, whose workers may not know
    await this.values.count(this.left.splice(0));
    try {
      await this.scheduler.drive(this.root);
    } finally {
      this.values.letGo();
    }
  }

  async cancel(): Promise<void> {
    if (!this.life.cancel()) return;
    this.parts.nodes.drop(this.run.id); // what they would have begun is cancelled instead
    this.values.letGo();
    await pLimit(CANCELS_AT_ONCE).map(this.rows.atWorkers(), async ({ id }) => {
      const row = await this.parts.nodes.find(id); // its fence may have risen since: another try, another worker
      if (row && !isEndedNodeState(row.state)) await this.parts.cancels.cancel(row);
    });
  }
}

/** How far a run has come in this process, and what ends it here. */
class RunLife implements Lifecycle {
  phase: Phase = "driving";
  closedBy: Error | undefined;
  private readonly ends = new AbortController();
  private readonly closes = new AbortController();
  readonly endSignal = this.ends.signal;
  readonly closeSignal = this.closes.signal;
  private busy = 0;
  private people = 0;

  constructor(private readonly decisions: ExecutionParts["decisions"]) {
    setMaxListeners(0, this.endSignal, this.closeSignal); // every node that runs or waits listens
  }

  get isCancelled(): boolean {
    return this.phase === "cancelling";
  }

  /** Ends what runs in this process, and lets nothing begin; false if the run is not being driven any more. */
  cancel(): boolean {
    if (this.phase !== "driving") return false;
    this.phase = "cancelling";
    this.ends.abort(new Cancelled("Cancelled."));
    return true;
  }

  /** Lets nothing begin: another runtime owns the run, driving it failed, or this runtime stops. */
  close(reason: Error): void {
    this.leave("closed", reason);
  }

  /** Called when every node is decided. Returns whether they were being cancelled. */
  end(): boolean {
    const wasCancelling = this.isCancelled;
    this.phase = "ending";
    return wasCancelling;
  }

  async work<T>(doing: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await doing();
    } finally {
      this.busy--;
      this.restIfIdle();
    }
  }

  async awaitPerson(row: NodeRunRow, isOver: (row: NodeRunRow) => boolean): Promise<NodeRunRow | undefined> {
    this.people++;
    this.restIfIdle();
    try {
      return await this.decisions.wait(row.id, isOver, this.endSignal);
    } catch (error) {
      if (!this.isCancelled) throw this.closedBy ?? error;
      return undefined;
    } finally {
      if (!this.closedBy) this.people--;
    }
  }

  private restIfIdle(): void {
    if (this.people === 0 || this.busy > 0) return;
    setImmediate(() => {
      if (this.people > 0 && this.busy === 0 && this.phase === "driving") this.leave("resting", new Parked(this.people));
    });
  }

  private leave(phase: "resting" | "closed", reason: Error): void {
    if (this.closedBy) return;
    this.phase = phase;
    this.closedBy = reason;
    this.ends.abort(reason);
    this.closes.abort(reason);
  }
}
