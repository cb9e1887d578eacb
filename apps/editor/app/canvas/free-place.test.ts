import type { ReactFlowState } from "@xyflow/react";
import { expect, test } from "vitest";
import type { Box } from "./box";
import { freePlace, viewBox } from "./free-place";

const box = (x: number, y: number): Box => ({ x, y, width: 300, height: 200 });

test("a free place is taken as it is wished", () => {
  expect(freePlace(box(10, 20), [box(400, 20)])).toEqual({ x: 10, y: 20 });
});

test("the nearest free place is taken, in whichever direction it lies", () => {
  const [above, below, left] = [box(0, -224), box(0, 224), box(-324, 0)];
  expect(freePlace(box(0, 0), [box(0, 0), above, left])).toEqual({ x: 0, y: 224 });
  expect(freePlace(box(0, 0), [box(0, 0), below, left])).toEqual({ x: 0, y: -224 });
  expect(freePlace(box(0, 0), [box(0, 0), above, below])).toEqual({ x: 324, y: 0 });
  expect(freePlace(box(0, 0), [box(0, 0), above, below, box(324, 0)])).toEqual({ x: -324, y: 0 });
});

test("a column of cards is passed at its side, not at its end", () => {
  const column = Array.from({ length: 40 }, (_, row) => box(0, (row - 20) * 224));
  expect(freePlace(box(0, 0), column)).toEqual({ x: 324, y: 0 });
});

test("a hundred cards that wish for one place cover nothing of each other, and stay near it", () => {
  const taken: Box[] = [];
  for (let card = 0; card < 100; card++) taken.push({ ...box(0, 0), ...freePlace(box(0, 0), taken) });
  for (const [index, a] of taken.entries())
    for (const b of taken.slice(index + 1)) expect(Math.abs(a.x - b.x) >= 324 || Math.abs(a.y - b.y) >= 224).toBe(true);
  expect(Math.max(...taken.map(({ x, y }) => Math.hypot(x, y)))).toBeLessThan(2500);
});

test("the view is the part of the graph that the canvas shows, without what is covered", () => {
  const flow = { width: 1000, height: 600, transform: [200, -100, 0.5] } as unknown as ReactFlowState;
  expect(viewBox(flow)).toEqual({ x: -400, y: 200, width: 2000, height: 1200 });
  expect(viewBox(flow, { right: 300, bottom: 100 })).toEqual({ x: -400, y: 200, width: 1400, height: 1000 });
});
