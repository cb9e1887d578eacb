import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { readGraph } from "../check/document.ts";
import { isLoopEdge } from "../graph.ts";
import {
  addNode,
  connect,
  copyNodes,
  loadGraph,
  moveNodes,
  nodesOf,
  normalise,
  pasteNodes,
  remove,
  setParam,
  setSetting,
  Undo,
} from "./index.ts";

const me = { who: "me" };
const at = { x: 0, y: 0 };
const pass = (doc: Y.Doc, origin: unknown = me) => addNode(doc, origin, { service: "pass", plane: "node", position: at });
const sync = (a: Y.Doc, b: Y.Doc) => {
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a, Y.encodeStateVector(b)));
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b, Y.encodeStateVector(a)));
};

describe("commands", () => {
  test("[G9] a document goes in and comes out", () => {
    const ofRun = {
      output: { x: 1 },
      input: { v: 1 },
      error: { code: "c", message: "m" },
      telemetry: { startedAt: "2026-01-01T00:00:00Z" },
    };
    const graph = readGraph({
      schema: "langgraph.v1",
      workflowId: "w",
      context: { a: 1 },
      metadata: { planner: "p", editor: { positions: { n: { x: 1, y: 2 } }, zoom: 1 }, nodes: { n: { engine: "e" } } },
      nodes: [
        { id: "n", service: "pass", plane: "node", status: "completed", params: { v: [1] }, progressWeight: 2, ...ofRun },
        { id: "m", service: "pass", plane: "node", status: "pending" },
      ],
      edges: [{ from: "n", to: "m", kind: "on_failure", metadata: { id: "e1" } }],
    }).graph;
    const doc = new Y.Doc();
    loadGraph(doc, me, graph as never);
    const node = { id: "n", service: "pass", plane: "node", params: { v: [1] }, progressWeight: 2 };
    const metadata = { ...graph?.metadata, nodes: { n: { engine: "e", pinned: { x: 1 } } } };
    expect(normalise(doc).graph).toEqual({ ...graph, metadata, nodes: [{ ...node, status: "pending" }, graph?.nodes[1]] });
  });
  test("an input keeps one wire", () => {
    const doc = new Y.Doc();
    const [a, b, c] = [pass(doc), pass(doc), pass(doc)];
    connect(doc, me, { node: a, port: "value" }, { node: c, port: "value" });
    connect(doc, me, { node: b, port: "value" }, { node: c, port: "value" });
    expect(normalise(doc).graph.edges.map((edge) => edge.from)).toEqual([b]);
  });
  test("an input keeps one wire that leads forward and one that leads back", () => {
    const doc = new Y.Doc();
    const [a, b, c] = [pass(doc), pass(doc), pass(doc)];
    const port = (node: string) => ({ node, port: "value" });
    connect(doc, me, port(a), port(b));
    connect(doc, me, port(b), port(b), "loop");
    connect(doc, me, port(c), port(b));
    connect(doc, me, port(b), port(b), "loop");
    expect(
      normalise(doc)
        .graph.edges.map((edge) => [edge.from, isLoopEdge(edge)])
        .sort(),
    ).toEqual(
      [
        [b, true],
        [c, false],
      ].sort(),
    );
  });
  test("[C3] removing a node takes its wires along; undo brings both back, and only one's own", () => {
    const doc = new Y.Doc();
    const undo = new Undo(doc, me, 0);
    const [a, b] = [pass(doc, "other"), pass(doc, "other")];
    connect(doc, "other", { node: a, port: "value" }, { node: b, port: "value" });
    remove(doc, me, [a]);
    expect(normalise(doc).graph).toMatchObject({ nodes: [{ id: b }], edges: [] });
    undo.undo();
    expect(normalise(doc).graph.nodes).toHaveLength(2);
    expect(normalise(doc).graph.edges).toHaveLength(1);
    undo.undo();
    expect(normalise(doc).graph.nodes).toHaveLength(2);
  });
  test("paste gives new ids and keeps the wires between what was copied", () => {
    const doc = new Y.Doc();
    const [a, b] = [pass(doc), pass(doc)];
    connect(doc, me, { node: a, port: "value" }, { node: b, port: "value" });
    const fresh = pasteNodes(doc, me, copyNodes(doc, [a, b]) as never, { x: 100, y: 100 });
    const { graph } = normalise(doc);
    expect(graph.nodes).toHaveLength(4);
    expect(graph.edges.filter((edge) => fresh.includes(edge.from) && fresh.includes(edge.to))).toHaveLength(1);
  });
});

