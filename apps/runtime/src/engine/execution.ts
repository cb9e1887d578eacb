// One run in this process: its phase, and when it rests. What begins when is the scheduler's affair (scheduler.ts).
import type { Resolved } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { RunRow } from "../record/types.ts";
import { Cancelled } from "./node-plane.ts";
import { Pace } from "./pace.ts";
import { Reuse } from "./reuse.ts";
import { RowCache } from "./row-cache.ts";
import type { ExecutionParts, Lifecycle } from "./run-context.ts";
import { Scheduler } from "./scheduler.ts";
import { type DecidedRow, Scope } from "./scope.ts";

const CANCELS_AT_ONCE = 16;

/** Nothing runs and a person is waited for: the run is put to rest. */
export class Parked extends Error {}

/**
 * `driving`: nodes begin. `cancelling`: what runs is being ended, nothing begins. `ending`: every node is decided, the run's own end is
 * being written. `resting`: only people can move it. `closed`: it is not this runtime's any more, or failed.
 */
type Phase = "driving" | "cancelling" | "ending" | "resting" | "closed";

export class RunExecution implements Lifecycle {
  readonly root: Scope;
  private readonly rows: RowCache;
  private readonly scheduler: Scheduler;
  private readonly ends = new AbortController();
  private readonly closes = new AbortController();
  private current: Phase = "driving";
  /** Why the run is no longer driven here. */
  closedBy: Error | undefined;
  private busy = 0;
  private people = 0;

  constructor(
    private readonly parts: ExecutionParts,
    readonly run: RunRow,
    resolved: Resolved,
    rows: readonly DecidedRow[],
    lookAhead = true,
  ) {
    const pace = new Pace();
    this.root = Scope.ofLevel(resolved.root, "", run.inputs, 0);
    this.rows = new RowCache(parts.record, run.id, rows, this, pace);
    const reuse = new Reuse(parts.record, run, resolved.root.plan);
    this.scheduler = new Scheduler({ parts, run, resolved, rows: this.rows, reuse, life: this }, pace, lookAhead);
  }

  get phase(): Phase {
    return this.current;
  }

  /** Runs the graph to its end. @throws Parked, or the reason of `close` */
  async drive(): Promise<void> {
    if (this.run.cancel_requested) await this.cancel(); // asked while another runtime owned it: its workers may not know
    await this.scheduler.drive(this.root);
  }

  /** Nothing more begins: the run belongs to another runtime, failed, or this runtime stops. */
  close(reason: Error): void {
    this.leave("closed", reason);
  }

  /** Every node is decided. Returns whether they were being cancelled. */
  end(): boolean {
    const wasCancelling = this.isCancelled;
    this.current = "ending";
    return wasCancelling;
  }

  async cancel(): Promise<void> {
    if (this.current !== "driving") return;
    this.current = "cancelling";
    this.ends.abort(new Cancelled("Cancelled."));
    await pLimit(CANCELS_AT_ONCE).map(this.rows.atWorkers(), async ({ id }) => {
      const row = await this.parts.record.nodeRun(id); // its fence may have risen since: another try, another worker
      if (row && !isEndedNodeState(row.state)) await this.parts.workers.cancel(row);
    });
  }

  /** How many people are waited for. */
  get waitingFor(): number {
    return this.people;
  }

  // Lifecycle

  get isCancelled(): boolean {
    return this.current === "cancelling";
  }

  get endSignal(): AbortSignal {
    return this.ends.signal;
  }

  get closeSignal(): AbortSignal {
    return this.closes.signal;
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

  async awaitPerson(row: DecidedRow, isOver: (row: DecidedRow) => boolean): Promise<void> {
    this.people++;
    this.restIfIdle();
    try {
      this.rows.merge(await this.parts.decisions.wait(row.id, isOver, this.endSignal));
    } catch (error) {
      if (!this.isCancelled) throw this.closedBy ?? error;
    } finally {
      if (!this.closedBy) this.people--;
    }
  }

  private restIfIdle(): void {
    if (this.people === 0 || this.busy > 0) return;
    setImmediate(() => {
      if (this.people > 0 && this.busy === 0 && this.current === "driving") this.leave("resting", new Parked("Waiting for a person."));
    });
  }

  private leave(phase: "resting" | "closed", reason: Error): void {
    if (this.closedBy) return;
    this.current = phase;
    this.closedBy = reason;
    this.ends.abort(reason);
    this.closes.abort(reason);
  }
}
