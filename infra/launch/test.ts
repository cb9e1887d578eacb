// `npm test`: check, unit, integration on real processes, end-to-end in a browser. `--all` adds MinIO and the slow suites.
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildEditor, findEspeak, PYTHON } from "./build.ts";
import { check, prepare } from "./check.ts";
import { findChromium } from "./chromium.ts";
import { buildMinio } from "./minio.ts";
import { ROOT } from "./paths.ts";
import { say } from "./say.ts";
import { buildVersitygw } from "./versitygw.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export async function test(args: string[]): Promise<number> {
  const all = args.includes("--all");
  const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined;
  const wanted = (suite: string): boolean => only === undefined || only === suite;
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const add = (counts: Counts) => {
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts[key];
  };
  await prepare();
  if (wanted("check")) add((await check()) === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 });
  if (wanted("unit")) {
    add(await vitest("unit", {}));
    add(await pytest());
  }
  await findEspeak();
  if (wanted("integration")) add(await vitest("integration", {}));
  const needsBrowser = wanted("e2e");
  const chromium = needsBrowser ? await findChromium() : undefined;
  if (needsBrowser) await buildEditor();
  if (needsBrowser && chromium) add(await vitest("e2e", { SPINDLE_CHROMIUM: chromium }));
  else if (needsBrowser)
    add(missing(all, "THE BROWSER TESTS ARE SKIPPED: no Chromium. Install it (Debian: apt install chromium) and run npm test again."));
  if (all || only === "slow") {
    const minio = await buildMinio();
    const versitygw = await buildVersitygw();
    if (!minio || !versitygw)
      add(missing(all, "THE OBJECT STORE TESTS ARE SKIPPED: Go is needed once to build the stores, and was not found."));
    add(await vitest("slow", minio && versitygw ? { SPINDLE_MINIO: minio, SPINDLE_VERSITYGW: versitygw } : {}));
  } else if (only === undefined) say("THE OBJECT STORE AND SLOW SUITES ARE SKIPPED: npm test -- --all runs them.");
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
}

/** With --all nothing may be missing. */
function missing(all: boolean, text: string): Counts {
  say(text);
  return all ? { passed: 0, failed: 1, skipped: 0 } : { passed: 0, failed: 0, skipped: 1 };
}

async function vitest(project: string, env: Record<string, string>): Promise<Counts> {
  say(`tests: ${project}`);
  const report = join(tmpdir(), `spindle-${project}-${process.pid}.json`);
  const code = await show(
    process.execPath,
    [
      join(ROOT, "node_modules/vitest/vitest.mjs"),
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ],
    ROOT,
    env,
  );
  const found = await readFile(report, "utf8").then(
    (text) => JSON.parse(text) as { numPassedTests: number; numFailedTests: number; numPendingTests: number },
    () => undefined,
  );
  await rm(report, { force: true });
  const failed = found?.numFailedTests ?? 0;
  return { passed: found?.numPassedTests ?? 0, failed: code === 0 ? failed : Math.max(1, failed), skipped: found?.numPendingTests ?? 0 };
}

async function pytest(): Promise<Counts> {
  say("tests: Python");
  const code = await show(PYTHON, ["-m", "pytest", "-q", "-p", "no:cacheprovider"], join(ROOT, "workers/python-gpu"), {});
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

function show(command: string, args: string[], cwd: string, env: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
}
