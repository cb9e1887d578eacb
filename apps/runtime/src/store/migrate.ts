// Brings the database to this release: prisma/migrations in order, each once, then prisma/functions as far as they changed. Writes
// Prisma's own table and checksums, so that its command line agrees (docs/decisions/0017).
import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { overlaps, RELEASE, RELEASE_NUMBER, RELEASES, whyTooNew } from "./release.ts";

const PRISMA = fileURLToPath(new URL("../../prisma/", import.meta.url));
const LOCK = 7_203_117;
const OLD_RUNTIME_MS = 500;
/** A large table takes its time to change, and another runtime may be changing it. */
const patiently = (text: string): pg.QueryConfig => ({ text, query_timeout: 3_600_000 }) as pg.QueryConfig;
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Returns the names it applied. @throws Error if the database is too new, or an applied migration has changed since */
export async function migrateDatabase(pool: pg.Pool, say: (line: string) => void = console.log, folder = PRISMA): Promise<string[]> {
  const client = await pool.connect();
  try {
    await client.query("SET statement_timeout = 0");
    await client.query({ ...patiently("SELECT pg_advisory_lock($1)"), values: [LOCK] });
    const release = await releaseOf(client);
    const why = whyTooNew(release);
    if (why) throw new Error(why);
    await untilOldRuntimesStopped(client, say);
    const applied = await applyMigrations(client, join(folder, "migrations"));
    // An older release leaves the functions of a newer one alone.
    if (release.number <= RELEASE_NUMBER) applied.push(...(await applyFunctions(client, join(folder, "functions"))));
    await client.query(`INSERT INTO "release" (number, name) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING`, [RELEASE_NUMBER, RELEASE]);
    return applied;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]).catch(() => {});
    await client.query("RESET statement_timeout").catch(() => {});
    client.release();
  }
}

const hasTable = async (client: pg.PoolClient, name: string): Promise<boolean> =>
  (await client.query("SELECT to_regclass($1) IS NOT NULL AS found", [`"${name}"`])).rows[0].found;

/** The newest release that ran on this database; the first one did not write itself down. */
async function releaseOf(client: pg.PoolClient): Promise<{ number: number; name: string }> {
  const { rows } = (await hasTable(client, "release"))
    ? await client.query<{ number: number; name: string }>(`SELECT number, name FROM "release" ORDER BY number DESC LIMIT 1`)
    : { rows: [] };
  return rows[0] ?? { number: 1, name: RELEASES[0] };
}

/** Runtimes whose release cannot work on what this one makes of the database have to stop first; their leases say whether they have. */
async function untilOldRuntimesStopped(client: pg.PoolClient, say: (line: string) => void): Promise<void> {
  if (!(await hasTable(client, "runtime"))) return;
  for (let said = ""; ; await sleep(OLD_RUNTIME_MS)) {
    const { rows } = await client.query<{ id: string; release: number }>(
      `SELECT id, COALESCE((to_jsonb(r)->>'release')::int, 1) AS release FROM runtime r WHERE lease_until > now() ORDER BY id`,
    );
    const old = rows.filter(({ release }) => !overlaps(release));
    if (old.length === 0) return;
    const names = old.map(({ id, release }) => `${id} (release ${RELEASES[release - 1]})`).join(", ");
    const line = `The upgrade to Spindle ${RELEASE} waits for older processes to stop: ${names}. Stop them; those that were killed are given up when their leases end.`;
    if (line !== said) say(line);
    said = line;
  }
}

async function applyMigrations(client: pg.PoolClient, folder: string): Promise<string[]> {
  await client.query(`CREATE TABLE IF NOT EXISTS "_prisma_migrations" ("id" VARCHAR(36) PRIMARY KEY, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ, "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`);
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(
    `SELECT migration_name, checksum FROM "_prisma_migrations" WHERE finished_at IS NOT NULL`,
  );
  const known = new Map(rows.map((row) => [row.migration_name, row.checksum]));
  const applied: string[] = [];
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const name of entries.map((entry) => entry.name).sort()) {
    const sql = await readFile(join(folder, name, "migration.sql"), "utf8");
    const checksum = sha256(sql);
    if (known.has(name) && known.get(name) !== checksum) throw new Error(`The migration ${name} was changed after it had been applied.`);
    if (known.has(name)) continue;
    await client.query("BEGIN");
    await named(`migrations/${name}`, client.query(patiently(sql)));
    await client.query(
      `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, now(), $3, 1)`,
      [randomUUID(), checksum, name],
    );
    await client.query("COMMIT");
    applied.push(name);
  }
  return applied;
}

/** Each file is one function of its own name. All of them change in one transaction: no process sees half of them. */
async function applyFunctions(client: pg.PoolClient, folder: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string; checksum: string }>(`SELECT name, checksum FROM "function"`);
  const known = new Map(rows.map((row) => [row.name, row.checksum]));
  const applied: string[] = [];
  await client.query("BEGIN");
  for (const file of (await readdir(folder)).filter((entry) => entry.endsWith(".sql")).sort()) {
    const name = file.slice(0, -".sql".length);
    const sql = await readFile(join(folder, file), "utf8");
    const checksum = sha256(sql);
    if (known.get(name) === checksum) continue;
    await named(`functions/${file}`, client.query(sql));
    await dropShorter(client, name);
    await client.query(
      `INSERT INTO "function" (name, checksum) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET checksum = EXCLUDED.checksum`,
      [name, checksum],
    );
    applied.push(name);
  }
  await client.query("COMMIT");
  return applied;
}

/** What PostgreSQL says of a file names no file. */
async function named(file: string, applied: Promise<unknown>): Promise<void> {
  try {
    await applied;
  } catch (error) {
    throw new Error(`prisma/${file} cannot be applied: ${(error as Error).message}`, { cause: error });
  }
}

/** A function that got a parameter more is another function to PostgreSQL; calls without it are to reach the new one. */
async function dropShorter(client: pg.PoolClient, name: string): Promise<void> {
  const { rows } = await client.query<{ signature: string }>(
    `SELECT oid::regprocedure::text AS signature FROM pg_proc
     WHERE proname = $1 AND pronamespace = current_schema()::regnamespace ORDER BY pronargs DESC OFFSET 1`,
    [name],
  );
  for (const { signature } of rows) await client.query(`DROP FUNCTION ${signature}`);
}
