import type { Graph } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { bendsMoved, bendsOf, pathThrough } from "./bends";

const node = (id: string) => ({ id, service: "s", plane: "node" as const, status: "pending" as const });
const graph = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [node("a"), node("b"), node("c")],
  edges: [
    { from: "a", to: "b", metadata: { id: "ab", points: [{ x: 50, y: 10 }, { x: 60 }] } },
    { from: "b", to: "c", metadata: { id: "bc", points: [{ x: 150, y: 10 }] } },
  ],
  metadata: { editor: { positions: { a: { x: 0, y: 0 }, b: { x: 100, y: 0 }, c: { x: 200, y: 0 } } } },
} as unknown as Graph;

test("a wire has the bends that are points, and is drawn through each of them", () => {
  const [edge] = graph.edges;
  if (!edge) throw new Error("There is no edge.");
  expect(bendsOf(edge)).toEqual([{ x: 50, y: 10 }]);
  const path = pathThrough({ x: 0, y: 0 }, [{ x: 50, y: 10 }], { x: 100, y: 0 });
  expect(path).toMatch(/^M0,0 C[^C]* 50,10 C[^C]* 100,0$/);
  expect(pathThrough({ x: 0, y: 0 }, [{ x: 0, y: 0 }], { x: 0, y: 0 })).not.toMatch(/NaN/);
});

test("bends go along with both ends of their wire, and stay where only one of them moves", () => {
  const to = (x: number, y: number) => ({ x, y });
  const places = new Map([
    ["a", to(10.4, 20)],
    ["b", to(110.3, 20)],
  ]);
  expect(bendsMoved(graph, places)).toEqual([{ wire: "ab", bends: [{ x: 60, y: 30 }] }]);
  expect(bendsMoved(graph, new Map([["a", to(10, 20)]]))).toEqual([]);
});
