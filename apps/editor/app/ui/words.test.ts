import { NODE_STATES, RUN_STATES } from "@spindle/schemas";
import { expect, test } from "vitest";
import { ago, appearanceOf, between, runTone, runWord, sizeWords, span, stateWord } from "./words";

test.each([
  [0, "0.0 s"],
  [-5, "0.0 s"],
  [3240, "3.2 s"],
  [9949, "9.9 s"],
  [41_400, "41 s"],
  [60_000, "1 min"],
  [80_000, "1 min 20 s"],
  [3_600_000, "60 min"],
])("%d ms are %s", (milliseconds, words) => expect(span(milliseconds)).toBe(words));

test.each([
  [0, "0 kB"],
  [1, "1 kB"],
  [999_499, "999 kB"],
  [1_500_000, "1.5 MB"],
  [25_386_352_640, "25.4 GB"],
  [150e9, "150 GB"],
  [2e12, "2.0 TB"],
])("%d bytes are %s", (bytes, words) => expect(sizeWords(bytes)).toBe(words));

test("a time between is from the start to the end, and none before the start", () => {
  expect(between("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:41.000Z")).toBe("41 s");
  expect(between(null, null)).toBe("");
});

test("each state has a word and a look, and what ended badly does not look like what ended well", () => {
  expect(Object.fromEntries(NODE_STATES.map((state) => [state, stateWord(state)]))).toEqual({
    queued: "Queued",
    waiting: "Waiting for you",
    dispatched: "Queued for a worker",
    running: "Running",
    succeeded: "Succeeded",
    skipped: "Skipped",
    failed: "Failed",
    cancelled: "Cancelled",
    dead: "Dead",
  });
  expect(Object.fromEntries(NODE_STATES.map((state) => [state, appearanceOf(state)]))).toEqual({
    queued: "queued",
    waiting: "waiting",
    dispatched: "queued",
    running: "running",
    succeeded: "done",
    skipped: "skipped",
    failed: "failed",
    cancelled: "skipped",
    dead: "failed",
  });
  expect([appearanceOf(undefined), appearanceOf("succeeded", true)]).toEqual(["idle", "reused"]);
  expect(Object.fromEntries(RUN_STATES.map((state) => [runWord(state), runTone(state)]))).toEqual({
    Starting: "",
    Running: "live",
    "Waiting for you": "warn",
    Succeeded: "ok",
    Failed: "bad",
    Cancelled: "",
  });
  expect(stateWord("succeeded", true)).toBe("From cache");
  const people = [...NODE_STATES.map((state) => stateWord(state)), ...RUN_STATES.map(runWord)].filter((word) => /wait/i.test(word));
  expect(new Set(people), "only people are waited for").toEqual(new Set(["Waiting for you"]));
});

test.each([
  ["2026-01-08T11:59:30Z", "just now"],
  ["2026-01-08T12:00:30Z", "just now"],
  ["2026-01-08T11:55:00Z", "5 min ago"],
  ["2026-01-08T09:00:00Z", "3 h ago"],
  ["2026-01-07T11:00:00Z", "a day ago"],
  ["2026-01-05T12:00:00Z", "3 days ago"],
])("%s was %s", (iso, words) => expect(ago(iso, Date.parse("2026-01-08T12:00:00Z"))).toBe(words));

test("what was more than a week ago has its date", () => {
  expect(ago("2025-11-02T12:00:00Z", Date.parse("2026-01-08T12:00:00Z"))).toMatch(/2025/);
});
