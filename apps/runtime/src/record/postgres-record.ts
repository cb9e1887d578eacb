// The record of runs, in PostgreSQL. Each change is one statement: the fenced row, its event, its result and its outbox row together.
import { EventEmitter } from "node:events";
import {
  ENDED_RUN_STATES,
  OPEN_RUN_STATES,
  type Priority,
  RUN_CHANGES,
  type RunEvent,
  type RunEventError,
  type RunState,
} from "@spindle/schemas";
import type pg from "pg";
import { transaction } from "../store/database.ts";
import { RELEASE_NUMBER } from "../store/release.ts";
import { storable, storableName } from "../store/storable.ts";
import { type AnyChange, eventBody, type NodeChange, ruleOf } from "./changes.ts";
import { GroupCommit } from "./group-commit.ts";
import { PostgresHistory } from "./postgres-history.ts";
import { PostgresQueue } from "./postgres-queue.ts";
import type { RunRecord, TaskQueue } from "./record.ts";
import type { ChangedRow, Earlier, NewNodeRun, NewRun, NodeRunRow, Note, RunRow, StoredRow } from "./types.ts";

const asked = (change: AnyChange) => {
  const { from, to, event, raisesFence, counts } = ruleOf(change.change);
  return {
    id: change.nodeRun,
    fence: change.fence,
    from: from.join(","),
    to,
    event,
    raise: raisesFence ? 1 : 0,
    tries: counts ? 1 : 0,
    crash: counts === "crash" ? 1 : 0,
    input: change.input,
    error: change.error,
    broken: change.broken ?? false,
    body: eventBody(change),
    output: change.output,
    objects: change.artifacts?.length ? change.artifacts.map(({ key, ref }) => ({ ...ref, key })) : undefined,
    dispatch: change.dispatchIn,
    held: change.held,
    passed: change.passed ?? false,
    due: change.dueIn,
    took: change.tookMs,
    cacheKey: change.cacheKey,
    why: change.why,
    reusedFrom: change.reusedFrom,
  };
};

const PRIORITIES: Record<Priority, number> = { high: 1, normal: 0, low: -1 };

const json = (value: unknown): string | null => (value === undefined ? null : storable(value));

const EARLIER = `SELECT n.id, n.run_id, n.node_id, n.service, n.version, n.engine, n.input, n.cache_key, o.output
  FROM node_run n JOIN node_result o ON o.node_run_id = n.id`;
const ADD_NODES = `INSERT INTO node_run (id, run_id, node_id, path, state, plane, service, version, engine, draft, timeout_seconds, stall_seconds)
  SELECT gen_random_uuid(), $run, n."nodeId", n.path, 'queued', n.plane, n.service, n.version, n.engine, n.draft, n."timeoutSeconds", COALESCE(n."stallSeconds", 0)
  FROM jsonb_to_recordset($nodes::jsonb) AS n(run uuid, "nodeId" text, path text, plane text, service text, version text, engine text, draft boolean, "timeoutSeconds" int, "stallSeconds" int)
  ON CONFLICT (run_id, path) DO NOTHING`;
const ADD_SQL = `${ADD_NODES.replace("$run", "n.run").replace("$nodes", "$1")} RETURNING *`;
const ADDED_SQL = `SELECT n.*, r.output FROM jsonb_to_recordset($1::jsonb) AS a(run uuid, path text)
  JOIN node_run n ON n.run_id = a.run AND n.path = a.path LEFT JOIN node_result r ON r.node_run_id = n.id`;
/** Rows that one statement makes. */
const ADDED_AT_ONCE = 500;
/** Characters of the changes that share a statement: far from what PostgreSQL writes before it ends one. */
const CHANGED_AT_ONCE = 16 * 1024 * 1024;
/** Characters of a change that may itself be why its statement takes too long; below, the database is busy with something else. */
const LARGE = 1024 * 1024;
/** How often a large change is tried alone, before its node run fails with it. */
const TRIES_ALONE = 3;
/** SQLSTATE of a statement that PostgreSQL ended for its time. */
const QUERY_CANCELED = "57014";

/** A change, and as it goes into the statement. */
interface Written {
  change: NodeChange;
  text: string;
}
const nameOf = ({ nodeRun, fence, change }: NodeChange): string => `${nodeRun} ${fence} ${change}`;

