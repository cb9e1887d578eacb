// Writes everything that is made from `schemas/` and from the capabilities' own files; `--check` only says what is stale.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { generateManifests } from "./manifests.ts";
import { generatePython } from "./python.ts";
import { generateTypeScript } from "./typescript.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Returns the paths whose committed content differs from what the sources make. */
export async function generate(options: { write: boolean; python: string }): Promise<string[]> {
  const files = new Map<string, string>();
  for (const part of [
    await generateTypeScript(root),
    await generatePython(root, options.python),
    await generateManifests(root, options.python),
  ])
    for (const [path, text] of part) files.set(path, text);
  const stale: string[] = [];
  for (const [path, text] of files) {
    const old = await readFile(path, "utf8").catch(() => null);
    if (old === text) continue;
    stale.push(relative(root, path));
    if (!options.write) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  return stale;
}
