import { expect, test } from "vitest";
import { type WireMarks, wireMarker } from "./use-drawn-wires";

const wires = ["a", "b", "c"].map((id) => ({ id, source: "n", target: `to-${id}`, className: "order" }));
const NONE: WireMarks = { selected: new Set(), aimed: undefined, running: new Set(), queued: new Set() };

test("a wire whose marks are the same stays the same object", () => {
  const mark = wireMarker();
  const before = mark(wires, { ...NONE, running: new Set(["to-a"]) });
  const after = mark(wires, { ...NONE, running: new Set(["to-b"]) });
  expect(after.map((wire, index) => wire === before[index])).toEqual([false, false, true]);
  expect(after.map(({ className }) => className?.split(" ").filter(Boolean))).toEqual([["order"], ["order", "flow"], ["order"]]);
});

test("what is selected, aimed at, queued or changed is marked", () => {
  const mark = wireMarker();
  mark(wires, NONE);
  const marked = mark(wires, { ...NONE, selected: new Set(["a"]), aimed: "b", queued: new Set(["to-c"]) });
  expect(marked.map(({ selected }) => selected)).toEqual([true, false, false]);
  expect(marked.map(({ className }) => className?.split(" ").filter(Boolean))).toEqual([
    ["order"],
    ["order", "aimed"],
    ["order", "queued"],
  ]);
  const [first, ...others] = wires;
  const moved = mark([{ ...(first as (typeof wires)[0]), target: "elsewhere" }, ...others], NONE);
  expect(moved[0]?.target).toBe("elsewhere");
});
