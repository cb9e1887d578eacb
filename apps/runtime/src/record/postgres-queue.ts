// Tasks on their way to workers, in PostgreSQL (DESIGN E14, W2). They wait here, where the order may still change; only the next few are
// on the bus.
import type pg from "pg";
import { transaction } from "../store/database.ts";
import type { TaskRow } from "./node-run.ts";
import type { TaskQueue } from "./record.ts";
import type { QueuedTask, RecalledTask, StandingTask, Took } from "./types.ts";

/**
 * Tasks that are due, with about the `place` in the queue of their route: by priority, then one of each person in turn, of each of their runs in
 * turn. Whose turn it is at the very front says `tasks/fair-share.ts`.
 */
const POSITIONS = `WITH due AS (
    SELECT o.id, n.run_id, n.plane, n.service, n.version, n.engine, r.priority, r.submitter,
      row_number() OVER (PARTITION BY n.run_id, n.plane, n.service, n.version, n.engine ORDER BY o.id) AS of_run
    FROM outbox o JOIN node_run n ON n.id = o.node_run_id JOIN run r ON r.id = n.run_id
    WHERE o.sent_at IS NULL AND o.available_at <= now() AND n.state IN ('dispatched','running') AND n.fence = o.fence
  ), turns AS (
    SELECT *, row_number() OVER (PARTITION BY priority, submitter, plane, service, version, engine ORDER BY of_run, id) AS of_person FROM due
  ), placed AS (
    SELECT *, row_number() OVER (PARTITION BY plane, service, version, engine ORDER BY priority DESC, of_person, id) AS place FROM turns
  )`;

const STANDING_SQL = `${POSITIONS}
  SELECT n.id, n.run_id, n.node_id, n.path, n.plane, n.service, n.version, n.engine, n.state, n.fence,
    extract(epoch FROM now() - n.started_at) * 1000 AS spent
  FROM node_run n JOIN outbox o ON o.node_run_id = n.id AND o.fence = n.fence LEFT JOIN placed p ON p.id = o.id
  WHERE n.state = 'running' OR (n.state = 'dispatched' AND (o.sent_at IS NOT NULL OR p.id IS NOT NULL))
  ORDER BY p.place NULLS FIRST, o.id LIMIT 5000`;

const ORDER_SQL = `${POSITIONS}
  SELECT id AS outbox, plane, service, version, engine, run_id, priority, submitter FROM placed WHERE place <= $1 ORDER BY place`;

/** The node runs are locked as well: what is cancelled meanwhile waits, and is then taken off the bus again. */
const DUE_SQL = `SELECT n.*, o.id AS outbox, o.fence AS sent_fence FROM outbox o JOIN node_run n ON n.id = o.node_run_id
  WHERE o.id = ANY($1) AND o.sent_at IS NULL FOR UPDATE OF o, n SKIP LOCKED`;

const SENT_SQL = `WITH sent AS (UPDATE outbox SET sent_at = COALESCE(sent_at, now()) WHERE node_run_id = $1 AND fence = $2)
  SELECT state IN ('dispatched', 'running') AND fence = $2 AS current FROM node_run WHERE id = $1`;

const SETTLE_SQL = `UPDATE outbox o SET sent_at = now() FROM node_run n
  WHERE n.id = o.node_run_id AND o.sent_at IS NULL AND (n.state NOT IN ('dispatched','running') OR n.fence <> o.fence)`;

const SENT_TASKS_SQL = `SELECT n.* FROM node_run n JOIN outbox o ON o.node_run_id = n.id AND o.fence = n.fence
  WHERE n.state IN ('dispatched','running') AND o.sent_at IS NOT NULL`;

type DueRow = TaskRow & { outbox: string; sent_fence: number };

export class PostgresQueue implements TaskQueue {
  constructor(private readonly pool: pg.Pool) {}

  async due(most: number): Promise<QueuedTask[]> {
    return (await this.pool.query<QueuedTask>({ name: "outbox-order", text: ORDER_SQL, values: [most] })).rows;
  }

  send(tasks: readonly string[], send: (rows: readonly TaskRow[]) => Promise<void>): Promise<number> {
    return transaction(this.pool, async (client) => {
      const { rows } = await client.query<DueRow>({ name: "outbox-due", text: DUE_SQL, values: [tasks] });
      const place = new Map(tasks.map((id, index) => [id, index]));
      const current = rows.filter((row) => row.fence === row.sent_fence && row.state === "dispatched");
      await send(current.sort((a, b) => (place.get(a.outbox) ?? 0) - (place.get(b.outbox) ?? 0)));
      if (rows.length > 0) await client.query("UPDATE outbox SET sent_at = now() WHERE id = ANY($1)", [rows.map(({ outbox }) => outbox)]);
      return rows.length;
    });
  }

  async markSent({ id, fence }: Pick<TaskRow, "id" | "fence">): Promise<boolean> {
    const { rows } = await this.pool.query<{ current: boolean }>({ name: "outbox-sent", text: SENT_SQL, values: [id, fence] });
    return rows[0]?.current !== false;
  }

  async standing(): Promise<StandingTask[]> {
    return (await this.pool.query<StandingTask>({ name: "queue-standing", text: STANDING_SQL })).rows;
  }

  async sent(): Promise<TaskRow[]> {
    return (await this.pool.query<TaskRow>({ name: "queue-sent", text: SENT_TASKS_SQL })).rows;
  }

  async settle(): Promise<void> {
    await this.pool.query({ name: "queue-settle", text: SETTLE_SQL });
  }

  async recalled(): Promise<RecalledTask[]> {
    const text = `SELECT n.id, n.run_id, r.fence, n.plane, n.service, n.version, n.engine FROM recall r JOIN node_run n ON n.id = r.node_run_id LIMIT 200`;
    return (await this.pool.query<RecalledTask>({ name: "queue-recalled", text })).rows;
  }

  async forget(tasks: readonly RecalledTask[]): Promise<void> {
    const text = `DELETE FROM recall r USING unnest($1::uuid[], $2::int[]) AS t(id, fence) WHERE r.node_run_id = t.id AND r.fence = t.fence`;
    await this.pool.query({ name: "queue-forget", text, values: [tasks.map(({ id }) => id), tasks.map(({ fence }) => fence)] });
  }

  async durations(of: readonly { service: string; engine: string }[]): Promise<Map<string, Took>> {
    const { rows } = await this.pool.query<{ service: string; engine: string; times: number[] }>(
      `SELECT a.service, a.engine, m.times FROM (SELECT DISTINCT service, engine FROM jsonb_to_recordset($1::jsonb) AS x(service text, engine text)) a,
         LATERAL (SELECT percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY t.ms) AS times FROM (
           SELECT extract(epoch FROM n.finished_at - COALESCE(n.started_at, n.finished_at))::float8 * 1000 AS ms FROM node_run n
           WHERE n.service = a.service AND n.engine = a.engine AND n.state = 'succeeded' AND n.reused_from IS NULL AND (n.started_at IS NOT NULL OR n.plane <> 'node')
           ORDER BY n.finished_at DESC LIMIT 100) t) m WHERE m.times[1] IS NOT NULL`,
      [JSON.stringify(of)],
    );
    return new Map(rows.map(({ service, engine, times: [low = 0, ms = 0, high = 0] }) => [`${service}\n${engine}`, { low, ms, high }]));
  }
}
