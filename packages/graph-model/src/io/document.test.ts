import { expect, test } from "vitest";
import { readGraph } from "../check/document.ts";
import type { Graph } from "../graph.ts";
import { canonicalText, exportJson, stripState } from "./document.ts";

const node = (id: string, status: string, more: object = {}) => ({ id, service: "say", plane: "node", status, ...more });
const run = {
  schema: "langgraph.v1",
  workflowId: "w",
  context: { a: 1 },
  nodes: [
    node("done", "completed", { output: { x: 1 }, input: { v: 1 }, params: { p: 1 }, telemetry: { startedAt: "2026-01-01T00:00:00Z" } }),
    node("held", "completed", { output: { x: 2 } }),
    node("empty", "completed", { output: {} }),
    node("bad", "failed", { error: { code: "c", message: "m" }, output: { half: true } }),
  ],
  edges: [{ from: "done", to: "bad" }],
  metadata: { nodes: { held: { pinned: { x: "by hand" }, engine: "e" } }, planner: "p" },
} as unknown as Graph;

test("[G9] a document carries `pending` and nothing of a run; what was finished is pinned, unless something was already", () => {
  const read = readGraph(run);
  expect(read.issues).toEqual([]);
  const stripped = stripState(read.graph as Graph);
  expect(stripped).toEqual({
    ...run,
    nodes: [node("done", "pending", { params: { p: 1 } }), node("held", "pending"), node("empty", "pending"), node("bad", "pending")],
    metadata: { nodes: { held: { pinned: { x: "by hand" }, engine: "e" }, done: { pinned: { x: 1 } } }, planner: "p" },
  });
  expect(stripState(stripped)).toEqual(stripped);
  expect(JSON.parse(exportJson(run))).toEqual(stripped);
});

test("[E1] equal graphs are one revision: their text is the same, whatever the order of their keys", () => {
  const turned = Object.fromEntries(Object.entries(run).reverse());
  expect(JSON.stringify(turned)).not.toBe(JSON.stringify(run));
  expect(canonicalText(turned)).toBe(canonicalText(run));
  expect(canonicalText({ ...run, workflowId: "other" })).not.toBe(canonicalText(run));
});