describe("[C2] merging", () => {
  test("ben people change different fields of ada node, and both hold", () => {
    const [ada, ben] = [new Y.Doc(), new Y.Doc()];
    const id = pass(ada);
    sync(ada, ben);
    setParam(ada, me, id, "a", 1);
    setParam(ben, me, id, "b", 2);
    setSetting(ben, me, id, "engine", "x");
    moveNodes(ada, me, { [id]: { x: 7, y: 8 } });
    sync(ada, ben);
    expect(normalise(ada)).toEqual(normalise(ben));
    expect(normalise(ada).graph).toMatchObject({
      nodes: [{ params: { a: 1, b: 2 } }],
      metadata: { nodes: { [id]: { engine: "x" } }, editor: { positions: { [id]: { x: 7, y: 8 } } } },
    });
  });
  test("a wire to a node that another person removed vanishes for everybody", () => {
    const [ada, ben] = [new Y.Doc(), new Y.Doc()];
    const [a, b] = [pass(ada), pass(ada)];
    sync(ada, ben);
    remove(ada, me, [b]);
    connect(ben, me, { node: a, port: "value" }, { node: b, port: "value" });
    sync(ada, ben);
    expect(normalise(ada)).toEqual(normalise(ben));
    expect(normalise(ada).graph.edges).toEqual([]);
  });
  test("damage is left out and named, never thrown", () => {
    const doc = new Y.Doc();
    pass(doc);
    doc.getMap("nodes").set("bad", 7);
    doc.getMap("edges").set("bad", "x");
    const { graph, issues } = normalise(doc);
    expect(graph.nodes).toHaveLength(1);
    expect(issues).toHaveLength(2);
  });
  test("damage in the parts around the nodes is left out and named as well", () => {
    const doc = new Y.Doc();
    loadGraph(doc, me, {
      schema: "langgraph.v1",
      workflowId: "w",
      metadata: { interface: { inputs: [{ name: "a" }] }, definitions: { d: { nodes: [], edges: [] } } },
      nodes: [],
      edges: [],
    } as never);
    const before = normalise(doc).graph;
    doc.getMap("inputs").set("b", 7);
    doc.getMap("metadata").set("c", new Uint8Array(1));
    const { graph, issues } = normalise(doc);
    expect(graph).toEqual(before);
    expect(issues.map((one) => one.message)).toEqual([
      "A part of the graph's own settings is left out. An entry of a list is damaged.",
      "A part of the graph's own settings is left out. It holds bytes, which JSON cannot carry.",
    ]);
    doc.getMap("definitions").set("d", "nothing");
    doc.getMap("metadata").set("interface", ["nothing"]);
    doc.getMap("inputs").clear();
    expect(normalise(doc).graph.metadata).toEqual({ interface: ["nothing"], definitions: { d: "nothing" } });
  });
  test("what JSON cannot carry is left out and named; the rest of the node stays", () => {
    const doc = new Y.Doc();
    const id = pass(doc);
    setParam(doc, me, id, "good", [1, { a: undefined, b: Number.NaN }, undefined]);
    for (const [name, value] of Object.entries({ big: 1n, bytes: new Uint8Array(2), list: new Y.Array(), map: new Y.Map([["k", 1]]) }))
      setParam(doc, me, id, name, value);
    let map: Y.Map<unknown> = doc.getMap("nodes");
    for (let level = 0; level < 200; level++) {
      const inner = new Y.Map<unknown>();
      map.set("deep", inner);
      map = inner;
    }
    const { graph, issues } = normalise(doc);
    expect(graph.nodes).toMatchObject([{ id, params: { good: [1, { b: null }, null], map: { k: 1 } } }]);
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
    expect(issues.map((one) => one.message)).toEqual([
      "A part of the node deep is left out. It is nested deeper than 32 levels.",
      "The node deep is damaged and left out.",
      `A part of the node ${id} is left out. It holds a bigint, which JSON cannot carry.`,
      `A part of the node ${id} is left out. It holds bytes, which JSON cannot carry.`,
      `A part of the node ${id} is left out. It holds something that is neither a map, a text nor JSON.`,
    ]);
  });
});

test("[C5] a text in the place of a part does not stop the commands of people: it gives way to what they set", () => {
  const doc = new Y.Doc();
  const id = pass(doc);
  (nodesOf(doc).get(id) as Y.Map<unknown>).set("params", new Y.Text("odd"));
  setParam(doc, me, id, "a", 1);
  expect(normalise(doc).graph.nodes.map(({ params }) => params)).toEqual([{ a: 1 }]);
});
