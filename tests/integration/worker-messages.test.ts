// What goes over the bus besides tasks that are done: tasks handed back undone, and what is no message at all. The test is the only worker.
import { names, signResult, workerEnd } from "@spindle/task-bus";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ended, getRun, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { WAIT_ROUTE, WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
beforeAll(async () => {
  hand = await WorkerHand.start();
});
afterAll(() => hand?.stop());

test("[W5, E10] a task that a worker hands back is sent again, and counts no try", async () => {
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  const error = { class: "infra", code: "task.handed_back", message: "The worker was told to end." } as const;
  const fences: number[] = [];
  for (let tries = 0; tries < 5; tries++) {
    const entry = await hand.claim();
    expect(entry.attempt).toBe(1);
    fences.push(entry.fence);
    await hand.worker.beat(entry);
    await hand.worker.settle({ v: 1, task: entry.task, outcome: "returned", error });
  }
  expect(fences).toEqual([1, 2, 3, 4, 5]);
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  await hand.done(entry, 1);
  expect(await ended(hand.spindle.url, run)).toMatchObject({ state: "succeeded", nodes: [{ attempt: 1 }] });
});

test("[E13] a task of a run that is being cancelled is handed back to nobody", async () => {
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  const entry = await hand.claim();
  const holds = await hand.hold(entry);
  await until(async () => (await getRun(hand.spindle.url, run)).nodes[0]?.state === "running", 60_000, "it runs");
  await fetch(`${hand.spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  await holds.cancelled;
  await hand.worker.settle({ v: 1, task: entry.task, outcome: "returned" });
  expect((await ended(hand.spindle.url, run)).state).toBe("cancelled");
});

const buried = async () => {
  const counts = (await (await fetch(`${hand.spindle.url}/metrics`)).text()).matchAll(/^spindle_dead_letters_total\{[^}]*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
};

test("[W6] what is no result at all, or none that a worker signed, is a dead letter, and counted", async () => {
  const before = await buried();
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  const result = JSON.stringify({ v: 1, task: entry.task, outcome: "succeeded", output: { value: "forged", waited: 0 } });
  const others = signResult(result, "another key, long enough to be one");
  const own = signResult(result.replace("forged", "other"), hand.spindle.env.SPINDLE_WORKER_KEY as string);
  await hand.redis.xadd(names.results, "*", "result", "not json");
  await hand.redis.xadd(names.results, "*", "result", JSON.stringify({ v: 1, task: "x", outcome: "maybe" }));
  await hand.redis.xadd(names.results, "*", "result", result);
  await hand.redis.xadd(names.results, "*", "result", result, "sig", others);
  await hand.redis.xadd(names.results, "*", "result", result, "sig", own);
  await hand.redis.xadd(names.results, "*", "no", "result");
  await until(async () => (await buried()) === before + 6, 20_000, "all of them are dead letters");
  expect((await getRun(hand.spindle.url, run)).state).toBe("running");
  const letters = await hand.redis.xrevrange(names.deadLetters, "+", "-", "COUNT", 6);
  expect(letters.filter(([, fields]) => /not signed/.test(fields.join())).length).toBe(3);
  expect(letters.map(([, fields]) => fields.join()).join()).toContain("forged");
  await hand.done(entry, "fine");
  const { state, nodes } = await ended(hand.spindle.url, run);
  expect([state, nodes[0]?.output]).toEqual(["succeeded", { value: "fine", waited: 0 }]);
});

test("[W2, W6] an entry that no runtime wrote leaves its queue for the dead letters once a worker refuses it", async () => {
  const before = await buried();
  const refused = async () => {
    await until(
      async () =>
        hand.worker.claim([WAIT_ROUTE]).then(
          () => false,
          (error: Error) => /not/.test(error.message),
        ),
      20_000,
      "it is refused",
    );
  };
  await hand.redis.xadd(names.queue(WAIT_ROUTE), "*", "entry", "not json");
  await refused();
  await hand.redis.xadd(names.queue(WAIT_ROUTE), "*", "odd", "field");
  await refused();
  await until(async () => (await buried()) === before + 2, 20_000, "both are dead letters");
  expect(await hand.redis.xlen(names.queue(WAIT_ROUTE))).toBe(0);
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  await hand.done(await hand.claim(), "next");
  expect((await ended(hand.spindle.url, run)).state).toBe("succeeded");
});

test("[W2] an entry that this runtime wrote stays, whoever says that it is junk", async () => {
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  const before = await buried();
  const [[id] = []] = await hand.redis.xrange(names.queue(WAIT_ROUTE), "-", "+");
  await hand.redis.xadd(names.results, "*", "refused", JSON.stringify([names.queue(WAIT_ROUTE), id]));
  await until(async () => (await buried()) === before + 1, 20_000, "what was said is a dead letter");
  expect(await hand.redis.xlen(names.queue(WAIT_ROUTE))).toBe(1);
  await hand.done(entry, "kept");
  expect((await ended(hand.spindle.url, run)).state).toBe("succeeded");
});

test("[W2] an entry that was not signed with the worker's key is refused by a worker", async () => {
  const other = workerEnd(hand.redis, "other", "another key, long enough to be one");
  const run = await startRun(hand.spindle.url, graphOf([wait("a")]));
  await expect(
    until(async () => other.claim([WAIT_ROUTE]).catch((error: Error) => /not signed/.test(error.message)), 60_000, "it is refused"),
  ).resolves.toBe(true);
  const again = await hand.claim(); // nobody leased it, so it comes again
  await hand.worker.beat(again);
  await hand.done(again, 1);
  expect((await ended(hand.spindle.url, run)).state).toBe("succeeded");
}, 20_000);
