import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { assertKey, type ByteRange, ObjectNotFound, type ObjectStore } from "./store.ts";

/** Objects as files. A write lands under a random name, is flushed and then renamed: a reader sees all of it or nothing. */
export function folderStore(folder: string): ObjectStore {
  const path = (key: string): string => {
    assertKey(key);
    return join(folder, key);
  };
  const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";
  return {
    kind: "folder",
    async put(key, body, size) {
      const target = path(key);
      const temporary = join(folder, "partial", randomUUID());
      await mkdir(dirname(target), { recursive: true });
      await mkdir(dirname(temporary), { recursive: true });
      try {
        await pipeline(body instanceof Readable ? body : Readable.from([body]), createWriteStream(temporary));
        const written = (await stat(temporary)).size;
        if (written !== size) throw new Error(`${written} bytes came for an object of ${size}.`);
        const file = await open(temporary, "r+");
        await file.sync();
        await file.close();
        await rename(temporary, target);
      } finally {
        await rm(temporary, { force: true });
      }
    },
    async get(key, range?: ByteRange) {
      const file = path(key);
      await stat(file).catch((error) => {
        throw isMissing(error) ? new ObjectNotFound(key) : error;
      });
      return createReadStream(file, range);
    },
    async size(key) {
      return stat(path(key)).then(
        (found) => found.size,
        (error) => {
          if (isMissing(error)) return undefined;
          throw error;
        },
      );
    },
    remove: (key) => rm(path(key), { force: true }),
    async list(prefix) {
      assertKey(`${prefix}/x`);
      const entries = await readdir(join(folder, prefix), { recursive: true, withFileTypes: true }).catch((error) => {
        if (isMissing(error)) return [];
        throw error;
      });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
        .sort();
    },
    sign: async () => undefined,
    async check() {
      await mkdir(join(folder, "partial"), { recursive: true });
      await sweep(join(folder, "partial"));
      const probe = join(folder, "partial", randomUUID());
      await (await open(probe, "w")).close();
      await rm(probe);
    },
  };
}

/** Another runtime may be writing to this folder, but a file that has not changed for so long was left by one that was killed. */
const LEFT_MS = 60 * 60_000;

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > LEFT_MS) await rm(file, { force: true });
  }
}
