// DESIGN E20: what waits for a paused device is not begun, whatever happens to the runtime, and says so. The test is the only worker.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, getRun, getSystem, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { WAIT_ROUTE, WorkerHand } from "../support/worker-hand.ts";

const DEVICE = "python/gpu";
let hand: WorkerHand;
let url: string;
beforeAll(async () => {
  hand = await WorkerHand.start();
  url = hand.spindle.url;
});
afterAll(() => hand?.stop());

const post = (path: string, body: object) =>
  fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const pause = async (device: string) => expect((await post("/api/system/pause", { device })).status).toBe(200);
const resume = async (device: string) => expect((await post("/api/system/resume", { device })).status).toBe(200);
const start = () => startRun(url, graphOf([wait("a")]));
const reason = async (run: string): Promise<NotRunning | null | undefined> => (await getRun(url, run)).nodes[0]?.notRunning;
const isHeld = (run: string): Promise<NotRunning> =>
  until(
    async () => {
      const why = await reason(run);
      return why?.kind === "paused" ? why : undefined;
    },
    60_000,
    "it says paused",
  );

test("[E20, L6] what is on the bus already is taken back, what comes later stays, and all of it says so; resumed, all of it runs", async () => {
  const running = await start();
  const first = await hand.claim();
  const beats = await hand.hold(first);
  const waiting = await start();
  await until(async () => (await hand.queued()) === 2, 60_000, "the second is on the bus");
  await pause(DEVICE);
  expect(await hand.queued(), "only what has begun is left there").toBe(1);
  const later = await start();
  for (const run of [waiting, later])
    expect(await isHeld(run)).toMatchObject({
      text: "Its device is paused (GPU work of the Python workers): nothing new begins.",
      action: expect.stringContaining("Resume"),
      since: expect.stringMatching(/^\d{4}-/),
    });
  expect((await getRun(url, waiting)).notRunning, "the run says it, too").toMatchObject({ kind: "paused" });
  expect(await hand.worker.claim([WAIT_ROUTE]), "nobody finds it").toBeUndefined();
  const device = await until(
    async () => {
      const found = (await getSystem(url)).devices?.find(({ id }) => id === DEVICE);
      return found?.count === 2 && found.running.length === 1 && found;
    },
    60_000,
    "the queue is shown",
  );
  expect(device).toMatchObject({
    paused: { by: "", all: false },
    running: [{ run: { id: running }, worker: "test-worker" }],
    waiting: [
      { run: { id: waiting, priority: "normal" }, node: "a", position: 1, wait: null },
      { run: { id: later }, position: 2 },
    ],
  });
  beats.end();
  await hand.done(first, 1);
  expect((await ended(url, running)).state, "what had begun ends").toBe("succeeded");
  expect(await hand.queued()).toBe(0);
  await resume(DEVICE);
  const order: string[] = [];
  for (const _ of [waiting, later]) {
    const entry = await hand.claim();
    order.push(entry.run);
    await hand.done(entry, 1);
  }
  expect(order, "in the order in which they came").toEqual([waiting, later]);
  for (const run of [waiting, later]) expect((await ended(url, run)).state).toBe("succeeded");
});

test("[E20] a pause outlives the runtime and Redis, and a task that waits for its next try stays with it", async () => {
  await pause("all");
  const run = await start();
  await isHeld(run);
  process.kill(hand.spindle.processes.runtime?.pid as number, "SIGKILL");
  await until(async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok, 60_000, "the runtime is back");
  expect((await isHeld(run)).text).toContain("Every device is paused");
  await hand.redis.flushall();
  await hand.report();
  const later = await start();
  await isHeld(later);
  expect(await hand.queued()).toBe(0);
  await resume("all");
  for (const _ of [run, later]) await hand.done(await hand.claim(), 1);
  for (const each of [run, later]) expect((await ended(url, each)).state).toBe("succeeded");
});

test("[E20, E13] what waits for a paused device can be cancelled, and never begins then", async () => {
  await pause(DEVICE);
  const run = await start();
  await isHeld(run);
  expect((await post(`/api/runs/${run}/cancel`, {})).ok).toBe(true);
  expect((await ended(url, run)).state).toBe("cancelled");
  await resume(DEVICE);
  const next = await start();
  const entry = await hand.claim();
  expect(entry.run).toBe(next);
  await hand.done(entry, 1);
  await ended(url, next);
});

test("[L6, E20] the command line shows the system, pauses and resumes", async () => {
  const command = async (...args: string[]) => {
    const env = { ...process.env, SPINDLE_URL: url };
    return (await promisify(execFile)(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), "system", ...args], { env })).stdout;
  };
  expect(await command("pause", "python/cpu")).toMatch(/^python\/cpu: paused/);
  const shown = await command();
  expect(shown).toMatch(/^postgres\s+up, 1/m);
  expect(shown).toMatch(/^device\s+python\/cpu, paused, 0 run, 0 wait$/m);
  expect(await command("resume", "python/cpu")).toMatch(/resumed/);
  await expect(command("pause", "tpu")).rejects.toThrow(/There is no device tpu/);
});

test("[E20] other devices go on, and a device that there is not is refused with those that there are", async () => {
  await pause("python/cpu");
  const run = await start();
  await hand.done(await hand.claim(), 1);
  expect((await ended(url, run)).state).toBe("succeeded");
  await resume("python/cpu");
  const answer = await post("/api/system/pause", { device: "python/tpu" });
  expect(answer.status).toBe(404);
  expect((await answer.json()).error).toMatchObject({ code: "device.not_found", message: expect.stringContaining("python/gpu") });
  expect((await post("/api/system/pause", {})).status).toBe(422);
});

test("[L6] the stores, this runtime, and each capability with its engines are shown", async () => {
  const { stores, runtimes, capabilities, paused } = await getSystem(url);
  expect(paused).toBeNull();
  expect(stores).toMatchObject([
    { id: "postgres", state: "up", version: expect.stringMatching(/^1[5-9]/), bytes: expect.any(Number) },
    { id: "redis", state: "up", version: expect.stringMatching(/^[7-9]/), bytes: expect.any(Number) },
    { id: "store", state: "up", label: "Objects in a folder", bytes: expect.any(Number), disk: { free: expect.any(Number) } },
  ]);
  expect(runtimes?.filter(({ own }) => own)).toMatchObject([{ release: "0.2.0", live: true }]);
  const engines = capabilities.find(({ service }) => service === "llm.generate_script")?.engines ?? [];
  expect(
    engines.filter(({ live, reason }) => !live && !reason),
    "what is not live says why",
  ).toEqual([]);
  expect(engines.some(({ draft, live }) => draft && live)).toBe(true);
});

test("[E14] a run that waits is raised, and goes before those that came first; one that is over is refused", async () => {
  await pause(DEVICE);
  const [first, second] = [await start(), await start()];
  for (const run of [first, second]) await isHeld(run);
  const raised = await post(`/api/runs/${second}/priority`, { priority: "high" });
  expect([raised.status, await raised.json()]).toEqual([200, { before: "normal" }]);
  await resume(DEVICE);
  const order: string[] = [];
  for (let i = 0; i < 2; i++) {
    const entry = await hand.claim();
    order.push(entry.run);
    await hand.done(entry, 1);
  }
  expect(order).toEqual([second, first]);
  for (const run of [first, second]) await ended(url, run);
  expect((await post(`/api/runs/${first}/priority`, { priority: "low" })).status).toBe(409);
  expect((await post(`/api/runs/${first}/priority`, { priority: "urgent" })).status).toBe(422);
});
