import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { beforeEach, expect, test } from "vitest";
import { WorkerRoster } from "./worker-roster.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const MANIFEST = names.workerManifest("python", "w");
const REPORT = names.workerReport("python", "w");
let keys: Map<string, string>;
let isListed: boolean;
let roster: WorkerRoster;
beforeEach(() => {
  keys = new Map();
  isListed = true;
  roster = new WorkerRoster({
    smembers: async (name: string) => (isListed && name === names.workers("python") ? ["w"] : []),
    exists: async (name: string) => (keys.has(name) ? 1 : 0),
    mget: async (all: string[]) => all.map((name) => keys.get(name) ?? null),
  } as unknown as Redis);
});
const report = (more = {}) => keys.set(REPORT, JSON.stringify({ v: 1, version: "0.2.0", draining: false, ...more }));
const states = () => roster.all.map(({ worker, state, heardAt }) => [worker, state, heardAt]);

test.each([
  ["its report", REPORT, MANIFEST],
  ["its manifest", MANIFEST, REPORT],
])("[L6] a worker that vanishes is silent since it was heard of last, whichever of its keys is gone first: %s", async (_, first, last) => {
  keys.set(MANIFEST, "{}");
  report();
  await roster.refresh(at(1));
  keys.delete(first);
  await roster.refresh(at(2));
  expect(states()).toEqual([["w", "live", at(2)]]);
  keys.delete(last);
  isListed = false;
  await roster.refresh(at(3));
  expect(states()).toEqual([["w", "silent", at(2)]]);
  await roster.refresh(at(3599));
  expect(roster.all[0]).toMatchObject({ state: "silent", report: { version: "0.2.0" } });
  await roster.refresh(at(3602));
  expect(states(), "for an hour").toEqual([]);
});

test("[L6] a worker that ends drains first, though it is listed no more, and is then forgotten", async () => {
  keys.set(MANIFEST, "{}");
  report();
  await roster.refresh(at(1));
  [isListed] = [false];
  report({ draining: true });
  await roster.refresh(at(2));
  expect(states()).toEqual([["w", "draining", at(2)]]);
  report({ draining: true, ended: true });
  await roster.refresh(at(3));
  expect(states()).toEqual([]);
});

test("[L6] one that says nothing, or nothing that can be read, is live while it is there, and forgotten after", async () => {
  keys.set(MANIFEST, "{}");
  keys.set(REPORT, '{"v":2}');
  await roster.refresh(at(1));
  expect(roster.all).toMatchObject([{ state: "live", report: undefined }]);
  keys.set(names.drain("w"), "1");
  await roster.refresh(at(2));
  expect(states()).toEqual([["w", "draining", at(2)]]);
  keys.clear();
  await roster.refresh(at(3));
  expect(states()).toEqual([]);
});
