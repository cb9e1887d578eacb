// Which runtime has a document (DESIGN C1, docs/decisions/0036): as with runs, a fence that rises with every claim, and one lease of the
// runtime for all that it has.
import type pg from "pg";

/** A runtime, as the others on its database know it. */
export interface Runtime {
  /** Of its lease, the row of `runtime`. */
  id: string;
  /** Where the others reach it. */
  url: string;
}

export interface Claimed {
  /** Absent if another runtime has it. */
  fence?: string;
}

export interface DocumentLeases {
  /** Makes this runtime the owner of a document that none has which lives. */
  claim(graph: string): Promise<Claimed>;
  /** A claim that came after is not touched. */
  release(graph: string, fence: string): Promise<void>;
  releaseAll(): Promise<void>;
  /** The other runtime that has it, if one does. */
  otherOwner(graph: string): Promise<Runtime | undefined>;
  /** What this runtime has, with the fence of each, and whether its graph was deleted. */
  own(): Promise<Map<string, { fence: string; isDeleted: boolean }>>;
  /** The ids of the runtimes that live. */
  living(): Promise<Set<string>>;
}

/** A runtime that died is buried by the next one that renews its lease, so one with a row lives; but not where this one listens by now. */
const DEAD = "NOT EXISTS (SELECT FROM runtime o WHERE o.id = doc_owner)";

export const documentLeases = (pool: Pick<pg.Pool, "query">, runtime: Runtime): DocumentLeases => ({
  claim: async (graph) => {
    const { rows } = await pool.query<{ fence: string }>(
      `UPDATE graph SET doc_owner = $2, doc_url = $3, doc_fence = doc_fence + 1
       WHERE id = $1 AND (doc_owner IS NULL OR doc_owner = $2 OR doc_url = $3 OR ${DEAD}) RETURNING doc_fence AS fence`,
      [graph, runtime.id, runtime.url],
    );
    return rows[0] ?? {};
  },
  release: async (graph, fence) => {
    await pool.query("UPDATE graph SET doc_owner = NULL WHERE id = $1 AND doc_owner = $2 AND doc_fence = $3", [graph, runtime.id, fence]);
  },
  releaseAll: async () => {
    await pool.query("UPDATE graph SET doc_owner = NULL WHERE doc_owner = $1", [runtime.id]);
  },
  otherOwner: async (graph) => {
    const { rows } = await pool.query<Runtime>(
      `SELECT doc_owner AS id, doc_url AS url FROM graph
       WHERE id = $1 AND doc_owner IS NOT NULL AND doc_owner <> $2 AND doc_url <> $3 AND NOT ${DEAD}`,
      [graph, runtime.id, runtime.url],
    );
    return rows[0];
  },
  own: async () => {
    const { rows } = await pool.query<{ id: string; fence: string; isDeleted: boolean }>(
      'SELECT id, doc_fence AS fence, deleted_at IS NOT NULL AS "isDeleted" FROM graph WHERE doc_owner = $1',
      [runtime.id],
    );
    return new Map(rows.map(({ id, ...rest }) => [id, rest]));
  },
  living: async () => new Set((await pool.query<{ id: string }>("SELECT id FROM runtime")).rows.map(({ id }) => id)),
});
