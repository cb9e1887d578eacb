// The rows of a document: its updates, and what was set aside of them (docs/operations.md).
import { EditRefused, type StoredUpdate } from "@spindle/graph-model/shared-doc";
import { type Database, transaction } from "../store/database.ts";
import { patient } from "../store/patient.ts";

export interface UpdateLog {
  read(graph: string): Promise<StoredUpdate[]>;
  /** @throws EditRefused if the graph is gone */
  append(graph: string, bytes: Uint8Array): Promise<void>;
  /** Moves rows out of the document, whose whole state without them is `rest`. */
  setAside(graph: string, rows: readonly { seq: string; reason: string }[], rest: Uint8Array): Promise<void>;
  /** Appends what `make` makes of the rows, while no other process can append any. It gives nothing if there is nothing to do. */
  migrate(graph: string, make: (rows: readonly StoredUpdate[]) => Uint8Array | undefined): Promise<void>;
}

const NO_SUCH_GRAPH = "23503"; // the foreign key

const read = async (from: Pick<Database["pool"], "query">, graph: string): Promise<StoredUpdate[]> =>
  (await from.query<StoredUpdate>("SELECT seq, bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph])).rows;

export const updateLog = ({ pool }: Pick<Database, "pool">): UpdateLog => ({
  read: (graph) => read(pool, graph),

  append: async (graph, bytes) => {
    const insert =
      "WITH touched AS (UPDATE graph SET updated_at = now() WHERE id = $1) INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)";
    try {
      await patient(() => pool.query(insert, [graph, Buffer.from(bytes)]));
    } catch (error) {
      if ((error as { code?: string }).code === NO_SUCH_GRAPH) throw new EditRefused("Its graph was removed.", { cause: error });
      throw error;
    }
  },

  // Part of a row may have been fit. It is in `rest`, which says again what the other rows say.
  setAside: (graph, rows, rest) =>
    patient(() =>
      transaction(pool, async (client) => {
        await client.query(
          `WITH gone AS (DELETE FROM doc_update USING unnest($2::bigint[], $3::text[]) AS row(seq, reason)
             WHERE graph_id = $1 AND doc_update.seq = row.seq RETURNING doc_update.seq, bytes, reason)
           INSERT INTO doc_quarantine (graph_id, seq, bytes, reason) SELECT $1, seq, bytes, reason FROM gone`,
          [graph, rows.map((row) => row.seq), rows.map((row) => row.reason)],
        );
        await client.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(rest)]);
      }),
    ),

  // `append` updates the graph's row as well, so it waits for this lock, as another runtime does that loads the same document.
  migrate: (graph, make) =>
    patient(() =>
      transaction(pool, async (client) => {
        const { rowCount } = await client.query("SELECT FROM graph WHERE id = $1 FOR UPDATE", [graph]);
        const update = rowCount === 0 ? undefined : make(await read(client, graph));
        if (update) await client.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(update)]);
      }),
    ),
});
