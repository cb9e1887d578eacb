// DESIGN W9: a GPU is guarded by a lock of the whole host. Two workers on one machine share it by turns, and never work at once.
import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPython, PYTHON } from "../../infra/launch/build.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ConformanceBroker } from "../support/conformance-broker.ts";
import { DeviceTrace } from "../support/device-trace.ts";
import { until } from "../support/spindle.ts";

const gpu = `GPU-${randomUUID()}`;
const trace = new DeviceTrace();
let folder: string;
let broker: ConformanceBroker;
const workers: Supervised[] = [];
beforeAll(async () => {
  await buildPython("requirements.txt");
  folder = await mkdtemp(join(tmpdir(), "spindle-gpu-"));
  await writeFile(join(folder, "nvidia-smi"), `#!/bin/sh\necho ${gpu}\n`);
  await chmod(join(folder, "nvidia-smi"), 0o755);
  broker = await ConformanceBroker.start({ plane: "python", service: "dummy.dummy_task", engine: "default" });
  trace.start();
});
afterAll(async () => {
  trace.stop();
  for (const worker of workers) await worker.stop();
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

const startWorker = (name: string): Supervised => {
  const worker = new Supervised({
    name,
    command: PYTHON,
    args: ["-m", "spindle_worker", "supervise"],
    cwd: join(ROOT, "workers/python-gpu"),
    env: { ...broker.env, PATH: `${folder}:${process.env.PATH}`, SPINDLE_TRACE: trace.mark },
  });
  workers.push(worker);
  return worker;
};
const says = (worker: Supervised, words: string) =>
  until(async () => worker.lastLines.some((line) => line.includes(words)), 20_000, `the worker says "${words}"`);

test("[E14, W9] a second worker waits for the GPU, takes nothing meanwhile, and goes on when the first one is killed", async () => {
  const first = startWorker("first");
  await says(first, "the device is ours");
  const second = startWorker("second");
  await says(second, "another process of this machine uses the device");

  const tasks = [await broker.dispatch({ value: 1, seconds: 0.7 }), await broker.dispatch({ value: 2, seconds: 0.2 })];
  await until(async () => (await broker.whereabouts(tasks[0] as string)) === "leased", 10_000, "the first task is leased");
  expect(await broker.whereabouts(tasks[1] as string), "nobody else takes the second").toBe("queued");
  for (const task of tasks) expect((await broker.result(task)).outcome).toBe("succeeded");

  process.kill(first.pid as number, "SIGKILL"); // it is started again, and waits then
  await says(second, "the device is ours");
  expect((await broker.result(await broker.dispatch({ value: 3, seconds: 0 }))).output).toMatchObject({ value: 3 });
  expect(trace.doubles).toEqual([]);
});
