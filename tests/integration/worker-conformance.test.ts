// DESIGN W10: what every worker does, in whatever language (docs/writing-a-worker.md). The worker under test offers
// `dummy.dummy_task`: it gives `value` back after `seconds`, and reports progress. Another one than the Python worker is named by
// SPINDLE_WORKER_UNDER_TEST, a command line.
import { join } from "node:path";
import { validatePlaneManifest, validateTaskProgress } from "@spindle/schemas";
import { loadFunctions, names, runtimeEnd } from "@spindle/task-bus";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPython, PYTHON } from "../../infra/launch/build.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ConformanceBroker } from "../support/conformance-broker.ts";
import { until } from "../support/spindle.ts";

const ROUTE = { plane: "python", service: "dummy.dummy_task", engine: "default" };
const [command, ...args] = process.env.SPINDLE_WORKER_UNDER_TEST?.split(" ") ?? [PYTHON, "-m", "spindle_worker", "supervise"];

let broker: ConformanceBroker;
let worker: Supervised;
beforeAll(async () => {
  await buildPython("requirements.txt");
  broker = await ConformanceBroker.start(ROUTE);
  worker = new Supervised({ name: "worker", command: command as string, args, cwd: join(ROOT, "workers/python-gpu"), env: broker.env });
  await until(() => broker.redis.get(names.manifest(ROUTE.plane)), 20_000, "a manifest is published");
});
afterAll(async () => {
  await worker?.stop();
  await broker?.stop();
});

const value = async (task: string) => (await broker.result(task)).output?.value;
const leased = (task: string) => until(async () => (await broker.whereabouts(task)) === "leased", 10_000, "the task is leased");

test("publishes a manifest of its plane, and keeps it alive", async () => {
  const key = names.manifest(ROUTE.plane);
  const manifest: unknown = JSON.parse((await broker.redis.get(key)) ?? "null");
  expect(validatePlaneManifest(manifest), JSON.stringify(validatePlaneManifest.errors)).toBe(true);
  expect((manifest as { capabilities: { id: string }[] }).capabilities.map((one) => one.id)).toContain(ROUTE.service);
  expect(await broker.redis.pttl(key), "it ends by itself when the worker does").toBeGreaterThan(0);
});

test("takes a task, fetches its input with the task's token, and settles with the output", async () => {
  const task = await broker.dispatch({ value: { a: [1, "ü"] }, seconds: 0 });
  expect(await broker.result(task)).toMatchObject({ v: 1, task, outcome: "succeeded", output: { value: { a: [1, "ü"] } } });
});

test("takes one task at a time, and the next when it is free", async () => {
  const [first, second] = [await broker.dispatch({ value: 1, seconds: 1 }), await broker.dispatch({ value: 2, seconds: 0 })];
  await leased(first);
  expect(await broker.whereabouts(second)).toBe("queued");
  expect([await value(first), await value(second)]).toEqual([1, 2]);
});

test("renews its lease for as long as it works", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 2.5 }, { leaseMs: 800, beatMs: 200 });
  await leased(task);
  for (const end = Date.now() + 2000; Date.now() < end; ) {
    expect(await broker.whereabouts(task)).toBe("leased");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await value(task)).toBe(1);
});

test("reports progress in the shape of the contract", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 0.6 });
  await broker.result(task);
  const entries = await broker.redis.xrange(names.progress, "-", "+");
  const own = entries.map(([, fields]) => JSON.parse(fields[1] ?? "null") as { task: string }).filter((one) => one.task === task);
  expect(own.length).toBeGreaterThan(0);
  for (const one of own) expect(validateTaskProgress(one), JSON.stringify(one)).toBe(true);
});

test("ends a cancelled task within two seconds, and is free", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 60 });
  await leased(task);
  const before = Date.now();
  await broker.bus.cancel(task, ROUTE.plane);
  expect((await broker.result(task)).outcome).toBe("cancelled");
  expect(Date.now() - before).toBeLessThan(2500);
  expect(await value(await broker.dispatch({ value: "next", seconds: 0 }))).toBe("next");
});

test("drops a task that it lost, and settles nothing for it", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 60 });
  await leased(task);
  await broker.bus.cancel(task, ROUTE.plane, "stale");
  expect(await value(await broker.dispatch({ value: "after", seconds: 0 }))).toBe("after");
  expect(broker.seen.some((one) => one.task === task)).toBe(false);
});

test("refuses an entry that the runtime did not sign", async () => {
  const forged = await broker.dispatch({ value: "forged", seconds: 0 }, {}, runtimeEnd(broker.redis, "x".repeat(64)));
  expect(await value(await broker.dispatch({ value: "true", seconds: 0 }))).toBe("true");
  expect(broker.seen.some((one) => one.task === forged)).toBe(false);
});

test("does not work on an input other than the one that was dispatched", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 0 }, { inputSha256: "0".repeat(64) });
  expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { class: "transient" } });
});

test("says which of its inputs it cannot work with", async () => {
  const task = await broker.dispatch({ value: 1, seconds: "soon" });
  expect(await broker.result(task)).toMatchObject({
    outcome: "failed",
    error: { class: "user", message: expect.stringMatching(/seconds/) },
  });
});

test("gives up when the task's time is over", async () => {
  const task = await broker.dispatch({ value: 1, seconds: 60 }, { deadline: Date.now() + 800 });
  expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { code: "task.timeout" } });
});

test("outlives a Redis that forgets everything: the task goes on and is settled", async () => {
  const task = await broker.dispatch({ value: "kept", seconds: 2 });
  await leased(task);
  await broker.redis.flushall();
  await broker.redis.call("FUNCTION", "FLUSH");
  await new Promise((resolve) => setTimeout(resolve, 400));
  await loadFunctions(broker.redis);
  expect(await value(task)).toBe("kept");
});
