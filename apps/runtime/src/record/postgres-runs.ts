// Runs, and which runtime drives them, in PostgreSQL.
import type { EventEmitter } from "node:events";
import { ENDED_RUN_STATES, OPEN_RUN_STATES, RUN_CHANGES, type RunEvent, type RunEventError, type RunState } from "@spindle/schemas";
import type pg from "pg";
import { transaction } from "../store/database.ts";
import { RELEASE_NUMBER } from "../store/release.ts";
import { storable, storableName } from "../store/storable.ts";
import { type NodeRunRow, nodeRunOf, type RawNodeRun } from "./node-run.ts";
import { ADD_NODES } from "./postgres-node-runs.ts";
import { PRIORITIES } from "./postgres-orders.ts";
import { type LeasedRun, MOST_DEATHS, type RunLeases, type Runs } from "./record.ts";
import type { NewRun, OpenNodeRun, RunRow } from "./types.ts";

/** With so many deaths a run is tried alone: the next one ends it, if no other run can be why. */
const LAST_TRIAL = MOST_DEATHS - 1;

const { create: CREATE, start: START, park: PARK, wake: WAKE } = RUN_CHANGES;
const listed = (states: readonly RunState[]): string => states.map((state) => `'${state}'`).join(",");

/** Lets a run that rests be claimed: the statement that wakes `$1`, but for what stands before it. */
const WOKEN = (condition = ""): string =>
  `moved AS (UPDATE run SET state = '${WAKE.to}', owner = NULL, last_seq = last_seq + 1
     WHERE id = $1 AND state IN (${listed(WAKE.from)}) ${condition} RETURNING id, last_seq)
   INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, '${WAKE.event}', '{}' FROM moved`;

const json = (value: unknown): string | null => (value === undefined ? null : storable(value));

export class PostgresRuns implements Runs {
  constructor(
    private readonly pool: pg.Pool,
    private readonly changed: EventEmitter,
  ) {}

  async create(run: NewRun): Promise<NodeRunRow[]> {
    const { rows } = await this.pool.query<RawNodeRun>({
      name: "run-create",
      text: `WITH made AS (
        INSERT INTO run (id, revision_id, graph_id, title, template, inputs, engines, options, owner, submitter, priority, request_key, request_hash, definitions, fence, state, last_seq, started_at)
        SELECT $1,$2,$3,$4,$5,$6,$7,$9,$10::text,$11,$12::smallint,$13,$14,$15, CASE WHEN o THEN 1 ELSE 0 END, CASE WHEN o THEN '${START.to}' ELSE '${CREATE.to}' END,
          CASE WHEN o THEN 2 ELSE 1 END, CASE WHEN o THEN now() END FROM (SELECT $10::text IS NOT NULL AS o) owned
      ), event AS (
        INSERT INTO run_event (run_id, seq, type, body)
        SELECT $1, e.seq, e.type, '{}' FROM (VALUES (1, '${CREATE.event}'), (2, '${START.event}')) e(seq, type) WHERE e.seq = 1 OR $10::text IS NOT NULL
      ) ${ADD_NODES} RETURNING *`
        .replace("$run", "$1")
        .replace("$nodes", "$8"),
      values: [
        run.id,
        run.revision,
        run.graph ?? null,
        storableName(run.title),
        run.template ?? null,
        storable(run.inputs),
        storable(run.engines),
        JSON.stringify(run.nodes),
        JSON.stringify(run.options),
        run.owner ?? null,
        storableName(run.submitter),
        PRIORITIES[run.options.priority ?? "normal"],
        run.request?.key ?? null,
        run.request?.hash ?? null,
        JSON.stringify(run.definitions),
      ],
    });
    this.changed.emit(run.id);
    return rows.map(nodeRunOf);
  }

  async change(
    { id, fence }: Pick<RunRow, "id" | "fence">,
    ...[change, more]:
      | [change: "start", more?: undefined]
      | [change: "succeed", more: { outputs: Record<string, unknown> }]
      | [change: "fail" | "cancel", more: { error: RunEventError; outputs?: Record<string, unknown> }]
  ): Promise<boolean> {
    const { outputs, error }: { outputs?: Record<string, unknown>; error?: RunEventError } = more ?? {};
    const { from, to, event }: { from: readonly RunState[]; to: RunState; event: RunEvent["type"] } = RUN_CHANGES[change];
    const { rowCount } = await this.pool.query({
      name: "run-change",
      text: `WITH moved AS (UPDATE run SET state = $3, last_seq = last_seq + 1, outputs = COALESCE($4::jsonb, outputs), error = COALESCE($5::jsonb, error),
         started_at = CASE WHEN $3 = '${START.to}' THEN COALESCE(started_at, now()) ELSE started_at END,
         finished_at = CASE WHEN $3 = ANY($9) THEN now() END
         WHERE id = $1 AND state = ANY($2) AND fence = $7 RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, $8, $6::jsonb FROM moved`,
      values: [id, from, to, json(outputs), json(error), storable(error ? { error } : {}), fence, event, ENDED_RUN_STATES],
    });
    this.changed.emit(id);
    return rowCount === 1;
  }

