// DESIGN W10: a worker that is told to end takes no more, and loses nothing; a runtime hands its runs over.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { startRuntime } from "../support/second-runtime.ts";
import { ended, getRun, getSystem, graphOf, health, type Spindle, startRun, startSpindle, until, wait, wire } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  // The lease is longer than any wait here: what another worker gets, it was given.
  spindle = await startSpindle({ env: { SPINDLE_DRAIN_MS: "500", SPINDLE_LEASE_MS: "120000", SPINDLE_RUN_LEASE_MS: "30000" } });
});
afterAll(() => spindle?.stop());

const command = async (...args: string[]) => {
  const env = { ...process.env, SPINDLE_URL: spindle.url };
  return (await promisify(execFile)(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), "workers", ...args], { env })).stdout;
};
const runs = (run: string, path = "a") =>
  until(
    async () => (await getRun(spindle.url, run)).nodes.find((nodeRun) => nodeRun.path === path)?.state === "running",
    60_000,
    `${path} runs`,
  );
const stateOf = async (name: string) => (await getSystem(spindle.url)).workers.find((worker) => worker.name === name)?.state;
const triesOf = async (run: string) =>
  (await spindle.db.query("SELECT path, attempt, state FROM node_run WHERE run_id = $1 ORDER BY path", [run])).rows;
const returned = async (run: string) =>
  (await spindle.db.query("SELECT body->>'returned' AS code FROM run_event WHERE run_id = $1 AND body ? 'returned'", [run])).rows;

test("[W10, L6] a worker that is drained ends its task first, whatever it takes, takes no other, and says so", async () => {
  const before = spindle.processes.worker?.pid;
  const [first, second] = [
    await startRun(spindle.url, graphOf([wait("a", { seconds: 10 })])),
    await startRun(spindle.url, graphOf([wait("a")])),
  ];
  await runs(first);
  const name = /^python\s+(\S+)$/m.exec(await command("list"))?.[1] ?? "";
  expect(await command("drain", name)).toBe(`${name} takes no more tasks, and ends once it has done what it has.\n`);
  await until(async () => (await stateOf(name)) === "draining", 60_000, "it is said to have a task still");
  await until(
    async () => (await fetch(`${spindle.url}/api/workers`)).json().then((all) => !JSON.stringify(all).includes(name)),
    60_000,
    "it is gone",
  );
  for (const run of [first, second]) {
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    expect(await triesOf(run)).toEqual([{ path: "a", attempt: 1, state: "succeeded" }]);
    expect(await returned(run)).toEqual([]);
  }
  await until(async () => spindle.processes.worker?.pid !== before, 60_000, "another one took its place");
  await until(async () => (await stateOf(name)) === undefined, 60_000, "one that has ended is shown no more");
  await expect(command("drain", "nobody")).rejects.toThrow(/There is no worker nobody/);
});

test("[W10] a worker that is ended hands back what takes longer than its grace, at once and without a try", async () => {
  await until(async () => (await health(spindle.url)).parts.python === "up", 60_000, "a worker is there");
  const run = await startRun(spindle.url, graphOf([wait("a", { seconds: 6 })]));
  await runs(run);
  process.kill(spindle.processes.worker?.pid as number, "SIGTERM");
  await until(async () => (await returned(run)).length > 0, 60_000, "it is handed back");
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
  expect(await returned(run)).toEqual([{ code: "task.handed_back" }]);
  expect(await triesOf(run)).toEqual([{ path: "a", attempt: 1, state: "succeeded" }]);
});

test("[E9] a runtime that is ended hands its runs over, and waits for no lease", async () => {
  const other = await startRuntime(spindle);
  try {
    const run = await startRun(other.url, graphOf([wait("a", { seconds: 1 }), wait("b")], [wire("a", "value", "b", "value")]));
    await runs(run);
    const owner = (await spindle.db.query("SELECT owner FROM run WHERE id = $1", [run])).rows[0].owner;
    await other.process.stop();
    expect((await spindle.db.query("SELECT 1 FROM runtime WHERE id = $1", [owner])).rows, "its lease is given up").toEqual([]);
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    expect((await spindle.db.query("SELECT deaths FROM run WHERE id = $1", [run])).rows).toEqual([{ deaths: 0 }]);
  } finally {
    await other.process.stop();
  }
});

test("[L6] a worker that is killed is silent since then, one that runs says what, and both say their release", async () => {
  await until(async () => (await health(spindle.url)).parts.python === "up", 60_000, "a worker is there");
  const run = await startRun(spindle.url, graphOf([wait("a", { seconds: 600 })]));
  await runs(run);
  const working = await until(
    async () => (await getSystem(spindle.url)).workers.find(({ slots }) => slots.some(({ task }) => task?.run.id === run)),
    60_000,
    "it is shown with its task",
  );
  expect(working).toMatchObject({ plane: "python", state: "live", version: "0.2.0" });
  expect(working.slots).toMatchObject([
    { id: "cpu-0", kind: "gpu", ready: true, task: { node: "a", worker: working.name, slot: "cpu-0" } },
    { id: "light", kind: "cpu", ready: true, task: null },
  ]);
  process.kill(spindle.processes.worker?.pid as number, "SIGKILL");
  await until(async () => (await stateOf(working.name)) === "silent", 60_000, "it is silent");
  const { workers } = await getSystem(spindle.url);
  expect(Date.parse(workers.find(({ name }) => name === working.name)?.heardAt ?? "")).toBeLessThan(Date.now());
});
