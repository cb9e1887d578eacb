// What a start refuses, what survives a restart, and what the interface's numbers rest on.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { migrateDatabase } from "../../apps/runtime/src/store/migrate.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { startRedis } from "../../infra/launch/redis.ts";
import { talkForm } from "../support/samples.ts";
import { ended, getRun, graphOf, health, node, type Spindle, startRun, startSpindle, submit, until, wait } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
});
afterAll(() => spindle?.stop());

function runtime(env: Record<string, string>): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", join(ROOT, "apps/runtime/src/main.ts")], {
      cwd: ROOT,
      env: { ...process.env, ...spindle.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        text += chunk;
        if (text.includes("listening ")) child.kill("SIGTERM");
      });
    child.on("close", (code) => resolve({ code, text }));
  });
}

test.each([
  ["evicts", "maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction"],
  ["keeps no append-only file", "appendonly no", "CONFIG SET appendonly yes"],
])("[W7] a Redis that %s is refused, with the line to change", async (_, setting, line) => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-redis-"));
  const redis = await startRedis(folder, [setting]);
  try {
    const { code, text } = await runtime({ REDIS_URL: redis.url });
    expect(text).toContain(line);
    expect(code).toBe(78);
  } finally {
    await redis.process.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test("a port that is taken is said, and the next is used", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const home = await mkdtemp(join(tmpdir(), "spindle-home-"));
  const { text } = await runtime({ PORT: String(port), SPINDLE_HOME: home });
  taken.close();
  await rm(home, { recursive: true, force: true });
  expect(text).toMatch(new RegExp(`Port ${port} is taken`));
  expect(text).not.toContain(`listening http://127.0.0.1:${port}\n`);
});

test("a runtime takes over runs only once it listens: none that it cannot survive keeps its port shut", async () => {
  const last = createServer();
  await new Promise<void>((resolve) => last.listen(65_535, "127.0.0.1", resolve));
  const home = await mkdtemp(join(tmpdir(), "spindle-home-"));
  const admin = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await admin.connect();
  await admin.query("CREATE DATABASE unfinished");
  const url = new URL(spindle.env.DATABASE_URL as string);
  url.pathname = "/unfinished";
  const pool = new pg.Pool({ connectionString: url.href });
  try {
    await migrateDatabase(pool);
    const [run, revision] = [randomUUID(), randomUUID()];
    await pool.query("INSERT INTO revision (id, hash, document) VALUES ($1, $2, $3)", [revision, revision, JSON.stringify(graphOf([]))]);
    await new PostgresRecord(pool).runs.create({
      id: run,
      revision,
      title: "t",
      inputs: {},
      engines: {},
      definitions: [],
      options: {},
      submitter: "",
      nodes: [],
    });
    const { code, text } = await runtime({
      PORT: "65535",
      SPINDLE_HOME: home,
      DATABASE_URL: url.href,
      NODE_OPTIONS: `--import=${join(ROOT, "tests/support/slow-listen.mjs")}`,
    });
    expect(code, text).toBe(78);
    const { rows } = await pool.query("SELECT state, owner FROM run");
    expect(rows).toEqual([{ state: "queued", owner: null }]);
    expect(text).toMatch(/EADDRINUSE/);
  } finally {
    await Promise.all([pool.end(), admin.end()]);
    last.close();
    await rm(home, { recursive: true, force: true });
  }
});

test("[S1] an address that everybody can reach is refused without somebody who checks who is there", async () => {
  const { code, text } = await runtime({ HOST: "0.0.0.0" });
  expect(code).toBe(78);
  expect(text).toContain("SPINDLE_PROXY_SECRET");
});

test("settings that make no sense are named", async () => {
  const { code, text } = await runtime({ SPINDLE_WORKER_KEY: "short", DATABASE_URL: "nowhere" });
  expect(code).toBe(78);
  expect(text).toMatch(/DATABASE_URL: .*\n.*SPINDLE_WORKER_KEY: /);
});

test("[C1] a document survives kill -9 of the runtime right after it was acknowledged", async () => {
  const graph = graphOf([node("a", "output.preview", { value: { deep: [1, "ä"] } })], [], { planner: "x" });
  const { id } = await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json();
  process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
  const exported = await until(
    async () => {
      const answer = await fetch(`${spindle.url}/api/graphs/${id}/export`);
      return answer.ok ? answer.json() : undefined;
    },
    50_000,
    "the runtime is back",
  );
  expect(exported).toMatchObject(graph);
});

/** What the run waits for once nothing of it runs. The run is cancelled then. */
async function waitsFor(run: string): Promise<string | undefined> {
  const kind = await until(
    async () => {
      const { notRunning } = await getRun(spindle.url, run);
      return notRunning?.kind === "turn" ? undefined : notRunning?.kind;
    },
    60_000,
    "it says for what it waits",
  );
  await fetch(`${spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  await ended(spindle.url, run);
  return kind;
}

test("[M4] before a worker has reported, what only it can run waits, and a plan says so first", async () => {
  expect((await health(spindle.url)).parts.python).toMatch(/^(starting|down: no worker has reported)$/);
  const sentence =
    /^No engine of .+ is live \(.+: No worker has reported yet\)\. A run waits at talk until one is\. Start a worker of the python plane/;
  const talk = graphOf([node("a", "text.template", { template: "x" }), node("talk", "dummy.dummy_task", {}, "python")]);
  expect(await waitsFor(await startRun(spindle.url, talk))).toBe("no-worker");
  const seed = await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm() });
  expect(seed.status).toBe(202);
  const { jobId } = await seed.json();
  expect(await waitsFor(jobId)).toBe("no-worker");
  const { id } = await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(talk) })).json();
  const input = encodeURIComponent(JSON.stringify({ graphId: id, inputs: {} }));
  const plan = await (await fetch(`${spindle.url}/trpc/runs.plan?input=${input}`)).json();
  expect(plan.result.data.nodes).toMatchObject([
    { node: "a", does: "runs" },
    { node: "talk", does: "waits", why: expect.stringMatching(sentence) },
  ]);
});

test("[M4] a node that would not run needs no engine: one that is off, pinned or not part of the run", async () => {
  const ends = async (metadata: object) => {
    const run = await startRun(spindle.url, graphOf([node("a", "output.preview", { value: 1 }), wait("b")], [], metadata));
    return (await ended(spindle.url, run)).state;
  };
  expect(await ends({ nodes: { b: { disabled: true } } })).toBe("succeeded");
  expect(await ends({ nodes: { b: { pinned: { value: 1, waited: 0 } } } })).toBe("succeeded");
});

test("[M4] what no plane has ever offered is refused: it is no wait", async () => {
  const { status, body } = await submit(spindle.url, graphOf([node("a", "nobody.has_this", {}, "python")]));
  expect([status, body.error?.issues?.map(({ code }) => code)]).toEqual([422, ["node.unknown_capability"]]);
});

test("[M4] a subgraph's nodes need engines where it is called, and only there", async () => {
  const inner = { nodes: [wait("deep")], edges: [] };
  const call = (...nodes: ReturnType<typeof node>[]) => startRun(spindle.url, graphOf(nodes, [], { definitions: { inner } }));
  expect((await ended(spindle.url, await call(node("a", "output.preview", { value: 1 })))).state).toBe("succeeded");
  expect(await waitsFor(await call(node("c", "graph.call", { definition: "inner" })))).toBe("no-worker");
});
