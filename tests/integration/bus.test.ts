// The worker protocol (DESIGN section 6) against the real runtime, Redis and PostgreSQL, with a worker that misbehaves.
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TaskEntry, TaskResult } from "@spindle/schemas";
import { names, taskToken, type WorkerEnd } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { solidPng } from "../../workers/comfy-bridge/test/fake/png.ts";
import { ended, getRun, graphOf, node, type Spindle, startRun, until, wait } from "../support/spindle.ts";
import { pythonRoute, WAIT_ROUTE as route, WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let spindle: Spindle;
let redis: Redis;
let db: pg.Client;
let worker: WorkerEnd;

beforeAll(async () => {
  hand = await WorkerHand.start();
  ({ spindle, redis, worker } = hand);
  db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await db.connect();
});
afterAll(async () => {
  await db?.end();
  await hand?.stop();
});

const start = (graph: unknown = graphOf([wait("a")])): Promise<string> => startRun(spindle.url, graph);
const claim = (): Promise<TaskEntry> => hand.claim();
const done = (entry: TaskEntry, value: unknown, more = {}) => hand.done(entry, value, more);
const stale = async () => Number(/spindle_stale_results_total (\d+)/.exec(await (await fetch(`${spindle.url}/metrics`)).text())?.[1]);
const ask = (entry: Pick<TaskEntry, "task">, init: RequestInit, path = "objects", key = spindle.env.SPINDLE_WORKER_KEY as string) =>
  fetch(`${spindle.url}/tasks/${entry.task}/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${taskToken(entry.task, key)}`, "content-type": "application/json" },
  });

test("[W2] an entry is small, carries no graph, and its input has the hash it names", async () => {
  const run = await start(graphOf([wait("a", { preset: "x".repeat(50) })]));
  const entry = await claim();
  expect(JSON.stringify(entry).length).toBeLessThan(1024);
  const input = await (await ask(entry, { method: "GET" }, "input")).text();
  expect(createHash("sha256").update(input).digest("hex")).toBe(entry.inputSha256);
  expect(JSON.parse(input)).toMatchObject({ preset: "x".repeat(50), seconds: 0.4 });
  await worker.beat(entry);
  await done(entry, 1);
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
  expect(await redis.xlen(names.queue(route)), "the entry is gone once the result is committed").toBe(0);
});

test("[W2, W6] a result for a row that cannot be leaves the rest of its batch alone, and its own run fails with the reason", async () => {
  const [first, bad, good] = [await start(), await start(), await start()];
  const entries = new Map<string, TaskEntry>();
  for (let i = 0; i < 3; i++) {
    const entry = await claim();
    entries.set(entry.run, entry);
  }
  const of = (run: string) => entries.get(run) as TaskEntry;
  await db.query("UPDATE node_run SET input = NULL WHERE run_id = $1", [bad]);
  // The runtime waits for the lock while it takes the first result, so that the others make one batch.
  await db.query("BEGIN");
  await db.query("SELECT 1 FROM node_run WHERE run_id = $1 FOR UPDATE", [first]);
  await done(of(first), 1);
  const waiting = () => db.query("SELECT 1 FROM pg_locks WHERE NOT granted");
  await until(async () => (await waiting()).rowCount, 10_000, "the first result waits");
  await done(of(bad), 1);
  await done(of(good), 1);
  await db.query("COMMIT");
  expect((await ended(spindle.url, good)).state).toBe("succeeded");
  expect((await ended(spindle.url, first)).state).toBe("succeeded");
  const run = await ended(spindle.url, bad);
  expect([run.state, run.error?.message]).toEqual(["failed", expect.stringMatching(/cannot be: it is dispatched without an input/)]);
  const rowOf = async () => (await db.query("SELECT state, attempt FROM node_run WHERE run_id = $1", [bad])).rows[0];
  // The next runtime has not driven the run.
  const killed = spindle.processes.runtime?.pid as number;
  process.kill(killed, "SIGKILL");
  await until(
    async () => (await fetch(`${spindle.url}/health`).catch(() => undefined))?.ok && spindle.processes.runtime?.pid !== killed,
    60_000,
    "another runtime answers",
  );
  await until(async () => (await rowOf()).state === "cancelled", 60_000, "it has no other try");
  expect((await rowOf()).attempt).toBe(1);
});

test("[W2] dispatching five times makes one entry", async () => {
  const call = () => redis.call("FCALL", "spindle_dispatch", 2, names.dispatched("probe"), "spindle:test:stream", "{}", 60_000, "bell");
  const ids = new Set(await Promise.all([call(), call(), call(), call(), call()]));
  expect(ids.size).toBe(1);
  expect(await redis.xlen("spindle:test:stream")).toBe(1);
});

