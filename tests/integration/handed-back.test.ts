// DESIGN W5, E10: a task that a worker hands back undone. The test is the only worker.
import { afterAll, beforeAll, expect, test } from "vitest";
import { ended, getRun, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

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
