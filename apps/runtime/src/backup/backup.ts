// Backs up while runs go on: one snapshot of the database, then the objects that it names. An object is stored before its row is
// committed and never changes afterwards, so that what a snapshot names is there.
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import type { ObjectStore } from "../artifacts/store.ts";
import { RELEASE } from "../store/release.ts";
import { artifactFile, type BackupManifest, counting, emptyManifest, forEachOf, manifestFile, tableFile } from "./folder.ts";
import { identifier, migrationsOf, tablesOf } from "./tables.ts";

export interface Place {
  databaseUrl: string;
  store: ObjectStore;
  folder: string;
  /** Told how many of how many bytes of artifacts have been copied. */
  progress?(done: number, of: number): void;
}

interface StoredArtifact {
  key: string;
  mime: string;
  size: number;
  sha256: string;
}

/**
 * The folder has its name once it is whole; until then it ends in `.partial`.
 * @throws Error if the folder is there and not empty
 */
export async function backUp({ databaseUrl, store, folder, progress }: Place): Promise<BackupManifest> {
  const found = await readdir(folder).catch(() => undefined);
  if (found && found.length > 0) throw new Error(`${folder} is not empty. Name a folder that does not exist yet.`);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(dirname(tableFile(partial, "any")), { recursive: true, mode: 0o700 });
  try {
    const manifest = emptyManifest(RELEASE, new Date().toISOString());
    const artifacts = await copyDatabase(databaseUrl, partial, manifest);
    await copyArtifacts(artifacts, store, partial, manifest, progress);
    await writeFile(manifestFile(partial), JSON.stringify(manifest));
    if (found) await rm(folder, { recursive: true });
    await rename(partial, folder);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function copyDatabase(url: string, folder: string, manifest: BackupManifest): Promise<StoredArtifact[]> {
  const client = new pg.Client({ connectionString: url, keepAlive: true });
  await client.connect();
  try {
    await client.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    manifest.migrations = await migrationsOf(client);
    for (const { name, columns } of await tablesOf(client)) {
      const count = counting();
      const copy = client.query(copyTo(`COPY ${identifier(name)} (${columns.map(identifier).join(", ")}) TO STDOUT`));
      await pipeline(copy, count.through, createGzip(), createWriteStream(tableFile(folder, name), { mode: 0o600 }));
      manifest.tables.push({ name, columns, rows: copy.rowCount, sha256: count.sha256() });
    }
    const { rows } = await client.query<StoredArtifact>(
      `SELECT DISTINCT ON (key) key, mime, size::float8 AS size, sha256 FROM artifact ORDER BY key`,
    );
    await client.query("COMMIT");
    return rows;
  } finally {
    await client.end();
  }
}

async function copyArtifacts(
  artifacts: readonly StoredArtifact[],
  store: ObjectStore,
  folder: string,
  manifest: BackupManifest,
  progress: Place["progress"],
): Promise<void> {
  const all = artifacts.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const copyOne = async ({ key, mime, size, sha256 }: StoredArtifact): Promise<void> => {
    const file = artifactFile(folder, key);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const count = counting((bytes) => {
      done += bytes;
      progress?.(done, all);
    });
    const isThere = (await store.size(key)) !== undefined;
    if (isThere) await pipeline(await store.get(key), count.through, createWriteStream(file, { mode: 0o600 }));
    const isWhole = isThere && count.bytes() === size && count.sha256() === sha256;
    if (isWhole) manifest.artifacts.push({ key, mime, size, sha256 });
    else {
      manifest.damaged.push(key);
      await rm(file, { force: true });
    }
  };
  await forEachOf(artifacts, copyOne);
}