describe("a result is refused and counted, and the run is unharmed,", () => {
  test("[W1, W5, W6] when the lease was lost: the next attempt's result stands, and a second commit is impossible", async () => {
    const run = await start();
    const first = await claim();
    await worker.beat(first);
    const second = await claim(); // the first goes silent; its lease expires, the fence rises
    expect(second).toMatchObject({ nodeRun: first.nodeRun, attempt: 2 });
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await worker.beat(first)).toBe("lost");
    expect((await ask(first, { method: "POST", body: "{}" })).status).toBe(409);
    const before = await stale();
    await done(first, "stale");
    await until(async () => (await stale()) > before, 60_000, "the stale result is counted");
    expect((await getRun(spindle.url, run)).state).toBe("running");
    await worker.beat(second);
    await done(second, "right");
    await done({ ...second }, "twice");
    expect((await ended(spindle.url, run)).outputs).toMatchObject({ value: "right" });
    const commit = "INSERT INTO node_result (node_run_id, fence, output) VALUES ($1, 99, '{}')";
    await expect(db.query(commit, [first.nodeRun])).rejects.toMatchObject({ code: "23505" });
  }, 30_000);

  test.each<[string, (entry: TaskEntry) => Promise<object>]>([
    ["an object that is not there", async (entry) => objects(entry, "missing", { store: false })],
    ["an object with another hash", async (entry) => objects(entry, "other", { sha256: "0".repeat(64) })],
    ["an object with another size", async (entry) => objects(entry, "size", { size: 99 })],
    ["an object that is not the picture it is said to be", async (entry) => objects(entry, "<html>", { mime: "image/png" })],
    ["an object of another task", async (entry) => objects(entry, "key", { key: `output/${randomUUID()}/x` })],
    [
      "an artifact that was never stored",
      async () => ({ output: { value: { artifact: randomUUID(), mime: "image/png", sha256: "0".repeat(64), size: 1 } } }),
    ],
  ])(
    "[W6] when it names %s",
    async (_, make) => {
      const run = await start();
      const entry = await claim();
      await worker.beat(entry);
      await worker.settle({ v: 1, task: entry.task, outcome: "succeeded", output: { waited: 0 }, ...(await make(entry)) });
      const again = await claim();
      expect(again.attempt).toBe(2);
      await worker.beat(again);
      await done(again, "ok");
      expect((await ended(spindle.url, run)).outputs).toMatchObject({ value: "ok" });
    },
    20_000,
  );
});

/** Stores an object the right way, then lies about it. */
async function objects(
  entry: TaskEntry,
  text: string,
  lie: { sha256?: string; size?: number; key?: string; store?: boolean; mime?: string },
): Promise<Required<Pick<TaskResult, "objects" | "output">>> {
  const bytes = Buffer.from(text);
  const asked = await (
    await ask(entry, {
      method: "POST",
      body: JSON.stringify({ direction: "put", purpose: "output", mime: "text/plain", size: bytes.length }),
    })
  ).json();
  if (lie.store !== false) expect((await fetch(asked.url, { method: "PUT", headers: asked.headers, body: bytes })).status).toBe(204);
  const ref = {
    artifact: asked.artifact,
    mime: lie.mime ?? "text/plain",
    sha256: lie.sha256 ?? createHash("sha256").update(bytes).digest("hex"),
    size: lie.size ?? bytes.length,
  };
  return { objects: [{ key: lie.key ?? asked.key, ref }], output: { value: ref, waited: 0 } };
}

const artifactOf = ({ outputs }: Awaited<ReturnType<typeof ended>>): string => (outputs as { value: { artifact: string } }).value.artifact;

test.each(["image/svg+xml", "text/html"])("[A4] what is %s is handed out as a download, never as a page", async (mime) => {
  const run = await start();
  const entry = await claim();
  await worker.beat(entry);
  const made = await objects(entry, `<svg xmlns="http://www.w3.org/2000/svg"><script>alert("${mime}")</script></svg>`, { mime });
  await worker.settle({ v: 1, task: entry.task, outcome: "succeeded", ...made });
  const { headers } = await fetch(`${spindle.url}/api/artifacts/${artifactOf(await ended(spindle.url, run))}`);
  expect(
    Object.fromEntries(["content-type", "content-disposition", "x-content-type-options"].map((name) => [name, headers.get(name)])),
  ).toEqual({
    "content-type": "application/octet-stream",
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
  });
  expect(headers.get("content-security-policy")).toMatch(/^sandbox;/);
});

