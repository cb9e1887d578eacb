import { expect, test } from "vitest";
import { nodeOf } from "./bottom-panel";

const graph = {
  nodes: [{ id: "a" }, { id: "b" }, { id: "c" }],
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "c", metadata: { id: "wire" } },
  ],
} as never;
const issueAt = (place: object) => ({ place }) as never;

test("a problem leads to its node, or to the node behind its wire, which may have no id of its own", () => {
  expect(nodeOf(graph, issueAt({ node: "a", edge: "wire" }))).toBe("a");
  expect(nodeOf(graph, issueAt({ edge: "wire" }))).toBe("c");
  expect(nodeOf(graph, issueAt({ edge: "e0" }))).toBe("b");
});

test("a problem of the whole graph leads to no node", () => {
  expect(nodeOf(graph, issueAt({}))).toBeUndefined();
});
