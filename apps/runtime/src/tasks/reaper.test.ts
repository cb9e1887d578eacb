// When a task counts as lost. The bus and the record here are what a test says; the real ones are in tests/integration/bus.test.ts.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { TaskRow } from "../record/node-run.ts";
import { Reaper, type ReaperParts } from "./reaper.ts";
import { WorkerTasks, type WorkerTasksParts } from "./worker-tasks.ts";

const LEASE_MS = 1000;
type Where = "leased" | "taken" | "queued" | "lost";
let where: Where;
let row: TaskRow;
let changes: [change: string, fence: number][];
let marks: string[];
let reaper: Reaper;
beforeEach(() => {
  vi.useFakeTimers();
  row = {
    id: "i",
    run_id: "r",
    node_id: "n",
    plane: "python",
    service: "s",
    engine: "e",
    state: "running",
    fence: 4,
    attempt: 1,
  } as TaskRow;
  changes = [];
  marks = [];
  const queue = { sent: async () => [row] };
  const nodes = {
    find: async () => row,
    change: async ({ change, fence }: { change: string; fence: number }) => {
      changes.push([change, fence]);
      row = { ...row, fence: fence + 1 };
      return row;
    },
  };
  const bus = {
    whereabouts: async () => where,
    cancel: async (task: string, _: string, mark: string) => void marks.push(`${mark} ${task}`),
    done: async () => {},
  };
  const timings = { leaseMs: LEASE_MS, beatMs: 200, retryBaseMs: 0, runLeaseMs: LEASE_MS };
  const decisions = { announce: () => {} };
  const cancels = { isCancelling: () => false, end: () => {} };
  const parts = { nodes, queue, bus, decisions, timings, live: { reset: () => {} }, cancels, whyTooMuch: () => undefined };
  const tasks = new WorkerTasks(parts as unknown as WorkerTasksParts, { isQueueing: () => false, drain: () => {} });
  reaper = new Reaper(parts as unknown as ReaperParts, tasks);
});
afterEach(() => void vi.useRealTimers());

/** Lets the time pass, in steps of 100 ms at each of which leases may end. */
async function pass(milliseconds: number, now: Where): Promise<void> {
  where = now;
  for (let passed = 0; passed < milliseconds; passed += 100) {
    await reaper.expire();
    vi.advanceTimersByTime(100);
  }
}

describe("[W5] a lease", () => {
  test("that is not renewed ends after its time, by a higher fence; the worker is told", async () => {
    await pass(5000, "leased");
    await pass(LEASE_MS - 100, "taken");
    expect(changes).toEqual([]);
    await pass(200, "taken");
    expect([changes, marks]).toEqual([[["retry", 4]], ["stale i:4"]]);
  });
  test("ends for nobody during one lease after the runtime has started, or has Redis back", async () => {
    await pass(LEASE_MS, "taken");
    expect(changes, "after the start").toEqual([]);
    reaper.amnesty();
    await pass(LEASE_MS, "taken");
    expect(changes, "after the outage").toEqual([]);
    await pass(100, "taken");
    expect(changes).toEqual([["retry", 4]]);
  });
  test("is none while a task waits in its queue, however long", async () => {
    row = { ...row, state: "dispatched" };
    await pass(60 * LEASE_MS, "queued");
    expect(changes).toEqual([]);
  });
  test("of a task that Redis forgot before anybody took it is no failed try: it is sent again", async () => {
    row = { ...row, state: "dispatched" };
    await pass(LEASE_MS + 100, "lost");
    expect([changes, marks]).toEqual([[["redispatch", 4]], []]);
  });
});
