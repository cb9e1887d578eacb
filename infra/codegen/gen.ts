// Everything that is made from `schemas/`, from the capabilities' own files and from the migrations. `npm run gen` makes again what
// has changed since it was last made here; `npm run check` makes all of it, and compares.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Advice } from "../launch/say.ts";
import { hashOf } from "../launch/stamp.ts";
import { whyMigrationsFail } from "./attempt.ts";
import { generateDashboards } from "./dashboards.ts";
import { generateNodeManifest, generatePythonManifest } from "./manifests.ts";
import { lockDatabase } from "./migrations.ts";
import { generatePython } from "./python.ts";
import { generateTypeScript } from "./typescript.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Part {
  name: string;
  /** Whatever it is made from and what it makes, below the root. */
  files: readonly string[];
  make(python: string): Promise<ReadonlyMap<string, string>>;
}

const COMMON = ["schemas", "infra/codegen"];
const PACKAGES = ["packages/graph-model/src", "packages/node-library/src", "packages/task-bus/src"];
const MANIFESTS = "packages/node-library/manifests";
const WORKER = "workers/python-gpu";

/** In order: the manifests are printed by programs that need the generated types. */
const PARTS: readonly Part[] = [
  { name: "types, validators and constants", files: [...COMMON, "pnpm-lock.yaml"], make: () => generateTypeScript(root) },
  {
    name: "the worker's models",
    files: [...COMMON, `${WORKER}/requirements-dev.txt`, `${WORKER}/spindle_worker/contract`],
    make: (python) => generatePython(root, python),
  },
  {
    name: "Grafana's dashboards",
    files: ["infra/codegen", "infra/compose/grafana/dashboards"],
    make: async () => generateDashboards(root),
  },
  {
    name: "the node plane's manifest",
    files: [...COMMON, ...PACKAGES, "apps/runtime/src", `${MANIFESTS}/node.json`, "pnpm-lock.yaml"],
    make: () => generateNodeManifest(root),
  },
  {
    name: "the Python plane's manifest",
    files: [...COMMON, `${MANIFESTS}/python.json`, `${WORKER}/spindle_worker`, `${WORKER}/requirements.txt`],
    make: (python) => generatePythonManifest(root, python),
  },
];

interface Means {
  /** Brings the programs that make parts, once one has to be made. Returns Python's. */
  prepare: () => Promise<string>;
  say: (line: string) => void;
}

/** Returns the paths it wrote. */
export async function generate(means: Means): Promise<string[]> {
  const written = await makeStale(PARTS, root, means);
  return [...written, ...(await lockMigrations(root))];
}

/**
 * Returns the path of the lock, if it has grown. A migration that `npm run check` or PostgreSQL refuses gets no entry.
 * @throws Advice if one is refused, a function cannot be applied, or schema.prisma says something else
 */
export async function lockMigrations(base: string): Promise<string[]> {
  const { path, text, problems } = await lock(base);
  const refuse = (why: readonly string[]) => new Advice(`no migration is locked before this is mended:\n${why.join("\n")}`);
  if (problems.length > 0) throw refuse(problems);
  const why = await whyUnfit(dirname(path), base);
  if (why.length > 0) throw refuse(why);
  return (await write(path, text)) ? [relative(base, path)] : [];
}

/** What PostgreSQL says of the files of a database, which it is asked once for each state of them. */
async function whyUnfit(prisma: string, base: string): Promise<string[]> {
  const stamp = join(base, ".cache/generated/database");
  const judges = ["attempt.ts", "drift.ts", "prisma-sql.ts"].map((name) => join(root, "infra/codegen", name));
  const files = ["migrations", "functions", "schema.prisma"].map((name) => join(prisma, name));
  const state = await hashOf([...files, ...judges], base);
  if (state === (await readFile(stamp, "utf8").catch(() => ""))) return [];
  const why = await whyMigrationsFail(prisma);
  if (why.length === 0) await write(stamp, state);
  return why;
}

/** Makes the parts whose files have changed since they were made, and writes what differs. Returns the paths it wrote. */
export async function makeStale(parts: readonly Part[], base: string, { prepare, say }: Means): Promise<string[]> {
  let python: string | undefined;
  const written: string[] = [];
  for (const { name, files, make } of parts) {
    const stamp = join(base, ".cache/generated", name.replaceAll(/\W+/g, "-"));
    const paths = files.map((file) => join(base, file));
    if ((await hashOf(paths, base)) === (await readFile(stamp, "utf8").catch(() => ""))) continue;
    const begun = performance.now();
    python ??= await prepare();
    for (const [path, text] of await make(python)) if (await write(path, text)) written.push(relative(base, path));
    await write(stamp, await hashOf(paths, base));
    say(`${name}: made in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }
  return written;
}

/** Returns the paths whose content differs from what the sources make, and what is wrong with the migrations. */
export async function verify(python: string, parts = PARTS, base = root): Promise<{ stale: string[]; problems: string[] }> {
  const made = await Promise.all(parts.map(({ make }) => make(python)));
  const { path, text, problems } = await lock(base);
  if (problems.length === 0) problems.push(...(await whyUnfit(dirname(path), base)));
  const files = [...made.flatMap((part) => [...part]), [path, text] as const];
  const stale = await Promise.all(files.map(async (file) => ((await isWritten(...file)) ? [] : [relative(base, file[0])])));
  return { stale: stale.flat(), problems };
}

async function lock(base: string): ReturnType<typeof lockDatabase> {
  const [, list = ""] = /RELEASES = \[([^\]]*)\]/.exec(await readFile(join(base, "apps/runtime/src/store/release.ts"), "utf8")) ?? [];
  const releases = [...list.matchAll(/"([^"]+)"/g)].map(([, release = ""]) => release);
  if (releases.length === 0) throw new Error("apps/runtime/src/store/release.ts lists no RELEASES.");
  return lockDatabase(join(base, "apps/runtime/prisma"), releases);
}

const isWritten = async (path: string, text: string): Promise<boolean> => (await readFile(path, "utf8").catch(() => null)) === text;

async function write(path: string, text: string): Promise<boolean> {
  if (await isWritten(path, text)) return false;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return true;
}
