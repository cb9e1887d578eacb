import { expect, test } from "vitest";
import { stepFrom, type Way } from "./walk";

/** One source, three nodes one below the other that it feeds, and a node far below that nothing leads to. */
const boxes = new Map(
  Object.entries({ a: [0, 0], b: [400, 0], c: [400, 300], d: [400, 600], far: [0, 5000] }).map(([id, [x = 0, y = 0]]) => [
    id,
    { x, y, width: 304, height: 200 },
  ]),
);
const graph = { nodes: [], edges: ["c", "b", "d"].map((to) => ({ from: "a", to })) } as never;

test.each<[from: string, way: Way, to: string | undefined]>([
  ["a", "right", "b"],
  ["b", "down", "c"],
  ["c", "down", "d"],
  ["d", "up", "c"],
  ["c", "left", "a"],
  ["a", "left", undefined],
  ["b", "right", undefined],
  ["d", "down", "far"],
  ["a", "up", undefined],
  ["gone", "right", undefined],
])("from %s a key goes %s to %s", (from, way, to) => expect(stepFrom(graph, boxes, from, way)).toBe(to));
