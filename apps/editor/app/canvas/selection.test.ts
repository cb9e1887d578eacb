import { describe, expect, test } from "vitest";
import { afterChanges, selectedAlone, selectionOf } from "./selection";

const graph = {
  nodes: [{ id: "a" }, { id: "b" }],
  edges: [{ from: "a", to: "b", metadata: { id: "wire" } }],
} as never;

describe("the selection", () => {
  test("follows what React Flow reports", () => {
    const next = afterChanges(
      new Set(["a"]),
      [
        { type: "select", id: "a", selected: false },
        { type: "select", id: "b", selected: true },
      ],
      ["a", "b"],
    );
    expect([...next]).toEqual(["b"]);
  });

  test("stays the same object for changes that are not of it, so that nothing is drawn again", () => {
    const now = new Set(["a"]);
    expect(afterChanges(now, [{ type: "position", id: "a" }], ["a"])).toBe(now);
  });

  test("forgets what is gone as soon as a person selects anew", () => {
    expect([...afterChanges(new Set(["gone"]), [{ type: "select", id: "a", selected: true }], ["a"])]).toEqual(["a"]);
  });

  test.each([
    ["a node alone", selectionOf({ nodes: ["a"] }), { node: "a" }],
    ["a node and the wires that a box took with it", selectionOf({ nodes: ["a"], edges: ["wire"] }), { node: "a" }],
    ["two nodes", selectionOf({ nodes: ["a", "b"] }), {}],
    ["a wire alone", selectionOf({ edges: ["wire"] }), { edge: "wire" }],
    ["what is not in the graph", selectionOf({ nodes: ["gone"], edges: ["gone"] }), {}],
  ])("%s", (_, selection, shown) => expect(selectedAlone(selection, graph)).toEqual(shown));
});
