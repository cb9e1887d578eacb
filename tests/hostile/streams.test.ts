// Junk and replays on the streams between the runtime and its workers: they end nothing, change nothing, and do not stay.
import { names, signResult } from "@spindle/task-bus";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Random } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { bytesAtRandom, everySeed, inspected, pick, SEEDS, Watched } from "../support/hostile.ts";
import { ended, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let watched: Watched;
beforeAll(async () => {
  const { port, route } = await inspected();
  hand = await WorkerHand.start({ route });
  watched = new Watched(hand.spindle, port);
}, 600_000);
afterAll(() => hand?.stop());

const ENTRIES = 20;
const odd = (next: Random): unknown => pick<unknown>(next, [null, true, 0, -1, 1e308, "", "x", [], {}, { value: null }, "x".repeat(5000)]);

/** What a worker might say, with a part of it odd. */
function junk(next: Random, task: string): string {
  const result = {
    v: pick(next, [1, 2, odd(next)]),
    task: pick(next, [task, "00000000-0000-4000-8000-000000000000:1", `${task}0`, odd(next)]),
    outcome: pick(next, ["succeeded", "failed", "cancelled", odd(next)]),
    output: odd(next),
    error: next() < 0.5 ? { code: odd(next), message: odd(next) } : undefined,
    objects: next() < 0.3 ? [odd(next)] : undefined,
    progress: odd(next),
    worker: odd(next),
  };
  const kind = next();
  if (kind < 0.8) return JSON.stringify(result);
  return kind < 0.9 ? JSON.stringify(odd(next)) : Buffer.from(bytesAtRandom(next, 500)).toString("latin1");
}

test(`[W6] ${SEEDS * ENTRIES} entries that are junk or replayed leave their streams, and what a worker really said holds`, async () => {
  const { spindle, redis } = hand;
  let value = 0;
  const attack = async (next: Random) => {
    value++;
    const run = await startRun(spindle.url, graphOf([wait("a", { value })]));
    const entry = await hand.claim();
    await hand.hold(entry).then(({ end }) => end());
    // What claims to be of the task that is under way could be a worker's own; what names another one, or an older try, is not.
    const other = `${entry.task.split(":")[0]}:999`;
    await watched.prompt(async () => {
      for (let at = 0; at < ENTRIES; at++) {
        const field = pick(next, ["result", "progress", "x", ""]);
        const stream = pick(next, [names.results, names.results, names.progress]);
        await redis.xadd(stream, "*", ...(next() < 0.9 ? [field, junk(next, other)] : ["a", "b", "c", "d"]));
      }
    });
    await hand.done(entry, value);
    const [, said] = (await redis.xrevrange(names.results, "+", "-", "COUNT", 1))[0] ?? [];
    const lie = JSON.stringify({ v: 1, task: entry.task, outcome: "failed", worker: "test-worker" });
    const settled = said ?? ["result", lie, "sig", signResult(lie, spindle.env.SPINDLE_WORKER_KEY as string)];
    const { nodes, state } = await ended(spindle.url, run);
    expect([state, nodes[0]?.output]).toEqual(["succeeded", { value, waited: 0 }]);
    for (let times = 0; times < 5; times++) await redis.xadd(names.results, "*", ...settled);
    await until(async () => (await redis.xlen(names.results)) === 0, 60_000, "nothing waits on the stream of results");
    const again = await ended(spindle.url, run);
    expect([again.state, again.nodes[0]?.output, again.nodes[0]?.attempt]).toEqual([state, nodes[0]?.output, nodes[0]?.attempt]);
  };
  await watched.warmUp(attack);
  await everySeed(attack);
  await watched.expectWhole();
});

test("[M2] manifests that are junk change nothing of what is offered", async () => {
  const { spindle, redis } = hand;
  const offered = async () => {
    const { capabilities } = (await (await fetch(`${spindle.url}/api/capabilities`)).json()) as { capabilities: { id: string }[] };
    return capabilities.map(({ id }) => id);
  };
  const before = await offered();
  await everySeed(async (next) => {
    await redis.set(names.workerManifest("python", "junk"), junk(next, "x"), "PX", 5000);
    await redis.sadd(names.workers("python"), "junk", ...[odd(next)].filter((one) => typeof one === "string"));
    await redis.set(names.workerManifest("comfy", "junk"), junk(next, "x"), "PX", 2000);
    await redis.sadd(names.workers("comfy"), "junk");
    expect(await offered()).toEqual(before);
  });
  await watched.expectWhole();
});
