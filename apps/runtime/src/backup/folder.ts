// What a back-up's folder holds: `backup.json`, one file for each table as PostgreSQL copies it, and the artifacts under their keys.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type BackupManifest, validateBackupManifest } from "@spindle/schemas";
import pLimit from "p-limit";

export const emptyManifest = (release: string, createdAt: string): BackupManifest => ({
  format: 1,
  release,
  createdAt,
  migrations: [],
  tables: [],
  artifacts: [],
  damaged: [],
});

export const manifestFile = (folder: string): string => join(folder, "backup.json");
export const tableFile = (folder: string, table: string): string => join(folder, "tables", `${table}.copy.gz`);
export const artifactFile = (folder: string, key: string): string => join(folder, "artifacts", key);

/** @throws Error if the folder is no back-up, or one of a form that this release does not know */
export async function readBackup(folder: string): Promise<BackupManifest> {
  const text = await readFile(manifestFile(folder), "utf8").catch(() => undefined);
  if (text === undefined) throw new Error(`${folder} is no back-up: it has no backup.json.`);
  const manifest = parse(text);
  if (validateBackupManifest(manifest)) return manifest;
  throw new Error(`${manifestFile(folder)} cannot be read: it was damaged, or written by a newer Spindle.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Looks at everything that a restore is going to read. @throws Error that names the first file that is not as it was written */
export async function verifyBackup(folder: string, { tables, artifacts }: BackupManifest): Promise<void> {
  for (const { name, sha256 } of tables) await verifyFile(tableFile(folder, name), sha256, [createGunzip()]);
  await forEachOf(artifacts, ({ key, sha256 }) => verifyFile(artifactFile(folder, key), sha256, []));
}

async function verifyFile(file: string, sha256: string, unpack: Transform[]): Promise<void> {
  const count = counting();
  await pipeline([createReadStream(file), ...unpack, count.through, new Writable({ write: (_chunk, _encoding, done) => done() })]).catch(
    (error: NodeJS.ErrnoException) => {
      throw new Error(error.code === "ENOENT" ? `${file} is missing.` : `${file} cannot be read: ${error.message}`);
    },
  );
  if (count.sha256() !== sha256) throw new Error(`${file} is not what was backed up: its hash is another.`);
}

/** Does it for each, four at once. After one that failed no other is begun. @throws what the first one threw, once all that were begun are over */
export async function forEachOf<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const limit = pLimit(4);
  const failures: unknown[] = [];
  const attempt = async (item: Item): Promise<void> => {
    if (failures.length === 0) await act(item).catch((error) => failures.push(error));
  };
  await Promise.all(items.map((item) => limit(() => attempt(item))));
  if (failures.length > 0) throw failures[0];
}

/** Passes bytes on and remembers how many, and their hash. */
export function counting(onBytes: (bytes: number) => void = () => {}): { through: Transform; sha256(): string; bytes(): number } {
  const hash = createHash("sha256");
  let bytes = 0;
  const through = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  return { through, sha256: () => hash.digest("hex"), bytes: () => bytes };
}
