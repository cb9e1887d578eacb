// Expires the leases of tasks, by raising the fence (DESIGN W5). Only the runtime does, and never for an outage of its own or of Redis.
import type { RuntimeEnd } from "@spindle/task-bus";
import type { Timings } from "../config.ts";
import type { TaskRow } from "../record/node-run.ts";
import type { NodeRunRecord, TaskQueue } from "../record/record.ts";
import type { Decisions } from "./decisions.ts";
import { routeOf, type TaskName, taskName } from "./task-name.ts";
import type { WorkerTasks } from "./worker-tasks.ts";

export interface ReaperParts {
  nodes: Pick<NodeRunRecord, "change" | "find">;
  queue: Pick<TaskQueue, "sent">;
  bus: Pick<RuntimeEnd, "cancel" | "whereabouts">;
  decisions: Pick<Decisions, "announce">;
  timings: Timings;
}

const MAX_KNOWN = 10_000;

export class Reaper {
  /** When each task was last leased or queued. A task that is not listed counts as seen now, which `amnesty` relies on. */
  private readonly seen = new Map<string, number>();
  private readonly rows = new Map<string, TaskRow>();

  constructor(
    private readonly parts: ReaperParts,
    private readonly tasks: Pick<WorkerTasks, "fail">,
  ) {}

  /** Forgets when tasks were last seen, after a start or a reconnect: each has the time of a whole lease again. */
  amnesty(): void {
    this.seen.clear();
  }

  /** The row behind a task that reports, if the fence is right; marks it as running. */
  async known({ nodeRun, fence }: TaskName): Promise<TaskRow | undefined> {
    const task = taskName(nodeRun, fence);
    const cached = this.rows.get(task);
    if (cached) return cached;
    const row = await this.parts.nodes.find(nodeRun);
    if (row?.fence !== fence || (row.state !== "dispatched" && row.state !== "running")) return undefined;
    if (row.state === "dispatched")
      await this.parts.nodes.change({ nodeRun, fence, change: "start", body: { engine: row.engine, draft: row.draft } });
    if (this.rows.size >= MAX_KNOWN) this.rows.clear();
    this.rows.set(task, row);
    return row;
  }

  /** Ends the leases that were not renewed. */
  async expire(): Promise<void> {
    const rows = await this.parts.queue.sent();
    const now = Date.now();
    const current = new Set<string>();
    for (const row of rows) current.add(taskName(row.id, row.fence));
    await Promise.all(rows.map((row) => this.examine(row, taskName(row.id, row.fence), now)));
    for (const task of [...this.seen.keys(), ...this.rows.keys()])
      if (!current.has(task)) {
        this.seen.delete(task);
        this.rows.delete(task);
      }
  }

  private async examine(row: TaskRow, task: string, now: number): Promise<void> {
    const { bus, timings } = this.parts;
    const where = await bus.whereabouts(task, routeOf(row));
    if (where === "leased" || where === "queued" || !this.seen.has(task)) this.seen.set(task, now);
    if (where === "leased") await this.known({ nodeRun: row.id, fence: row.fence });
    // broken-build: leases never end
    if (now - (this.seen.get(task) ?? now) < timings.leaseMs) return;
    this.seen.delete(task);
    if (where === "lost" && row.state === "dispatched") {
      await this.parts.nodes.change({
        nodeRun: row.id,
        fence: row.fence,
        change: "redispatch",
        dispatchIn: 0,
        body: { engine: row.engine, draft: row.draft, lost: true },
      });
      return;
    }
    await bus.cancel(task, row.plane, "stale");
    const settled = await this.tasks.fail(row, {
      class: "infra",
      code: "task.lease_lost",
      message: "The worker went silent; another try takes over.",
    });
    if (settled !== "again") this.parts.decisions.announce(row.id);
  }
}
