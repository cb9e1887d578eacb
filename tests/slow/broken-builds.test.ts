// Builds that are broken on purpose, each in a copy of the sources: the fault matrix must say so. What it lets pass it does not test.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";

interface Broken {
  name: string;
  /** `from` must be there exactly once. */
  file: string;
  from: string;
  to: string;
  /** The cell of the matrix that finds it, or a test of its own. */
  found: { cell: string } | { project: string; file: string; test: string };
  says: RegExp;
}

const BUILDS: Broken[] = [
  {
    name: "the fence off: a result under any fence is taken",
    file: "apps/runtime/src/tasks/settle.ts",
    from: "row.fence !== task.fence || ",
    to: "",
    found: { cell: "P8 zombie" },
    says: /I5 /,
  },
  {
    name: "acknowledged before it is committed",
    file: "apps/runtime/src/tasks/worker-plane.ts",
    from: '    if ("bad" in one) this.options',
    to: '    await this.bus.acknowledge(one.id);\n    if ("bad" in one) this.options',
    found: { cell: "P10 runtime" },
    says: /W6 /,
  },
  {
    name: "a runtime that died keeps its runs",
    file: "apps/runtime/src/record/record.ts",
    from: "(r.owner IS NULL OR o.id IS NULL OR o.lease_until < now())",
    to: "r.owner IS NULL",
    found: { cell: "P5 runtime" },
    says: /I2 /,
  },
  {
    name: "leases never end",
    file: "apps/runtime/src/tasks/reaper.ts",
    from: "if (now - (this.seen.get(task) ?? now) < timings.leaseMs) return;",
    to: "return;",
    found: { cell: "P6 supervisor" },
    says: /I2 /,
  },
  {
    name: "numbers with a gap",
    file: "apps/runtime/prisma/migrations/20261121000000_engine/migration.sql",
    from: "SELECT of.run, base + row_number()",
    to: "SELECT of.run, base + 1 + row_number()",
    found: { cell: "P12 store" },
    says: /I6 /,
  },
  {
    name: "artifacts without rows",
    file: "apps/runtime/prisma/migrations/20261121000000_engine/migration.sql",
    from: "IF one ? 'objects' THEN",
    to: "IF false THEN",
    found: { cell: "P12 store" },
    says: /I4 /,
  },
  {
    name: "a Redis that evicts is good enough",
    file: "packages/task-bus/src/connect.ts",
    from: 'if (policy !== "noeviction")',
    to: 'if (policy === "")',
    found: { project: "integration", file: "tests/integration/start.test.ts", test: "evicts" },
    says: /noeviction/,
  },
];

/** Folders that tools made and that a copy can share or do without. */
const NOT_COPIED = new Set([".git", ".cache", ".spindle", "node_modules", "test-results", "build"]);

describe.runIf(process.env.SPINDLE_MINIO)("a build that is broken on purpose is found", () => {
  let copy: string;
  beforeAll(async () => {
    copy = await copyOfSources();
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  test.each(BUILDS)("$name", async ({ file, from, to, found, says }) => {
    const path = join(copy, file);
    const good = await readFile(path, "utf8");
    expect(good.split(from).length, `${file} has the place to break once`).toBe(2);
    await writeFile(path, good.replace(from, to));
    try {
      const args =
        "cell" in found ? ["--project", "slow", "tests/slow/faults.test.ts"] : ["--project", found.project, found.file, "-t", found.test];
      const { code, text } = await vitest(copy, args, "cell" in found ? { SPINDLE_FAULT_CELLS: found.cell } : {});
      expect(code, text.slice(-3000)).not.toBe(0);
      expect(text).toMatch(says);
    } finally {
      await writeFile(path, good);
    }
  });
});

async function copyOfSources(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "spindle-broken-"));
  await cp(ROOT, copy, {
    recursive: true,
    filter: (source) =>
      !relative(ROOT, source)
        .split("/")
        .some((part) => NOT_COPIED.has(part)),
  });
  for (const shared of ["node_modules", ".cache"]) await symlink(join(ROOT, shared), join(copy, shared));
  // Links to the workspace's packages are relative, so that the copy's lead to the copy.
  for (const folder of await workspace())
    await cp(join(ROOT, folder, "node_modules"), join(copy, folder, "node_modules"), { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** The folders with packages of their own, by the workspace's patterns: one level below each. */
async function workspace(): Promise<string[]> {
  const below = await Promise.all(
    ["", "packages", "apps", "workers"].map(async (parent) =>
      (await readdir(join(ROOT, parent), { withFileTypes: true })).filter((one) => one.isDirectory()).map((one) => join(parent, one.name)),
    ),
  );
  return below.flat().filter((folder) => existsSync(join(ROOT, folder, "node_modules")));
}

function vitest(cwd: string, args: string[], env: Record<string, string>): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(cwd, "node_modules/vitest/vitest.mjs"), "run", ...args], {
      cwd,
      env: { ...process.env, SPINDLE_FAULT_PATIENCE_MS: "12000", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk));
    child.on("close", (code) => resolve({ code, text }));
  });
}
