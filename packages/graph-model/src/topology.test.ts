import { expect, test } from "vitest";
import type { Graph } from "./graph.ts";
import { Neighbours, topology } from "./topology.ts";

const graph = (ids: string, arrows: string): Graph =>
  ({
    nodes: [...ids].map((id) => ({ id })),
    edges: arrows.split(" ").map((arrow) => ({ from: arrow[0], to: arrow[1] })),
  }) as unknown as Graph;

test("several edges between two nodes count once, and make no cycle", () => {
  const { order, successors, predecessors, incoming, outgoing } = topology(graph("abcd", "ab ab ab ac cd bd bd"));
  expect(order).toEqual(["a", "b", "c", "d"]);
  expect([...successors].map(([id, after]) => [id, [...after]])).toEqual([
    ["a", ["b", "c"]],
    ["b", ["d"]],
    ["c", ["d"]],
    ["d", []],
  ]);
  expect([...(predecessors.get("d") ?? [])].sort()).toEqual(["b", "c"]);
  expect([incoming.get("b")?.length, outgoing.get("a")?.length]).toEqual([3, 4]);
});

test("a node is an end where no edge leads on from it, and only then", () => {
  const neighbours = new Neighbours(graph("abc", "ab ab"));
  expect(["a", "b", "c", "unknown"].map((id) => neighbours.isEnd(id))).toEqual([false, true, true, false]);
});
