import { describe, expect, test } from "vitest";
import { decide, decideEdge, type EdgeDecision, type Outcome } from "./decide.ts";

const completed: Outcome = { status: "completed" };
const failed: Outcome = { status: "failed" };
const skipped: Outcome = { status: "skipped", broken: false };
const broken: Outcome = { status: "skipped", broken: true };

describe("[E3, RC1] decideEdge, the whole table", () => {
  test.each<[Parameters<typeof decideEdge>[0], Outcome, boolean, boolean, EdgeDecision]>([
    ["normal", completed, true, false, "taken"],
    ["normal", completed, false, false, "not"],
    ["on_success", completed, true, true, "taken"],
    ["on_success", completed, false, true, "not"],
    ["on_failure", completed, true, false, "not"],
    ["normal", failed, true, false, "broken"],
    ["normal", failed, true, true, "not"],
    ["on_success", failed, true, false, "broken"],
    ["on_success", failed, true, true, "not"],
    ["on_failure", failed, true, true, "taken"],
    ["on_failure", failed, false, false, "not"],
    ["normal", skipped, true, false, "not"],
    ["on_failure", skipped, true, false, "not"],
    ["normal", broken, true, false, "broken"],
    ["on_failure", broken, true, true, "broken"],
  ])("%s from %o (holds: %s, handled: %s) is %s", (kind, source, holds, handled, expected) =>
    expect(decideEdge(kind, source, holds, handled)).toBe(expected),
  );
});

describe("[E3, RC2] decide", () => {
  test("waits while an edge is undecided", () => expect(decide(["taken", undefined], true)).toEqual({ do: "wait" }));
  test("runs without incoming edges, fed or not", () => expect(decide([], false)).toEqual({ do: "run" }));
  test("runs when one edge is taken", () => expect(decide(["not", "taken"], true)).toEqual({ do: "run" }));
  test("skips when none is taken", () => expect(decide(["not", "not"], true)).toEqual({ do: "skip", broken: false }));
  test("a broken edge wins over a taken one", () => expect(decide(["taken", "broken"], true)).toEqual({ do: "skip", broken: true }));
  test("skips when a required port is unfed", () => expect(decide(["taken"], false)).toEqual({ do: "skip", broken: false }));
});
