import { expect, test } from "vitest";
import { type Box, freePlace } from "./free-place";

const box = (x: number, y: number): Box => ({ x, y, width: 300, height: 200 });

test("a free place is taken as it is wished", () => {
  expect(freePlace(box(10, 20), [box(400, 20)])).toEqual({ x: 10, y: 20 });
});

test("what is in the way is passed below, as near as fits", () => {
  expect(freePlace(box(0, 0), [box(0, 0), box(100, 210), box(0, 900)])).toEqual({ x: 0, y: 434 });
});

test("a hundred cards that wish for one place cover nothing of each other", () => {
  const taken: Box[] = [];
  for (let card = 0; card < 100; card++) taken.push({ ...box(0, 0), ...freePlace(box(0, 0), taken) });
  expect(new Set(taken.map(({ y }) => y)).size).toBe(100);
  const sorted = taken.toSorted((a, b) => a.y - b.y);
  sorted.slice(1).forEach((one, index) => expect(one.y - (sorted[index] as Box).y).toBeGreaterThanOrEqual(200));
});
