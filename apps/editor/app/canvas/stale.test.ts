import type { Graph, Library, NodeDefinition } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { staleCauses } from "./stale";

const TEXT = { type: "string" };
const port = (name: string, label: string) => ({ name, label, type: "string", required: false, schema: TEXT });
const FILL = {
  plane: "node",
  service: "fill",
  version: "1.0.0",
  label: "Fill",
  inputs: [port("text", "Text")],
  outputs: [port("text", "Text")],
  parameters: [{ name: "template", schema: { ...TEXT, title: "Template" }, required: false }],
  engines: [],
} as unknown as NodeDefinition;
const LIBRARY: Library = { find: (_, service) => (service === "fill" ? FILL : undefined), all: () => [FILL] };

const node = (id: string, template: string) => ({
  id,
  service: "fill",
  plane: "node",
  status: "pending",
  name: id.toUpperCase(),
  params: { template },
});
const wire = (from: string, to: string, when?: string) => ({
  from,
  to,
  kind: "normal",
  metadata: { id: `${from}${to}`, sourcePort: "text", targetPort: "text", ...(when ? { when } : {}) },
});
const graph = (nodes: object[], edges: object[], settings: object = {}): Graph =>
  ({ schema: "langgraph.v1", workflowId: "g", nodes, edges, metadata: { nodes: settings } }) as unknown as Graph;
const RAN = graph([node("a", "one"), node("b", "two"), node("c", "three")], [wire("a", "b"), wire("b", "c")]);
const causes = (now: Graph, ran = RAN) => Object.fromEntries(staleCauses(now, ran, LIBRARY));

test("nothing is stale in a graph that is as it ran, wherever its cards lie and whatever they are called", () => {
  expect(causes({ ...RAN, nodes: RAN.nodes.map((one) => ({ ...one, name: "other" })) as Graph["nodes"] })).toEqual({});
});

test("an edit makes the node and what comes after it stale, and is named as the cause all the way", () => {
  const now = graph([node("a", "other"), node("b", "two"), node("c", "three")], [wire("a", "b"), wire("b", "c")]);
  const because = "Template changed in A.";
  expect(causes(now)).toEqual({ a: "Template changed.", b: because, c: because });
});

test("wires, conditions, engines and switches are causes, too", () => {
  const moved = graph([...RAN.nodes], [wire("a", "b"), wire("a", "c")]);
  expect(causes(moved)).toEqual({ c: "The wire into Text changed." });
  const asked = graph([...RAN.nodes], [wire("a", "b"), wire("b", "c", "output.text != ''")]);
  expect(causes(asked)).toEqual({ c: "The condition of a wire into it changed." });
  expect(causes(graph([...RAN.nodes], [...RAN.edges], { c: { engine: "fast" } }))).toEqual({ c: "The engine changed." });
  expect(causes(graph([...RAN.nodes], [...RAN.edges], { c: { disabled: true } }))).toEqual({ c: "It was switched off." });
});

test("a pinned output holds back what changed before it", () => {
  const pinned = { b: { pinned: { text: "held" } } };
  const ran = graph([...RAN.nodes], [...RAN.edges], pinned);
  const now = graph([node("a", "other"), node("b", "two"), node("c", "three")], [...RAN.edges], pinned);
  expect(causes(now, ran)).toEqual({ a: "Template changed.", b: "Template changed in A." });
  expect(causes(graph([...RAN.nodes], [...RAN.edges], pinned)).c).toBe("The pinned output changed in B.");
});

test("what comes after a node that is new has another input", () => {
  const now = graph([...RAN.nodes, node("d", "new")], [wire("a", "b"), wire("d", "c")]);
  expect(causes(now).c).toBe("The wire into Text changed.");
});

test("another choice of what leaves of several makes a result stale", () => {
  const { nodes, edges } = RAN as unknown as { nodes: object[]; edges: object[] };
  const now = graph(nodes, edges, { b: { outputs: { text: "all" } } });
  expect(causes(now)).toEqual({
    b: "Which of its several outputs leave changed.",
    c: "Which of its several outputs leave changed in B.",
  });
});
