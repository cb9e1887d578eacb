// A record in a PostgreSQL of its own.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { migrateDatabase } from "../../apps/runtime/src/store/migrate.ts";
import { isRoot } from "../../infra/launch/paths.ts";
import { type RunningService, startPostgres } from "../../infra/launch/postgres.ts";
import { badEvents } from "./events.ts";

/** A node as a run freezes it. */
export const TASK = { plane: "python", service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };

export class RecordHand {
  private constructor(
    private readonly folder: string,
    private readonly service: RunningService,
    readonly pool: pg.Pool,
    readonly record: PostgresRecord,
  ) {}

  static async start(): Promise<RecordHand> {
    const name = await mkdtemp(join(tmpdir(), "spindle-record-"));
    const folder = isRoot ? join("/var/lib/spindle", name.split("/").at(-1) as string) : name;
    const service = await startPostgres(folder);
    const pool = new pg.Pool({ connectionString: service.url, max: 20 });
    pool.on("error", () => {}); // PostgreSQL's farewell may reach a connection that is closing
    pool.on("connect", (client) => client.on("error", () => {}));
    await migrateDatabase(pool);
    return new RecordHand(folder, service, pool, new PostgresRecord(pool));
  }

  get url(): string {
    return this.service.url;
  }

  /** A run that nobody owns, and the ids of its node runs. */
  async newRun(nodes: number): Promise<{ run: string; ids: string[] }> {
    const [run, revision] = [randomUUID(), randomUUID()];
    await this.pool.query("INSERT INTO revision (id, hash, document) VALUES ($1, $2, '{}')", [revision, revision]);
    const node = (_: unknown, index: number) => ({ ...TASK, path: `n${index}`, nodeId: `n${index}` });
    await this.record.runs.create({
      id: run,
      revision,
      title: "t",
      inputs: {},
      engines: {},
      options: {},
      submitter: "",
      nodes: Array.from({ length: nodes }, node),
    });
    return { run, ids: (await this.record.nodes.ofRun(run)).map((row) => row.id) };
  }

  /** Stops PostgreSQL. Returns the events that break their schema. */
  async stop(): Promise<unknown[]> {
    const bad = await badEvents(this.pool);
    await this.pool.end();
    await this.service.process.stop();
    await rm(this.folder, { recursive: true, force: true });
    return bad;
  }
}
