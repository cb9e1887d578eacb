import { expect, test, vi } from "vitest";
import { type TaskError, verdict } from "./retry.ts";

const timings = { leaseMs: 1000, beatMs: 200, retryBaseMs: 1000, runLeaseMs: 1000 };
const error = (kind: TaskError["class"], crashed = false): TaskError => ({
  class: kind,
  code: "c",
  message: "m",
  ...(crashed ? { crashed } : {}),
});
const tries = (one: TaskError) => [1, 2, 3, 4, 5, 6].findIndex((attempt) => !verdict(one, attempt, 0, timings).again) + 1;

test("[E10] how often each class is tried", () =>
  expect([
    tries(error("transient")),
    tries(error("infra")),
    tries(error("oom")),
    tries(error("user")),
    tries(error("installation")),
  ]).toEqual([5, 3, 2, 1, 1]));
test("[W5] two crashes under one node run are poison", () => {
  expect(verdict(error("infra", true), 1, 0, timings)).toMatchObject({ again: true });
  expect(verdict(error("infra", true), 2, 1, timings)).toEqual({ again: false, as: "die" });
});
test("[E10] the wait grows and has a ceiling", () => {
  const delays = (random: number, retryBaseMs: number) => {
    vi.spyOn(Math, "random").mockReturnValue(random);
    return [1, 2, 3, 4].map(
      (attempt) => (verdict(error("transient"), attempt, 0, { ...timings, retryBaseMs }) as { delayMs: number }).delayMs,
    );
  };
  expect(delays(1, 1000)).toEqual([1000, 2000, 4000, 8000]);
  expect(delays(0.5, 1000), "spread, so that not all come back at once").toEqual([500, 1000, 2000, 4000]);
  expect(delays(1, 100_000)).toEqual([100_000, 200_000, 300_000, 300_000]);
  vi.restoreAllMocks();
});
