// `npm test`: check, unit, integration on real processes, what is hostile in short, end-to-end in a browser. `--all` adds all that is
// hostile, each part of the editor, the object stores and the slow suites. `--engines` runs the GPU engines alone, on the CPU: it
// installs their packages first, some 13 GB, and is never part of `--all`; `--engines kokoro` runs the tests that need this engine and
// no other, and installs only it.
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { buildEditor, findEspeak, PYTHON } from "../launch/build.ts";
import { findChromium } from "../launch/chromium.ts";
import { buildMinio } from "../launch/minio.ts";
import { ROOT } from "../launch/paths.ts";
import { say } from "../launch/say.ts";
import { buildVersitygw } from "../launch/versitygw.ts";
import { check, prepare } from "./check.ts";

/** Minutes on two cores. With --all a suite fails that takes half as long again: what it grew by belongs in its budget, with a reason. */
const BUDGETS = { check: 3, unit: 6, python: 3, integration: 15, hostile: 14, e2e: 6, editor: 10, slow: 22 };
/** How many seeds each hostile suite goes through, where it has the time. */
const HOSTILE_IN_FULL = { SEEDS: process.env.SEEDS ?? "40" };
type Suite = keyof typeof BUDGETS;
/** How many test files run beside each other: of unit tests one a core (by itself vitest leaves a core free), of the integration suite two, each with
 *  a stack of processes that mostly wait for each other. All others run one by one (vitest.config.ts). */
const BESIDE: Partial<Record<string, number>> = { unit: availableParallelism(), integration: 2 };

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed, each with its cause: said again at the end, where whoever reads only the last lines finds it. */
  failures: string[];
}

/** vitest's report, as far as it is read. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

export async function test(args: string[]): Promise<number> {
  const all = args.includes("--all");
  const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined;
  const wanted = (suite: Suite): boolean => only === undefined || only === suite;
  const total: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const add = (counts: Counts) => {
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts[key];
    total.failures.push(...counts.failures);
  };
  const minutes: string[] = [];
  const run = async (suite: Suite, work: () => Promise<Counts>) => {
    const begin = performance.now();
    add(await work());
    const taken = (performance.now() - begin) / 60_000;
    minutes.push(`${suite} ${taken.toFixed(1)} of ${BUDGETS[suite]}`);
    if (all && taken > 1.5 * BUDGETS[suite]) {
      const text = `THE SUITE ${suite} TOOK ${taken.toFixed(1)} MINUTES; its budget is ${BUDGETS[suite]}.`;
      say(text);
      add(single(false, text));
    }
  };
  await prepare();
  if (args.includes("--engines")) {
    const engine = args[args.indexOf("--engines") + 1];
    add(await pytest("the GPU engines, on the CPU", ["engine_tests", "-v", ...(engine ? ["--engine", engine] : [])]));
    if (engine === undefined) add(await vitest("engines", {}));
    return summary(total);
  }
  if (wanted("check")) await run("check", async () => single((await check()) === 0, "check: see its lines above"));
  if (wanted("unit")) await run("unit", () => vitest("unit", {}));
  if (wanted("python")) await run("python", () => pytest("Python", ["-q"]));
  await findEspeak();
  if (wanted("integration")) await run("integration", () => vitest("integration", {}));
  if (wanted("hostile")) await run("hostile", () => vitest("hostile", all ? HOSTILE_IN_FULL : {}));
  const inBrowser = (["e2e", "editor"] as const).filter((suite) => (suite === "e2e" ? wanted(suite) : all || only === suite));
  const chromium = inBrowser.length > 0 ? await findChromium() : undefined;
  if (inBrowser.length > 0) await buildEditor();
  if (chromium) for (const suite of inBrowser) await run(suite, () => vitest(suite, { SPINDLE_CHROMIUM: chromium }));
  else if (inBrowser.length > 0)
    add(missing(all, "THE BROWSER TESTS ARE SKIPPED: no Chromium. Install it (Debian: apt install chromium) and run npm test again."));
  if (all || only === "slow") {
    const minio = await buildMinio();
    const versitygw = await buildVersitygw();
    if (!minio || !versitygw)
      add(missing(all, "THE OBJECT STORE TESTS ARE SKIPPED: Go is needed once to build the stores, and was not found."));
    await run("slow", () => vitest("slow", minio && versitygw ? { SPINDLE_MINIO: minio, SPINDLE_VERSITYGW: versitygw } : {}));
  } else if (only === undefined) say("THE EDITOR, OBJECT STORE AND SLOW SUITES ARE SKIPPED: npm test -- --all runs them.");
  process.stdout.write(`\nminutes: ${minutes.join(", ")}`);
  return summary(total);
}

function summary(total: Counts): number {
  for (const failure of total.failures) process.stdout.write(`\nFAILED ${failure}\n`);
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
}

const single = (passed: boolean, failure: string): Counts =>
  passed ? { passed: 1, failed: 0, skipped: 0, failures: [] } : { passed: 0, failed: 1, skipped: 0, failures: [failure] };

/** With --all, a missing program fails the tests instead of skipping some. */
function missing(all: boolean, text: string): Counts {
  say(text);
  return all ? single(false, text) : { passed: 0, failed: 0, skipped: 1, failures: [] };
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
      ...(BESIDE[project] ? [`--maxWorkers=${BESIDE[project]}`] : []),
      "--reporter=json",
      `--outputFile.json=${report}`,
    ],
    ROOT,
    env,
  );
  const found = await readFile(report, "utf8").then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  );
  await rm(report, { force: true });
  const failures = found ? failuresOf(found) : [];
  if (code !== 0 && failures.length === 0) failures.push(`${project}: vitest ended with ${code} and named no test: see its lines above`);
  return { passed: found?.numPassedTests ?? 0, failed: failures.length, skipped: found?.numPendingTests ?? 0, failures };
}

/** Every failed test, and every file that failed outside its tests, with the first lines of the cause. */
function failuresOf(report: Report): string[] {
  const cause = (text: string) => text.split("\n").slice(0, 12).join("\n  ");
  return report.testResults.flatMap((file) => {
    const tests = file.assertionResults.filter((test) => test.status === "failed");
    const place = relative(ROOT, file.name);
    if (tests.length === 0 && file.status === "failed") return [`${place}\n  ${cause(file.message)}`];
    return tests.map((test) => `${place} > ${test.fullName}\n  ${cause(test.failureMessages.join("\n"))}`);
  });
}

async function pytest(what: string, args: string[]): Promise<Counts> {
  say(`tests: ${what}`);
  const code = await show(PYTHON, ["-m", "pytest", "-p", "no:cacheprovider", ...args], join(ROOT, "workers/python-gpu"), {});
  return single(code === 0, `${what}: pytest ended with ${code}: see its lines above`);
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
