import { expect, test } from "vitest";
import { type Heard, newsOf } from "./run-news";

const run = (state: string, more: object = {}) =>
  ({ id: "r", number: 3, state, startedAt: "2026-01-01T00:00:00Z", finishedAt: null, error: null, ...more }) as Heard["run"];
const nodes = (state: string, more: object = {}) =>
  ({ a: { node: "a", title: "A", state, held: null, error: null, ...more } }) as Heard["nodes"];
const NOTHING: Heard = { run: undefined, nodes: {} };
const OPENED = Date.parse("2026-01-01T00:00:01Z");
const texts = (before: Heard, after: Heard) =>
  newsOf(before, after, () => "Ask", OPENED).map(({ text, isFailure }) => `${isFailure ? "! " : ""}${text}`);

test("a run says that it starts, waits for a person, and ends, each once", () => {
  const begun: Heard = { run: run("running"), nodes: nodes("running") };
  expect(texts(NOTHING, begun)).toEqual(["Run 3 started."]);
  const asking: Heard = { run: run("waiting"), nodes: nodes("waiting") };
  expect(texts(begun, asking)).toEqual(["Run 3 waits for you at Ask."]);
  expect(texts(asking, { ...asking })).toEqual([]);
  const over: Heard = { run: run("succeeded", { finishedAt: "2026-01-01T00:00:02Z" }), nodes: nodes("succeeded") };
  expect(texts(asking, over)).toEqual(["Run 3 succeeded after 2.0 s."]);
  expect(texts(over, over)).toEqual([]);
});

test("a failure interrupts, and a run that is over when the page opens is no news", () => {
  const begun: Heard = { run: run("running"), nodes: nodes("running") };
  const failed: Heard = { run: run("failed", { error: { message: "No." } }), nodes: nodes("failed", { error: { message: "No." } }) };
  expect(texts(begun, failed)).toEqual(["! Ask failed. No.", "! Run 3 failed. No."]);
  expect(texts(NOTHING, failed)).toEqual([]);
  const at = (finishedAt: string): Heard => ({ run: run("succeeded", { finishedAt }), nodes: nodes("succeeded") });
  expect(texts(NOTHING, at("2026-01-01T00:00:00.500Z"))).toEqual([]);
  expect(texts(NOTHING, at("2026-01-01T00:00:02Z"))).toEqual(["Run 3 started.", "Run 3 succeeded after 2.0 s."]);
  expect(texts(begun, { run: run("cancelled"), nodes: nodes("cancelled") })).toContain("Run 3 was cancelled.");
});
