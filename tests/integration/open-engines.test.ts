// DESIGN M4: a node that finds no live engine when its run is accepted waits for one, which is then chosen once for the whole run. The one
// worker is the test.
import { join } from "node:path";
import { names, openRedis } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { ended, getRun, graphOf, node, type Spindle, startRun, startSpindle, until, wait, wire } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

/** Waits until a node run says that it waits for this. */
const waitsFor = (url: string, run: string, path: string, kind: NotRunning["kind"]): Promise<NotRunning> =>
  until(
    async () => {
      const all = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as { path: string; notRunning: NotRunning | null }[];
      const why = all.find((one) => one.path === path)?.notRunning;
      return why?.kind === kind ? why : undefined;
    },
    60_000,
    `${path} says ${kind}`,
  );

const choicesOf = async (spindle: Spindle, run: string) =>
  (await spindle.db.query("SELECT node, path, body->>'engine' AS engine FROM run_event WHERE run_id = $1 AND type = 'node.engine'", [run]))
    .rows;
const rowsOf = async (spindle: Spindle, run: string) =>
  (await spindle.db.query("SELECT path, plane, engine, version, state FROM node_run WHERE run_id = $1 ORDER BY path", [run])).rows;
const restart = async ({ processes, url }: Spindle) => {
  const before = processes.runtime?.pid as number;
  process.kill(before, "SIGKILL");
  await until(async () => processes.runtime?.pid !== before && (await fetch(`${url}/health`)).ok, 60_000, "the runtime is back");
};

describe("without a worker", () => {
  let hand: WorkerHand;
  let url: string;
  beforeAll(async () => {
    hand = await WorkerHand.start({ away: true, env: { SPINDLE_LEASE_MS: "20000" } });
    url = hand.spindle.url;
  });
  afterAll(() => hand?.stop());
  /** The worker comes, or goes; engines that were live stay so for a minute without it. */
  const is = async (engines: WorkerHand["engines"]) => {
    hand.engines = engines;
    await hand.report();
  };
  const isKnown = (live: boolean) =>
    until(
      async () => {
        const { capabilities } = (await (await fetch(`${url}/api/capabilities`)).json()) as {
          capabilities: { id: string; engines: { live: boolean }[] }[];
        };
        return capabilities.find(({ id }) => id === "dummy.dummy_task")?.engines[0]?.live === live;
      },
      60_000,
      `the engine is known ${live ? "" : "not "}to be live`,
    );
  const ends = async (count: number) => {
    for (let done = 0; done < count; done++) {
      const entry = await hand.claim();
      await hand.worker.beat(entry);
      await hand.done(entry, 1);
    }
  };
  const list = node("list", "constant.array", { value: Array.from({ length: 20 }, (_, index) => index) });
  const over = { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: {} } };

  test("[M4, E18] a run is accepted, says what it waits for, and ends once a worker has come", async () => {
    const run = await startRun(url, graphOf([wait("a"), wait("b")], [wire("a", "value", "b", "value")]));
    const why = await waitsFor(url, run, "a", "no-worker");
    expect(why).toMatchObject({
      text: expect.stringMatching(/^No Python worker answers\. .+ can run on .+\.$/),
      action: "Start a Python worker, or cancel the run.",
    });
    expect(await waitsFor(url, run, "b", "before")).toBeTruthy();
    expect((await getRun(url, run)).notRunning).toMatchObject({ kind: "no-worker" });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^spindle_not_running_seconds\{kind="no-worker"\} /m);
    expect(await choicesOf(hand.spindle, run)).toEqual([]);
    await is({ live: true });
    await ends(2);
    expect((await ended(url, run)).state).toBe("succeeded");
    expect(await choicesOf(hand.spindle, run)).toEqual([
      { node: "a", path: "a", engine: "default" },
      { node: "b", path: "b", engine: "default" },
    ]);
  });

  test("[M4] a node run keeps the licence that its engine had, whatever its worker says later", async () => {
    const licensed = (licence: string | undefined) => {
      hand.offers = (capability) => ({
        ...capability,
        engines: capability.engines?.map(({ licence: _, ...engine }) => ({
          ...engine,
          ...(licence ? { licence, commercial: false } : {}),
        })),
      });
      return hand.report();
    };
    const isSaid = (licence: string | undefined) =>
      until(
        async () => {
          const { capabilities } = (await (await fetch(`${url}/api/capabilities`)).json()) as {
            capabilities: { id: string; engines: { licence?: string }[] }[];
          };
          return capabilities.find(({ id }) => id === "dummy.dummy_task")?.engines[0]?.licence === licence;
        },
        60_000,
        `the licence is ${licence}`,
      );
    await is({ live: true });
    await licensed("CC-BY-NC-4.0");
    await isSaid("CC-BY-NC-4.0");
    const run = await startRun(url, graphOf([wait("a"), node("b", "constant.string", { value: "x" })]));
    await ends(1);
    await licensed("MIT");
    await isSaid("MIT");
    const found = (await ended(url, run)).nodes.map((nodeRun) => [nodeRun.node, (nodeRun as { licence?: string }).licence]);
    expect(found).toEqual([
      ["a", "CC-BY-NC-4.0"],
      ["b", undefined],
    ]);
    const all = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as { node: string; licence?: string }[];
    expect(all.map((nodeRun) => [nodeRun.node, nodeRun.licence]).sort()).toEqual(found);
    await licensed(undefined);
    await isSaid(undefined);
  });

  test("[M4, E9] a map of 20 has one engine, chosen once, though the runtime is killed before and after that", async () => {
    await is({ live: false, reason: "Its model is missing." });
    await isKnown(false);
    const run = await startRun(url, graphOf([list, wait("each")], [over]));
    expect((await waitsFor(url, run, "each#7", "engine-not-live")).text).toContain("Its model is missing");
    await restart(hand.spindle);
    await waitsFor(url, run, "each#19", "engine-not-live");
    await is({ live: true });
    await ends(7);
    await restart(hand.spindle);
    await ends(13);
    expect((await ended(url, run)).state).toBe("succeeded");
    expect(await choicesOf(hand.spindle, run)).toEqual([{ node: "each", path: expect.stringMatching(/^each#\d+$/), engine: "default" }]);
    const elements = (await rowsOf(hand.spindle, run)).filter(({ path }) => path.startsWith("each#"));
    expect(elements).toHaveLength(20);
    for (const row of elements) expect(row).toMatchObject({ plane: "python", engine: "default", state: "succeeded" });
    expect((await rowsOf(hand.spindle, run)).find(({ path }) => path === "each")).toMatchObject({ plane: "node", engine: "default" });
  });

  test("[M4, E13] a run that waits for an engine is cancelled, and so is one node of it alone", async () => {
    await is({ live: false, reason: "Its model is missing." });
    await isKnown(false);
    const run = await startRun(url, graphOf([list, wait("each")], [over]));
    await waitsFor(url, run, "each#3", "engine-not-live");
    await fetch(`${url}/api/runs/${run}/cancel`, { method: "POST" });
    expect((await ended(url, run)).state).toBe("cancelled");
    const two = await startRun(url, graphOf([wait("a"), node("b", "constant.string", { value: "x" })]));
    await waitsFor(url, two, "a", "engine-not-live");
    const answer = await fetch(`${url}/api/runs/${two}/cancel-node`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ path: "a" }),
    });
    expect(answer.status).toBe(202);
    expect((await ended(url, two)).nodes.map(({ node: id, state }) => [id, state])).toEqual([
      ["a", "cancelled"],
      ["b", "succeeded"],
    ]);
  });

  test("[M4, E9] two runtimes: the one that takes a run over waits on, and chooses", async () => {
    await is({ live: false, reason: "Its model is missing." });
    await isKnown(false);
    const port = await freePort();
    const other = new Supervised({
      name: "second runtime",
      command: process.execPath,
      args: ["--disable-proto=delete", "--import", "tsx", join(ROOT, "apps/runtime/src/main.ts")],
      cwd: ROOT,
      env: { NODE_ENV: "production", ...hand.spindle.env, PORT: String(port) },
    });
    try {
      await until(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok, 60_000, "the second runtime answers");
      const run = await startRun(`http://127.0.0.1:${port}`, graphOf([list, wait("each")], [over]));
      await waitsFor(url, run, "each#3", "engine-not-live");
      await other.stop();
      await is({ live: true });
      await ends(20);
      expect((await ended(url, run)).state).toBe("succeeded");
      expect(await choicesOf(hand.spindle, run)).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });
});

