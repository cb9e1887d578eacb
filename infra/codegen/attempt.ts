// Applies the migrations and functions to a PostgreSQL of its own, which is gone afterwards: only PostgreSQL knows whether a start could, and
// whether what comes out is what schema.prisma says.
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { isRoot } from "../launch/paths.ts";
import { startPostgres } from "../launch/postgres.ts";
import { driftOf } from "./drift.ts";

/** @returns why the first of them fails that does; else where what they make is not what schema.prisma says */
export async function whyMigrationsFail(prisma: string): Promise<string[]> {
  const parent = isRoot ? "/var/lib/spindle" : tmpdir(); // as root, PostgreSQL's user cannot look into a folder of the caller's
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "spindle-gen-"));
  try {
    const { url, process: postgres } = await startPostgres(folder);
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      const why = await applyAll(client, prisma);
      return why === undefined ? await driftOf(client, await readFile(join(prisma, "schema.prisma"), "utf8")) : [why];
    } finally {
      await client.end().catch(() => {});
      await postgres.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each file in a transaction, as a start does (apps/runtime/src/store/migrate.ts). */
async function applyAll(client: pg.Client, prisma: string): Promise<string | undefined> {
  const migrations = (await readdir(join(prisma, "migrations"), { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const functions = (await readdir(join(prisma, "functions"))).filter((name) => name.endsWith(".sql"));
  const files = [
    ...migrations.map(({ name }) => [`migrations/${name}`, `migrations/${name}/migration.sql`] as const).sort(),
    ...functions.map((name) => [`functions/${name}`, `functions/${name}`] as const).sort(),
  ];
  for (const [name, file] of files) {
    const sql = await readFile(join(prisma, file), "utf8");
    try {
      await client.query("BEGIN");
      await client.query(sql);
      await client.query("COMMIT");
    } catch (error) {
      const { message, position } = error as pg.DatabaseError;
      const line = position === undefined ? "" : `, line ${sql.slice(0, Number(position)).split("\n").length},`;
      return `${name}${line} fails on PostgreSQL: ${message}.`;
    }
  }
  return undefined;
}