/** An artifact that a run gave, and the key under which its worker stored it. */
async function stored(text: string): Promise<{ artifact: string; key: string | undefined }> {
  const run = await start();
  const entry = await claim();
  await worker.beat(entry);
  const made = await objects(entry, text, {});
  await worker.settle({ v: 1, task: entry.task, outcome: "succeeded", ...made });
  return { artifact: artifactOf(await ended(spindle.url, run)), key: made.objects[0]?.key };
}

test("[A5] the same bytes are kept once: the second object gives way to the first", async () => {
  const made = [await stored("the same bytes"), await stored("the same bytes")];
  const [keys, artifacts] = [made.map(({ key }) => key), made.map(({ artifact }) => artifact)];
  const { rows } = await db.query("SELECT key FROM artifact WHERE id = ANY($1)", [artifacts]);
  expect(rows).toEqual([{ key: keys[0] }, { key: keys[0] }]);
  const isStored = (key: string | undefined) => existsSync(join(spindle.home, "store", key ?? ""));
  await until(async () => !isStored(keys[1]), 60_000, "the second object is gone");
  expect(isStored(keys[0])).toBe(true);
  for (const artifact of artifacts) expect(await (await fetch(`${spindle.url}/api/artifacts/${artifact}`)).text()).toBe("the same bytes");
});

test("[E15] a run is as far as its nodes are, each by its weight", async () => {
  const nodes = [{ ...wait("large"), progressWeight: 3 }, wait("small")];
  const run = await start(graphOf(nodes, [{ from: "large", to: "small" }]));
  const is = (progress: number) =>
    until(async () => (await getRun(spindle.url, run)).progress === progress, 60_000, `it is at ${progress}`);
  const first = await claim();
  await worker.beat(first);
  await worker.progress({ v: 1, task: first.task, progress: 0.5 });
  await is(0.375);
  await done(first, 1);
  const second = await claim();
  await is(0.75);
  await worker.beat(second);
  await worker.progress({ v: 1, task: second.task, progress: 0.5 });
  await is(0.875);
  await done(second, 1);
  expect((await ended(spindle.url, run)).progress).toBe(1);
});

test("[E16] a preview that is not the picture it is said to be is shown to nobody, and the next one is", async () => {
  const run = await start();
  const entry = await claim();
  await worker.beat(entry);
  const preview = async (bytes: Buffer) => {
    const wish = JSON.stringify({ direction: "put", purpose: "preview", mime: "image/png", size: bytes.length });
    const { artifact, url, headers } = await (await ask(entry, { method: "POST", body: wish })).json();
    expect((await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) })).status).toBe(204);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await worker.progress({ v: 1, task: entry.task, preview: { artifact, mime: "image/png", sha256, size: bytes.length } });
    return artifact as string;
  };
  const [page, picture] = [await preview(Buffer.from("<script>alert(1)</script>")), await preview(solidPng(2, 2, 0xff))];
  const status = async (artifact: string) => (await fetch(`${spindle.url}/api/artifacts/${artifact}`)).status;
  await until(async () => (await status(picture)) === 200, 60_000, "the picture is shown");
  expect(await status(page)).toBe(404);
  await done(entry, 1);
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
});

test("[A3] a task's token opens that task alone", async () => {
  const run = await start();
  const entry = await claim();
  await worker.beat(entry);
  expect((await ask(entry, { method: "GET" }, "input", "another key")).status).toBe(401);
  expect((await ask({ task: `${randomUUID()}:1` }, { method: "GET" }, "input")).status).toBe(409);
  expect((await ask(entry, { method: "POST", body: JSON.stringify({ direction: "get", artifact: randomUUID() }) })).status).toBe(404);
  expect(
    (await ask(entry, { method: "POST", body: JSON.stringify({ direction: "put", purpose: "input", mime: "x", size: -1 }) })).status,
  ).toBe(422);
  await done(entry, 1);
  await ended(spindle.url, run);
});

test("[A3] of the artifacts it opens those that the task's input names, and no other run's", async () => {
  const [{ artifact: own }, { artifact: others }] = [await stored("its own"), await stored("another run's")];
  const { rows } = await db.query("SELECT id AS artifact, mime, sha256, size::int FROM artifact WHERE id = $1", [own]);
  const run = await start(graphOf([wait("a", { value: rows[0] })]));
  const entry = await claim();
  await worker.beat(entry);
  const wish = (artifact: string) => ask(entry, { method: "POST", body: JSON.stringify({ direction: "get", artifact }) });
  const bytes = (artifact: string) => ask(entry, { method: "GET" }, `bytes/${artifact}`);
  expect([(await wish(own)).status, await (await bytes(own)).text()]).toEqual([200, "its own"]);
  expect([(await wish(others)).status, (await bytes(others)).status]).toEqual([404, 404]);
  await done(entry, 1);
  await ended(spindle.url, run);
});

