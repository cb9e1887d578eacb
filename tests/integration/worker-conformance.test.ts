// DESIGN W10: what every worker does, in whatever language (docs/writing-a-worker.md). One that offers `dummy.dummy_task` (it gives `value`
// back after `seconds`, and reports progress) is named by SPINDLE_WORKER_UNDER_TEST, a command line, in place of the Python worker. The bridge
// to ComfyUI passes the same tests, with prompts that do the same.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type ArtifactRef, BUS, validateCapability, validatePlaneManifest, validateTaskProgress } from "@spindle/schemas";
import { loadFunctions, names, type Route, type RuntimeEnd, runtimeEnd } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPython, PYTHON } from "../../infra/launch/build.ts";
import { type Program, Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { ConformanceBroker } from "../support/conformance-broker.ts";
import { childrenOf } from "../support/processes.ts";
import { until } from "../support/spindle.ts";
import { WAIT_ROUTE } from "../support/worker-hand.ts";

/** One red pixel. */
const PICTURE = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

interface Subject {
  route: Route;
  /** What to start, once what it needs is there. */
  program(): Promise<Pick<Program, "command" | "args" | "cwd"> & { env?: Record<string, string> }>;
  input(value: unknown, seconds: number): object;
  valueOf(output: Record<string, unknown>): unknown;
  manifestKey(broker: ConformanceBroker): Promise<string | undefined>;
  expectManifest(manifest: unknown, broker: ConformanceBroker): void;
  /** Fetches an image and stores it anew. */
  copies(image: ArtifactRef): object;
  copyOf(output: Record<string, unknown>): unknown;
  bad: object;
  /** Reports nothing for longer than eight seconds, and cannot be asked to stop. */
  hung: object;
  /** Kills the process that works, where it is another than the one that speaks to Redis. */
  crash?: (worker: Supervised) => void;
  badSays: RegExp;
  stop?(): Promise<void>;
}

const [command = PYTHON, ...args] = process.env.SPINDLE_WORKER_UNDER_TEST?.split(" ") ?? [PYTHON, "-m", "spindle_worker", "supervise"];

const python: Subject = {
  route: WAIT_ROUTE,
  async program() {
    await buildPython("requirements.txt");
    return { command, args, cwd: join(ROOT, "workers/python-gpu") };
  },
  input: (value, seconds) => ({ value, seconds }),
  valueOf: (output) => output.value,
  async manifestKey({ redis }) {
    const [worker] = await redis.smembers(names.workers("python"));
    return worker && names.workerManifest("python", worker);
  },
  expectManifest(manifest) {
    expect(validatePlaneManifest(manifest), JSON.stringify(validatePlaneManifest.errors)).toBe(true);
    expect((manifest as { capabilities: { id: string }[] }).capabilities.map((capability) => capability.id)).toContain("dummy.dummy_task");
  },
  copies: (image) => ({ value: 1, seconds: 0, image }),
  copyOf: ({ image }) => image,
  bad: { value: 1, seconds: "soon" },
  badSays: /seconds/,
  hung: { value: 1, seconds: 60, silent: true },
  crash: (worker) => {
    for (const pid of childrenOf(worker.pid)) process.kill(pid, "SIGKILL");
  },
};

/** ComfyUI waits for `seconds` in steps, and shows a text. */
function comfyBridge(): Subject {
  let fake: FakeComfy;
  const subject: Subject = {
    route: { plane: "comfy", service: BUS.region, version: BUS.regionVersion, engine: "" },
    async program() {
      fake = await FakeComfy.start();
      subject.route.engine = `127.0.0.1-${fake.port}`;
      return {
        command: process.execPath,
        args: ["--import", "tsx", join(ROOT, "workers/comfy-bridge/src/main.ts")],
        cwd: ROOT,
        env: { COMFY_URL: fake.url },
      };
    },
    input: (value, seconds) => ({
      prompt: {
        wait: {
          class_type: "KSampler",
          inputs: { steps: Math.max(1, Math.round(seconds * 20)), delay: seconds > 0 ? 50 : 0, seed: Math.random() },
        },
        text: { class_type: "PrimitiveString", inputs: { value: JSON.stringify({ value }), after: ["wait", 0] } },
        show: { class_type: "PreviewAny", inputs: { source: ["text", 0] } },
      },
      sinks: ["show"],
      gives: [{ node: "n", port: "json", from: "show", pick: "json" }],
      only: "n",
    }),
    valueOf: ({ json }) => (json as { value: unknown } | undefined)?.value,
    async manifestKey({ redis }) {
      const [worker] = await redis.smembers(names.workers("comfy"));
      return worker && names.workerManifest("comfy", worker);
    },
    expectManifest(manifest, broker) {
      expect((manifest as { sha256: string }).sha256).toBe(broker.manifest?.sha256);
      const [first] = broker.manifest?.capabilities ?? [];
      expect(validateCapability(first), JSON.stringify(validateCapability.errors)).toBe(true);
    },
    copies: (image) => ({
      prompt: {
        load: { class_type: "LoadImage", inputs: { image } },
        save: { class_type: "SaveImage", inputs: { images: ["load", 0], filename_prefix: "copy" } },
      },
      sinks: ["save"],
      gives: [{ node: "n", port: "image", from: "save", pick: "image" }],
      only: "n",
    }),
    copyOf: ({ image }) => image,
    bad: { prompt: { a: { class_type: "NobodyHasThis", inputs: {} } }, sinks: ["a"], gives: [] },
    badSays: /NobodyHasThis/,
    hung: {
      prompt: {
        wait: { class_type: "KSampler", inputs: { steps: 1, delay: 8000, seed: 1 } },
        show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
      },
      sinks: ["show"],
      gives: [],
      only: "n",
    },
    stop: () => fake.stop(),
  };
  return subject;
}

describe.each([
  ["the worker", python],
  ["the bridge to ComfyUI", comfyBridge()],
])("[W10] %s", (_, subject) => {
  let broker: ConformanceBroker;
  let worker: Supervised;
  let startWorker: () => Promise<Supervised>;
  beforeAll(async () => {
    const { env, ...program } = await subject.program();
    broker = await ConformanceBroker.start(subject.route);
    startWorker = async () => {
      const started = new Supervised({ name: "worker", ...program, env: { ...broker.env, ...env, SPINDLE_DRAIN_MS: "4000" } });
      await until(() => subject.manifestKey(broker).then((key) => key && broker.redis.get(key)), 60_000, "a manifest is published");
      return started;
    };
    worker = await startWorker();
  });
  afterAll(async () => {
    await worker?.stop();
    await broker?.stop();
    await subject.stop?.();
  });

  const value = async (task: string) => subject.valueOf((await broker.result(task)).output ?? {});
  const give = (input: { value: unknown; seconds: number }, more: Parameters<ConformanceBroker["dispatch"]>[1] = {}, bus?: RuntimeEnd) =>
    broker.dispatch(subject.input(input.value, input.seconds), more, bus);
  const progressOf = async (task: string) => {
    const entries = await broker.redis.xrange(names.progress, "-", "+");
    return entries.map(([, fields]) => JSON.parse(fields[1] ?? "null") as { task: string }).filter((one) => one.task === task);
  };
  const leased = (task: string) => until(async () => (await broker.whereabouts(task)) === "leased", 60_000, "the task is leased");

  test("[M2] publishes a manifest of its plane, and keeps it alive", async () => {
    const key = (await subject.manifestKey(broker)) ?? "";
    subject.expectManifest(JSON.parse((await broker.redis.get(key)) ?? "null"), broker);
    expect(await broker.redis.pttl(key), "it ends by itself when the worker does").toBeGreaterThan(0);
  });

  test("[A3] takes a task, fetches its input with the task's token, and settles with the output", async () => {
    const task = await give({ value: { a: [1, "ü"] }, seconds: 0 });
    expect(await broker.result(task)).toMatchObject({ v: 1, task, outcome: "succeeded", output: expect.any(Object) });
    expect(await value(task)).toEqual({ a: [1, "ü"] });
  });

  test("[W3] takes one task at a time, and the next when it is free", async () => {
    const [first, second] = [await give({ value: 1, seconds: 1 }), await give({ value: 2, seconds: 0 })];
    await leased(first);
    expect(await broker.whereabouts(second)).toBe("queued");
    expect([await value(first), await value(second)]).toEqual([1, 2]);
  });

  test("[W4] renews its lease for as long as it works", async () => {
    const task = await give({ value: 1, seconds: 2.5 }, { leaseMs: 800, beatMs: 200 });
    await leased(task);
    for (const end = Date.now() + 2000; Date.now() < end; ) {
      expect(await broker.whereabouts(task)).toBe("leased");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await value(task)).toBe(1);
  });

  test("[W8] reports progress in the shape of the contract", async () => {
    const task = await give({ value: 1, seconds: 0.6 });
    await broker.result(task);
    const own = await progressOf(task);
    expect(own.length).toBeGreaterThan(0);
    for (const progress of own) expect(validateTaskProgress(progress), JSON.stringify(progress)).toBe(true);
  });

  test("[E13] ends a cancelled task in the middle, and is free", async () => {
    const task = await give({ value: 1, seconds: 60 });
    await leased(task);
    await broker.bus.cancel(task, subject.route.plane);
    expect((await broker.result(task)).outcome).toBe("cancelled");
    expect(await value(await give({ value: "next", seconds: 0 }))).toBe("next");
  });

  test("[W4] drops a task that it lost, and settles nothing for it", async () => {
    const task = await give({ value: 1, seconds: 60 });
    await leased(task);
    await broker.bus.cancel(task, subject.route.plane, "stale");
    expect(await value(await give({ value: "after", seconds: 0 }))).toBe("after");
    expect(broker.seen.some((one) => one.task === task)).toBe(false);
  });

  test("[W3, W10] hands back a task of another version, undone", async () => {
    const task = await give({ value: 1, seconds: 0 }, { capability: `${subject.route.service}@0.0.1` });
    expect(await broker.result(task)).toMatchObject({ outcome: "returned", error: { code: "task.wrong_version" } });
    expect(await value(await give({ value: "next", seconds: 0 }))).toBe("next");
  });

  test("[W2] refuses an entry that the runtime did not sign", async () => {
    const forged = await give({ value: "forged", seconds: 0 }, {}, runtimeEnd(broker.redis, "x".repeat(64)));
    expect(await value(await give({ value: "true", seconds: 0 }))).toBe("true");
    expect(broker.seen.some((one) => one.task === forged)).toBe(false);
    expect(broker.buried, "it is refused, and leaves its queue").toMatchObject([{ why: expect.stringMatching(/refused/), entry: {} }]);
    expect(await broker.whereabouts(forged)).toBe("lost");
  });

  test("[A3, W6] fetches what its input names, stores what it makes where it is told, and names it with its hash", async () => {
    const { artifact, ...image } = broker.offer(PICTURE);
    const { output = {}, objects = [], outcome } = await broker.result(await broker.dispatch(subject.copies({ artifact, ...image })));
    expect(outcome).toBe("succeeded");
    const copy = subject.copyOf(output) as ArtifactRef;
    expect(copy).toMatchObject({ mime: "image/png" });
    expect(copy.artifact, "a new one").not.toBe(artifact);
    const stored = broker.objects.get(objects.find(({ ref }) => ref.artifact === copy.artifact)?.key ?? "");
    expect(stored && sha256(stored)).toBe(copy.sha256);
    expect(stored?.length).toBe(copy.size);
  });

  test("does not work on bytes other than those that a reference names", async () => {
    const image = broker.offer(PICTURE);
    const task = await broker.dispatch(subject.copies({ ...image, sha256: "0".repeat(64) }));
    expect(await broker.result(task)).toMatchObject({ outcome: "failed" });
  });

  test("[W2] does not work on an input other than the one that was dispatched", async () => {
    const task = await give({ value: 1, seconds: 0 }, { inputSha256: "0".repeat(64) });
    expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { class: "transient" } });
  });

  const testCrash = subject.crash ? test : () => {}; // where one process does it all, nothing dies under it
  testCrash("[W9] says that the process under a node died, and takes the next task", async () => {
    const task = await give({ value: 1, seconds: 60 });
    await leased(task);
    await until(async () => (await progressOf(task)).length > 0, 60_000, "it works");
    subject.crash?.(worker);
    expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { class: "infra", code: "task.crashed", crashed: true } });
    expect(await value(await give({ value: "next", seconds: 0 }))).toBe("next");
  });

  test("says what of its input it cannot work with", async () => {
    const task = await broker.dispatch(subject.bad);
    expect(await broker.result(task)).toMatchObject({
      outcome: "failed",
      error: { class: "user", message: expect.stringMatching(subject.badSays) },
    });
  });

  test("gives up when the task's time is over", async () => {
    const task = await give({ value: 1, seconds: 60 }, { timeoutMs: 800 });
    expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { code: "task.timeout" } });
  });

  test("[W4] gives up when nothing moves for the task's stall time", async () => {
    const task = await broker.dispatch(subject.hung, { stallMs: 700 });
    expect(await broker.result(task)).toMatchObject({ outcome: "failed", error: { class: "infra", code: "task.stalled" } });
    const moving = await give({ value: "free", seconds: 2.5 }, { stallMs: 2000 });
    expect(await value(moving), "what moves is left alone, however long it takes").toBe("free");
  });

  test("[W10] told to end, it takes no more, ends what it has in its grace, and hands back what takes longer", async () => {
    const short = await give({ value: "in time", seconds: 1.5 });
    await leased(short);
    const next = await give({ value: "later", seconds: 0 });
    let ending = worker.stop();
    expect(await value(short)).toBe("in time");
    await ending;
    expect(await broker.whereabouts(next), "nobody took it").toBe("queued");
    worker = await startWorker();
    expect(await value(next)).toBe("later");
    const long = await give({ value: 1, seconds: 8 }); // ComfyUI goes on with it: whoever has the task next finds its prompt
    await leased(long);
    ending = worker.stop();
    expect(await broker.result(long)).toMatchObject({ outcome: "returned", error: { code: "task.handed_back" } });
    await ending;
    worker = await startWorker();
  });

  test("[W7] outlives a Redis that forgets everything: the task goes on and is settled", async () => {
    const task = await give({ value: "kept", seconds: 2 });
    await leased(task);
    await broker.redis.flushall();
    await broker.redis.call("FUNCTION", "FLUSH");
    await new Promise((resolve) => setTimeout(resolve, 400));
    await loadFunctions(broker.redis);
    expect(await value(task)).toBe("kept");
  });
});
