import { expect, test } from "vitest";
import { tabStopOf } from "./tab-stop";

const CARDS = [
  { id: "b", position: { x: 10, y: 0 } },
  { id: "a", position: { x: 0, y: 50 } },
  { id: "c", position: { x: 0, y: 90 } },
];

test("Tab reaches the card that had the focus last, else one that is selected, else the first from the left", () => {
  expect(tabStopOf(CARDS, "b", new Set(["c"]))).toBe("b");
  expect(tabStopOf(CARDS, "gone", new Set(["c"]))).toBe("c");
  expect(tabStopOf(CARDS, undefined, new Set())).toBe("a");
  expect(tabStopOf([], undefined, new Set())).toBeUndefined();
});
