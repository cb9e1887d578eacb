// The cancels of what workers have (DESIGN E13): the worker is told, or the task is taken back. A cancel ends in the record though neither
// Redis nor the worker answers, and Redis hears of it later.
import { isEndedNodeState } from "@spindle/schemas";
import type { RuntimeEnd } from "@spindle/task-bus";
import { ImpossibleNodeRun, type TaskRow } from "../record/node-run.ts";
import type { NodeRunRecord, Runs, TaskQueue } from "../record/record.ts";
import type { OpenNodeRun, RecalledTask } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import type { Decisions } from "./decisions.ts";
import { routeOf, taskName } from "./task-name.ts";

export interface CancelsParts {
  nodes: Pick<NodeRunRecord, "change" | "findAll">;
  runs: Pick<Runs, "toCancel">;
  queue: Pick<TaskQueue, "forget" | "recalled" | "settle">;
  bus: Pick<RuntimeEnd, "cancel" | "done" | "whereabouts">;
  decisions: Pick<Decisions, "announce">;
  /** Whether the run is being cancelled. */
  isCancelled: (run: string) => boolean;
}

/** For so long after Redis did not answer it is not asked where tasks are: of a large run each would wait as long. */
const DEAF_MS = 1000;
/** How long a cancel waits for the worker that has the task. One that lives ends it within two seconds; one that was killed never does. */
const UNHEARD_MS = 5000;

export const CANCELLED = { class: "cancelled", code: "run.cancelled" } as const;

export class Cancels {
  /** Node runs that are being cancelled, and since when. */
  private readonly cancelling = new Map<string, number>();
  private deafUntil = 0;
  private isAnyUnsettled = true;

  constructor(private readonly parts: CancelsParts) {}

  /** Whether a try of the node run that fails now is the last. */
  isCancelling(row: TaskRow): boolean {
    return this.parts.isCancelled(row.run_id) || row.cancel_requested === true || this.cancelling.has(row.id);
  }

  /** Called once the node run is over. */
  end(nodeRun: string): void {
    this.cancelling.delete(nodeRun);
  }

  /**
   * Ends what the worker does, or takes the task back if no worker has it yet. Where Redis does not answer, or the worker does not end it,
   * the node run ends in the record, and `recall` tells Redis later.
   */
  async cancel(row: OpenNodeRun): Promise<void> {
    const since = this.cancelling.get(row.id) ?? Date.now();
    this.cancelling.set(row.id, since);
    if ((await this.tellWorker(row)) && Date.now() - since < UNHEARD_MS) return;
    const { nodes, decisions } = this.parts;
    const error = { ...CANCELLED, message: "Cancelled before a worker ended it." };
    const moved = await nodes.change({ nodeRun: row.id, fence: row.fence, change: "cancel", error });
    this.isAnyUnsettled = true;
    if (moved) this.cancelling.delete(row.id); // else another try has begun, or it has ended: `cancelAgain` looks
    decisions.announce(row.id);
    if (moved) await this.withdraw(row).catch(() => {}); // else `recall` does it
  }

  /** Tells the worker that has a task to end it; false if none has it, or Redis does not answer. */
  private async tellWorker(row: OpenNodeRun): Promise<boolean> {
    if (Date.now() < this.deafUntil) return false;
    const { bus } = this.parts;
    const task = taskName(row.id, row.fence);
    try {
      const where = await bus.whereabouts(task, routeOf(row));
      if (where !== "leased" && where !== "taken") return false;
      await bus.cancel(task, row.plane);
      return true;
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.deafUntil = Date.now() + DEAF_MS;
      return false;
    }
  }

  /** Takes a task off the bus that is nobody's any more; a worker that has it hears that. */
  private async withdraw(row: RecalledTask): Promise<void> {
    const { bus } = this.parts;
    const task = taskName(row.id, row.fence);
    await bus.cancel(task, row.plane, "stale");
    await bus.done(task, routeOf(row));
  }

  /** Cancels once more what is being cancelled and has not ended: Redis may have lost the mark, and a failed try may have been repeated. */
  async cancelAgain(): Promise<void> {
    for (const { id, plane, state } of await this.parts.runs.toCancel())
      if (plane !== "node" && state !== "queued" && state !== "waiting" && !this.cancelling.has(id)) this.cancelling.set(id, Date.now());
    if (this.cancelling.size === 0) return;
    const rows = await this.parts.nodes.findAll([...this.cancelling.keys()]);
    const open = rows.flatMap((row) => (row instanceof ImpossibleNodeRun || isEndedNodeState(row.state) ? [] : [row]));
    // A row that cannot be ends with its lease, and has no other try.
    const ids = new Set(
      rows.flatMap((row) => (row instanceof ImpossibleNodeRun ? row.nodeRun : isEndedNodeState(row.state) ? [] : row.id)),
    );
    for (const id of this.cancelling.keys()) if (!ids.has(id)) this.cancelling.delete(id);
    for (const row of open) await this.cancel(row);
  }

  /** Tells Redis of the tasks that were cancelled in the record alone, and takes those out of the queue that it never had. */
  async recall(): Promise<void> {
    const { queue } = this.parts;
    if (this.isAnyUnsettled) {
      this.isAnyUnsettled = false;
      await queue.settle().catch((error) => {
        this.isAnyUnsettled = true;
        throw error;
      });
    }
    for (let tasks = await queue.recalled(); tasks.length > 0; tasks = await queue.recalled()) {
      await Promise.all(tasks.map((task) => this.withdraw(task)));
      await queue.forget(tasks);
    }
  }
}