export class PostgresRecord extends PostgresHistory implements RunRecord {
  readonly queue: TaskQueue;
  readonly changed = new EventEmitter().setMaxListeners(0);
  stale = 0;

  constructor(
    pool: pg.Pool,
    private readonly changes: pg.Pool = pool,
  ) {
    super(pool);
    this.queue = new PostgresQueue(pool);
  }

  private readonly commits = new GroupCommit<Written, ChangedRow | undefined>(
    (asks) => this.commit(asks),
    ({ change }) => change.nodeRun,
    { size: CHANGED_AT_ONCE },
    ({ change, text }) => (this.slow.has(nameOf(change)) ? Number.POSITIVE_INFINITY : text.length),
  );

  /** Large changes whose statement PostgreSQL ended for its time, alone as they were: how often. */
  private readonly slow = new Map<string, number>();

  async change(change: NodeChange): Promise<ChangedRow | undefined> {
    const text = storable(asked(change));
    try {
      if (!this.isTooSlow(change)) {
        const row = await this.commits.ask({ change, text });
        if (!row) this.stale++;
        else this.changed.emit(row.run_id);
        this.slow.delete(nameOf(change));
        return row;
      }
    } catch (error) {
      if (!this.isTooSlow(change)) throw error;
    }
    await this.failUnstorable(change, text.length);
    return undefined;
  }

  private async commit(changes: Written[]): Promise<(ChangedRow | undefined)[]> {
    const { rows } = await this.changes
      .query<ChangedRow & { i: number }>({
        name: "node-change",
        text: "SELECT * FROM change_node_runs($1)",
        values: [`[${changes.map(({ text }, i) => `{"i":${i},${text.slice(1)}`).join(",")}]`],
      })
      .catch((error) => {
        const [{ change, text }, ...others] = changes as [Written, ...Written[]];
        const isAtFault = others.length === 0 && text.length > LARGE && error?.code === QUERY_CANCELED;
        if (isAtFault) this.slow.set(nameOf(change), (this.slow.get(nameOf(change)) ?? 0) + 1);
        throw error;
      });
    const answers: (ChangedRow | undefined)[] = changes.map(() => undefined);
    for (const { i, ...row } of rows) answers[i] = row;
    return answers;
  }

  private isTooSlow(change: NodeChange): boolean {
    return (this.slow.get(nameOf(change)) ?? 0) >= TRIES_ALONE;
  }

  /** As everybody's changes take one connection, one that never goes through would hold them all up for as long as it is repeated. */
  private async failUnstorable(change: NodeChange, length: number): Promise<void> {
    const { nodeRun, fence } = change;
    const message = `What the node got or gave makes ${Math.ceil(length / 1024 / 1024)} MiB to be stored, and PostgreSQL ended the statement for its time, three times. Pass large values on as files or other artifacts, or give less at once.`;
    await this.change({ nodeRun, fence, change: "fail", error: { class: "user", code: "node.unstorable", message } });
    this.slow.delete(nameOf(change));
  }

  async create(run: NewRun): Promise<NodeRunRow[]> {
    const { rows } = await this.pool.query<NodeRunRow>({
      name: "run-create",
      text: `WITH made AS (
        INSERT INTO run (id, revision_id, graph_id, title, template, inputs, engines, options, owner, submitter, priority, fence, state, last_seq, started_at)
        SELECT $1,$2,$3,$4,$5,$6,$7,$9,$10::text,$11,$12::smallint, CASE WHEN o THEN 1 ELSE 0 END, CASE WHEN o THEN 'running' ELSE 'queued' END,
          CASE WHEN o THEN 2 ELSE 1 END, CASE WHEN o THEN now() END FROM (SELECT $10::text IS NOT NULL AS o) owned
      ), event AS (
        INSERT INTO run_event (run_id, seq, type, body)
        SELECT $1, e.seq, e.type, '{}' FROM (VALUES (1, 'run.queued'), (2, 'run.running')) e(seq, type) WHERE e.seq = 1 OR $10::text IS NOT NULL
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
      ],
    });
    this.changed.emit(run.id);
    return rows;
  }

  async add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]> {
    return Promise.all(nodes.map((node) => this.additions.ask({ run, node })));
  }

  private readonly additions = new GroupCommit<{ run: string; node: NewNodeRun }, NodeRunRow>(
    (asks) => this.addAll(asks),
    ({ run, node }) => `${run} ${node.path}`,
    { asks: ADDED_AT_ONCE },
  );

  /** Those of many calls, and of many runs, in one statement. */
  private async addAll(asks: readonly { run: string; node: NewNodeRun }[]): Promise<NodeRunRow[]> {
    const values = [JSON.stringify(asks.map(({ run, node }) => ({ ...node, run })))];
    const { rows } = await this.pool.query<NodeRunRow>({ name: "node-add", text: ADD_SQL, values });
    // Those that are there already: what added them was not heard of, for it was another runtime, or an answer was lost.
    const known =
      rows.length < asks.length ? (await this.pool.query<NodeRunRow>({ name: "node-added", text: ADDED_SQL, values })).rows : [];
    const added = new Map([...known, ...rows].map((row) => [`${row.run_id} ${row.path}`, row]));
    return asks.map(({ run, node }) => added.get(`${run} ${node.path}`) as NodeRunRow);
  }

  async note(run: string, { type, node, path, body }: Note): Promise<void> {
    await this.pool.query(
      `WITH fresh AS (UPDATE run SET last_seq = last_seq + 1 WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM run_event WHERE run_id = $1 AND type = $2 AND path = $4) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, node, path, attempt, body) SELECT id, last_seq, $2, $3, $4, 0, $5::jsonb FROM fresh`,
      [run, type, node, path, storable(body)],
    );
    this.changed.emit(run);
  }

  async changeRun(
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
         started_at = CASE WHEN $3 = 'running' THEN COALESCE(started_at, now()) ELSE started_at END,
         finished_at = CASE WHEN $3 = ANY($9) THEN now() END
         WHERE id = $1 AND state = ANY($2) AND fence = $7 RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, $8, $6::jsonb FROM moved`,
      values: [id, from, to, json(outputs), json(error), storable(error ? { error } : {}), fence, event, ENDED_RUN_STATES],
    });
    this.changed.emit(id);
    return rowCount === 1;
  }

