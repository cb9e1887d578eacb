import { expect, test } from "vitest";
import { aligned, distributed, type Line, laidOut } from "./arrange";

const box = (x: number, y: number, width = 100, height = 50) => ({ x, y, width, height });
const boxes = new Map([
  ["a", box(0, 10)],
  ["b", box(50, 0, 200, 100)],
  ["c", box(300, 200)],
]);

test.each<[line: Line, places: Record<string, [number, number]>]>([
  ["left", { a: [0, 10], b: [0, 0], c: [0, 200] }],
  ["right", { a: [300, 10], b: [200, 0], c: [300, 200] }],
  ["centre", { a: [150, 10], b: [100, 0], c: [150, 200] }],
  ["top", { a: [0, 0], b: [50, 0], c: [300, 0] }],
  ["bottom", { a: [0, 200], b: [50, 150], c: [300, 200] }],
  ["middle", { a: [0, 100], b: [50, 75], c: [300, 100] }],
])("cards that are aligned at the %s lie at one line", (line, places) => {
  expect(aligned(boxes, line)).toEqual(Object.fromEntries(Object.entries(places).map(([id, [x, y]]) => [id, { x, y }])));
});

test("cards that are distributed have equal gaps, and the first and last stay where there is room", () => {
  const row = new Map([
    ["a", box(0, 0)],
    ["c", box(700, 5)],
    ["b", box(120, 9)],
  ]);
  expect(distributed(row, "x")).toEqual({ a: { x: 0, y: 0 }, b: { x: 350, y: 9 }, c: { x: 700, y: 5 } });
  const pile = new Map(["a", "b", "c"].map((id) => [id, box(0, 0)]));
  expect(Object.values(distributed(pile, "y")).map(({ y }) => y)).toEqual([0, 74, 148]);
});

test("a layout runs from left to right along the wires, and no card lies upon another", () => {
  const ids = ["a", "b", "c", "d"];
  const cards = ids.map((id) => ({ id, width: 304, height: 200 }));
  const places = laidOut({
    cards,
    wires: [
      ["a", "b"],
      ["a", "c"],
      ["b", "d"],
      ["c", "d"],
    ],
  });
  expect(ids.map((id) => Math.round(places[id]?.x ?? -1))).toEqual([0, 400, 400, 800]);
  expect(Math.abs((places.b?.y ?? 0) - (places.c?.y ?? 0))).toBeGreaterThanOrEqual(200);
  expect(Math.min(...ids.map((id) => places[id]?.y ?? -1))).toBe(0);
});
