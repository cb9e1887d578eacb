// DESIGN E9: two runtimes on one database and one bus. Each run has one owner; another takes over when the owner dies or hangs.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Supervised } from "../../infra/launch/child.ts";
import { startRuntime } from "../support/second-runtime.ts";
import { ended, getRun, graphOf, node, type Spindle, startRun, startSpindle, until, wait, wire } from "../support/spindle.ts";

/** Lets a signal reject a promise that nothing handles, as a mistake in a request would. */
const UNCAUGHT = `data:text/javascript,${encodeURIComponent('process.on("SIGUSR2",()=>void Promise.reject(new Error("nobody catches this")))')}`;

let spindle: Spindle;
let other: { url: string; process: Supervised };
beforeAll(async () => {
  spindle = await startSpindle();
  other = await startRuntime(spindle, { NODE_OPTIONS: `--import ${UNCAUGHT}` });
});
afterAll(async () => {
  await other?.process.stop();
  await spindle?.stop();
});

const chain = (seconds: number) =>
  graphOf(
    [node("a", "constant.string", { value: "x" }), wait("b", { seconds }), wait("c", { seconds }), node("d", "output.preview")],
    [wire("a", "value", "b", "value"), wire("b", "value", "c", "value"), wire("c", "value", "d", "value")],
  );
const commits = async (run: string) =>
  (
    await spindle.db.query(
      "SELECT node AS node_id, count(*)::int AS n FROM run_event WHERE run_id = $1 AND type = 'node.succeeded' GROUP BY node ORDER BY 1",
      [run],
    )
  ).rows;
const once = ["a", "b", "c", "d"].map((node_id) => ({ node_id, n: 1 }));
const gapless = async (run: string) => {
  const { rows } = await spindle.db.query("SELECT seq FROM run_event WHERE run_id = $1 ORDER BY seq", [run]);
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1));
};

test("[E9] runs that are sent to both end, whichever runtime hears of the results", async () => {
  const runs = await Promise.all(Array.from({ length: 12 }, (_, index) => startRun(index % 2 ? spindle.url : other.url, chain(0))));
  for (const run of runs) {
    expect((await ended(spindle.url, run)).outputs).toEqual({ value: "x" });
    expect(await commits(run)).toEqual(once);
    await gapless(run);
  }
});

test("[E9] a run whose owner is killed is carried on by the other", async () => {
  const run = await startRun(other.url, chain(1));
  await until(
    async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.node === "b" && nodeRun.state === "running"),
    60_000,
    "b runs",
  );
  process.kill(other.process.pid as number, "SIGKILL");
  expect((await ended(spindle.url, run)).outputs).toEqual({ value: "x" });
  expect(await commits(run)).toEqual(once);
  await gapless(run);
  await until(async () => (await fetch(`${other.url}/health`)).ok, 60_000, "the second runtime is back");
});

test("[E9] a runtime with an error that nothing caught ends, and hands its runs over in order", async () => {
  const run = await startRun(other.url, chain(1));
  const owner = async () => (await spindle.db.query("SELECT owner, deaths FROM run WHERE id = $1", [run])).rows[0];
  const before = await owner();
  const pid = other.process.pid as number;
  process.kill(pid, "SIGUSR2");
  await until(async () => other.process.pid !== pid, 60_000, "it ends, and is started again");
  const { rows } = await spindle.db.query("SELECT FROM runtime WHERE id = $1", [before.owner]);
  expect(rows, "its lease is given up").toEqual([]);
  expect((await ended(spindle.url, run)).outputs).toEqual({ value: "x" });
  expect(await commits(run)).toEqual(once);
  expect((await owner()).deaths, "it counts as no death").toBe(0);
  await until(async () => (await fetch(`${other.url}/health`)).ok, 60_000, "the second runtime is back");
});

test("[E9] an owner that hangs loses its run, and when it wakes it changes nothing", async () => {
  const run = await startRun(other.url, chain(1));
  await until(
    async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.node === "b" && nodeRun.state === "running"),
    60_000,
    "b runs",
  );
  const before = (await spindle.db.query("SELECT owner FROM run WHERE id = $1", [run])).rows[0].owner;
  process.kill(other.process.pid as number, "SIGSTOP");
  try {
    expect((await ended(spindle.url, run)).outputs).toEqual({ value: "x" });
  } finally {
    process.kill(other.process.pid as number, "SIGCONT");
  }
  await until(async () => (await fetch(`${other.url}/health`)).ok, 60_000, "it answers again");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await spindle.db.query("SELECT owner FROM run WHERE id = $1", [run])).rows[0].owner).not.toBe(before);
  expect(await commits(run)).toEqual(once);
  await gapless(run);
});

test("[E13] cancelling at the runtime that does not own the run ends it", async () => {
  const run = await startRun(other.url, chain(60));
  await until(
    async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.node === "b" && nodeRun.state === "running"),
    60_000,
    "b runs",
  );
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, run, 10_000)).state).toBe("cancelled");
});

test("[E13] a cancel that was asked for while its owner hung reaches the worker when another takes over", async () => {
  const run = await startRun(other.url, chain(60));
  await until(
    async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.node === "b" && nodeRun.state === "running"),
    60_000,
    "b runs",
  );
  const pid = other.process.pid as number;
  process.kill(pid, "SIGSTOP");
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  process.kill(pid, "SIGKILL");
  expect((await ended(spindle.url, run, 15_000)).state).toBe("cancelled");
});
