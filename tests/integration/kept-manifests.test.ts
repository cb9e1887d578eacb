// DESIGN M2: what each worker and each bridge offered is kept under its own name. Several are joined, and what one offered stays when it goes.
import { join } from "node:path";
import { committedManifests } from "@spindle/node-library/manifests";
import type { Capability, CombinedManifest } from "@spindle/schemas";
import { names, openRedis } from "@spindle/task-bus";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { ended, getRun, graphOf, node, type Spindle, startRun, startSpindle, until, wire } from "../support/spindle.ts";

let fakes: [FakeComfy, FakeComfy];
let spindle: Spindle;
let second: Supervised;
let redis: ReturnType<typeof openRedis>;
beforeAll(async () => {
  fakes = [await FakeComfy.start(), await FakeComfy.start()];
  fakes[1].offer({ "1": { class_type: "OnlyThere", inputs: { image: ["0", 0] } } });
  spindle = await startSpindle({ worker: false, env: { COMFY_URL: fakes[0].url, SPINDLE_COMFY_LIBRARY_MS: "1000" } });
  redis = openRedis(spindle.env.REDIS_URL as string);
  second = startBridge(fakes[1].url);
});
afterAll(async () => {
  await second?.stop();
  redis?.disconnect();
  await spindle?.stop();
  for (const fake of fakes ?? []) await fake.stop();
});

function startBridge(url: string): Supervised {
  return new Supervised({
    name: "second bridge",
    command: process.execPath,
    args: ["--import", "tsx", join(ROOT, "workers/comfy-bridge/src/main.ts")],
    cwd: ROOT,
    env: { ...spindle.env, COMFY_URL: url, SPINDLE_COMFY_LIBRARY_MS: "1000" },
  });
}
const offered = async (id: string): Promise<Capability | undefined> =>
  ((await (await fetch(`${spindle.url}/api/capabilities`)).json()) as CombinedManifest).capabilities.find((each) => each.id === id);
const becomes = (id: string, live: boolean | undefined) =>
  until(async () => (await offered(id))?.live === live, 60_000, `${id} is ${live === undefined ? "gone" : live ? "live" : "offline"}`);
const post = (path: string, body: object) =>
  fetch(spindle.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const restart = async () => {
  const before = spindle.processes.runtime?.pid as number;
  process.kill(before, "SIGKILL");
  await until(
    async () => spindle.processes.runtime?.pid !== before && (await fetch(`${spindle.url}/health`)).ok,
    60_000,
    "the runtime is back",
  );
};
const comfy = (id: string, service: string, params?: Record<string, unknown>) => node(id, service, params, "comfy");
const there = (color: number) =>
  graphOf(
    [comfy("a", "EmptyImage", { width: 8, color }), comfy("b", "OnlyThere"), comfy("c", "PreviewAny")],
    [wire("a", "IMAGE", "b", "image"), wire("b", "*", "c", "source")],
  );

test("[M2] two bridges with different manifests are joined: a class has the servers of both, and a graph runs on the one that has it", async () => {
  await becomes("OnlyThere", true);
  await until(
    async () => (await offered("EmptyImage"))?.engines?.filter(({ live }) => live).length === 2,
    60_000,
    "both servers are there",
  );
  expect((await offered("OnlyThere"))?.engines).toHaveLength(1);
  expect((await ended(spindle.url, await startRun(spindle.url, there(1)))).error).toBeNull();
  expect(fakes[0].prompts).toEqual([]);
});

test("[M2, E18] a bridge that is killed leaves the set of workers; its classes stay, runs wait for them, and it goes on when it is back", async () => {
  const workers = await redis.smembers(names.workers("comfy"));
  expect(workers).toHaveLength(2);
  process.kill(second.pid as number, "SIGKILL");
  await second.stop();
  await becomes("OnlyThere", false);
  expect((await redis.smembers(names.workers("comfy"))).length, "a killed bridge is named no more").toBe(1);
  await becomes("EmptyImage", true);
  await restart();
  await becomes("OnlyThere", false);
  const run = await startRun(spindle.url, there(2));
  await until(
    async () => {
      const why = (await getRun(spindle.url, run)).nodes.find((each) => each.node === "b")?.notRunning;
      return why?.kind === "no-worker" || why?.kind === "engine-not-live";
    },
    60_000,
    "it says that nobody is there",
  );
  second = startBridge(fakes[1].url);
  expect((await ended(spindle.url, run)).error).toBeNull();
});

test("[M2] what a worker alone offered stays when it goes, also for a runtime that starts then, until a person says that it is gone", async () => {
  const [first] = committedManifests.python.capabilities;
  const offers = (worker: string, id: string) => {
    const manifest = { ...committedManifests.python, capabilities: [{ ...(first as Capability), id, label: id }] };
    return Promise.all([
      redis.set(names.workerManifest("python", worker), JSON.stringify(manifest), "PX", 600_000),
      redis.sadd(names.workers("python"), worker),
    ]);
  };
  await offers("stays", "common.task");
  await offers("goes", "special.task");
  await becomes("special.task", true);
  const early = await post("/api/workers/forget", { worker: "goes" });
  expect([early.status, ((await early.json()) as { error: { code: string } }).error.code]).toEqual([409, "worker.answers"]);
  await redis.del(names.workerManifest("python", "goes"));
  await becomes("special.task", false);
  expect((await offered("common.task"))?.live).toBe(true);
  await restart();
  await becomes("common.task", true);
  expect((await offered("special.task"))?.live).toBe(false);
  expect((await post("/api/workers/forget", { worker: "nobody" })).status).toBe(404);
  expect((await post("/api/workers/forget", { worker: "goes" })).status).toBe(200);
  await becomes("special.task", undefined);
  await restart();
  await becomes("common.task", true);
  expect(await offered("special.task")).toBeUndefined();
});
