// DESIGN E13: a cancel waits for no lease. The one worker is the test, which takes a task and is never heard of again; a lease lasts ten minutes.
import { afterAll, beforeAll, expect, test } from "vitest";
import { ended, getRun, graphOf, startRun, until, wait } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
beforeAll(async () => {
  hand = await WorkerHand.start({ env: { SPINDLE_LEASE_MS: "600000" } });
});
afterAll(() => hand?.stop());

test("[E13] a run whose worker was killed ends soon after its cancel, and what the worker says later is stale", async () => {
  const { url, db } = hand.spindle;
  const run = await startRun(url, graphOf([wait("a", { seconds: 60 })]));
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  await until(async () => (await getRun(url, run)).nodes[0]?.state === "running", 60_000, "the worker has it");
  await fetch(`${url}/api/runs/${run}/cancel`, { method: "POST" });
  expect((await ended(url, run)).state).toBe("cancelled");
  const rowsOf = async () => (await db.query("SELECT state, fence, error->>'message' AS why FROM node_run WHERE run_id = $1", [run])).rows;
  const before = await rowsOf();
  expect(before).toEqual([{ state: "cancelled", fence: expect.any(Number), why: "Cancelled before a worker ended it." }]);
  await hand.done(entry, 1);
  await until(async () => (await hand.queued()) === 0, 60_000, "nothing of it is left on the bus");
  expect(await rowsOf()).toEqual(before);
});
