// DESIGN E18, E9: one stack, and one fault after another. While a fault lasts, every open node run says why it is not running; once it is
// over, everything ends, and nothing ends twice.
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NotRunning, NotRunningKind } from "../../apps/runtime/src/tasks/why-not-running.ts";
import type { Supervised } from "../../infra/launch/child.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { comfy } from "../support/comfy.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { differsOnPage, Outcomes } from "../support/reliability.ts";
import { startRuntime } from "../support/second-runtime.ts";
import { ended, getRun, graphOf, node, type Spindle, startRun, startSpindle, until, wait, wire } from "../support/spindle.ts";
import { buildWith, startWorker, THIS_BUILD, versionOffered } from "../support/worker-builds.ts";
import { WAIT_ROUTE } from "../support/worker-hand.ts";

let spindle: Spindle;
let fake: FakeComfy;
let comfyPort: number;
let redis: FaultProxy;
let worker: Supervised | undefined;
let newer: string;
let older: string;
beforeAll(async () => {
  fake = await FakeComfy.start();
  comfyPort = fake.port;
  const route = async (env: Readonly<Record<string, string>>) => {
    redis = await FaultProxy.start(env.REDIS_URL as string);
    return { runtime: { REDIS_URL: redis.url } };
  };
  spindle = await startSpindle({
    worker: false,
    ownPostgres: true,
    route,
    env: { COMFY_URL: fake.url, SPINDLE_COMFY_LIBRARY_MS: "500", SPINDLE_DRAIN_MS: "200" },
  });
  [newer, older] = [await buildWith("2099.01.0"), await buildWith("2000.01.0")];
  await works(THIS_BUILD, WAIT_ROUTE.version);
});
afterAll(async () => {
  await worker?.stop();
  await spindle?.stop();
  await redis?.stop();
  await fake?.stop();
  for (const build of [newer, older]) if (build) await rm(build, { recursive: true, force: true });
});

/** The one worker is of this build from now on. */
async function works(build: string, version: string): Promise<void> {
  await worker?.stop();
  worker = startWorker(build, spindle.env);
  await until(async () => (await versionOffered(spindle.url)) === version, 60_000, `${version} is offered`);
}
const pidOf = (process: { pid: number | undefined } | undefined): number => process?.pid as number;
/** Kills a process of the stack; the launcher starts it again. */
const kill = (name: "runtime" | "postgres" | "redis") => process.kill(pidOf(spindle.processes[name]), "SIGKILL");
const bus = async (...command: [string, ...string[]]) => {
  const { openRedis } = await import("@spindle/task-bus");
  const own = openRedis(spindle.env.REDIS_URL as string);
  await own.call(...command);
  own.disconnect();
};

const list = node("list", "constant.array", { value: [1, 2, 3] });
const over = { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: {} } };
/** A task, a map over three, and what comes after both. */
const tasks = () =>
  graphOf(
    [wait("first", { seconds: 1 }), list, wait("each"), node("end", "output.preview")],
    [over, wire("first", "value", "end", "value")],
  );
const prompt = () =>
  graphOf(
    [comfy("make", "EmptyImage", { color: Date.now() % 0xffffff, width: 8 }), comfy("show", "PreviewAny")],
    [wire("make", "IMAGE", "show", "source")],
  );

interface Open {
  path: string;
  state: string;
  notRunning: NotRunning | null;
}
/** The open node runs of a run, those inside maps and calls included. */
async function openOf(run: string): Promise<Open[]> {
  const answer = await fetch(`${spindle.url}/api/runs/${run}/nodes`);
  return ((await answer.json()) as Open[]).filter(({ state }) => ["queued", "waiting", "dispatched", "running"].includes(state));
}
/** Waits until some of it says this, and finds then that all of it says something. */
async function explained(run: string, kind: NotRunningKind): Promise<void> {
  const open = await until(
    async () => {
      const found = await openOf(run);
      return found.some(({ notRunning }) => notRunning?.kind === kind) && found;
    },
    60_000,
    `run ${run} says ${kind}`,
  );
  for (const { path, state, notRunning } of open)
    expect(state === "running" ? "running" : notRunning?.text, `${path} is ${state}`).toEqual(expect.any(String));
}
const outcomes = new Outcomes();
/** Its node runs ended once each, and its events have no gap. */
async function endsOnce(run: string, fault: string, state = "succeeded"): Promise<void> {
  const { state: last, nodes } = await ended(spindle.url, run, 120_000);
  const { rows } = await spindle.db.query("SELECT seq, type, path FROM run_event WHERE run_id = $1 ORDER BY seq", [run]);
  const ends = rows.filter(({ type }) => /^node\.(succeeded|failed|cancelled|skipped|dead)$/.test(type)).map(({ path }) => path);
  const doubled = ends.length - new Set(ends).size;
  const again = nodes.reduce((sum, { attempt }) => sum + Math.max(0, attempt - 1), 0);
  outcomes.add(fault, "runs under it", { lost: last === state ? 0 : 1, doubled, again });
  expect([last, doubled]).toEqual([state, 0]);
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
}
const answers = () => until(async () => (await fetch(`${spindle.url}/health`)).ok, 60_000, "the runtime answers");

