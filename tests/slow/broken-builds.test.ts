// Builds that are broken on purpose, each in a copy of the sources: the fault matrix must say so. What it lets pass it does not test.
// tests/support/broken-builds.ts says what is broken.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { BROKEN_BUILDS, breakBuild } from "../support/broken-builds.ts";

/** Folders that tools made and that a copy can share or do without. */
const NOT_COPIED = new Set([".git", ".cache", ".spindle", "node_modules", "test-results", "build"]);

describe.runIf(process.env.SPINDLE_MINIO)("a build that is broken on purpose is found", () => {
  let copy: string;
  beforeAll(async () => {
    copy = await copyOfSources();
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  test.each(BROKEN_BUILDS)("$name", async (build) => {
    const { found, says } = build;
    const { file, text: broken } = breakBuild(build);
    const path = join(copy, file);
    const good = await readFile(path, "utf8");
    await writeFile(path, broken);
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
