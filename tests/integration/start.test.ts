// What a start refuses, what survives a restart, and what the interface's numbers rest on.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { startRedis } from "../../infra/launch/redis.ts";
import { graphOf, node, type Spindle, startSpindle, until } from "../support/spindle.ts";

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

test("a Redis that evicts is refused, with the line to change", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-redis-"));
  const redis = await startRedis(folder, ["maxmemory-policy allkeys-lru"]);
  try {
    const { code, text } = await runtime({ REDIS_URL: redis.url });
    expect(code).toBe(78);
    expect(text).toContain("CONFIG SET maxmemory-policy noeviction");
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

test("an address that everybody can reach is refused without somebody who checks who is there", async () => {
  const { code, text } = await runtime({ HOST: "0.0.0.0" });
  expect(code).toBe(78);
  expect(text).toContain("SPINDLE_PROXY_SECRET");
});

test("settings that make no sense are named", async () => {
  const { code, text } = await runtime({ SPINDLE_WORKER_KEY: "short", DATABASE_URL: "nowhere" });
  expect(code).toBe(78);
  expect(text).toMatch(/DATABASE_URL: .*\n.*SPINDLE_WORKER_KEY: /);
});

test("a document survives kill -9 of the runtime right after it was acknowledged", async () => {
  const graph = graphOf([node("a", "output.preview", { value: { deep: [1, "ä"] } })], [], { planner: "x" });
  const { id } = await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json();
  process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
  const exported = await until(
    async () => {
      const answer = await fetch(`${spindle.url}/api/graphs/${id}/export`);
      return answer.ok ? answer.json() : undefined;
    },
    20_000,
    "the runtime is back",
  );
  expect(exported).toMatchObject(graph);
});
