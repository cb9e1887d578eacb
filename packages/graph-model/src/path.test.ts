import { expect, test } from "vitest";
import { lastVisits, parsePath } from "./path.ts";

test("[RP1, RP2, RP3] what a path says", () => {
  expect(parsePath("a")).toEqual({ calls: [], visits: [], node: "a" });
  expect(parsePath("loop:t>h[2]/loop:x>y[0]/a#4")).toEqual({
    calls: [],
    visits: [
      { loop: "loop:t>h", index: 2 },
      { loop: "loop:x>y", index: 0 },
    ],
    node: "a",
    element: 4,
  });
  expect(parsePath("loop:t>h[1]/m#3/loop:x>y[2]/a")).toEqual({ calls: ["m#3"], visits: [{ loop: "loop:x>y", index: 2 }], node: "a" });
});

test("the last visit speaks for a node; elements and what runs in calls do not", () => {
  const rows = ["a", "loop:t>h[0]/h", "loop:t>h[10]/h", "loop:t>h[9]/h", "m", "m#0", "c", "c/a"].map((path) => ({ path }));
  expect(lastVisits(rows).map(({ path }) => path)).toEqual(["a", "loop:t>h[10]/h", "m", "c"]);
});
