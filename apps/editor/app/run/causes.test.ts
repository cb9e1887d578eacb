import type { Graph, Issue } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { causesOf, placeOf } from "./causes";

const graph = {
  nodes: [{ id: "a" }, { id: "b" }, { id: "c" }],
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "c", metadata: { id: "wire" } },
  ],
} as never;
const issueAt = (place: object, code = "edge.dangling") => ({ code, place }) as never;

test("a problem leads to its wire, which may have no id of its own, and to the node behind it", () => {
  expect(placeOf(graph, issueAt({ edge: "wire" }))).toEqual({ node: "c", edge: "wire" });
  expect(placeOf(graph, issueAt({ edge: "e0" }))).toEqual({ node: "b", edge: "e0" });
});

test("a problem of a node leads to the very field: a value, a setting, or the engine", () => {
  expect(placeOf(graph, issueAt({ node: "a", port: "text" }, "param.invalid"))).toEqual({ node: "a", field: "text" });
  expect(placeOf(graph, issueAt({ node: "a" }, "node.engine_not_live"))).toEqual({ node: "a", field: "engine" });
  expect(placeOf(graph, issueAt({ node: "a" }, "node.bad_id"))).toEqual({ node: "a" });
});

test("a problem of the whole graph leads to no node", () => expect(placeOf(graph, issueAt({}))).toEqual({}));

test("problems of one cause are one group, errors first", () => {
  const empty = { nodes: [], edges: [], metadata: {} } as unknown as Graph;
  const issue = (severity: Issue["severity"], code: Issue["code"], node: string) =>
    ({ severity, code, message: code, place: { node }, fix: "Do it." }) as Issue;
  const causes = causesOf(empty, [
    issue("info", "input.for_run", "a"),
    issue("warning", "node.offline", "a"),
    issue("error", "input.missing", "a"),
    issue("error", "input.missing", "b"),
  ]);
  expect(causes.map(({ title, issues }) => [title, issues.length])).toEqual([
    ["A value is needed", 2],
    ["No worker", 1],
    ["Asked when it runs", 1],
  ]);
});
