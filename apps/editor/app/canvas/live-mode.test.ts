// What "Run as I edit" runs by itself, and what it leaves to a person.
import type { Graph, Library, NodeDefinition } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { editedSince, liveWork } from "./live-mode";

const entry = (service: string, more: object = {}): NodeDefinition =>
  ({
    plane: "node",
    service,
    version: "1",
    label: service,
    inputs: [{ name: "text", label: "Text", type: "string", required: false, schema: { type: "string" } }],
    outputs: [{ name: "text", label: "Text", type: "string", required: false, schema: { type: "string" } }],
    parameters: [],
    engines: [{ id: "one", label: "One", plane: "node", live: true, draft: false }],
    live: true,
    idempotent: true,
    ...more,
  }) as unknown as NodeDefinition;
const ALL = [
  entry("cheap"),
  entry("model", { gpu: true }),
  entry("draft", { gpu: true, engines: [{ id: "draft", label: "Draft", plane: "node", live: true, draft: true }] }),
  entry("mail", { idempotent: false }),
  entry("person", { human: true }),
];
const library: Library = { find: (_, service) => ALL.find((one) => one.service === service), all: () => ALL };
const node = (id: string, service = "cheap", params: object = {}) => ({ id, name: id, service, plane: "node", status: "pending", params });
const wire = (from: string, to: string) => ({
  from,
  to,
  kind: "normal",
  metadata: { id: `${from}-${to}`, sourcePort: "text", targetPort: "text" },
});
const graphOf = (nodes: object[], edges: object[] = [], metadata: object = {}): Graph =>
  ({ schema: "langgraph.v1", workflowId: "g", context: {}, nodes, edges, metadata }) as unknown as Graph;
const runsAll = (graph: Graph) => graph.nodes.map(({ id }) => ({ node: id, does: "runs" as const }));

test("an edit makes the node and what follows it this person's; where a card lies, and a note, do not", () => {
  const before = graphOf([node("a"), node("b"), node("c")], [wire("a", "b")]);
  const after = graphOf([node("a", "cheap", { text: "x" }), node("b"), node("c")], [wire("a", "b")]);
  expect([...editedSince(before, after, library)]).toEqual(["a", "b"]);
  const moved = { ...before, metadata: { editor: { positions: { a: { x: 9, y: 9 } } } } } as Graph;
  expect([...editedSince(before, moved, library)]).toEqual([]);
});

test("an edit in a subgraph is one of every node that calls it, and of what follows them", () => {
  const calling = (text: string) =>
    graphOf([node("s", "graph.call", { definition: "Outer" }), node("t"), node("u")], [wire("s", "t")], {
      definitions: {
        Outer: { nodes: [node("o", "graph.call", { definition: "Inner" })], edges: [] },
        Inner: { nodes: [node("i", "cheap", { text })], edges: [] },
      },
    });
  expect([...editedSince(calling("x"), calling("y"), library)].sort()).toEqual(["s", "t"]);
});

test("cheap nodes and drafts run at once, up to where a GPU is needed; what waits says so, and side effects never run", () => {
  const graph = graphOf(
    [node("a"), node("b", "draft"), node("m", "model"), node("n"), node("e", "mail"), node("p", "person"), node("q"), node("z")],
    [wire("a", "b"), wire("b", "m"), wire("m", "n"), wire("b", "e"), wire("a", "p"), wire("p", "q")],
  );
  const edited = new Set(["a", "b", "m", "n", "e", "p", "q"]);
  const work = liveWork(graph, library, edited, runsAll(graph));
  expect(work).toEqual({ targets: ["b"], waiting: ["m", "n"], never: ["p", "e", "q"] });
});

test("a node behind a model whose result stands runs, and what nobody here edited does not", () => {
  const graph = graphOf([node("m", "model"), node("n"), node("other")], [wire("m", "n")]);
  const plan = [
    { node: "m", does: "reuses" as const },
    { node: "n", does: "runs" as const },
    { node: "other", does: "runs" as const },
  ];
  expect(liveWork(graph, library, new Set(["n"]), plan)).toEqual({ targets: ["n"], waiting: [], never: [] });
  expect(liveWork(graph, library, new Set(["n"]), runsAll(graph)).targets, "another person's model would run").toEqual([]);
});

test("a subgraph is as dear as what is in it", () => {
  const calling = (service: string) =>
    graphOf([node("s", "graph.call", { definition: "In" })], [], { definitions: { In: { nodes: [node("i", service)], edges: [] } } });
  const work = (service: string) => liveWork(calling(service), library, new Set(["s"]), runsAll(calling(service)));
  expect(work("cheap").targets).toEqual(["s"]);
  expect(work("model").waiting).toEqual(["s"]);
  expect(work("mail").never).toEqual(["s"]);
});
