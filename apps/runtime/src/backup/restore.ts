// Fills an empty database and its store from a back-up. The objects come first and the rows in one transaction, so that a restore that
// is cut short leaves an empty database, into which the same back-up goes again.
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { BackupManifest } from "@spindle/schemas";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { Place } from "./backup.ts";
import { artifactFile, forEachOf, readBackup, tableFile, verifyBackup } from "./folder.ts";
import { identifier, migrationsOf, tablesOf } from "./tables.ts";

/**
 * Runs that were under way when the back-up was made go on: the runtimes on this database take them up.
 * @throws Error, with nothing restored, if the back-up is damaged, of another schema, or the database is not empty
 */
export async function restore({ databaseUrl, store, folder, progress }: Place): Promise<BackupManifest> {
  const manifest = await readBackup(folder);
  await verifyBackup(folder, manifest);
  const client = new pg.Client({ connectionString: databaseUrl, keepAlive: true });
  await client.connect();
  try {
    await refuseOtherSchema(client, manifest);
    await refuseFilled(client, manifest);
    const all = manifest.artifacts.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    const putOne = async ({ key, mime, size }: BackupManifest["artifacts"][number]): Promise<void> => {
      await store.put(key, createReadStream(artifactFile(folder, key)), size, mime);
      done += size;
      progress?.(done, all);
    };
    await forEachOf(manifest.artifacts, putOne);
    await fill(client, folder, manifest);
    return manifest;
  } finally {
    await client.end();
  }
}

async function refuseOtherSchema(client: pg.Client, { migrations, release }: BackupManifest): Promise<void> {
  const own = await migrationsOf(client).catch(() => undefined);
  if (!own) throw new Error("The database has no tables yet. Start Spindle on it once; then restore.");
  const text = (list: BackupManifest["migrations"]) => list.map(({ name, checksum }) => `${name} ${checksum}`).join("\n");
  if (text(own) === text(migrations)) return;
  throw new Error(
    `The back-up has the tables of Spindle ${release}, and the database those of another version. Restore it with the version that made it, then upgrade.`,
  );
}

async function refuseFilled(client: pg.Client, { tables }: BackupManifest): Promise<void> {
  const known = new Set((await tablesOf(client)).map(({ name }) => name));
  for (const { name } of tables) {
    if (!known.has(name)) throw new Error(`The database has no table ${name}.`);
    const { rows } = await client.query<{ filled: boolean }>(`SELECT EXISTS (SELECT 1 FROM ${identifier(name)}) AS filled`);
    if (rows[0]?.filled) throw new Error(`The database is not empty: it has rows in ${name}. A back-up goes into an empty database.`);
  }
}

async function fill(client: pg.Client, folder: string, manifest: BackupManifest): Promise<void> {
  const names = manifest.tables.map(({ name }) => identifier(name)).join(", ");
  await client.query("BEGIN");
  await client.query(`LOCK TABLE ${names} IN EXCLUSIVE MODE`);
  await refuseFilled(client, manifest); // somebody may have begun something meanwhile
  for (const { name, columns, rows } of manifest.tables) {
    const copy = client.query(copyFrom(`COPY ${identifier(name)} (${columns.map(identifier).join(", ")}) FROM STDIN`));
    await pipeline(createReadStream(tableFile(folder, name)), createGunzip(), copy);
    if (copy.rowCount !== rows) throw new Error(`${copy.rowCount} rows of ${name} were read, and ${rows} were backed up.`);
    for (const column of columns) await advance(client, name, column);
  }
  // What pages know of these documents may be younger than the back-up, and must not come back by itself.
  await client.query(`UPDATE "graph" SET epoch = GREATEST(epoch + 1, floor(extract(epoch FROM now())))`);
  await client.query("COMMIT");
}

/** The next number of a column that numbers its rows comes after the restored ones. */
async function advance(client: pg.Client, table: string, column: string): Promise<void> {
  const { rows } = await client.query<{ sequence: string | null }>("SELECT pg_get_serial_sequence($1, $2) AS sequence", [
    identifier(table),
    column,
  ]);
  const sequence = rows[0]?.sequence;
  if (sequence)
    await client.query(`SELECT setval($1, max(${identifier(column)})) FROM ${identifier(table)} HAVING count(*) > 0`, [sequence]);
}
