import { expect, test } from "vitest";
import { FairShare } from "./fair-share.ts";

const task = (submitter: string, run_id: string, priority = 0) => ({ submitter, run_id, priority });
const anns = Array.from({ length: 20 }, () => task("ann", "large"));

test("[E14] people take turns, even if there is only ever room for one", () => {
  const share = new FairShare();
  const waiting = [...anns, task("ben", "b"), task("ben", "b")];
  const order: string[] = [];
  for (let left = waiting; left.length > 0; ) {
    const [next] = share.pick("r", left, 1);
    left = left.filter((one) => one !== next);
    order.push(next?.submitter ?? "");
  }
  expect(order.slice(0, 4).filter((one) => one === "ben")).toHaveLength(2);
  expect(order).toHaveLength(22);
});

test("[E14] so do the runs of one person, each in its own order", () => {
  const [first, second] = [task("ann", "small"), task("ann", "small")];
  const picked = new FairShare().pick("r", [...anns, first, second], 4);
  expect(picked.map((one) => one.run_id)).toEqual(["large", "small", "large", "small"]);
  expect(picked.indexOf(first)).toBeLessThan(picked.indexOf(second));
});

test("[E14] priority is before turns", () => {
  const picked = new FairShare().pick("r", [...anns, task("ann", "x", 1), task("ben", "y", -1)], 22);
  expect([picked[0]?.run_id, picked.at(-1)?.run_id]).toEqual(["x", "y"]);
});