  // A run that rests is woken by the same statement: whatever dies after it, somebody claims the run.
  async requestCancel(id: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH before AS (SELECT id, state IN (${listed(WAKE.from)}) AS rests FROM run WHERE id = $1 AND NOT cancel_requested AND state = ANY($2) FOR UPDATE),
         moved AS (UPDATE run SET cancel_requested = true, state = CASE WHEN rests THEN '${WAKE.to}' ELSE state END,
             owner = CASE WHEN rests THEN NULL ELSE owner END, last_seq = last_seq + CASE WHEN rests THEN 2 ELSE 1 END
           FROM before WHERE run.id = before.id RETURNING run.id, last_seq, rests)
       INSERT INTO run_event (run_id, seq, type, body)
         SELECT id, last_seq - CASE WHEN rests THEN 1 - e.at ELSE 0 END, e.type, '{}'
         FROM moved JOIN (VALUES (0, 'run.cancelling'), (1, '${WAKE.event}')) e(at, type) ON rests OR e.at = 0`,
      [id, OPEN_RUN_STATES],
    );
    this.changed.emit(id);
    if (rowCount) return true;
    const text = "SELECT FROM run WHERE id = $1 AND cancel_requested AND state = ANY($2)";
    return (await this.pool.query(text, [id, OPEN_RUN_STATES])).rowCount === 1;
  }

  // The run's row is locked before the count is taken: an answer writes that row too, so it is either counted, or finds the run at
  // rest and wakes it.
  async park({ id, fence }: Pick<RunRow, "id" | "fence">, waiting: number): Promise<boolean> {
    return transaction(this.pool, async (client) => {
      await client.query("SELECT 1 FROM run WHERE id = $1 FOR UPDATE", [id]);
      const { rowCount } = await client.query(
        `WITH moved AS (UPDATE run SET state = '${PARK.to}', owner = NULL, deaths = 0, last_seq = last_seq + 1
           WHERE id = $1 AND fence = $2 AND state IN (${listed(PARK.from)}) AND NOT cancel_requested
             AND (SELECT count(*) FROM node_run n WHERE n.run_id = $1 AND (n.state = 'waiting' OR (n.held = 'after' AND NOT n.passed))) = $3
           RETURNING id, last_seq)
         INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, '${PARK.event}', '{}' FROM moved`,
        [id, fence, waiting],
      );
      this.changed.emit(id);
      return rowCount === 1;
    });
  }

  async requestNodeCancels(run: string, ids: readonly string[]): Promise<void> {
    // The node runs before their run, as in every change of them.
    const asked = "UPDATE node_run SET cancel_requested = true WHERE run_id = $1 AND id = ANY($2) AND finished_at IS NULL RETURNING id";
    await this.pool.query(`WITH asked AS (${asked}), ${WOKEN("AND (SELECT count(*) FROM asked) > 0")}`, [run, ids]);
    this.changed.emit(run);
  }

  async toCancel(): Promise<(OpenNodeRun & { owner: string | null })[]> {
    const { rows } = await this.pool.query<OpenNodeRun & { owner: string | null }>({
      name: "node-runs-to-cancel",
      text: `SELECT n.id, n.run_id, n.fence, n.state, n.plane, n.service, n.version, n.engine, r.owner FROM node_run n JOIN run r ON r.id = n.run_id
             WHERE n.cancel_requested AND n.finished_at IS NULL LIMIT 1000`,
    });
    return rows;
  }

  async wake(id: string): Promise<void> {
    await this.pool.query(`WITH ${WOKEN()}`, [id]);
    this.changed.emit(id);
  }

  async frozenOf(id: string): Promise<Pick<RunRow, "engines" | "definitions">> {
    const text = "SELECT engines, definitions FROM run WHERE id = $1";
    const { rows } = await this.pool.query<Pick<RunRow, "engines" | "definitions">>(text, [id]);
    return rows[0] ?? { engines: {}, definitions: null };
  }
}

export class PostgresLeases implements RunLeases {
  constructor(private readonly pool: pg.Pool) {}

  async claim(owner: string, suspects = false): Promise<RunRow[]> {
    await this.bury(owner);
    // The lease is looked up and not joined: of a run that another runtime claims at this moment PostgreSQL asks the conditions again,
    // but with what it had joined for the former owner. Every runtime that died is buried, so that one with a row is alive.
    // broken-build: a runtime that died keeps its runs
    const unowned = "(r.owner IS NULL OR NOT EXISTS (SELECT FROM runtime o WHERE o.id = r.owner))";
    const free = `r.state IN ('queued','running') AND ${unowned}`;
    const isLastTrial = `EXISTS (SELECT FROM run w WHERE w.state IN ('queued','running') AND w.deaths = ${LAST_TRIAL})`;
    const few = `(r.deaths < 1 OR r.cancel_requested OR r.deaths = 1 AND NOT ${isLastTrial})`;
    const chosen = suspects
      ? `WITH most AS (SELECT r.deaths, CASE WHEN r.deaths < ${LAST_TRIAL} THEN LEAST((count(*) + 1) / 2, 50) ELSE 1 END AS half
           FROM run r WHERE ${free} AND NOT ${few} GROUP BY r.deaths ORDER BY r.deaths DESC LIMIT 1)
         SELECT r.id FROM run r WHERE ${free} AND NOT ${few} AND r.deaths = (SELECT deaths FROM most)
         ORDER BY r.created_at, r.id LIMIT (SELECT half FROM most) FOR UPDATE OF r SKIP LOCKED`
      : `SELECT r.id FROM run r WHERE ${free} AND ${few} ORDER BY r.created_at LIMIT 50 FOR UPDATE OF r SKIP LOCKED`;
    const { rows } = await this.pool.query<RunRow>(
      `UPDATE run SET owner = $1, fence = fence + 1 FROM (${chosen}) c WHERE run.id = c.id RETURNING run.*`,
      [owner],
    );
    return rows;
  }

  /**
   * Forgets the other runtimes whose lease has run out, and counts their deaths under the runs that they drove; all of a runtime's at
   * once, since who is to blame depends on what it drove beside. The rows are locked in the order in which changes lock them.
   */
  private async bury(mourner: string): Promise<void> {
    await this.pool.query(
      `WITH dead AS (DELETE FROM runtime WHERE lease_until < now() AND id <> $1 RETURNING id),
         driven AS (SELECT r.id, r.owner, r.deaths FROM run r JOIN dead ON dead.id = r.owner
           WHERE r.state IN ('queued','running') ORDER BY r.id FOR UPDATE OF r),
         judged AS (SELECT id, deaths < 0 AND bool_or(deaths > 0 AND deaths < ${LAST_TRIAL}) OVER beside AS innocent,
           count(*) FILTER (WHERE deaths <> 0) OVER beside AS counted,
           count(*) FILTER (WHERE deaths <> 0 AND deaths <> -${LAST_TRIAL}) OVER beside AS possible
           FROM driven WINDOW beside AS (PARTITION BY owner))
       UPDATE run SET deaths = abs(deaths) + CASE WHEN innocent THEN 0
           WHEN deaths = ${LAST_TRIAL} AND possible > 1 OR deaths = -${LAST_TRIAL} AND counted > 1 THEN 0 ELSE 1 END
         FROM judged WHERE run.id = judged.id`,
      [mourner],
    );
  }

  async clear(owner: string, runs: readonly string[]): Promise<void> {
    await this.pool.query(
      `UPDATE run SET deaths = -run.deaths FROM (SELECT id FROM run WHERE owner = $1 AND id = ANY($2) AND deaths > 0 ORDER BY id FOR UPDATE) c
         WHERE run.id = c.id`,
      [owner, runs],
    );
  }

  async lives({ id, fence }: Pick<RunRow, "id" | "fence">): Promise<void> {
    await this.pool.query("UPDATE run SET deaths = deaths - sign(deaths) WHERE id = $1 AND fence > $2", [id, fence]);
  }

  async renew(owner: string, leaseMs: number): Promise<Map<string, LeasedRun>> {
    // The row is changed or waited for, if it is being deleted: only then is it known whether this runtime was buried, though it lives.
    const lease = [owner, leaseMs];
    const text = "UPDATE runtime SET lease_until = now() + $2 * interval '1 millisecond' WHERE id = $1";
    if ((await this.pool.query(text, lease)).rowCount === 0)
      await this.pool.query(
        `WITH own AS (SELECT id FROM run WHERE owner = $1 AND state IN ('queued','running') ORDER BY id FOR UPDATE),
           alive AS (UPDATE run SET deaths = deaths - sign(deaths) FROM own WHERE run.id = own.id)
         INSERT INTO runtime (id, lease_until, release) VALUES ($1, now() + $2 * interval '1 millisecond', $3)
         ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until`,
        [...lease, RELEASE_NUMBER],
      );
    const { rows } = await this.pool.query<Pick<RunRow, "id" | "fence" | "cancel_requested"> & { deaths: number }>(
      `SELECT id, fence, cancel_requested, deaths FROM run WHERE owner = $1 AND state IN ('queued','running')`,
      [owner],
    );
    return new Map(rows.map(({ id, fence, cancel_requested, deaths }) => [id, { fence, cancelRequested: cancel_requested, deaths }]));
  }

  async own(owner: string, runs: readonly string[]): Promise<RunRow[]> {
    const text = "SELECT * FROM run WHERE owner = $1 AND id = ANY($2) AND state IN ('queued','running')";
    return (await this.pool.query<RunRow>(text, [owner, runs])).rows;
  }

  async leave(owner: string): Promise<void> {
    await this.pool.query("DELETE FROM runtime WHERE id = $1", [owner]);
  }
}
