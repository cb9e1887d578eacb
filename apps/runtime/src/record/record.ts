// The record of runs. Each change is one statement: the fenced row, its event, its result and its outbox row together.
import { EventEmitter } from "node:events";
import type { ArtifactRef, RunEvent } from "@spindle/schemas";
import type pg from "pg";
import { storable, storableName } from "../store/storable.ts";
import { GroupCommit } from "./group-commit.ts";
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
  /** At a breakpoint. */
  held: "before" | "after" | null;
  /** The breakpoint was left. */
  passed: boolean;
}

/** What a change gives back: the parts of a row that changes can touch. */
export type ChangedRow = Pick<
  NodeRunRow,
  "id" | "run_id" | "node_id" | "path" | "state" | "attempt" | "fence" | "crashes" | "error" | "broken" | "held" | "passed"
>;

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
  held?: "before" | "after";
  passed?: true;
  /** A person's time is up after so many milliseconds. */
  dueIn?: number;
  /** It ran for so many milliseconds before this, its first change. */
  tookMs?: number;
}

const asked = (one: NodeChange, i: number) => {
  const rule: { from: readonly string[]; to: string; event: string; raisesFence?: true; counts?: string } = CHANGES[one.change];
  return {
    i,
    id: one.nodeRun,
    fence: one.fence,
    from: rule.from.join(","),
    to: rule.to,
    event: rule.event,
    raise: rule.raisesFence ? 1 : 0,
    tries: rule.counts ? 1 : 0,
    crash: rule.counts === "crash" ? 1 : 0,
    input: one.input,
    error: one.error,
    broken: one.broken ?? false,
    body: one.body ?? {},
    output: one.output,
    objects: one.artifacts?.length ? one.artifacts.map(({ key, ref }) => ({ ...ref, key })) : undefined,
    dispatch: one.dispatchIn,
    held: one.held,
    passed: one.passed ?? false,
    due: one.dueIn,
    took: one.tookMs,
  };
};

/** What a run froze of a node when it started. */
export interface FrozenNode {
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeoutSeconds: number;
}

export interface NewNodeRun extends FrozenNode {
  nodeId: string;
  path: string;
}

/** By definition (empty for the graph itself) and node. */
export type FrozenNodes = Record<string, Record<string, FrozenNode>>;

export interface NewRun {
  id: string;
  revision: string;
  graph?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  nodes: NewNodeRun[];
}

export interface RunRow {
  id: string;
  revision_id: string;
  state: RunState;
  inputs: Record<string, unknown>;
  engines: FrozenNodes;
  owner: string | null;
  /** Raised by each runtime that takes the run over. */
  fence: number;
  cancel_requested: boolean;
}

const json = (value: unknown): string | null => (value === undefined ? null : storable(value));

const ADD_NODES = `INSERT INTO node_run (id, run_id, node_id, path, state, plane, service, version, engine, draft, timeout_seconds)
  SELECT gen_random_uuid(), $1, n."nodeId", n.path, 'queued', n.plane, n.service, n.version, n.engine, n.draft, n."timeoutSeconds"
  FROM jsonb_to_recordset($nodes::jsonb) AS n("nodeId" text, path text, plane text, service text, version text, engine text, draft boolean, "timeoutSeconds" int)
  ON CONFLICT (run_id, path) DO NOTHING`;
const ADD_SQL = `${ADD_NODES.replace("$nodes", "$2")} RETURNING *`;

/** What the engine needs of a record; a second one, in memory, is for tests and the bench. */
export interface EngineRecord {
  change(one: NodeChange): Promise<ChangedRow | undefined>;
  nodeRun(id: string): Promise<(NodeRunRow & { output: Record<string, unknown> | null }) | undefined>;
  /** Node runs that come to be during a run; those that are there already are left as they are and not answered. */
  add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]>;
  /** An event that changes nothing; once per path and type. */
  note(run: string, type: string, node: string, path: string, body: Record<string, unknown>): Promise<void>;
}

export class RunRecord implements EngineRecord {
  /** Says that a run has new events; a hint, never the truth. */
  readonly changed = new EventEmitter().setMaxListeners(0);
  stale = 0;

  constructor(
    readonly pool: pg.Pool,
    private readonly changes: pg.Pool = pool,
  ) {}

  private readonly commits = new GroupCommit<NodeChange & { key: string }, ChangedRow | undefined>((asks) => this.commit(asks));

