// What people decide about the queue (docs/decisions/0055): whose tasks go first, and which devices begin nothing new.
import { OPEN_RUN_STATES, type Priority } from "@spindle/schemas";
import type pg from "pg";
import type { TaskRow } from "./node-run.ts";
import type { QueueOrders } from "./record.ts";
import type { PausedDevice } from "./types.ts";

export const PRIORITIES: Record<Priority, number> = { high: 1, normal: 0, low: -1 };

export const priorityOf = (number: number): Priority => (number > 0 ? "high" : number < 0 ? "low" : "normal");

export class PostgresOrders implements QueueOrders {
  constructor(private readonly pool: pg.Pool) {}

  async paused(): Promise<PausedDevice[]> {
    const text = "SELECT device, by, at FROM paused_device ORDER BY at LIMIT 1000";
    return (await this.pool.query<PausedDevice>({ name: "devices-paused", text })).rows;
  }

  async pause(device: string, by: string): Promise<void> {
    await this.pool.query("INSERT INTO paused_device (device, by) VALUES ($1, $2) ON CONFLICT DO NOTHING", [device, by]);
  }

  async resume(device?: string): Promise<void> {
    await this.pool.query("DELETE FROM paused_device WHERE $1::text IS NULL OR device = $1", [device ?? null]);
  }

  async unsent({ id, fence }: Pick<TaskRow, "id" | "fence">): Promise<void> {
    const text = "UPDATE outbox SET sent_at = NULL WHERE node_run_id = $1 AND fence = $2";
    await this.pool.query({ name: "outbox-unsent", text, values: [id, fence] });
  }

  async prioritise(run: string, priority: Priority): Promise<Priority | undefined> {
    const { rows } = await this.pool.query<{ before: number }>(
      `WITH old AS (SELECT id, priority AS before FROM run WHERE id = $1 AND state = ANY($3) FOR UPDATE)
       UPDATE run SET priority = $2 FROM old WHERE run.id = old.id RETURNING old.before`,
      [run, PRIORITIES[priority], OPEN_RUN_STATES],
    );
    return rows[0] && priorityOf(rows[0].before);
  }
}