  async requestCancel(id: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET cancel_requested = true, last_seq = last_seq + 1 WHERE id = $1 AND NOT cancel_requested AND state = ANY($2) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.cancelling', '{}' FROM moved`,
      [id, OPEN_RUN_STATES],
    );
    this.changed.emit(id);
    return rowCount === 1;
  }

  // The run's row is locked before the count is taken: an answer writes that row too, so it is either counted, or finds the run at
  // rest and wakes it.
  async park({ id, fence }: Pick<RunRow, "id" | "fence">, waiting: number): Promise<boolean> {
    return transaction(this.pool, async (client) => {
      await client.query("SELECT 1 FROM run WHERE id = $1 FOR UPDATE", [id]);
      const { rowCount } = await client.query(
        `WITH moved AS (UPDATE run SET state = 'waiting', owner = NULL, last_seq = last_seq + 1
           WHERE id = $1 AND fence = $2 AND state = 'running' AND NOT cancel_requested
             AND (SELECT count(*) FROM node_run n WHERE n.run_id = $1 AND (n.state = 'waiting' OR (n.held = 'after' AND NOT n.passed))) = $3
           RETURNING id, last_seq)
         INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.waiting', '{}' FROM moved`,
        [id, fence, waiting],
      );
      this.changed.emit(id);
      return rowCount === 1;
    });
  }

  async wake(id: string): Promise<void> {
    await this.pool.query(
      `WITH moved AS (UPDATE run SET state = 'running', owner = NULL, last_seq = last_seq + 1 WHERE id = $1 AND state = 'waiting' RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.running', '{}' FROM moved`,
      [id],
    );
    this.changed.emit(id);
  }

  async overdue(): Promise<NodeRunRow[]> {
    const { rows } = await this.pool.query<NodeRunRow>(`SELECT * FROM node_run WHERE state = 'waiting' AND due_at < now() LIMIT 100`);
    return rows;
  }

  async claim(owner: string): Promise<RunRow[]> {
    const { rows } = await this.pool.query<RunRow>(
      `UPDATE run SET owner = $1, fence = fence + 1
       WHERE id IN (SELECT r.id FROM run r LEFT JOIN runtime o ON o.id = r.owner
         WHERE r.state IN ('queued','running')
         -- broken-build: a runtime that died keeps its runs
         AND (r.owner IS NULL OR o.id IS NULL OR o.lease_until < now())
         ORDER BY r.created_at LIMIT 50 FOR UPDATE OF r SKIP LOCKED) RETURNING *`,
      [owner],
    );
    return rows;
  }

  async renew(owner: string, leaseMs: number): Promise<Map<string, { fence: number; cancelRequested: boolean }>> {
    await this.pool.query(
      `INSERT INTO runtime (id, lease_until, release) VALUES ($1, now() + $2 * interval '1 millisecond', $3)
       ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until`,
      [owner, leaseMs, RELEASE_NUMBER],
    );
    const { rows } = await this.pool.query<{ id: string; fence: number; cancel_requested: boolean }>(
      `SELECT id, fence, cancel_requested FROM run WHERE owner = $1 AND state IN ('queued','running')`,
      [owner],
    );
    return new Map(rows.map((row) => [row.id, { fence: row.fence, cancelRequested: row.cancel_requested }]));
  }

  async own(owner: string, runs: readonly string[]): Promise<RunRow[]> {
    const text = "SELECT * FROM run WHERE owner = $1 AND id = ANY($2) AND state IN ('queued','running')";
    return (await this.pool.query<RunRow>(text, [owner, runs])).rows;
  }

  async leave(owner: string): Promise<void> {
    await this.pool.query(`DELETE FROM runtime WHERE id = $1 OR lease_until < now() - interval '1 day'`, [owner]);
  }

  async cached(key: string): Promise<Earlier | undefined> {
    const { rows } = await this.pool.query<Earlier>({
      name: "cache-find",
      text: `${EARLIER} WHERE n.cache_key = $1 AND n.state = 'succeeded' ORDER BY n.finished_at DESC LIMIT 1`,
      values: [key],
    });
    return rows[0];
  }

  async lastOf(graph: string, path: string): Promise<Earlier | undefined> {
    const { rows } = await this.pool.query<Earlier>({
      name: "cache-last",
      text: `${EARLIER} JOIN run u ON u.id = n.run_id WHERE u.graph_id = $1 AND n.path = $2 AND n.state = 'succeeded' ORDER BY n.finished_at DESC LIMIT 1`,
      values: [graph, path],
    });
    return rows[0];
  }

  async outputsOf(from: { graph: string } | { run: string }): Promise<Map<string, Earlier>> {
    const [column, id] = "run" in from ? ["id", from.run] : ["graph_id", from.graph];
    const { rows } = await this.pool.query<Earlier & { path: string }>(
      `SELECT DISTINCT ON (e.path) e.* FROM (SELECT n.id, n.run_id, n.node_id, n.path, n.service, n.version, n.engine, n.input, n.cache_key, n.finished_at, o.output
         FROM node_run n JOIN node_result o ON o.node_run_id = n.id JOIN run u ON u.id = n.run_id
         WHERE u.${column} = $1 AND n.state = 'succeeded' AND position('#' in n.path) = 0) e ORDER BY e.path, e.finished_at DESC`,
      [id],
    );
    return new Map(rows.map((row) => [row.path, row]));
  }

  async moved(ids: readonly string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(
      `SELECT id FROM node_run WHERE id = ANY($1) AND state NOT IN ('dispatched','running','waiting') AND (held IS NULL OR passed)`,
      [ids],
    );
    return rows.map((row) => row.id);
  }

  async nodeRuns(run: string): Promise<StoredRow[]> {
    const { rows } = await this.pool.query({
      name: "node-runs",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.run_id = $1",
      values: [run],
    });
    return rows;
  }

  async nodeRunsById(ids: readonly string[]): Promise<StoredRow[]> {
    const { rows } = await this.pool.query({
      name: "node-runs-by-id",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = ANY($1)",
      values: [ids],
    });
    return rows;
  }

  async nodeRun(id: string): Promise<StoredRow | undefined> {
    const { rows } = await this.pool.query({
      name: "node-run",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = $1",
      values: [id],
    });
    return rows[0];
  }
}
