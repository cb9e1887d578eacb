// "Was this made from what lies here now?" Answered by a hash, so that a second start does nothing twice.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const SKIPPED = new Set(["node_modules", "build", ".venv", "__pycache__", ".git"]);

async function addTo(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (found.isFile()) {
    hash.update(path).update(await readFile(path));
    return;
  }
  for (const entry of (await readdir(path)).sort()) if (!SKIPPED.has(entry)) await addTo(hash, join(path, entry));
}

/** Runs `make` unless `stamp` says that it ran on exactly these files and folders. */
export async function once(stamp: string, sources: readonly string[], make: () => Promise<void>): Promise<void> {
  const hash = createHash("sha256");
  for (const source of sources) await addTo(hash, source);
  const wanted = hash.digest("hex");
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return;
  await make();
  await mkdir(dirname(stamp), { recursive: true });
  await writeFile(stamp, wanted);
}
