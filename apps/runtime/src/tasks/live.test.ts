import type { ArtifactRef } from "@spindle/schemas";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Live, LiveBoard } from "./live.ts";

let board: LiveBoard;
let heard: Live[];
beforeEach(() => {
  vi.useFakeTimers();
  board = new LiveBoard();
  heard = [];
  board.changed.on("r", (live: Live) => heard.push({ ...live }));
});
afterEach(() => void vi.useRealTimers());
const pass = (milliseconds: number) => vi.advanceTimersByTime(milliseconds);

test("[E16, W8] news of a node is given at most four times a second, and the latest wins", () => {
  for (let frame = 0; frame < 100; frame++) {
    board.update("r", "n", { preview: { artifact: `frame ${frame}` } as ArtifactRef });
    pass(20);
  }
  pass(250);
  expect(heard.length).toBeGreaterThan(6);
  expect(heard.length).toBeLessThanOrEqual(9); // in two seconds, with the first and the last
  expect(heard.at(-1)?.preview?.artifact).toBe("frame 99");
});

test("[E16, W8] the bytes of a preview are given once with it, and to nobody who comes later", () => {
  const preview = (frame: number) => ({ preview: { artifact: `frame ${frame}` } as ArtifactRef, frame: `bytes ${frame}` });
  board.update("r", "n", preview(1));
  expect(board.of("r")[0]).not.toHaveProperty("frame");
  pass(250);
  board.update("r", "n", { progress: 0.5 });
  pass(250);
  board.update("r", "n", preview(2));
  board.update("r", "n", { preview: { artifact: "frame 3" } as ArtifactRef });
  pass(250);
  expect(heard.map(({ preview, frame }) => [preview?.artifact, frame])).toEqual([
    ["frame 1", "bytes 1"],
    ["frame 1", undefined],
    ["frame 3", undefined],
  ]);
});

test("[E16] whoever comes later learns of the previews that are kept, and a new try has none", () => {
  for (let frame = 0; frame < 10; frame++) board.update("r", "n", { preview: { artifact: `frame ${frame}` } as ArtifactRef });
  board.update("r", "n", { progress: 0.5 });
  const kept = () => board.of("r").flatMap(({ previews }) => previews?.map(({ artifact }) => artifact) ?? []);
  expect(kept()).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((frame) => `frame ${frame}`));
  board.reset("r", "n");
  expect(kept()).toEqual([]);
});

test("[W8] each node has its own news", () => {
  board.update("r", "a", { progress: 0.5, text: "x" });
  board.update("r", "b", { progress: 0.1 });
  board.update("r", "a", { progress: 0.6 });
  pass(0);
  expect(heard.map(({ node, progress, text }) => [node, progress, text])).toEqual([
    ["a", 0.6, "x"],
    ["b", 0.1, undefined],
  ]);
});

test("[E15] progress never goes back, but for another try", () => {
  board.update("r", "n", { progress: 0.5 });
  board.update("r", "n", { progress: 0.3 });
  expect(board.of("r")).toMatchObject([{ progress: 0.5 }]);
  board.reset("r", "n");
  board.update("r", "n", { progress: 0.1 });
  expect(board.of("r")).toMatchObject([{ progress: 0.1 }]);
});

test("[E15] a remaining time is heard once it was measured, and not before", () => {
  board.update("r", "n", { progress: 0 });
  pass(1000);
  board.update("r", "n", { progress: 0.04 });
  expect(board.of("r")[0]?.remaining).toBeUndefined();
  pass(1000);
  board.update("r", "n", { progress: 0.2 });
  expect(board.of("r")[0]?.remaining).toBe(8000);
});
