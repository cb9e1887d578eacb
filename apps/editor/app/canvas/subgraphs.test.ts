// A selection that becomes a subgraph, and comes out of it again, on a document with an undo manager as the page has it.
import { edgeMetadata, type Graph, type Library, type NodeDefinition, portsOf, resolve, validate } from "@spindle/graph-model";
import { addNode, connect, normalise, setEdge, setInterface, sheetGraph, sheetOn, Undo } from "@spindle/graph-model/shared-doc";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import { insertNode } from "./edits";
import { subgraphOf } from "./levels";
import { NEW_PORT, RAIL, type RailSide, railAnswer, railsOf, railWires, removeRailWires, renameRailPort, wireRail } from "./rails";
import { makeSubgraph, makeUnique, unpackSubgraph, usesOf } from "./subgraphs";

const TEXT = { type: "string" };
const entry = (service: string, inputs: object, outputs: object, required: string[] = []): NodeDefinition =>
  ({
    plane: "node",
    service,
    version: "1",
    label: service,
    inputs: portsOf({ properties: inputs, required }),
    outputs: portsOf({ properties: outputs }),
    parameters: [],
    engines: [{ id: "one", live: true }],
    live: true,
  }) as unknown as NodeDefinition;
const ALL = [
  entry("say", { text: TEXT }, { text: TEXT }),
  entry("both", { text: TEXT, other: TEXT }, { text: TEXT, other: TEXT }),
  entry("ask", { question: TEXT }, { answer: TEXT }, ["question"]),
  entry("list", {}, { items: { type: "array", items: TEXT } }),
];
const library: Library = { find: (_, service) => ALL.find((one) => one.service === service), all: () => ALL };

function page() {
  const doc = new Y.Doc();
  const graph = (): Graph => normalise(doc).graph;
  const known = () => ({ graph: graph(), library });
  return {
    doc,
    undo: new Undo(doc, ME, 0),
    graph,
    known,
    node: (name: string, service = "say", x = 0) =>
      addNode(doc, "before", { name, service, plane: "node", position: { x, y: 0 }, params: service === "say" ? { text: name } : {} }),
    wire: (from: string, to: string, source = "text", target = source) =>
      connect(doc, "before", { node: from, port: source }, { node: to, port: target }),
    pack: (...ids: string[]) => {
      const made = makeSubgraph(doc, known(), ids);
      if ("why" in made) throw new Error(made.why);
      return made.id;
    },
    why: (...ids: string[]) => (makeSubgraph(doc, known(), ids) as { why?: string }).why,
  };
}

/** Who gives each input of each node, by the titles of nodes, through calls. */
function sources(graph: Graph): string[] {
  const resolved = resolve(graph, library);
  const titles = new Map(graph.nodes.map(({ id, name }) => [id, name ?? id]));
  return resolved.root.nodes
    .flatMap(({ node, sources: all }) =>
      all.map(
        (source) => `${node.name}.${source.port.name}: ${"from" in source ? `${titles.get(source.from)}.${source.output}` : source.kind}`,
      ),
    )
    .sort();
}
const errors = (graph: Graph) => validate(graph, library).filter(({ severity }) => severity === "error");

/** In: Start -> First (both ports), Start -> Second by name; First -> Second; Second -> End. */
function chain() {
  const made = page();
  const [start, first, second, end] = [
    made.node("Start", "both"),
    made.node("First", "both", 300),
    made.node("Second", "say", 600),
    made.node("End", "say", 900),
  ];
  made.wire(start, first, "text");
  made.wire(start, first, "text", "other");
  made.wire(first, second, "other", "text");
  made.wire(second, end);
  return { ...made, start, first, second, end };
}

