// One PostgreSQL for the test files of a project (vitest.config.ts), of which each gets a database of its own: a cluster takes seconds to
// make and to stop, a copy of a database a third of one.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import pg from "pg";
import { migrateDatabase } from "../../apps/runtime/src/store/migrate.ts";
import { isRoot } from "../../infra/launch/paths.ts";
import { startPostgres } from "../../infra/launch/postgres.ts";

/** In this variable the processes of a project's test files find the template: a database with the product's tables, and nothing in them. */
const TEMPLATE = "SPINDLE_TEST_TEMPLATE";

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Where a PostgreSQL may keep its data, beside `home`. As root it runs as another user, who cannot look into a 0700 folder. */
export const postgresFolder = (home: string): string => (isRoot ? join("/var/lib/spindle", basename(home)) : join(home, "postgres"));

/** Vitest calls it before the first file of a project. Returns what it calls after the last. */
export default async function start(): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), "spindle-tests-"));
  const { url, process: postgres } = await startPostgres(postgresFolder(home));
  const pool = openPool(url, 1);
  await migrateDatabase(pool);
  await pool.end();
  process.env[TEMPLATE] = url;
  return async () => {
    delete process.env[TEMPLATE];
    await postgres.stop();
    for (const folder of [postgresFolder(home), home]) await rm(folder, { recursive: true, force: true });
  };
}

/** Connections that outlive the end of their PostgreSQL, of which each is made when it is needed. */
export function openPool(url: string, max = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** A database with the product's tables; undefined where the project shares no PostgreSQL. */
export async function newDatabase(): Promise<TestDatabase | undefined> {
  const template = process.env[TEMPLATE];
  if (template === undefined) return undefined;
  const urlOf = (database: string) => Object.assign(new URL(template), { pathname: `/${database}` }).href;
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const administer = async (text: string) => {
    const client = new pg.Client({ connectionString: urlOf("postgres") });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  await administer(`CREATE DATABASE ${name} TEMPLATE ${new URL(template).pathname.slice(1)}`);
  return { url: urlOf(name), drop: () => administer(`DROP DATABASE ${name} WITH (FORCE)`) };
}
