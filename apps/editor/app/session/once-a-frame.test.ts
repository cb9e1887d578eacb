import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { onceAFrame } from "./once-a-frame";

let frames: (() => void)[] = [];
const drawFrame = () => {
  const now = frames;
  frames = [];
  for (const draw of now) draw();
};
beforeEach(() => {
  vi.useFakeTimers();
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (draw: () => void) => frames.push(draw));
  vi.stubGlobal("cancelAnimationFrame", () => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what comes within a frame is handed on once and in its order, and what comes after it with the next", () => {
  const seen: number[][] = [];
  const push = onceAFrame<number>((all) => seen.push([...all]));
  for (const item of [1, 2, 3]) push(item);
  expect(seen).toEqual([]);
  drawFrame();
  push(4);
  drawFrame();
  vi.runAllTimers();
  expect(seen).toEqual([[1, 2, 3], [4]]);
});

test("a page in the background, which draws no frame, gets all of it nevertheless", () => {
  const seen: number[][] = [];
  const push = onceAFrame<number>((all) => seen.push([...all]));
  push(1);
  push(2);
  vi.runAllTimers();
  expect(seen).toEqual([[1, 2]]);
});
