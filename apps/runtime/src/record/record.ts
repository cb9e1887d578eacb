// The record of runs. Each change is one statement: the fenced row, its event, its result and its outbox row together.
import { EventEmitter } from "node:events";
import type { ArtifactRef, RunEvent } from "@spindle/schemas";
import type pg from "pg";
import { CHANGES, type ChangeName, type NodeState, type RunState } from "./states.ts";

export interface NodeRunRow {
  id: string;
  run_id: string;
  node_id: string;
  path: string;
  state: NodeState;
  attempt: number;
  fence: number;
  crashes: number;
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeout_seconds: number;
  input: Record<string, unknown> | null;
  error: Record<string, unknown> | null;
  broken: boolean;
}

export interface NodeChange {
  nodeRun: string;
  fence: number;
  change: ChangeName;
  body?: Record<string, unknown>;
  input?: Record<string, unknown>;
  error?: Record<string, unknown>;
  broken?: boolean;
  output?: Record<string, unknown>;
  artifacts?: { key: string; ref: ArtifactRef }[];
  /** Write an outbox row that is due after so many milliseconds. */
  dispatchIn?: number;
}

const CHANGE_SQL = `
WITH moved AS (
  UPDATE node_run SET state = $4, fence = fence + $5, attempt = attempt + $6, crashes = crashes + $7, changed_at = now(),
    input = COALESCE($8::jsonb, input), error = CASE WHEN $4 IN ('failed','dead','cancelled','skipped') THEN $9::jsonb ELSE NULL END, broken = $10, lease_until = NULL,
    started_at = CASE WHEN $4 = 'running' THEN COALESCE(started_at, now()) ELSE started_at END,
    finished_at = CASE WHEN $4 IN ('succeeded','skipped','failed','cancelled','dead') THEN now() END
  WHERE id = $1 AND fence = $2 AND state = ANY($3) RETURNING *
), counted AS (
  UPDATE run SET last_seq = last_seq + 1 FROM moved WHERE run.id = moved.run_id RETURNING run.last_seq
), event AS (
  INSERT INTO run_event (run_id, seq, type, node, path, attempt, body)
  SELECT run_id, last_seq, $11, node_id, path, attempt, $12::jsonb FROM moved, counted RETURNING at
), result AS (
  INSERT INTO node_result (node_run_id, fence, output) SELECT id, fence, $13::jsonb FROM moved WHERE $13::jsonb IS NOT NULL
), kept AS (
  INSERT INTO artifact (id, key, mime, size, sha256, name, width, height, duration, node_run_id, purpose)
  SELECT a.artifact, COALESCE((SELECT old.key FROM artifact old WHERE old.sha256 = a.sha256 AND old.size = a.size ORDER BY old.created_at LIMIT 1), a.key),
    a.mime, a.size, a.sha256, a.name, a.width, a.height, a.duration, moved.id, 'output'
  FROM moved, jsonb_to_recordset($14::jsonb) AS a(artifact uuid, key text, mime text, size bigint, sha256 text, name text, width int, height int, duration float8)
  ON CONFLICT (id) DO NOTHING
), posted AS (
  INSERT INTO outbox (node_run_id, fence, available_at) SELECT id, fence, now() + $15 * interval '1 millisecond' FROM moved WHERE $15::int IS NOT NULL
)
SELECT moved.*, counted.last_seq, event.at FROM moved, counted, event`;

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

export interface NewNodeRun {
  id: string;
  nodeId: string;
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeoutSeconds: number;
}

export interface NewRun {
  id: string;
  revision: string;
  graph?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
  nodes: NewNodeRun[];
}

export interface RunRow {
  id: string;
  revision_id: string;
  state: RunState;
  inputs: Record<string, unknown>;
  owner: string | null;
  cancel_requested: boolean;
}

export class RunRecord {
  /** Says that a run has new events; a hint, never the truth. */
  readonly changed = new EventEmitter().setMaxListeners(0);
  stale = 0;

  constructor(readonly pool: pg.Pool) {}

  /** The changed row, or undefined if the change came under an old fence or from a state that does not allow it. */
  async change(one: NodeChange): Promise<NodeRunRow | undefined> {
    const rule: { from: readonly string[]; to: string; event: string; raisesFence?: true; counts?: string } = CHANGES[one.change];
    const counts = rule.counts;
    const { rows } = await this.pool.query<NodeRunRow>({
      name: "node-change",
      text: CHANGE_SQL,
      values: [
        one.nodeRun,
        one.fence,
        rule.from,
        rule.to,
        rule.raisesFence ? 1 : 0,
        counts ? 1 : 0,
        counts === "crash" ? 1 : 0,
        json(one.input),
        json(one.error),
        one.broken ?? false,
        rule.event,
        JSON.stringify(one.body ?? {}),
        json(one.output),
        JSON.stringify((one.artifacts ?? []).map(({ key, ref }) => ({ ...ref, key }))),
        one.dispatchIn ?? null,
      ],
    });
    const row = rows[0];
    if (!row) this.stale++;
    else this.changed.emit(row.run_id);
    return row;
  }

