// DESIGN W9: a GPU is guarded by a lock of the whole host. Two workers on one machine share it by turns, and never work at once.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildPython, PYTHON } from "../../infra/launch/build.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ConformanceBroker } from "../support/conformance-broker.ts";
import { DeviceTrace } from "../support/device-trace.ts";
import { childrenOf } from "../support/processes.ts";
import { until } from "../support/spindle.ts";
import { WAIT_ROUTE } from "../support/worker-hand.ts";

const gpu = `GPU-${randomUUID()}`;
const trace = new DeviceTrace();
let folder: string;
let broker: ConformanceBroker;
/** The same bus, for the engine of the waiting task that has a process of its own. */
let engine: ConformanceBroker;
const workers: Supervised[] = [];
beforeAll(async () => {
  await buildPython("requirements.txt");
  folder = await mkdtemp(join(tmpdir(), "spindle-gpu-"));
  await writeFile(join(folder, "nvidia-smi"), `#!/bin/sh\necho ${gpu}\n`);
  await chmod(join(folder, "nvidia-smi"), 0o755);
  broker = await ConformanceBroker.start(WAIT_ROUTE);
  engine = broker.routed({ ...WAIT_ROUTE, engine: "process" });
  trace.start();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
});
afterAll(async () => {
  trace.stop();
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(`/tmp/spindle-${gpu}.lock`, { force: true });
});

const workerEnv = () => ({
  ...process.env,
  ...broker.env,
  PATH: `${folder}:${process.env.PATH}`,
  TMPDIR: folder,
  SPINDLE_TRACE: trace.mark,
});
/** Starts a worker, says its process number, and waits to be killed. */
const LAUNCHER = `
  const { spawn } = require("node:child_process");
  const [python, cwd] = process.argv.slice(1);
  const worker = spawn(python, ["-m", "spindle_worker", "supervise"], { cwd, stdio: "ignore", detached: true });
  console.log(worker.pid);
  setInterval(() => {}, 1000);
`;
const startWorker = (name: string): Supervised => {
  const worker = new Supervised({
    name,
    command: PYTHON,
    args: ["-m", "spindle_worker", "supervise"],
    cwd: join(ROOT, "workers/python-gpu"),
    env: workerEnv(),
  });
  workers.push(worker);
  return worker;
};
const says = (worker: Supervised, words: string) =>
  until(async () => worker.lastLines.some((line) => line.includes(words)), 60_000, `the worker says "${words}"`);

test("the trace sees what a process becomes, and not only what it was when it was new", async () => {
  const becoming = 'read line; exec sh -c "read line; :" engine spindle_worker.engine.test';
  const child = spawn("sh", ["-c", becoming], { env: { ...process.env, SPINDLE_TRACE: trace.mark, SPINDLE_DEVICE: "none" } });
  await until(async () => trace.isKnown(child.pid as number), 60_000, "the trace has seen it");
  expect(trace.engines).toEqual([]);
  child.stdin.write("go on\n");
  await until(async () => trace.engines[0] === child.pid, 60_000, "it is an engine now");
  child.kill("SIGKILL");
  await until(async () => trace.engines.length === 0, 60_000, "it is gone");
});

test("[E14, W9] a second worker waits for the GPU, takes nothing meanwhile, and goes on when the first one is killed", async () => {
  const first = startWorker("first");
  await says(first, "the device is ours");
  const second = startWorker("second");
  await says(second, "another process of this machine uses the device");

  const tasks = [await broker.dispatch({ value: 1, seconds: 0.7 }), await broker.dispatch({ value: 2, seconds: 0.2 })];
  await until(async () => (await broker.whereabouts(tasks[0] as string)) === "leased", 60_000, "the first task is leased");
  expect(await broker.whereabouts(tasks[1] as string), "nobody else takes the second").toBe("queued");
  for (const task of tasks) expect((await broker.result(task)).outcome).toBe("succeeded");

  process.kill(first.pid as number, "SIGKILL"); // it is started again, and waits then
  await says(second, "the device is ours");
  expect((await broker.result(await broker.dispatch({ value: 3, seconds: 0 }))).output).toMatchObject({ value: 3 });
  expect(trace.doubles).toEqual([]);
});

describe("[E14, W9] an engine with a process of its own that is silent", () => {
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  const engineProcess = () => until(async () => trace.engines[0], 60_000, "the engine's process works");
  const ended = (pid: number) => until(async () => !isAlive(pid), 60_000, "the engine's process ended");
  const silently = () => engine.dispatch({ seconds: 600, silent: true });
  const works = async () => {
    const task = await engine.dispatch({ value: 5, seconds: 0 });
    expect((await engine.result(task, 30_000)).output).toMatchObject({ value: 5 });
    expect(trace.doubles).toEqual([]);
  };

  test("ends when its worker's supervisor is killed, and the device is free only then", async () => {
    const first = startWorker("first");
    await silently();
    const pid = await engineProcess();
    const second = startWorker("second");
    await says(second, "another process of this machine uses the device");
    process.kill(first.pid as number, "SIGKILL");
    await ended(pid);
    await works();
  });

  test("ends when the child that started it is killed, and the next task is done", async () => {
    const worker = startWorker("first");
    const task = await silently();
    const pid = await engineProcess();
    for (const child of childrenOf(worker.pid)) process.kill(child, "SIGKILL");
    expect((await engine.result(task)).error).toMatchObject({ class: "infra", code: "task.crashed", crashed: true });
    await ended(pid);
    await works();
  });

  test("ends when its task is cancelled, which leaves no file, and the next task is done", async () => {
    const taskFolders = async () => {
      const [base = ""] = (await readdir(folder)).filter((name) => name.startsWith("spindle-tasks-"));
      const all = await readdir(join(folder, base), { recursive: true, withFileTypes: true });
      return all.filter((entry) => entry.isDirectory() && dirname(entry.parentPath).endsWith(base)).length;
    };
    startWorker("first");
    const task = await silently();
    const pid = await engineProcess();
    expect(await taskFolders()).toBe(1);
    await engine.bus.cancel(task, "python");
    expect((await engine.result(task)).outcome).toBe("cancelled");
    await ended(pid);
    expect(await taskFolders()).toBe(0);
    await works();
  });

  test("fails its task when it is killed itself, with what it wrote, and the next task is done", async () => {
    startWorker("first");
    const task = await silently();
    process.kill(await engineProcess(), "SIGKILL");
    const { error } = await engine.result(task);
    expect(error).toMatchObject({ class: "infra", code: "task.crashed", crashed: true });
    expect(error?.message).toContain("The process of process ended (-9).");
    await works();
  });

  test("keeps the device from others when the launcher is killed, until its own worker ends", async () => {
    const launcher = spawn(process.execPath, ["-e", LAUNCHER, PYTHON, join(ROOT, "workers/python-gpu")], {
      cwd: ROOT,
      env: workerEnv(),
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(launcher.stdout.setEncoding("utf8"), "data")) as [string];
    const orphan = Number(line);
    await silently();
    const pid = await engineProcess();
    launcher.kill("SIGKILL");
    const second = startWorker("second");
    await says(second, "another process of this machine uses the device");
    expect(isAlive(pid)).toBe(true);
    process.kill(orphan, "SIGTERM"); // as the next start does with what it finds (infra/launch/leftovers.ts)
    await ended(pid);
    await works();
  });
});
