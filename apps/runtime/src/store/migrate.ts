// Applies prisma/migrations in order. Writes Prisma's own table and checksums, so that its command line agrees.
import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type pg from "pg";

const FOLDER = new URL("../../prisma/migrations/", import.meta.url);
const LOCK = 7_203_117;
/** A large table takes its time to change, and another runtime may be at it. */
const patiently = (text: string): pg.QueryConfig => ({ text, query_timeout: 3_600_000 }) as pg.QueryConfig;

/** Returns the names it applied. @throws Error if a migration that was applied has changed since */
export async function migrate(pool: pg.Pool): Promise<string[]> {
  const client = await pool.connect();
  try {
    await client.query("SET statement_timeout = 0");
    await client.query({ ...patiently("SELECT pg_advisory_lock($1)"), values: [LOCK] });
    await client.query(`CREATE TABLE IF NOT EXISTS "_prisma_migrations" ("id" VARCHAR(36) PRIMARY KEY, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
      "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ, "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`);
    const { rows } = await client.query<{ migration_name: string; checksum: string }>(
      `SELECT migration_name, checksum FROM "_prisma_migrations" WHERE finished_at IS NOT NULL`,
    );
    const known = new Map(rows.map((row) => [row.migration_name, row.checksum]));
    const applied: string[] = [];
    for (const entry of (await readdir(FOLDER, { withFileTypes: true }))
      .filter((one) => one.isDirectory())
      .map((one) => one.name)
      .sort()) {
      const sql = await readFile(new URL(`${entry}/migration.sql`, FOLDER), "utf8");
      const checksum = createHash("sha256").update(sql).digest("hex");
      if (known.has(entry) && known.get(entry) !== checksum)
        throw new Error(`The migration ${entry} was changed after it had been applied.`);
      if (known.has(entry)) continue;
      await client.query("BEGIN");
      await client.query(patiently(sql));
      await client.query(
        `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, now(), $3, 1)`,
        [randomUUID(), checksum, entry],
      );
      await client.query("COMMIT");
      applied.push(entry);
    }
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
