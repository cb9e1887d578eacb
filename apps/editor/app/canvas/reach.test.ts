import { expect, test } from "vitest";
import { reach } from "./reach";

const graph = {
  nodes: ["a", "b", "c", "d", "e"].map((id) => ({ id })),
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "c" },
    { from: "d", to: "c" },
    { from: "c", to: "b", metadata: { loop: { maxIterations: 2 } } },
  ],
} as never;

test("what leads to a node is found over several edges and round a loop, and what it leads to as well", () => {
  expect([...reach(graph, ["c"], "upstream")].sort()).toEqual(["a", "b", "c", "d"]);
  expect([...reach(graph, ["a"], "upstream")]).toEqual(["a"]);
  expect([...reach(graph, ["a"], "downstream")].sort()).toEqual(["a", "b", "c"]);
  expect([...reach(graph, ["d", "e"], "downstream")].sort()).toEqual(["b", "c", "d", "e"]);
});