describe("a selection becomes a subgraph", () => {
  test("[G5] its ports are named after the wires that cross it, one value comes in once, and one undo takes all of it back", () => {
    const { graph, pack, undo, first, second, start, end } = chain();
    const before = graph();
    const call = pack(first, second);
    const after = graph();
    const made = resolve(after, library).root.node(call);
    expect(made?.definition?.inputs.map(({ name, type }) => [name, type])).toEqual([["text", "string"]]);
    expect(made?.definition?.outputs.map(({ name }) => name)).toEqual(["text"]);
    expect(after.nodes.map(({ id }) => id).sort()).toEqual([start, end, call].sort());
    expect(new Set(after.edges.map(({ from, to }) => `${from} ${to}`))).toEqual(new Set([`${start} ${call}`, `${call} ${end}`]));
    expect(errors(after)).toEqual([]);
    undo.undo();
    expect(graph()).toEqual(before);
  });

  test("[G5] it comes out again with the same wires, places and values, and takes its subgraph with it", () => {
    const { doc, graph, known, pack, first, second } = chain();
    const before = graph();
    const call = pack(first, second);
    const out = unpackSubgraph(doc, known(), call);
    expect(out).toHaveProperty("ids");
    const after = graph();
    expect(sources(after)).toEqual(sources(before));
    const places = ({ nodes, metadata }: Graph) =>
      nodes.map(({ id, name }) => [name, (metadata as { editor: { positions: Record<string, object> } }).editor.positions[id]]).sort();
    expect(places(after)).toEqual(places(before));
    expect(after.metadata?.definitions ?? {}).toEqual({});
  });

  test("[G2] what is taken by name, from outside or by what lies outside, is taken by a wire then", () => {
    const { graph, node, wire, pack, doc, known } = page();
    const [question, say, asks, last] = [node("Names", "both"), node("Say", "say"), node("Both", "both"), node("Last", "both")];
    wire(question, say);
    wire(say, asks);
    wire(asks, last, "other");
    // `other` of Both comes from Names by name, and `text` of Last from Both.
    const before = sources(graph());
    expect(before).toContain("Both.other: Names.other");
    expect(before).toContain("Last.text: Both.text");
    const call = pack(say, asks);
    const ports = resolve(graph(), library).root.node(call)?.definition;
    expect(ports?.inputs.map(({ name }) => name)).toEqual(["text", "other"]);
    expect(
      resolve(graph(), library)
        .root.node(last)
        ?.sources.map(({ kind }) => kind),
    ).toEqual(["wire", "wire"]);
    unpackSubgraph(doc, known(), call);
    expect(sources(graph())).toEqual(before);
  });

  test("[G4] the run is asked for the same, and its outputs are those of the same nodes", () => {
    const { doc, graph, node, wire, pack, known } = page();
    const [ask, say] = [node("Ask", "ask"), node("Say", "say")];
    wire(ask, say, "answer", "text");
    setInterface(doc, "before", {
      inputs: [{ name: "topic", to: [{ node: ask, port: "question" }] }],
      outputs: [{ name: "told", from: { node: say, port: "text" } }],
    });
    const asked = () => resolve(graph(), library).root.inputs.map(({ name, required }) => [name, required]);
    const before = asked();
    const declared = graph().metadata?.interface;
    const call = pack(ask, say);
    expect(asked()).toEqual(before);
    expect(
      resolve(graph(), library)
        .root.node(call)
        ?.sources.map(({ kind }) => kind),
    ).toEqual(["interface"]);
    expect(errors(graph())).toEqual([]);
    const { ids } = unpackSubgraph(doc, known(), call) as { ids: string[] };
    const back = JSON.parse(
      JSON.stringify(declared)
        .replaceAll(ask, ids[0] ?? "")
        .replaceAll(say, ids[1] ?? ""),
    );
    expect(graph().metadata?.interface).toEqual(back);
  });

  test("what cannot be one node says why, and nothing is changed", () => {
    const { doc, graph, why, start, first, second, end } = chain();
    const before = graph();
    expect(why(start, second)).toBe("First lies between the selected nodes: select it, too.");
    const wireTo = graph().edges.find(({ to }) => to === end);
    setEdge(doc, "before", (wireTo && edgeMetadata(wireTo).id) ?? "", { when: 'output.text != ""' });
    expect(why(first, second)).toMatch("from Second to End is followed only under a condition");
    setEdge(doc, "before", (wireTo && edgeMetadata(wireTo).id) ?? "", { when: null });
    connect(doc, "before", { node: second, port: "text" }, { node: first, port: "text" }, "loop");
    expect(why(first)).toMatch("The wire back from Second to First would be cut");
    expect(why(second, end)).toMatch("The wire back from Second to First would be cut");
    expect(graph().nodes).toEqual(before.nodes);
    expect(why(first, second)).toBeUndefined();
  });

  test("a list that is taken apart inside or outside stays so, and across the edge it is refused", () => {
    const { doc, graph, node, why, pack } = page();
    const [list, say, end] = [node("List", "list"), node("Say", "say"), node("End", "say")];
    connect(doc, "before", { node: list, port: "items" }, { node: say, port: "text" }, "map");
    connect(doc, "before", { node: say, port: "text" }, { node: end, port: "text" }, "map");
    expect(why(say)).toMatch("runs a node for each element of a list");
    const call = pack(list, say, end);
    expect(
      resolve(graph(), library)
        .root.node(call)
        ?.definition?.outputs.map(({ name, type }) => [name, type]),
    ).toEqual([["text", "array"]]);
  });
});

