// Says when the lease of a task is over (DESIGN W5). Only the runtime does, and never for an outage of its own or of Redis. What becomes of
// the task then is the affair of worker-tasks.ts, which raises its fence.
import type { RuntimeEnd } from "@spindle/task-bus";
import type { Timings } from "../config.ts";
import type { TaskRow } from "../record/node-run.ts";
import type { TaskQueue } from "../record/record.ts";
import { routeOf, taskName } from "./task-name.ts";
import type { WorkerTasks } from "./worker-tasks.ts";

export interface ReaperParts {
  queue: Pick<TaskQueue, "sent">;
  bus: Pick<RuntimeEnd, "whereabouts">;
  timings: Timings;
}

export class Reaper {
  /** When each task was last leased or queued. A task that is not listed counts as seen now, which `amnesty` relies on. */
  private readonly seen = new Map<string, number>();
  /** Since when the workers of running tasks have been silent, by task. */
  private readonly silent = new Map<string, number>();

  constructor(
    private readonly parts: ReaperParts,
    private readonly tasks: Pick<WorkerTasks, "begin" | "forget" | "giveUp" | "sendAgain">,
  ) {}

  /** Forgets when tasks were last seen, after a start or a reconnect: each has the time of a whole lease again. */
  amnesty(): void {
    this.seen.clear();
  }

  /** Since when the worker of a running task has not renewed its lease; undefined while it does. */
  silentSince({ id, fence }: Pick<TaskRow, "id" | "fence">): Date | undefined {
    const since = this.silent.get(taskName(id, fence));
    return since === undefined ? undefined : new Date(since);
  }

  /** Ends the leases that were not renewed. */
  async expire(): Promise<void> {
    const rows = await this.parts.queue.sent();
    const now = Date.now();
    const current = new Set<string>();
    for (const row of rows) current.add(taskName(row.id, row.fence));
    await Promise.all(rows.map((row) => this.examine(row, taskName(row.id, row.fence), now)));
    for (const map of [this.seen, this.silent]) for (const task of map.keys()) if (!current.has(task)) map.delete(task);
    this.tasks.forget(current);
  }

  private async examine(row: TaskRow, task: string, now: number): Promise<void> {
    const { bus, timings } = this.parts;
    const where = await bus.whereabouts(task, routeOf(row));
    if (where === "leased" || where === "queued" || !this.seen.has(task)) this.seen.set(task, now);
    if (where === "leased" || row.state !== "running") this.silent.delete(task);
    else if (!this.silent.has(task)) this.silent.set(task, now);
    if (where === "leased") await this.tasks.begin({ nodeRun: row.id, fence: row.fence });
    // broken-build: leases never end
    if (now - (this.seen.get(task) ?? now) < timings.leaseMs) return;
    this.seen.delete(task);
    await (where === "lost" && row.state === "dispatched" && !row.cancel_requested ? this.tasks.sendAgain(row) : this.tasks.giveUp(row));
  }
}
