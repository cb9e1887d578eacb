// Whether a build is up to date is answered by a hash of its sources, so that a second start builds nothing again.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./paths.ts";

const SKIPPED = new Set(["node_modules", "build", ".venv", "__pycache__", ".git"]);

async function addTo(hash: ReturnType<typeof createHash>, path: string, root: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (found.isFile()) {
    const bytes = await readFile(path);
    hash.update(`${relative(root, path)}\0${bytes.length}\0`).update(bytes);
    return;
  }
  for (const entry of (await readdir(path)).sort()) if (!SKIPPED.has(entry)) await addTo(hash, join(path, entry), root);
}

/** The hash of these files and folders; where `root` lies does not matter. */
export async function hashOf(sources: readonly string[], root = ROOT): Promise<string> {
  const hash = createHash("sha256");
  for (const source of sources) await addTo(hash, source, root);
  return hash.digest("hex");
}

/** Runs `make` unless `stamp` says that it ran on exactly these files and folders. */
export async function once(stamp: string, sources: readonly string[], make: () => Promise<void>, root = ROOT): Promise<void> {
  const wanted = await hashOf(sources, root);
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return;
  await make();
  await mkdir(dirname(stamp), { recursive: true });
  await writeFile(stamp, wanted);
}
