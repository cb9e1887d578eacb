// The server's documents (DESIGN C1): one Y.Doc per graph; an update is in PostgreSQL before anybody is told of it.
import * as Y from "yjs";
import type { Database } from "../store/database.ts";
import { patient } from "../store/patient.ts";

export interface Hosted {
  doc: Y.Doc;
  /** Appends in order of arrival. */
  tail: Promise<void>;
}

export class DocumentHost {
  private readonly hosted = new Map<string, Promise<Hosted>>();

  constructor(private readonly db: Database) {}

  async open(id: string): Promise<Y.Doc> {
    return (await this.host(id)).doc;
  }

  host(id: string): Promise<Hosted> {
    const known = this.hosted.get(id);
    if (known) return known;
    const loading = this.load(id);
    this.hosted.set(id, loading);
    loading.catch(() => this.hosted.delete(id));
    return loading;
  }

  drop(id: string): void {
    this.hosted.delete(id);
  }

  /** Appends, then applies: what the document holds can always be loaded again. @throws Error for bytes that are no update */
  async append(id: string, update: Uint8Array, origin: unknown): Promise<void> {
    Y.decodeUpdate(update);
    const hosted = await this.host(id);
    const done = hosted.tail.then(async () => {
      await patient(() =>
        this.db.pool.query(
          "WITH touched AS (UPDATE graph SET updated_at = now() WHERE id = $1) INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)",
          [id, Buffer.from(update)],
        ),
      );
      Y.applyUpdate(hosted.doc, update, origin);
    });
    hosted.tail = done.catch(() => {});
    await done;
  }

  /** An edit by the server itself, made on a copy, so that it goes the same way as everybody's. */
  async change(id: string, edit: (doc: Y.Doc) => void): Promise<void> {
    const { doc } = await this.host(id);
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
    const before = Y.encodeStateVector(copy);
    edit(copy);
    await this.append(id, Y.encodeStateAsUpdate(copy, before), "server");
  }

  private async load(id: string): Promise<Hosted> {
    const { rows } = await this.db.pool.query<{ bytes: Buffer }>("SELECT bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [id]);
    const doc = new Y.Doc();
    doc.transact(() => {
      for (const row of rows) Y.applyUpdate(doc, row.bytes);
    }, "load");
    return { doc, tail: Promise.resolve() };
  }
}
