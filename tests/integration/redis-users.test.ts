// Redis' users (packages/task-bus/redis/users.conf): the product runs under them, and none of them can do what is not its part.
import { names, openRedis } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ComfySpindle, comfy, startComfySpindle } from "../support/comfy.ts";
import { environmentOf } from "../support/processes.ts";
import { ended, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { pythonRoute, WAIT_ROUTE } from "../support/worker-hand.ts";

let spindle: ComfySpindle;
const open: Redis[] = [];
const users = {} as Record<"runtime" | "worker" | "bridge" | "operator", Redis>;
beforeAll(async () => {
  spindle = await startComfySpindle();
  for (const role of ["runtime", "worker", "bridge"] as const)
    users[role] = openRedis(environmentOf(spindle.processes[role]?.pid as number).REDIS_URL as string, { commandTimeout: 5000 });
  users.operator = openRedis(spindle.env.REDIS_URL as string, { commandTimeout: 5000 });
  open.push(...Object.values(users));
});
afterAll(async () => {
  for (const redis of open) redis.disconnect();
  await spindle?.stop();
});

const refused = async (user: keyof typeof users, ...command: [string, ...(string | number)[]]) => {
  const [name, ...args] = command;
  await expect(users[user].call(name, ...args), `${user}: ${command.join(" ")}`).rejects.toThrow(
    /^NOPERM|^ERR The user executing the script can't/,
  );
};

test("[S6] runs of the Python and the Comfy plane end, one is cancelled, and nobody was refused a command", async () => {
  await users.operator.call("ACL", "LOG", "RESET");
  const [python, region] = [
    await startRun(spindle.url, graphOf([wait("a")])),
    await startRun(spindle.url, graphOf([comfy("a", "EmptyImage", { width: 8, color: 1 })])),
  ];
  for (const run of [python, region]) expect((await ended(spindle.url, run)).state).toBe("succeeded");
  const long = await startRun(spindle.url, graphOf([wait("a", { seconds: 600 })]));
  const runs = async () =>
    ((await (await fetch(`${spindle.url}/api/runs/${long}`)).json()) as { nodes: { state: string }[] }).nodes[0]?.state;
  await until(async () => (await runs()) === "running", 30_000, "it runs");
  await fetch(`${spindle.url}/api/runs/${long}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, long)).state).toBe("cancelled");
  expect((await fetch(`${spindle.url}/health`)).status).toBe(200);
  expect(await users.operator.call("ACL", "LOG")).toEqual([]);
  const clients = String(await users.operator.call("CLIENT", "LIST"));
  for (const role of ["runtime", "worker", "bridge"]) expect(clients).toContain(`user=${role} `);
});

describe("[S6] nobody", () => {
  test("without a name does anything", async () => {
    const { host } = new URL(spindle.env.REDIS_URL as string);
    const stranger = openRedis(`redis://${host}`, { commandTimeout: 5000 });
    open.push(stranger);
    await expect(stranger.get(names.results)).rejects.toThrow(/NOAUTH/);
  });

  test("but the operator lists keys, changes settings, sees others' connections, or leaves the bus' keys", async () => {
    for (const user of ["runtime", "worker", "bridge"] as const) {
      await refused(user, "KEYS", "*");
      await refused(user, "SCAN", "0");
      await refused(user, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
      await refused(user, "FLUSHALL");
      await refused(user, "CLIENT", "LIST");
      await refused(user, "ACL", "LIST");
      await refused(user, "EVAL", "return 1", 0);
      await refused(user, "SET", "other", "1");
      await refused(user, "PUBLISH", "other", "1");
    }
    for (const user of ["worker", "bridge"] as const) {
      await refused(user, "FUNCTION", "LOAD", "REPLACE", "#!lua name=spindle");
      await refused(user, "CONFIG", "GET", "*");
    }
  });
});

describe("[S6] a worker", () => {
  const task = "00000000-0000-4000-8000-000000000000:1";
  const queue = names.queue(pythonRoute("dummy.dummy_task"));

  test("neither dispatches nor cancels a task, whether by a function or past it", async () => {
    await refused("worker", "XADD", queue, "*", "entry", "{}");
    await refused("worker", "FCALL", "spindle_dispatch", 2, names.dispatched(task), queue, "{}", 1000, names.doorbell("python"));
    await refused("worker", "FCALL", "spindle_dispatch", 2, names.lease(task), queue, "{}", 1000, names.doorbell("python"));
    await refused("worker", "FCALL", "spindle_cancel", 1, names.cancel(task), "1", 1000, names.doorbell("python"), task);
    await refused("worker", "SET", names.cancel(task), "1");
    expect(await users.operator.xlen(queue)).toBe(0);
  });

  test("neither reads nor deletes results, nor takes a task off the bus", async () => {
    await refused("worker", "XRANGE", names.results, "-", "+");
    await refused("worker", "XDEL", names.results, "0-1");
    await refused("worker", "DEL", names.lease(task));
    await refused("worker", "FCALL", "spindle_done", 3, names.dispatched(task), queue, names.lease(task));
  });

  test("has no part in the other plane", async () => {
    await refused(
      "worker",
      "FCALL",
      "spindle_take",
      1,
      names.queue({ ...WAIT_ROUTE, plane: "comfy", service: "comfy.region", engine: "a" }),
      "w",
    );
    await refused("bridge", "FCALL", "spindle_take", 1, queue, "w");
    await refused("worker", "SET", names.workerManifest("comfy", "b"), "{}");
    await refused("bridge", "SET", names.workerManifest("python", "w"), "{}");
    await refused("worker", "SUBSCRIBE", names.doorbell("comfy"));
  });
});
