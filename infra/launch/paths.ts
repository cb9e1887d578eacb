import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const CACHE = join(ROOT, ".cache");
export const isRoot = process.getuid?.() === 0;

/** Where this clone's data lies: SPINDLE_HOME, else `.spindle` in the clone. */
export const HOME = process.env.SPINDLE_HOME ?? join(ROOT, ".spindle");

/**
 * A folder that another user can read too: PostgreSQL never runs as root, and its user cannot enter a clone in a 0700 folder.
 * One folder per clone and per program version.
 */
export function sharedFolder(name: string): string {
  const id = createHash("sha256").update(HOME).digest("hex").slice(0, 12);
  return isRoot ? join("/var/lib/spindle", id, name) : join(HOME, name);
}

/** The first of these programs that is on the PATH or in one of the system's usual folders. */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
