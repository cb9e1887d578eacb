// DESIGN W5: only the runtime expires leases, by raising the fence, and never for an outage of its own or of Redis.
import type { NodeRunRow } from "../record/types.ts";
import { routeOf } from "./dispatcher.ts";
import { fail, type SettleContext } from "./settle.ts";
import { type TaskName, taskName } from "./task-name.ts";

const MAX_KNOWN = 10_000;

export class Reaper {
  /** When each task was last seen where it should be. A task that is new here counts as seen now: that is the amnesty. */
  private readonly seen = new Map<string, number>();
  private readonly rows = new Map<string, NodeRunRow>();

  constructor(
    private readonly context: SettleContext,
    private readonly onDecided: (row: NodeRunRow) => void,
  ) {}

  /** After a start or a reconnect nobody is late. */
  amnesty(): void {
    this.seen.clear();
  }

  /** The row behind a task that reports, if the fence is right; marks it as running. */
  async known({ nodeRun, fence }: TaskName): Promise<NodeRunRow | undefined> {
    const task = taskName(nodeRun, fence);
    const cached = this.rows.get(task);
    if (cached) return cached;
    const row = await this.context.record.nodeRun(nodeRun);
    if (row?.fence !== fence || (row.state !== "dispatched" && row.state !== "running")) return undefined;
    if (row.state === "dispatched")
      await this.context.record.change({ nodeRun, fence, change: "start", body: { engine: row.engine, draft: row.draft } });
    if (this.rows.size >= MAX_KNOWN) this.rows.clear();
    this.rows.set(task, row);
    return row;
  }

  /** Ends the leases that were not renewed. */
  async expire(): Promise<void> {
    const rows = await this.context.record.queue.sent();
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

  private async examine(row: NodeRunRow, task: string, now: number): Promise<void> {
    const { bus, timings } = this.context;
    const where = await bus.whereabouts(task, routeOf(row));
    if (where === "leased" || where === "queued" || !this.seen.has(task)) this.seen.set(task, now);
    if (where === "leased") await this.known({ nodeRun: row.id, fence: row.fence });
    // broken-build: leases never end
    if (now - (this.seen.get(task) ?? now) < timings.leaseMs) return;
    this.seen.delete(task);
    if (where === "lost" && row.state === "dispatched") {
      await this.context.record.change({
        nodeRun: row.id,
        fence: row.fence,
        change: "redispatch",
        dispatchIn: 0,
        body: { engine: row.engine, draft: row.draft, lost: true },
      });
      return;
    }
    await bus.cancel(task, row.plane, "stale");
    const settled = await fail(this.context, row, {
      class: "infra",
      code: "task.lease_lost",
      message: "The worker went silent; another try takes over.",
    });
    if (settled !== "again") this.onDecided(row);
  }
}
