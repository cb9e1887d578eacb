// DESIGN W3, W5, W10: a task runs with the version that its run has frozen, or waits. Two builds of the Python worker stand beside each
// other, as in a rolling deploy; the second is a copy with another version of one capability.
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import type { Supervised } from "../../infra/launch/child.ts";
import { ended, getRun, graphOf, type Spindle, startRun, startSpindle, until, wait, wire } from "../support/spindle.ts";
import { buildWith, setVersion, startWorker, THIS_BUILD, versionOffered } from "../support/worker-builds.ts";
import { WAIT_ROUTE } from "../support/worker-hand.ts";

const OLD = WAIT_ROUTE.version;
const NEW = "2099.01.0";

let spindle: Spindle;
let folder: string;
const workers: Supervised[] = [];
beforeAll(async () => {
  spindle = await startSpindle({ worker: false, env: { SPINDLE_RETRY_BASE_MS: "100" } });
  folder = await buildWith(NEW);
});
afterAll(async () => {
  for (const worker of workers) await worker.stop();
  await spindle?.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(build: string): Supervised {
  const worker = startWorker(build, spindle.env);
  workers.push(worker);
  return worker;
}
const isOffered = (version: string) => until(async () => (await versionOffered(spindle.url)) === version, 60_000, `${version} is offered`);
const nodeOf = async (run: string, path: string) => (await getRun(spindle.url, run)).nodes.find((nodeRun) => nodeRun.path === path);
const versionsOf = async (run: string) =>
  (await spindle.db.query("SELECT path, version, attempt, state FROM node_run WHERE run_id = $1 ORDER BY path", [run])).rows;

test("[W3, E18] in a rolling deploy each task runs with its run's version; what nobody can run waits, and goes on as a person says", async () => {
  const old = start(THIS_BUILD);
  await isOffered(OLD);
  // The old build is at work on the first node while the new one comes; the second node is then ready, and the new one free.
  const first = await startRun(spindle.url, graphOf([wait("a", { seconds: 3 }), wait("b")], [wire("a", "value", "b", "value")]));
  await until(async () => (await nodeOf(first, "a"))?.state === "running", 60_000, "the old build works");
  const second = await startRun(spindle.url, graphOf([wait("a", { seconds: 0.1 }), wait("b")], [wire("a", "value", "b", "value")]));
  const fresh = start(folder);
  await isOffered(NEW);
  const third = await startRun(spindle.url, graphOf([wait("a")]));
  expect((await ended(spindle.url, third)).state).toBe("succeeded");
  expect(await versionsOf(third)).toEqual([{ path: "a", version: NEW, attempt: 1, state: "succeeded" }]);
  for (const run of [first, second]) {
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    expect((await versionsOf(run)).map(({ version, attempt }) => [version, attempt])).toEqual([
      [OLD, 1],
      [OLD, 1],
    ]);
  }

  const left = await startRun(spindle.url, graphOf([wait("a")], [], { nodes: { a: { version: NEW } } }));
  expect((await ended(spindle.url, left)).state).toBe("succeeded");
  await fresh.stop();
  await isOffered(OLD);
  // A run of the old version whose workers go.
  const stays = await startRun(spindle.url, graphOf([wait("a", { seconds: 60 }), wait("b")], [wire("a", "value", "b", "value")]));
  await until(async () => (await nodeOf(stays, "a"))?.state === "running", 60_000, "the old build works");
  await old.stop();
  start(folder);
  await isOffered(NEW);
  const why = await until(
    async () => {
      const found = (await nodeOf(stays, "a"))?.notRunning as NotRunning | undefined;
      return found?.kind === "wrong-version" ? found : undefined;
    },
    60_000,
    "it says that nobody has its version",
  );
  expect(why).toMatchObject({
    text: `No worker that answers has version ${OLD} of ${WAIT_ROUTE.service}; the newest has ${NEW}.`,
    action: `Run with version ${NEW}.`,
    version: NEW,
  });
  expect((await getRun(spindle.url, stays)).notRunning).toMatchObject({ kind: "wrong-version" });

  const post = (path: string, body: object = {}) =>
    fetch(`${spindle.url}/api/runs/${stays}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const answer = await post("fork", { node: "a", params: { a: { seconds: 0 } }, versions: { a: NEW } });
  expect(answer.status).toBe(202);
  const { run: again } = (await answer.json()) as { run: string };
  expect((await ended(spindle.url, again)).state).toBe("succeeded");
  expect((await versionsOf(again)).map(({ version }) => version)).toEqual([NEW, NEW]);
  expect((await getRun(spindle.url, stays)).state, "the run itself goes on waiting").toBe("running");
  await post("cancel");
  expect((await ended(spindle.url, stays)).state).toBe("cancelled");
  expect((await post("fork", { node: "a", versions: { a: OLD } })).status, "a version that nobody has").toBe(422);
});

test("[W3, W10] a worker whose files were replaced under it hands tasks back, which counts no try, until a right one is there", async () => {
  const own = await buildWith(NEW);
  try {
    for (const worker of workers.splice(0)) await worker.stop();
    const stale = start(own);
    await isOffered(NEW);
    const cancelled = await startRun(spindle.url, graphOf([wait("a", { seconds: 60 })]));
    await until(async () => (await nodeOf(cancelled, "a"))?.state === "running", 60_000, "it works");
    await setVersion(own, "2100.01.0");
    // A cancel ends the process under the supervisor; the next one reads the new files.
    await fetch(`${spindle.url}/api/runs/${cancelled}/cancel`, { method: "POST" });
    await ended(spindle.url, cancelled);
    const run = await startRun(spindle.url, graphOf([wait("a", { seconds: 0 })]));
    const returned = async () =>
      (await spindle.db.query("SELECT 1 FROM run_event WHERE run_id = $1 AND body->>'returned' = 'task.wrong_version'", [run])).rowCount;
    await until(async () => ((await returned()) ?? 0) >= 2, 60_000, "it was handed back twice");
    await stale.stop();
    start(folder);
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    expect(await versionsOf(run)).toEqual([{ path: "a", version: NEW, attempt: 1, state: "succeeded" }]);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
});