test("[W7] losing Redis whole costs time, never a run", async () => {
  const runs = [await start(), await start()];
  await worker.beat(await claim());
  await redis.flushall();
  for (const _ of runs) {
    const entry = await claim();
    await worker.beat(entry);
    await done(entry, "after");
  }
  for (const run of runs) expect((await ended(spindle.url, run)).state).toBe("succeeded");
}, 30_000);

test("[W7] a Redis that lost its functions alone gets them again, and the run goes on", async () => {
  await redis.call("FUNCTION", "FLUSH");
  const run = await start();
  await until(async () => ((await redis.call("FUNCTION", "LIST")) as unknown[]).length > 0, 60_000, "the functions are there again");
  const entry = await claim();
  await worker.beat(entry);
  await done(entry, "after");
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
}, 30_000);

test("[W5] two crashes of the child under one node run are its end; the failure says so", async () => {
  const run = await start();
  for (let crash = 0; crash < 2; crash++) {
    const entry = await claim();
    await worker.beat(entry);
    await worker.settle({
      v: 1,
      task: entry.task,
      outcome: "failed",
      error: { class: "infra", code: "task.crashed", message: "segfault", crashed: true },
    });
  }
  const view = await ended(spindle.url, run);
  expect(view).toMatchObject({ state: "failed", error: { node: "a", code: "task.crashed" }, nodes: [{ state: "dead", attempt: 2 }] });
}, 20_000);

test("[E14] a long queue that nobody works on holds up no other, and a small run is not behind a large one", async () => {
  const list = Array.from({ length: 1500 }, (_, index) => index);
  const large = await start(
    graphOf(
      [node("list", "constant.array", { value: list }), wait("each", { preset: "large" })],
      [{ from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: {} } }],
    ),
  );
  const other = pythonRoute("info.get_capabilities");
  await until(async () => (await redis.xlen(names.queue(route))) >= 64, 60_000, "the bus is full");
  const waiting = await start(graphOf([node("caps", "info.get_capabilities", {}, "python")]));
  const entry = await until(async () => worker.claim([other]), 60_000, "the other route is served");
  expect(entry.run).toBe(waiting);
  const small = await start(graphOf([wait("a", { preset: "small" })]));
  // The order of what waits is worked out several times before the places are shown once.
  await until(async () => (await getRun(spindle.url, small)).nodes[0]?.notRunning?.queue, 60_000, "its place in the queue is known");
  const order: string[] = [];
  while (!order.includes(small) && order.length < 300) {
    const next = await claim();
    order.push(next.run);
    await done(next, 0);
  }
  expect(order.length).toBeLessThan(165); // the 64 that were on the bus already, what was sent with them, and its turn
  expect((await ended(spindle.url, small)).state).toBe("succeeded");
  for (const run of [large, waiting]) await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  await worker.beat(entry); // it hears of the end
  await worker.settle({ v: 1, task: entry.task, outcome: "cancelled" });
  for (const run of [large, waiting]) expect((await ended(spindle.url, run)).state).toBe("cancelled");
});

test("[W1] a result for a task whose name is none holds up no other", async () => {
  const before = await stale();
  await worker.settle({ v: 1, task: `${"-".repeat(36)}:1`, outcome: "succeeded", output: {} });
  const run = await start();
  await done(await claim(), 1);
  expect((await ended(spindle.url, run, 5000)).state).toBe("succeeded");
  expect(await stale()).toBeGreaterThan(before);
});

test("[E13] cancelling reaches the worker of the newest try", async () => {
  const run = await start();
  const first = await claim();
  await worker.beat(first);
  await worker.settle({ v: 1, task: first.task, outcome: "failed", error: { class: "transient", code: "node.exception", message: "m" } });
  const second = await claim();
  expect(second).toMatchObject({ attempt: 2, fence: 2 });
  await worker.beat(second);
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  await until(async () => (await worker.beat(second)) === "cancel", 60_000, "the second try hears of it");
  await worker.settle({ v: 1, task: second.task, outcome: "cancelled" });
  expect((await ended(spindle.url, run, 5000)).state).toBe("cancelled");
});

test("[E13, M2] a run whose workers are gone waits, and is cancelled at once", async () => {
  const run = await start(graphOf([node("first", "output.preview", { value: 1 }), wait("a")], [{ from: "first", to: "a" }]));
  await until(async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.state === "dispatched"), 60_000, "it waits");
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, run, 3000)).state).toBe("cancelled");
  expect(await worker.claim([route])).toBeUndefined();
});