  /** The changed row, or undefined if the change came under an old fence or from a state that does not allow it. */
  async change(one: NodeChange): Promise<ChangedRow | undefined> {
    const row = await this.commits.ask({ ...one, key: one.nodeRun });
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

  async create(run: NewRun): Promise<void> {
    await this.pool.query({
      name: "run-create",
      text: `WITH made AS (
        INSERT INTO run (id, revision_id, graph_id, title, template, state, inputs, engines, last_seq) VALUES ($1,$2,$3,$4,$5,'queued',$6,$7,1)
      ), event AS (
        INSERT INTO run_event (run_id, seq, type, body) VALUES ($1, 1, 'run.queued', '{}')
      ) ${ADD_NODES}`.replace("$nodes", "$8"),
      values: [
        run.id,
        run.revision,
        run.graph ?? null,
        storableName(run.title),
        run.template ?? null,
        storable(run.inputs),
        storable(run.engines),
        JSON.stringify(run.nodes),
      ],
    });
    this.changed.emit(run.id);
  }

  async add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]> {
    const { rows } = await this.pool.query<NodeRunRow>(ADD_SQL, [run, JSON.stringify(nodes)]);
    return rows;
  }

  async note(run: string, type: string, node: string, path: string, body: Record<string, unknown>): Promise<void> {
    await this.pool.query(
      `WITH fresh AS (UPDATE run SET last_seq = last_seq + 1 WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM run_event WHERE run_id = $1 AND type = $2 AND path = $4) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, node, path, attempt, body) SELECT id, last_seq, $2, $3, $4, 0, $5::jsonb FROM fresh`,
      [run, type, node, path, storable(body)],
    );
    this.changed.emit(run);
  }

  /** Changes a run's state with its event; false if it was not in one of `from`, or belongs to another owner by now. */
  async changeRun(
    { id, fence }: Pick<RunRow, "id" | "fence">,
    from: readonly RunState[],
    to: RunState,
    more: { outputs?: Record<string, unknown>; error?: Record<string, unknown> } = {},
  ): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET state = $3, last_seq = last_seq + 1, outputs = COALESCE($4::jsonb, outputs), error = COALESCE($5::jsonb, error),
         started_at = CASE WHEN $3 = 'running' THEN COALESCE(started_at, now()) ELSE started_at END,
         finished_at = CASE WHEN $3 IN ('succeeded','failed','cancelled') THEN now() END
         WHERE id = $1 AND state = ANY($2) AND fence = $7 RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.' || $3, $6::jsonb FROM moved`,
      [id, from, to, json(more.outputs), json(more.error), storable(more.error ? { error: more.error } : {}), fence],
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

  /**
   * Puts a run to rest that only people can move: no owner, no lease. False if one of the `waiting` answered meanwhile, or
   * the run is another's: an answer and this statement lock the same row, so that none is overlooked.
   */
  async park({ id, fence }: Pick<RunRow, "id" | "fence">, waiting: number): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `WITH moved AS (UPDATE run SET state = 'waiting', owner = NULL, last_seq = last_seq + 1
         WHERE id = $1 AND fence = $2 AND state = 'running' AND NOT cancel_requested
           AND (SELECT count(*) FROM node_run n WHERE n.run_id = $1 AND (n.state = 'waiting' OR (n.held = 'after' AND NOT n.passed))) = $3
         RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, body) SELECT id, last_seq, 'run.waiting', '{}' FROM moved`,
      [id, fence, waiting],
    );
    this.changed.emit(id);
    return rowCount === 1;
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
         WHERE r.state IN ('queued','running') AND (r.owner IS NULL OR o.id IS NULL OR o.lease_until < now())
         ORDER BY r.created_at LIMIT 50 FOR UPDATE OF r SKIP LOCKED) RETURNING *`,
      [owner],
    );
    return rows;
  }

  /** Renews this owner's lease. Returns the runs that are still its own, and whether each is to be cancelled. */
  async renew(owner: string, leaseMs: number): Promise<Map<string, { fence: number; cancelRequested: boolean }>> {
    await this.pool.query(
      `INSERT INTO runtime (id, lease_until) VALUES ($1, now() + $2 * interval '1 millisecond') ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until`,
      [owner, leaseMs],
    );
    const { rows } = await this.pool.query<{ id: string; fence: number; cancel_requested: boolean }>(
      `SELECT id, fence, cancel_requested FROM run WHERE owner = $1 AND state IN ('queued','running')`,
      [owner],
    );
    return new Map(rows.map((row) => [row.id, { fence: row.fence, cancelRequested: row.cancel_requested }]));
  }

  /** A runtime that stops leaves its runs to others at once, and forgets those that stopped long ago. */
  async leave(owner: string): Promise<void> {
    await this.pool.query(`DELETE FROM runtime WHERE id = $1 OR lease_until < now() - interval '1 day'`, [owner]);
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
