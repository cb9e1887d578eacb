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

test("an edge of a loop leads nowhere: it makes no neighbour, no end and no order", () => {
  const turning = graph("abc", "ab bc");
  const back = { from: "b", to: "a", metadata: { loop: { maxIterations: 2 } } } as unknown as Graph["edges"][number];
  const ahead = { ...back, from: "a", to: "c" };
  const { order, successors, predecessors, incoming, outgoing } = topology({ ...turning, edges: [...turning.edges, back, ahead] });
  expect(order).toEqual(["a", "b", "c"]);
  expect(["a", "b", "c"].map((id) => [...(successors.get(id) ?? [])].join())).toEqual(["b", "c", ""]);
  expect(["a", "b", "c"].map((id) => [...(predecessors.get(id) ?? [])].join())).toEqual(["", "a", "b"]);
  expect(
    ["a", "b", "c"].map((id) =>
      incoming
        .get(id)
        ?.map(({ from }) => from)
        .join(),
    ),
  ).toEqual(["", "a", "b"]);
  expect(
    ["a", "b", "c"].map((id) =>
      outgoing
        .get(id)
        ?.map(({ to }) => to)
        .join(),
    ),
  ).toEqual(["b", "c", ""]);
});

test("each neighbour is listed once by its place, whatever edges lie between two to the same node", () => {
  const { following } = new Neighbours(graph("abc", "ab ac ab ac bc bc"));
  const after = [0, 1, 2].map((at) => [...following.to.slice(following.from[at], following.from[at + 1])]);
  expect(after).toEqual([[1, 2], [2], []]);
});
