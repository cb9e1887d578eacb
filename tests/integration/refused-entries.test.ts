// What a worker says of an entry that it refuses, which anybody could write: no stream but a queue is read for it or loses an entry.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadFunctions, names, openRedis, type RuntimeEnd, runtimeEnd } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis } from "../../infra/launch/redis.ts";

const QUEUE = names.queue({ plane: "python", service: "a.b", version: "1", engine: "gpu" });
const QUEUES = QUEUE.split(":", 2).join(":");

let redis: Redis;
let bus: RuntimeEnd;
const ends: (() => Promise<unknown> | unknown)[] = [];
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-refused-"));
  ends.push(() => rm(folder, { recursive: true }));
  const service = await startRedis(folder);
  ends.push(() => service.process.stop());
  redis = openRedis(service.url);
  ends.push(() => redis.disconnect());
  await loadFunctions(redis);
  bus = runtimeEnd(redis, "k".repeat(64));
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** Lays an entry that no runtime wrote on a stream, refuses it as a worker would, and buries the refusal. */
async function refuse(stream: string, nameOf = (id: string): unknown => id) {
  const id = (await redis.xadd(stream, "*", "entry", "{}")) as string;
  const refusal = (await redis.xadd(names.results, "*", "refused", JSON.stringify([stream, nameOf(id)]))) as string;
  const found = (await bus.results()).find((each) => each.id === refusal);
  if (!found || !("junk" in found)) throw new Error("The refusal is no junk.");
  await bus.bury(found.junk);
  return {
    why: found.junk.why,
    left: (await redis.xrange(stream, id, id)).length,
    refusals: (await redis.xrange(names.results, refusal, refusal)).length,
  };
}

test("[W3] a refused entry that no runtime wrote leaves its queue", async () => {
  expect(await refuse(QUEUE)).toEqual({
    why: expect.stringContaining("which no runtime with this worker key wrote"),
    left: 0,
    refusals: 0,
  });
});

test.each([names.results, names.progress, names.deadLetters, names.epoch, `x${QUEUE}`, QUEUES, `${QUEUES}x:a`])(
  "[W3] a refusal that names %s, which is no queue, removes nothing there",
  async (stream) => {
    expect(await refuse(stream)).toEqual({ why: "This is no refusal of an entry.", left: 1, refusals: 0 });
  },
);

test.each([(id: string) => `${id}-1`, (id: string) => `(${id}`, (id: string) => [id], () => "-", () => 5])(
  "[W3] a refusal that does not name one entry removes nothing (%s)",
  async (nameOf) => {
    expect(await refuse(QUEUE, nameOf)).toEqual({ why: "This is no refusal of an entry.", left: 1, refusals: 0 });
  },
);
