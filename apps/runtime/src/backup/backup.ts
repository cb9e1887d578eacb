// Backs up while runs go on: one snapshot of the database, then the objects that it names. An object is stored before its row is
// committed and never changes afterwards, so that what a snapshot names is there.
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { BackupManifest } from "@spindle/schemas";
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { ObjectNotFound, type ObjectStore } from "../artifacts/store.ts";
import { RELEASE } from "../store/release.ts";
import { artifactFile, counting, emptyManifest, forEachOf, manifestFile, tableFile } from "./folder.ts";
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
    const body = await store.get(key).catch((cause) => {
      if (!(cause instanceof ObjectNotFound)) throw new UnreadableObject(key, cause);
    });
    if (body) await pipeline(bytesOf(key, body), count.through, createWriteStream(file, { mode: 0o600 }));
    const isWhole = body !== undefined && count.bytes() === size && count.sha256() === sha256;
    if (isWhole) manifest.artifacts.push({ key, mime, size, sha256 });
    else {
      manifest.damaged.push(key);
      await rm(file, { force: true });
    }
  };
  await forEachOf(artifacts, copyOne);
}

/** The bytes of an object, so that a failure to read them is told from one to write them. @throws UnreadableObject */
async function* bytesOf(key: string, body: Readable): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (cause) {
    throw new UnreadableObject(key, cause);
  }
}

/** The store has the object and does not give it, so that nobody can say whether it is lost. */
class UnreadableObject extends Error {
  constructor(key: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `The object ${key} cannot be read from the store (${reason}), and nothing was backed up. Make it readable, or delete it there if it is lost; then back up again.`,
      { cause },
    );
  }
}
