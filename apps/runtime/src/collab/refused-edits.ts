// Edits that a document did not take, kept for whoever made them (DESIGN C5, docs/decisions/0032).
import { createHash } from "node:crypto";
import { basesOf, decode, inTurns, ONE_STEP, ONE_UPDATE, reauthor } from "@spindle/graph-model/shared-doc";
import type pg from "pg";
import * as Y from "yjs";
import type { Author } from "./clients.ts";

/** Of one author in one graph. The oldest go. */
const MOST_OF_ONE = { edits: 32, bytes: 8 * 1024 * 1024 };
/** Of one graph: nobody can fill the disk, nor put away what is kept of others. */
const MOST_OF_ALL = { edits: 512, bytes: 64 * 1024 * 1024 };
const DAYS_KEPT = 30;

export interface KeptEdits {
  /** Up to which of them these are. */
  last: string;
  edits: number;
  reason: string;
  at: string;
  /** All of them, as an edit that its author may make. */
  update: Uint8Array;
}

/** What the log of them has of one author. */
export interface RefusedLog {
  /** False if there is no room. */
  keep(graph: string, author: string, edit: { bytes: Uint8Array; bases: [number, number][]; reason: string }): Promise<boolean>;
  of(
    graph: string,
    authors: readonly string[],
  ): Promise<{ id: string; bytes: Uint8Array; bases: [number, number][]; reason: string; at: Date }[]>;
  /** Those up to one of them. */
  forget(graph: string, authors: readonly string[], last: string): Promise<void>;
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/**
 * Keeps an edit that was refused for what is there. Not before this call returns may the document change: what is under another's id goes
 * on from what the document has of it now.
 */
export async function keepRefused(
  log: RefusedLog,
  graph: string,
  {
    doc,
    update,
    author,
    reason,
    mayWrite,
  }: { doc: Y.Doc; update: Uint8Array; author: Author; reason: string; mayWrite(client: number): boolean },
): Promise<boolean> {
  const states = new Map([...doc.store.clients.keys()].map((client) => [client, Y.getState(doc.store, client)]));
  const decoded = await inTurns(decode(update, ONE_UPDATE.parts, ONE_STEP), turn);
  const bases = basesOf(decoded, (client) => states.get(client) ?? 0, mayWrite);
  return log.keep(graph, author.name, { bytes: update, bases: [...bases], reason });
}

/** What is kept of an author's, if there is any. Asked twice, it is under the same ids, so that it is one edit whoever makes it again. */
export async function refusedOf(log: RefusedLog, graph: string, author: Author): Promise<KeptEdits | undefined> {
  const rows = await log.of(graph, [...author.names]);
  const last = rows.at(-1);
  if (!last) return undefined;
  // What goes on from an edit that was refused goes on from it under the same new id.
  const bases = new Map<number, number>();
  for (const row of rows) for (const [client, clock] of row.bases) bases.set(client, Math.min(clock, bases.get(client) ?? clock));
  const idFor = (client: number) => clientOf(`${graph} ${author.name} ${client} ${bases.get(client)}`);
  const updates: Uint8Array[] = [];
  for (const { bytes } of rows) updates.push(reauthor(await inTurns(decode(bytes, ONE_UPDATE.parts, ONE_STEP), turn), bases, idFor));
  return { last: last.id, edits: rows.length, reason: last.reason, at: last.at.toISOString(), update: Y.mergeUpdates(updates) };
}

/** An id like those that Yjs draws. */
const clientOf = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE();

export const refusedLog = (pool: Pick<pg.Pool, "query">): RefusedLog => ({
  keep: async (graph, author, { bytes, bases, reason }) => {
    const { rowCount } = await pool.query(
      `INSERT INTO doc_refused (graph_id, author, bytes, bases, reason) SELECT $1, $2, $3, $4, $5 WHERE
         (SELECT count(*) < $6 AND coalesce(sum(octet_length(bytes)), 0) <= $7 FROM doc_refused WHERE graph_id = $1)`,
      [graph, author, Buffer.from(bytes), JSON.stringify(bases), reason, MOST_OF_ALL.edits, MOST_OF_ALL.bytes - bytes.length],
    );
    await pool.query(
      `DELETE FROM doc_refused WHERE id IN (SELECT id FROM (
         SELECT id, row_number() OVER latest AS place, sum(octet_length(bytes)) OVER latest AS total FROM doc_refused
         WHERE graph_id = $1 AND author = $2 WINDOW latest AS (ORDER BY id DESC)) AS kept WHERE place > $3 OR total > $4)`,
      [graph, author, MOST_OF_ONE.edits, MOST_OF_ONE.bytes],
    );
    return rowCount === 1;
  },
  of: async (graph, authors) =>
    (
      await pool.query("SELECT id, bytes, bases, reason, at FROM doc_refused WHERE graph_id = $1 AND author = ANY($2) ORDER BY id", [
        graph,
        authors,
      ])
    ).rows,
  forget: async (graph, authors, last) => {
    await pool.query("DELETE FROM doc_refused WHERE graph_id = $1 AND author = ANY($2) AND id <= $3", [graph, authors, last]);
  },
});

/** Removes what nobody wanted back. */
export const sweepRefused = (pool: Pick<pg.Pool, "query">): Promise<unknown> =>
  pool.query("DELETE FROM doc_refused WHERE at < now() - make_interval(days => $1)", [DAYS_KEPT]);