test("[M4, RG1] a region whose server is away waits for it, and has one engine with its nodes", async () => {
  let fake = await FakeComfy.start();
  const { port } = fake;
  const spindle = await startSpindle({ worker: false, env: { COMFY_URL: fake.url, SPINDLE_COMFY_LIBRARY_MS: "500" } });
  const redis = openRedis(spindle.env.REDIS_URL as string);
  try {
    const engine = async () => {
      const { capabilities } = (await (await fetch(`${spindle.url}/api/capabilities`)).json()) as {
        capabilities: { id: string; engines: { id: string; live: boolean }[] }[];
      };
      return capabilities.find(({ id }) => id === "EmptyImage")?.engines[0];
    };
    await until(async () => (await engine())?.live, 60_000, "the server is known");
    const [bridge = ""] = await redis.smembers(names.workers("comfy"));
    const notice = names.workerManifest("comfy", bridge);
    const manifest = await redis.get(notice);
    await fake.stop();
    await until(async () => (await redis.get(notice)) !== manifest, 60_000, "the bridge reports that it is away");
    await restart(spindle); // what was live a moment ago is held so for a minute, by who saw it
    await until(async () => (await engine())?.live === false, 60_000, "the server is known to be away");
    const comfy = (id: string, service: string, params?: Record<string, unknown>) => node(id, service, params, "comfy");
    const run = await startRun(
      spindle.url,
      graphOf([comfy("a", "EmptyImage", { width: 8 }), comfy("b", "PreviewAny")], [wire("a", "IMAGE", "b", "source")]),
    );
    const why = await waitsFor(spindle.url, run, "a", "engine-not-live");
    expect(why.text).toMatch(/^No engine of the ComfyUI nodes here can run now \(.*does not answer/);
    expect(await waitsFor(spindle.url, run, "b", "engine-not-live")).toEqual(why);
    fake = await FakeComfy.start(port);
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    const id = (await engine())?.id;
    expect(await choicesOf(spindle, run)).toEqual([{ node: "group:a>", path: "group:a>", engine: id }]);
    for (const row of await rowsOf(spindle, run)) expect(row).toMatchObject({ plane: "comfy", engine: id, state: "succeeded" });
  } finally {
    redis.disconnect();
    await spindle.stop();
    await fake.stop();
  }
});
