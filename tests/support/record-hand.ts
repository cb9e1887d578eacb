// A record in a database of its own.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { badEvents } from "./events.ts";
import { newDatabase, openPool, type TestDatabase } from "./postgres.ts";

/** A node as a run freezes it. */
export const TASK = { plane: "python", service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };

export class RecordHand {
  private constructor(
    private readonly database: TestDatabase,
    readonly pool: pg.Pool,
    readonly record: PostgresRecord,
  ) {}

  static async start(): Promise<RecordHand> {
    const database = await newDatabase();
    if (!database) throw new Error("The test's project shares no PostgreSQL (vitest.config.ts).");
    const pool = openPool(database.url, 20);
    return new RecordHand(database, pool, new PostgresRecord(pool));
  }

  get url(): string {
    return this.database.url;
  }

  /** A run that nobody owns, and the ids of its node runs. */
  async newRun(nodes: number, task: typeof TASK = TASK): Promise<{ run: string; ids: string[] }> {
    const [run, revision] = [randomUUID(), randomUUID()];
    await this.pool.query("INSERT INTO revision (id, hash, document) VALUES ($1, $2, '{}')", [revision, revision]);
    const node = (_: unknown, index: number) => ({ ...task, path: `n${index}`, nodeId: `n${index}` });
    await this.record.runs.create({
      id: run,
      revision,
      title: "t",
      inputs: {},
      engines: { "": Object.fromEntries(Array.from({ length: nodes }, (_, index) => [`n${index}`, task])) },
      definitions: [],
      options: {},
      submitter: "",
      nodes: Array.from({ length: nodes }, node),
    });
    return { run, ids: (await this.record.nodes.ofRun(run)).map((row) => row.id) };
  }

  /** Drops the database. Returns the events that break their schema. */
  async stop(): Promise<unknown[]> {
    const bad = await badEvents(this.pool);
    await this.pool.end();
    await this.database.drop();
    return bad;
  }
}
