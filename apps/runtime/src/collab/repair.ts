// Stored edits that were set aside when their document was loaded: which there are, and those put back that can be applied by now
// (docs/decisions/0045).
import { DocumentTooLarge, inTurns, measure, ONE_STEP, replay, type StoredUpdate } from "@spindle/graph-model/shared-doc";
import type pg from "pg";
import { transaction } from "../store/database.ts";

export interface SetAsideEdit {
  seq: string;
  reason: string;
  at: Date;
  /** Of the update. */
  bytes: number;
}

export interface SetAsideGraph {
  id: string;
  name: string;
  isDeleted: boolean;
  edits: SetAsideEdit[];
}

export interface Repaired {
  putBack: SetAsideEdit[];
  /** What cannot be applied now, with the reason that it has now. */
  left: SetAsideEdit[];
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The graphs of which something was set aside, by name. */
export async function listSetAside(pool: Pick<pg.Pool, "query">, graph?: string): Promise<SetAsideGraph[]> {
  const { rows } = await pool.query<Omit<SetAsideGraph, "edits"> & SetAsideEdit>(
    `SELECT g.id, g.name, g.deleted_at IS NOT NULL AS "isDeleted", q.seq, q.reason, q.at, octet_length(q.bytes) AS bytes
     FROM doc_quarantine q JOIN graph g ON g.id = q.graph_id WHERE $1::uuid IS NULL OR g.id = $1 ORDER BY g.name, g.id, q.seq`,
    [graph ?? null],
  );
  const graphs = new Map<string, SetAsideGraph>();
  for (const { id, name, isDeleted, ...edit } of rows) {
    const known = graphs.get(id) ?? { id, name, isDeleted, edits: [] };
    known.edits.push(edit);
    graphs.set(id, known);
  }
  return [...graphs.values()];
}

/**
 * Puts back what can be applied to the document as it is stored. Where anything was, the document begins a new epoch and has no owner: the
 * runtime that had it in memory stores nothing more of it, and its pages open it afresh.
 * @throws DocumentTooLarge if its edits are more than can be opened
 */
export const repair = (pool: pg.Pool, graph: string): Promise<Repaired> =>
  transaction(pool, async (client) => {
    // Whoever stores an edit of the graph changes this row, and waits.
    await client.query("SELECT FROM graph WHERE id = $1 FOR UPDATE", [graph]);
    const stored = (await client.query<StoredUpdate>("SELECT seq, bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph])).rows;
    const aside = (await client.query<StoredUpdate>("SELECT seq, bytes FROM doc_quarantine WHERE graph_id = $1 ORDER BY seq", [graph]))
      .rows;
    // A row that was set aside has a number of its own among those of the document.
    const named = aside.map(({ seq, bytes }) => ({ seq: `aside ${seq}`, bytes }));
    const rows = [...stored, ...named];
    if ((await measure(rows, turn)).length < rows.length) throw new DocumentTooLarge();
    const { refused } = await inTurns(replay(rows, ONE_STEP), turn);
    const whyNot = new Map(refused.map(({ seq, reason }) => [seq, reason]));
    const all = (await listSetAside(client, graph)).flatMap(({ edits }) => edits);
    const left = all.flatMap((edit) => {
      const reason = whyNot.get(`aside ${edit.seq}`);
      return reason === undefined ? [] : [{ ...edit, reason }];
    });
    const putBack = all.filter(({ seq }) => !whyNot.has(`aside ${seq}`));
    if (putBack.length > 0) {
      await client.query(
        `WITH back AS (DELETE FROM doc_quarantine WHERE graph_id = $1 AND seq = ANY($2::bigint[]) RETURNING seq, bytes)
         INSERT INTO doc_update (graph_id, bytes) SELECT $1, bytes FROM back ORDER BY seq`,
        [graph, putBack.map(({ seq }) => seq)],
      );
      await client.query(
        "UPDATE graph SET epoch = epoch + 1, doc_owner = NULL, doc_fence = doc_fence + 1, updated_at = now() WHERE id = $1",
        [graph],
      );
    }
    return { putBack, left };
  });