const FAULTS: [name: string, graph: () => object, kind: NotRunningKind, begin: () => unknown, end: () => unknown][] = [
  ["the worker is gone", tasks, "no-worker", () => worker?.stop(), () => works(THIS_BUILD, WAIT_ROUTE.version)],
  ["the worker is stopped", tasks, "no-worker", () => process.kill(pidOf(worker), "SIGSTOP"), () => process.kill(pidOf(worker), "SIGCONT")],
  ["the worker is newer", tasks, "wrong-version", () => works(newer, "2099.01.0"), () => works(THIS_BUILD, WAIT_ROUTE.version)],
  ["the worker is older", tasks, "wrong-version", () => works(older, "2000.01.0"), () => works(THIS_BUILD, WAIT_ROUTE.version)],
  [
    "ComfyUI is gone",
    prompt,
    "engine-not-live",
    () => fake.stop(),
    async () => {
      fake = await FakeComfy.start(comfyPort);
    },
  ],
  ["Redis is deaf", tasks, "outage", () => redis.set({ blackHole: true }), () => redis.set({ down: true })],
];

test.each(FAULTS)("[E18, E9] while %s what is open says why, and ends once that is over", async (name, graph, kind, begin, end) => {
  // What waits for a version was accepted before the fault; a ComfyUI that is gone is noticed by what comes after.
  const before = await startRun(spindle.url, graph());
  await begin();
  try {
    const runs = kind === "engine-not-live" ? [await startRun(spindle.url, graph())] : [before];
    for (const run of runs) await explained(run, kind);
  } finally {
    await end();
    if (name === "Redis is deaf") redis.set({});
  }
  await endsOnce(before, name);
});

test("[E9, W7] Redis is flushed, its functions are, and PostgreSQL starts again: what is under way ends, once", async () => {
  const faults = {
    "Redis is flushed": () => bus("FLUSHALL"),
    "Redis loses its functions": () => bus("FUNCTION", "FLUSH"),
    "PostgreSQL is killed": () => kill("postgres"),
    "Redis is killed": () => kill("redis"),
  };
  for (const [name, fault] of Object.entries(faults)) {
    const run = await startRun(spindle.url, tasks());
    await until(async () => (await getRun(spindle.url, run)).nodes.some(({ state }) => state === "running"), 60_000, "it runs");
    await fault();
    await answers();
    await endsOnce(run, name);
  }
});

test("[E7, E13] the runtime is killed while a person is asked: the run still asks, and is cancelled although it rests", async () => {
  const run = await startRun(spindle.url, graphOf([node("ask", "human.ask_person", { message: "Well?", buttons: ["Yes"] })]));
  await until(async () => (await getRun(spindle.url, run)).state === "waiting", 60_000, "it rests");
  const pid = pidOf(spindle.processes.runtime);
  kill("runtime");
  await until(async () => pidOf(spindle.processes.runtime) !== pid, 60_000, "another one is started");
  await answers();
  await explained(run, "person");
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  await endsOnce(run, "the runtime is killed while a person is asked, and the run is cancelled", "cancelled");
});

test("[E9, E18] one of two runtimes is killed: what it drove says so or goes on, and ends once", async () => {
  const other = await startRuntime(spindle);
  try {
    const runs = await Promise.all([startRun(other.url, tasks()), startRun(spindle.url, tasks())]);
    process.kill(pidOf(other.process), "SIGKILL");
    for (const run of runs) {
      for (const { path, state, notRunning } of await openOf(run))
        if (state !== "running") expect(notRunning?.text, `${path} is ${state}`).toEqual(expect.any(String));
      await endsOnce(run, "one of two runtimes is killed");
    }
  } finally {
    await other.process.stop();
  }
});

test("docs/reliability.md has each of these faults", async () => {
  expect(await differsOnPage("waits", outcomes)).toEqual([]);
});
