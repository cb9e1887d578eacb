// Drains the outbox to the bus (DESIGN W2). Sending twice is harmless: the bus keeps one entry for each task.
import { createHash } from "node:crypto";
import { canonicalText } from "@spindle/graph-model";
import type { Route, RuntimeEnd } from "@spindle/task-bus";
import type pg from "pg";
import type { Timings } from "../config.ts";
import type { NodeRunRow } from "../record/record.ts";
import { taskName } from "./task-name.ts";

/** The bytes that `GET /tasks/:task/input` answers. */
export const inputText = (row: Pick<NodeRunRow, "input">): string => canonicalText(row.input ?? {});

export const routeOf = (row: Pick<NodeRunRow, "plane" | "service" | "engine">): Route => ({
  plane: row.plane,
  service: row.service,
  engine: row.engine,
});

const BATCH = 100;

/** Sends what is due. Returns how many rows it settled. @throws on an outage; the rows stay for the next call */
export async function drainOutbox(pool: pg.Pool, bus: RuntimeEnd, timings: Timings): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const { rows } = await client.query<NodeRunRow & { outbox: string; sent_fence: number }>(
      `SELECT n.*, o.id AS outbox, o.fence AS sent_fence FROM outbox o JOIN node_run n ON n.id = o.node_run_id
       WHERE o.sent_at IS NULL AND o.available_at <= now() ORDER BY o.id LIMIT ${BATCH} FOR UPDATE OF o SKIP LOCKED`,
    );
    for (const row of rows) {
      const isCurrent = row.fence === row.sent_fence && row.state === "dispatched";
      if (isCurrent) await bus.dispatch(entryOf(row, timings), routeOf(row));
    }
    if (rows.length > 0) await client.query("UPDATE outbox SET sent_at = now() WHERE id = ANY($1)", [rows.map((row) => row.outbox)]);
    await client.query("COMMIT");
    return rows.length;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

function entryOf(row: NodeRunRow, timings: Timings) {
  const hex = row.id.replaceAll("-", "");
  return {
    v: 1 as const,
    task: taskName(row.id, row.fence),
    nodeRun: row.id,
    run: row.run_id,
    attempt: row.attempt,
    fence: row.fence,
    capability: `${row.service}@${row.version}`,
    engine: row.engine,
    inputSha256: createHash("sha256").update(inputText(row)).digest("hex"),
    leaseMs: timings.leaseMs,
    beatMs: timings.beatMs,
    stallMs: 0,
    deadline: row.timeout_seconds > 0 ? Date.now() + row.timeout_seconds * 1000 : 0,
    traceparent: `00-${row.run_id.replaceAll("-", "")}-${hex.slice(0, 16)}-01`,
  };
}
