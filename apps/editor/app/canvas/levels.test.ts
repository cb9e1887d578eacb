import type { Graph, Issue } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { addressOf, callsOf, callsTo, issuesOf, levelAt } from "./levels";

const call = (id: string, definition: string) => ({ id, service: "graph.call", plane: "node", status: "pending", params: { definition } });
const plain = (id: string) => ({ id, service: "pass", plane: "node", status: "pending" });
const GRAPH = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [plain("a"), call("b", "outer")],
  edges: [],
  metadata: {
    definitions: {
      outer: { nodes: [call("c", "inner")], edges: [] },
      inner: { nodes: [plain("d")], edges: [] },
      spare: { nodes: [plain("e")], edges: [] },
    },
  },
} as unknown as Graph;

test("calls lead to the definition that the last of them calls, and no further than they do", () => {
  const inner = levelAt(GRAPH, ["b", "c"]);
  expect([inner.definition, inner.graph.nodes.map(({ id }) => id)]).toEqual(["inner", ["d"]]);
  expect(levelAt(GRAPH, ["b", "gone", "c"])).toMatchObject({ definition: "outer", calls: ["b"] });
  expect(levelAt(GRAPH, ["a"])).toMatchObject({ definition: undefined, calls: [] });
});

test("a definition is found by the shortest way, if anything calls it", () => {
  expect(callsTo(GRAPH, "inner")).toEqual(["b", "c"]);
  expect(callsTo(GRAPH, "spare")).toBeUndefined();
});

test("an issue has its place as it is on its level", () => {
  const issue = { code: "param.invalid", severity: "error", message: "No." } as const;
  const issues: Issue[] = [
    { ...issue, place: { node: "a" } },
    { ...issue, place: { node: "d", definition: "inner", pointer: "/metadata/definitions/inner/metadata/nodes/d" } },
  ];
  expect(issuesOf(issues, undefined).map(({ place }) => place)).toEqual([{ node: "a" }]);
  expect(issuesOf(issues, "inner").map(({ place }) => place)).toEqual([{ node: "d", pointer: "/metadata/nodes/d" }]);
});

test("an address keeps the calls", () => {
  expect(callsOf(addressOf(["b", "c.1"]))).toEqual(["b", "c.1"]);
  expect(callsOf(null)).toEqual([]);
});
