// Earlier results in PostgreSQL, by which a node need not run again (DESIGN E11, E17).
import type pg from "pg";
import type { EarlierResults } from "./record.ts";
import type { Earlier } from "./types.ts";

const EARLIER = `SELECT n.id, n.run_id, n.node_id, n.service, n.version, n.engine, n.input, n.cache_key, o.output
  FROM node_run n JOIN node_result o ON o.node_run_id = n.id`;

export class PostgresResults implements EarlierResults {
  constructor(private readonly pool: pg.Pool) {}

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

  async clear(graph?: string): Promise<number> {
    const { rowCount } = await this.pool.query(
      `UPDATE node_run n SET cache_key = NULL FROM run u WHERE u.id = n.run_id AND n.cache_key IS NOT NULL AND ($1::uuid IS NULL OR u.graph_id = $1)`,
      [graph ?? null],
    );
    return rowCount ?? 0;
  }
}
