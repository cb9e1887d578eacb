// The rows of a document: its updates, and what was set aside of them (docs/operations.md).
import { DocumentTooLarge, EditUnfit, MOST_STORED_BYTES, type StoredUpdate } from "@spindle/graph-model/shared-doc";
import { type Database, transaction } from "../store/database.ts";
import { patient } from "../store/patient.ts";

export interface UpdateLog {
  /**
   * All rows, or the oldest of them, as many as can be read. (A row that was made of others may be younger than one that was stored
   * meanwhile.)
   * @throws DocumentTooLarge, before any of them is read; of the oldest, where not even the first can be
   */
  read(graph: string, which?: "all" | "oldest"): Promise<StoredUpdate[]>;
  /** Whose the client ids are under which the document was edited. */
  clients(graph: string): Promise<Map<number, string>>;
  /**
   * All of them, or none. Returns the numbers of their rows.
   * @param claim whose the client ids are from now on that the updates are the first under, and the claim under which this runtime has
   *   the document
   * @throws EditUnfit if the graph is gone, DocumentLost if another runtime has its document
   */
  append(
    graph: string,
    updates: readonly Uint8Array[],
    claim: { owners: ReadonlyMap<number, string>; fence?: string | undefined },
  ): Promise<string[]>;
  /** Moves rows out of the document, whose whole state without them is `rest`. Returns the number of its row. */
  setAside(graph: string, rows: readonly { seq: string; reason: string }[], rest: Uint8Array): Promise<string>;
  /**
   * Replaces rows by `whole`, which says all that they say. Rows that another runtime stored meanwhile stay. Returns the number of its
   * row, or nothing, and changes nothing, if one of them is gone: another runtime has made one row of it and others. Does not wait
   * for an outage to end.
   */
  compact(graph: string, seqs: readonly string[], whole: Uint8Array): Promise<string | undefined>;
  /** Appends what `make` makes of the rows, while no other process can append any. It gives nothing if there is nothing to do. */
  migrate(graph: string, make: (rows: readonly StoredUpdate[]) => Promise<Uint8Array | undefined>): Promise<void>;
}

/** Another runtime has the document by now. */
export class DocumentLost extends Error {
  constructor(graph: string) {
    super(`Another runtime has the document of graph ${graph}.`);
  }
}

type Queries = Pick<Database["pool"], "query">;

async function read(from: Queries, graph: string): Promise<StoredUpdate[]> {
  const size = await from.query<{ bytes: string }>(
    "SELECT coalesce(sum(octet_length(bytes)), 0) AS bytes FROM doc_update WHERE graph_id = $1",
    [graph],
  );
  if (Number(size.rows[0]?.bytes) > MOST_STORED_BYTES) throw new DocumentTooLarge();
  return (await from.query<StoredUpdate>("SELECT seq, bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph])).rows;
}

async function readOldest(from: Queries, graph: string): Promise<StoredUpdate[]> {
  const { rows } = await from.query<StoredUpdate>(
    `SELECT seq, bytes FROM (SELECT seq, bytes, sum(octet_length(bytes)) OVER (ORDER BY seq) AS total FROM doc_update WHERE graph_id = $1) AS row
     WHERE total <= $2 ORDER BY seq`,
    [graph, MOST_STORED_BYTES],
  );
  return rows.length > 0 ? rows : read(from, graph); // which has none, or refuses
}

async function insert(into: Queries, graph: string, bytes: Uint8Array): Promise<string> {
  const { rows } = await into.query<{ seq: string }>("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2) RETURNING seq", [
    graph,
    Buffer.from(bytes),
  ]);
  return rows[0]?.seq as string;
}

export const updateLog = ({ pool }: Pick<Database, "pool">): UpdateLog => ({
  read: (graph, which = "all") => (which === "all" ? read : readOldest)(pool, graph),

  clients: async (graph) => {
    const { rows } = await pool.query<{ client: string; author: string }>("SELECT client, author FROM doc_client WHERE graph_id = $1", [
      graph,
    ]);
    return new Map(rows.map(({ client, author }) => [Number(client), author]));
  },

  append: async (graph, updates, { owners, fence = null }) => {
    // Whoever claims the document changes the same row: what was stored before is read by the next owner, and nothing is stored after.
    const sql = `WITH touched AS (UPDATE graph SET updated_at = now()
          WHERE id = $1 AND deleted_at IS NULL AND ($5::bigint IS NULL OR doc_fence = $5) RETURNING id),
        claimed AS (INSERT INTO doc_client (graph_id, client, author)
          SELECT id, client, author FROM touched, unnest($3::bigint[], $4::text[]) AS owner(client, author) ON CONFLICT DO NOTHING)
      INSERT INTO doc_update (graph_id, bytes) SELECT id, bytes FROM touched, unnest($2::bytea[]) WITH ORDINALITY AS row(bytes, at)
      ORDER BY at RETURNING seq`;
    const { rows } = await patient(() =>
      pool.query<{ seq: string }>(sql, [
        graph,
        updates.map((bytes) => Buffer.from(bytes)),
        [...owners.keys()],
        [...owners.values()],
        fence,
      ]),
    );
    if (rows.length < updates.length) {
      const { rows: left } = await patient(() => pool.query("SELECT FROM graph WHERE id = $1 AND deleted_at IS NULL", [graph]));
      throw left.length > 0 ? new DocumentLost(graph) : new EditUnfit("Its graph was deleted.");
    }
    return rows.map(({ seq }) => seq);
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
        return insert(client, graph, rest);
      }),
    ),

  // Two runtimes that do this at once wait at the first row that both know: then it is there for one of them.
  // A row of its own, and not the first one anew: another runtime may have put there what this one does not know. The graph's row is
  // locked first, as by whoever removes the graph and its rows with it: in the other order the two would wait for each other.
  compact: async (graph, seqs, whole) => {
    const sql = `WITH known AS (SELECT seq FROM doc_update WHERE graph_id = $1 AND seq = ANY($2::bigint[]) ORDER BY seq FOR UPDATE),
       gone AS (DELETE FROM doc_update WHERE graph_id = $1 AND seq = ANY($2::bigint[]) AND (SELECT count(*) FROM known) = cardinality($2))
       INSERT INTO doc_update (graph_id, bytes) SELECT $1, $3 WHERE (SELECT count(*) FROM known) = cardinality($2) RETURNING seq`;
    return transaction(pool, async (client) => {
      await client.query("SELECT FROM graph WHERE id = $1 FOR KEY SHARE", [graph]);
      return (await client.query<{ seq: string }>(sql, [graph, seqs, Buffer.from(whole)])).rows[0]?.seq;
    });
  },

  // `append` updates the graph's row as well, so it waits for this lock, as another runtime does that loads the same document.
  migrate: (graph, make) =>
    patient(() =>
      transaction(pool, async (client) => {
        const { rowCount } = await client.query("SELECT FROM graph WHERE id = $1 FOR UPDATE", [graph]);
        const update = rowCount === 0 ? undefined : await make(await read(client, graph));
        if (update) await insert(client, graph, update);
      }),
    ),
});