test("[G5] several nodes call one subgraph until one of them is made unique", () => {
  const { doc, graph, known, pack, first, second } = chain();
  const call = pack(first, second);
  const name = subgraphOf(graph(), call) ?? "";
  const twin = addNode(doc, "before", {
    name: "Twin",
    service: "graph.call",
    plane: "node",
    position: { x: 0, y: 500 },
    params: { definition: name },
  });
  expect(usesOf(graph(), name)).toBe(2);
  makeUnique(doc, graph(), twin);
  expect(subgraphOf(graph(), twin)).toBe("Subgraph 2");
  expect(usesOf(graph(), name)).toBe(1);
  unpackSubgraph(doc, known(), call);
  expect(Object.keys(graph().metadata?.definitions as object)).toEqual(["Subgraph 2"]);
});

describe("within a subgraph", () => {
  function inside() {
    const made = page();
    const [a, b] = [made.node("A"), made.node("B")];
    made.wire(a, b);
    made.pack(a, b);
    const sheet = sheetOn(made.doc, "Subgraph");
    const graph = () => sheetGraph(sheet);
    const id = (name: string) => graph().nodes.find((node) => node.name === name)?.id ?? "";
    return { ...made, sheet, inner: graph, id };
  }

  test("[G5] a node is added and wired, and the graph around it stays as it is", () => {
    const { sheet, inner, id, graph } = inside();
    const before = graph().nodes;
    const { join } = insertNode(sheet, { graph: inner(), library }, ALL[0] as NodeDefinition, { x: 0, y: 0 }, { from: { node: id("B") } });
    expect(join?.in?.from.node).toBe(id("B"));
    expect(inner().edges).toHaveLength(2);
    expect(graph().nodes).toEqual(before);
  });

  test("[G5] a subgraph of the subgraph is made, and taken apart again", () => {
    const { sheet, inner, id, graph } = inside();
    const made = makeSubgraph(sheet, { graph: inner(), library }, [id("B")]);
    if ("why" in made) throw new Error(made.why);
    expect(Object.keys(graph().metadata?.definitions ?? {})).toEqual(["Subgraph", "Subgraph 2"]);
    expect(inner().nodes.map(({ name }) => name)).toEqual(["A", "Subgraph 2"]);
    expect(errors(graph())).toEqual([]);
    expect(usesOf(graph(), "Subgraph 2")).toBe(1);
    unpackSubgraph(sheet, { graph: inner(), library }, made.id);
    expect(inner().nodes.map(({ name }) => name)).toEqual(["A", "B"]);
    expect(Object.keys(graph().metadata?.definitions ?? {})).toEqual(["Subgraph"]);
  });

  test("[G4, G5] its ports are made, led elsewhere and taken away by wires of its rails", () => {
    const { sheet, inner, id, graph } = inside();
    const [rails, wired] = [
      () => railsOf(inner(), library),
      (side: RailSide) => rails()[side].map(({ name, ends }) => [name, ends.length]),
    ];
    expect(wired("outputs")).toEqual([["text", 1]]);
    wireRail(sheet, inner(), library, { node: id("A"), port: "text" }, { node: RAIL.outputs, port: NEW_PORT });
    expect(wired("outputs")).toEqual([
      ["text", 1],
      ["text 2", 1],
    ]);
    wireRail(sheet, inner(), library, { node: RAIL.inputs, port: NEW_PORT }, { node: id("A"), port: "text" });
    expect(wired("inputs")).toEqual([["text", 1]]);
    expect(railAnswer(inner(), library, { node: RAIL.inputs, port: "text" }, { node: id("B"), port: "text" })).toEqual({
      ok: false,
      reason: "The input has a wire.",
    });
    renameRailPort(sheet, inner(), library, "inputs", "text", "Draft");
    expect(rails().inputs[0]).toMatchObject({ name: "text", label: "Draft" });
    const gone = railWires(inner(), rails()).filter(({ source }) => source === RAIL.inputs || source === id("A"));
    removeRailWires(sheet, inner(), library, new Set(gone.map((wire) => wire.id)));
    expect([wired("inputs"), wired("outputs")]).toEqual([[], [["text", 1]]]);
    expect(errors(graph())).toEqual([]);
  });
});