  async create(run: NewRun): Promise<void> {
    const client = await this.pool.connect();
    try {
      await client.query("BEGIN");
      await client.query(
        `INSERT INTO run (id, revision_id, graph_id, title, template, state, inputs, last_seq) VALUES ($1,$2,$3,$4,$5,'queued',$6,1)`,
        [run.id, run.revision, run.graph ?? null, run.title, run.template ?? null, JSON.stringify(run.inputs)],
      );
      await client.query(
        `INSERT INTO node_run (id, run_id, node_id, path, state, plane, service, version, engine, draft, timeout_seconds)
         SELECT n.id, $1, n."nodeId", n."nodeId", 'queued', n.plane, n.service, n.version, n.engine, n.draft, n."timeoutSeconds"
         FROM jsonb_to_recordset($2::jsonb) AS n(id uuid, "nodeId" text, plane text, service text, version text, engine text, draft boolean, "timeoutSeconds" int)`,
        [run.id, JSON.stringify(run.nodes)],
      );
      await client.query(`INSERT INTO run_event (run_id, seq, type, body) VALUES ($1, 1, 'run.queued', '{}')`, [run.id]);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      throw error;
    } finally {
      client.release();
    }
    this.changed.emit(run.id);
  }

  /** Changes a run's state with its event; false if it was not in one of `from`. */
  async changeRun(
    id: string,
    from: readonly RunState[],
    to: RunState,
    more: { outputs?: Record<string, unknown>; error?: Record<string, unknown> } = {},
  ): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET state = $3, last_seq = last_seq + 1, outputs = COALESCE($4::jsonb, outputs), error = COALESCE($5::jsonb, error),
         started_at = CASE WHEN $3 = 'running' THEN COALESCE(started_at, now()) ELSE started_at END,
         finished_at = CASE WHEN $3 IN ('succeeded','failed','cancelled') THEN now() END
         WHERE id = $1 AND state = ANY($2) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.' || $3, $6::jsonb FROM moved`,
      [id, from, to, json(more.outputs), json(more.error), JSON.stringify(more.error ? { error: more.error } : {})],
    );
    this.changed.emit(id);
    return rowCount === 1;
  }

  /** Marks the run; false if it has ended. */
  async requestCancel(id: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET cancel_requested = true, last_seq = last_seq + 1 WHERE id = $1 AND NOT cancel_requested AND state IN ('queued','running','waiting') RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.cancelling', '{}' FROM moved`,
      [id],
    );
    this.changed.emit(id);
    return rowCount === 1;
  }

  /** Takes runs that nobody owns, or whose owner is silent; one statement, so two runtimes never get the same one. */
  async claim(owner: string, leaseMs: number): Promise<RunRow[]> {
    const { rows } = await this.pool.query<RunRow>(
      `UPDATE run SET owner = $1, lease_until = now() + $2 * interval '1 millisecond'
       WHERE id IN (SELECT id FROM run WHERE state IN ('queued','running') AND (owner IS NULL OR lease_until < now()) ORDER BY created_at LIMIT 50 FOR UPDATE SKIP LOCKED) RETURNING *`,
      [owner, leaseMs],
    );
    return rows;
  }

  /** Renews this owner's leases. Returns the runs that are still its own. */
  async renew(owner: string, leaseMs: number): Promise<Set<string>> {
    const { rows } = await this.pool.query<{ id: string }>(
      `UPDATE run SET lease_until = now() + $2 * interval '1 millisecond' WHERE owner = $1 AND state IN ('queued','running') RETURNING id`,
      [owner, leaseMs],
    );
    return new Set(rows.map((row) => row.id));
  }

  async nodeRuns(run: string): Promise<(NodeRunRow & { output: Record<string, unknown> | null })[]> {
    const { rows } = await this.pool.query(
      `SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.run_id = $1`,
      [run],
    );
    return rows;
  }

  async nodeRun(id: string): Promise<(NodeRunRow & { output: Record<string, unknown> | null }) | undefined> {
    const { rows } = await this.pool.query(
      `SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = $1`,
      [id],
    );
    return rows[0];
  }

  async events(run: string, since: number): Promise<RunEvent[]> {
    const { rows } = await this.pool.query(`SELECT * FROM run_event WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000`, [run, since]);
    return rows.map((row) => ({
      run: row.run_id,
      seq: row.seq,
      type: row.type,
      at: row.at.toISOString(),
      ...(row.node ? { node: row.node, path: row.path, attempt: row.attempt } : {}),
      body: row.body,
    }));
  }
}
