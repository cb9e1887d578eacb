import { expect, test } from "vitest";
import { type TaskError, verdict } from "./retry.ts";

const timings = { leaseMs: 1000, beatMs: 200, retryBaseMs: 1000, runLeaseMs: 1000 };
const error = (kind: TaskError["class"], crashed = false): TaskError => ({
  class: kind,
  code: "c",
  message: "m",
  ...(crashed ? { crashed } : {}),
});
const tries = (one: TaskError) => [1, 2, 3, 4, 5, 6].findIndex((attempt) => !verdict(one, attempt, 0, timings).again) + 1;

test("DESIGN E10: how often each class is tried", () =>
  expect([tries(error("transient")), tries(error("infra")), tries(error("oom")), tries(error("user"))]).toEqual([5, 3, 2, 1]));
test("two crashes under one node run are poison", () => {
  expect(verdict(error("infra", true), 1, 0, timings)).toMatchObject({ again: true });
  expect(verdict(error("infra", true), 2, 1, timings)).toEqual({ again: false, as: "die" });
});
test("the wait grows and has a ceiling", () => {
  for (let attempt = 1; attempt < 5; attempt++)
    expect((verdict(error("transient"), attempt, 0, timings) as { delayMs: number }).delayMs).toBeLessThanOrEqual(
      1000 * 2 ** (attempt - 1),
    );
});
