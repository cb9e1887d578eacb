// What is shown of runs, from PostgreSQL.
import { OPEN_NODE_STATES, OPEN_RUN_STATES, type RunEvent } from "@spindle/schemas";
import type pg from "pg";
import type { NodeRunRow } from "./node-run.ts";
import type { RunHistory } from "./record.ts";
import type { OpenRun, Tally, WaitingRow } from "./types.ts";

export class PostgresHistory implements RunHistory {
  constructor(private readonly pool: pg.Pool) {}

  async countNodes(runs: readonly string[]): Promise<Map<string, { nodes: number; done: number; draft: boolean }>> {
    const { rows } = await this.pool.query<{ run: string; nodes: number; done: number; draft: boolean }>(
      `SELECT run_id AS run, count(*) FILTER (WHERE own)::int AS nodes, count(*) FILTER (WHERE own AND state = 'succeeded')::int AS done,
         bool_or(draft) AS draft
       FROM (SELECT run_id, state, draft, node_id NOT LIKE 'group:%>' AS own FROM node_run WHERE run_id = ANY($1)) n GROUP BY run_id`,
      [runs],
    );
    return new Map(rows.map(({ run, ...counts }) => [run, counts]));
  }

  async logs(run: string, path: string): Promise<{ attempt: number; text: string }[]> {
    // What a node of a region wrote is in the log of the region, whose path differs in the last part.
    const text = `SELECT l.attempt, l.text FROM node_log l JOIN node_run n ON n.id = l.node_run_id WHERE n.run_id = $1
      AND (n.path = $2 OR n.node_id LIKE 'group:%>' AND n.path = $3 || n.node_id AND n.input->'prompt' ? $4) ORDER BY l.attempt`;
    const last = path.lastIndexOf("/") + 1;
    return (await this.pool.query<{ attempt: number; text: string }>(text, [run, path, path.slice(0, last), path.slice(last)])).rows;
  }

  async queuedAt(run: string): Promise<Map<string, Date>> {
    const text = "SELECT path, min(at) AS at FROM run_event WHERE run_id = $1 AND type = 'node.dispatched' GROUP BY path";
    const { rows } = await this.pool.query<{ path: string; at: Date }>(text, [run]);
    return new Map(rows.map(({ path, at }) => [path, at]));
  }

  async openRuns(runs?: readonly string[]): Promise<OpenRun[]> {
    const { rows } = await this.pool.query<OpenRun>({
      name: "runs-open",
      text: `SELECT r.id, r.revision_id, r.state, r.cancel_requested, COALESCE(r.started_at, r.created_at) AS since, o.lease_until AS owner_until,
               r.state <> 'waiting' AND (o.id IS NULL OR o.lease_until < now()) AS unowned
             FROM run r LEFT JOIN runtime o ON o.id = r.owner
             WHERE r.state = ANY($1) AND ($2::uuid[] IS NULL OR r.id = ANY($2)) ORDER BY r.created_at LIMIT 1000`,
      values: [OPEN_RUN_STATES, runs ?? null],
    });
    return rows;
  }

  async waitingIn(runs: readonly string[], which: "begun" | "drawn" | "all"): Promise<WaitingRow[]> {
    const { rows } = await this.pool.query<WaitingRow>({
      name: "node-runs-waiting",
      text: `SELECT n.id, n.run_id, n.node_id, n.path, n.state, n.plane, n.service, n.version, n.engine, n.attempt, n.fence, n.changed_at, n.cancel_requested,
               CASE WHEN NOT n.passed THEN n.held END AS held,
               CASE WHEN o.sent_at IS NULL AND o.available_at > now() THEN extract(epoch FROM o.available_at - now())::float8 * 1000 END AS retry_in,
               extract(epoch FROM n.due_at - now())::float8 * 1000 AS answer_in
             FROM node_run n LEFT JOIN outbox o ON o.node_run_id = n.id AND o.fence = n.fence
             WHERE n.run_id = ANY($1) AND (n.state = ANY($2) AND ($3 OR n.state <> 'queued' OR n.engine = '') OR n.held = 'after' AND NOT n.passed)
               AND ($4 OR n.path !~ '[^]]/|#')
             LIMIT 20000`,
      values: [runs, OPEN_NODE_STATES, which !== "begun", which !== "drawn"],
    });
    return rows;
  }

  async tallies(run: string): Promise<Tally[]> {
    const { rows } = await this.pool.query<Tally>({
      name: "run-tallies",
      // What stands before a slash is a visit of a loop, or a call.
      text: `SELECT node_id AS "nodeId", min(path) AS path, state, broken, count(*)::int AS runs FROM node_run
             WHERE run_id = $1 AND path !~ '[^]]/' GROUP BY node_id, regexp_replace(path, '#[0-9]+$', '#'), state, broken`,
      values: [run],
    });
    return rows;
  }

  async sizesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, number>> {
    const { rows } = await this.pool.query<{ id: string; bytes: string }>({
      name: "node-run-sizes",
      text: `SELECT n.id, CASE WHEN $2 THEN coalesce(octet_length(n.input::text), 0) ELSE 0 END + coalesce(octet_length(r.output::text), 0) AS bytes
             FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = ANY($1)`,
      values: [ids, withInput],
    });
    return new Map(rows.map((row) => [row.id, Number(row.bytes)]));
  }

  async valuesOf(ids: readonly string[], withInput: boolean): Promise<Map<string, Pick<NodeRunRow, "input" | "output">>> {
    const { rows } = await this.pool.query<Pick<NodeRunRow, "id" | "input" | "output">>({
      name: "node-run-values",
      text: `SELECT n.id, CASE WHEN $2 THEN n.input END AS input, r.output
             FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.id = ANY($1)`,
      values: [ids, withInput],
    });
    return new Map(rows.map((row) => [row.id, row]));
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
