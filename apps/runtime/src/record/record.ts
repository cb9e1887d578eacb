// The record of runs. Each change is one statement: the fenced row, its event, its result and its outbox row together.
import { EventEmitter } from "node:events";
import { ENDED_RUN_STATES, OPEN_RUN_STATES, RUN_CHANGES, type RunEvent, type RunEventError, type RunState } from "@spindle/schemas";
import type pg from "pg";
import { transaction } from "../store/database.ts";
import { RELEASE_NUMBER } from "../store/release.ts";
import { storable, storableName } from "../store/storable.ts";
import { type AnyChange, eventBody, type NodeChange, ruleOf } from "./changes.ts";
import { GroupCommit } from "./group-commit.ts";
import type { ChangedRow, Earlier, EngineRecord, NewNodeRun, NewRun, NodeRunRow, Note, Priority, RunRow } from "./types.ts";

const asked = (one: AnyChange, i: number) => {
  const { from, to, event, raisesFence, counts } = ruleOf(one.change);
  return {
    i,
    id: one.nodeRun,
    fence: one.fence,
    from: from.join(","),
    to,
    event,
    raise: raisesFence ? 1 : 0,
    tries: counts ? 1 : 0,
    crash: counts === "crash" ? 1 : 0,
    input: one.input,
    error: one.error,
    broken: one.broken ?? false,
    body: eventBody(one),
    output: one.output,
    objects: one.artifacts?.length ? one.artifacts.map(({ key, ref }) => ({ ...ref, key })) : undefined,
    dispatch: one.dispatchIn,
    held: one.held,
    passed: one.passed ?? false,
    due: one.dueIn,
    took: one.tookMs,
    cacheKey: one.cacheKey,
    why: one.why,
    reusedFrom: one.reusedFrom,
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

export class RunRecord implements EngineRecord {
  /** Says that a run has new events; a hint, never the truth. */
  readonly changed = new EventEmitter().setMaxListeners(0);
  stale = 0;

  constructor(
    readonly pool: pg.Pool,
    private readonly changes: pg.Pool = pool,
  ) {}

  private readonly commits = new GroupCommit<NodeChange, ChangedRow | undefined>(
    (asks) => this.commit(asks),
    ({ nodeRun }) => nodeRun,
  );

  /** The changed row, or undefined if the change came under an old fence or from a state that does not allow it. */
  async change(one: NodeChange): Promise<ChangedRow | undefined> {
    const row = await this.commits.ask(one);
    if (!row) this.stale++;
    else this.changed.emit(row.run_id);
    return row;
  }

  private async commit(changes: NodeChange[]): Promise<(ChangedRow | undefined)[]> {
    const { rows } = await this.changes.query<ChangedRow & { i: number }>({
      name: "node-change",
      text: "SELECT * FROM change_node_runs($1)",
      values: [storable(changes.map(asked))],
    });
    const answers: (ChangedRow | undefined)[] = changes.map(() => undefined);
    for (const { i, ...row } of rows) answers[i] = row;
    return answers;
  }

  /** A run with its node runs, which it returns. With an `owner` it runs already, and is that one's. */
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
    ADDED_AT_ONCE,
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

  /** Changes a run's state with its event; false if it cannot change so from the state it is in, or belongs to another owner by now. */
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

  /** Marks the run; false if it has ended. */
  async requestCancel(id: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET cancel_requested = true, last_seq = last_seq + 1 WHERE id = $1 AND NOT cancel_requested AND state = ANY($2) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.cancelling', '{}' FROM moved`,
      [id, OPEN_RUN_STATES],
    );
    this.changed.emit(id);
    return rowCount === 1;
  }

  /**
   * Puts a run to rest that only people can move: no owner, no lease. False if one of the `waiting` answered meanwhile, or the
   * run is another's. The run's row is locked before the count is taken: an answer writes that row too, so it is either
   * counted, or finds the run at rest and wakes it.
   */
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

  /** Somebody answered: a parked run may be claimed again. */
  async wake(id: string): Promise<void> {
    await this.pool.query(
      `WITH moved AS (UPDATE run SET state = 'running', owner = NULL, last_seq = last_seq + 1 WHERE id = $1 AND state = 'waiting' RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.running', '{}' FROM moved`,
      [id],
    );
    this.changed.emit(id);
  }

  /** People who were asked and whose time is up. */
  async overdue(): Promise<NodeRunRow[]> {
    const { rows } = await this.pool.query<NodeRunRow>(`SELECT * FROM node_run WHERE state = 'waiting' AND due_at < now() LIMIT 100`);
    return rows;
  }

  /**
   * Takes runs that nobody owns, or whose owner is silent; one statement, so two runtimes never get the same one. Renew first:
   * an owner without a lease is silent.
   */
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

  /** Renews this owner's lease. Returns the runs that are still its own, and whether each is to be cancelled. */
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

  /** Of runs those that are still this owner's and open. */
  async own(owner: string, runs: readonly string[]): Promise<RunRow[]> {
    const text = "SELECT * FROM run WHERE owner = $1 AND id = ANY($2) AND state IN ('queued','running')";
    return (await this.pool.query<RunRow>(text, [owner, runs])).rows;
  }

  /** By run: its node runs without those of groups, how many of them succeeded, and whether any is a draft. */
  async countNodes(runs: readonly string[]): Promise<Map<string, { nodes: number; done: number; draft: boolean }>> {
    const { rows } = await this.pool.query<{ run: string; nodes: number; done: number; draft: boolean }>(
      `SELECT run_id AS run, count(*) FILTER (WHERE own)::int AS nodes, count(*) FILTER (WHERE own AND state = 'succeeded')::int AS done,
         bool_or(draft) AS draft
       FROM (SELECT run_id, state, draft, node_id NOT LIKE 'group:%>' AS own FROM node_run WHERE run_id = ANY($1)) n GROUP BY run_id`,
      [runs],
    );
    return new Map(rows.map(({ run, ...counts }) => [run, counts]));
  }

  /** A runtime that stops leaves its runs to others at once, and forgets those that stopped long ago. */
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

  /** Milliseconds that successful runs of these engines took, in the median of the newest hundred, by `service\nengine`. A task that was over before it was seen running took none. */
  async durations(of: readonly { service: string; engine: string }[]): Promise<Map<string, number>> {
    const { rows } = await this.pool.query<{ service: string; engine: string; ms: number }>(
      `SELECT a.service, a.engine, m.ms FROM (SELECT DISTINCT service, engine FROM jsonb_to_recordset($1::jsonb) AS x(service text, engine text)) a,
         LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.ms) AS ms FROM (
           SELECT extract(epoch FROM n.finished_at - COALESCE(n.started_at, n.finished_at)) * 1000 AS ms FROM node_run n
           WHERE n.service = a.service AND n.engine = a.engine AND n.state = 'succeeded' AND n.reused_from IS NULL AND (n.started_at IS NOT NULL OR n.plane <> 'node')
           ORDER BY n.finished_at DESC LIMIT 100) t) m WHERE m.ms IS NOT NULL`,
      [JSON.stringify(of)],
    );
    return new Map(rows.map((row) => [`${row.service}\n${row.engine}`, Number(row.ms)]));
  }

  /** Keeps what a try of a node wrote; no part of what the run means. */
  async log(nodeRun: string, attempt: number, text: string): Promise<void> {
    await this.pool.query("INSERT INTO node_log (node_run_id, attempt, text) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [
      nodeRun,
      attempt,
      storableName(text),
    ]);
  }

  /** What the tries of a node run wrote, the first one first. */
  async logs(run: string, path: string): Promise<{ attempt: number; text: string }[]> {
    const text = `SELECT l.attempt, l.text FROM node_log l JOIN node_run n ON n.id = l.node_run_id WHERE n.run_id = $1 AND n.path = $2 ORDER BY l.attempt`;
    return (await this.pool.query<{ attempt: number; text: string }>(text, [run, path])).rows;
  }

  /** When each task of a run was first given to the workers, by path. */
  async queuedAt(run: string): Promise<Map<string, Date>> {
    const text = "SELECT path, min(at) AS at FROM run_event WHERE run_id = $1 AND type = 'node.dispatched' GROUP BY path";
    const { rows } = await this.pool.query<{ path: string; at: Date }>(text, [run]);
    return new Map(rows.map(({ path, at }) => [path, at]));
  }

  /** Nothing that ran until now answers for anything later; of one graph, or of all. Returns how many it was. */
  async clearCache(graph?: string): Promise<number> {
    const { rowCount } = await this.pool.query(
      `UPDATE node_run n SET cache_key = NULL FROM run u WHERE u.id = n.run_id AND n.cache_key IS NOT NULL AND ($1::uuid IS NULL OR u.graph_id = $1)`,
      [graph ?? null],
    );
    return rowCount ?? 0;
  }

  /** Which of these node runs are neither with a worker nor with a person any more. */
  async moved(ids: readonly string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(
      `SELECT id FROM node_run WHERE id = ANY($1) AND state NOT IN ('dispatched','running','waiting') AND (held IS NULL OR passed)`,
      [ids],
    );
    return rows.map((row) => row.id);
  }

  async nodeRuns(run: string): Promise<(NodeRunRow & { output: Record<string, unknown> | null })[]> {
    const { rows } = await this.pool.query({
      name: "node-runs",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.run_id = $1",
      values: [run],
    });
    return rows;
  }

  /** Bytes of each node run's input and output, as JSON. */
  async sizesOf(ids: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await this.pool.query<{ id: string; bytes: string }>({
      name: "node-run-sizes",
      text: `SELECT n.id, coalesce(octet_length(n.input::text), 0) + coalesce(octet_length(r.output::text), 0) AS bytes
             FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = ANY($1)`,
      values: [ids],
    });
    return new Map(rows.map((row) => [row.id, Number(row.bytes)]));
  }

  async nodeRunsById(ids: readonly string[]): Promise<(NodeRunRow & { output: Record<string, unknown> | null })[]> {
    const { rows } = await this.pool.query({
      name: "node-runs-by-id",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = ANY($1)",
      values: [ids],
    });
    return rows;
  }

  async nodeRun(id: string): Promise<(NodeRunRow & { output: Record<string, unknown> | null }) | undefined> {
    const { rows } = await this.pool.query({
      name: "node-run",
      text: "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = $1",
      values: [id],
    });
    return rows[0];
  }

  async events(run: string, since: number): Promise<RunEvent[]> {
    const { rows } = await this.pool.query({
      name: "run-events",
      text: "SELECT * FROM run_event WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000",
      values: [run, since],
    });
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
