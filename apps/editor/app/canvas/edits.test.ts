// The edits of a selection, on a document with an undo manager as the page has it.
import { type Graph, type Library, type NodeDefinition, nodePosition, nodeSettings, portsOf } from "@spindle/graph-model";
import { addNode, connect, normalise, renameNode, setEdge, setEntry, setSetting, Undo } from "@spindle/graph-model/shared-doc";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import {
  copySelected,
  duplicate,
  insertIntoWire,
  insertNode,
  notesOf,
  pasteCopied,
  removeAndReconnect,
  removeSelected,
  replaceNode,
  togglePins,
  toggleSetting,
} from "./edits";
import { converter, jointOfWire, presentJoint } from "./joint";

const ports = { value: { type: "string" }, other: { type: "string" }, picture: { "x-artifact": "image" } };
const PASS = {
  plane: "node",
  service: "pass",
  inputs: portsOf({ properties: ports }),
  outputs: portsOf({ properties: ports }),
  parameters: [],
  engines: [],
} as unknown as NodeDefinition;
const entry = (service: string, inputs: object, outputs: object): NodeDefinition =>
  ({
    ...PASS,
    service,
    label: service,
    inputs: portsOf({ properties: inputs }),
    outputs: portsOf({ properties: outputs }),
    engines: [{ id: "one", live: true }],
  }) as unknown as NodeDefinition;
const PAINT = entry("paint", { value: { type: "string" }, other: { type: "integer" } }, { picture: { "x-artifact": "image" } });
const SOUND = entry("sound", { heard: { "x-artifact": "audio" } }, { heard: { "x-artifact": "audio" } });
const EACH = entry("each", { list: { type: "array" } }, { list: { type: "array", items: { type: "string" } } });
const DRAW = entry("draw", { drawn: { "x-artifact": "image" } }, { made: { "x-artifact": "image" } });
const TWO = entry("two", { a: { "x-artifact": "image" }, b: { "x-artifact": "image" } }, {});
const ONLY = entry("one", { only: { type: "string" } }, {});
const ALL = [PASS, PAINT, SOUND, EACH, DRAW, TWO, ONLY];
const library: Library = { find: (_, service) => ALL.find((one) => one.service === service), all: () => ALL };

/** A document, and how many steps of undo an edit of it makes. */
function page() {
  const doc = new Y.Doc();
  const undo = new Undo(doc, ME, 0);
  const graph = (): Graph => normalise(doc).graph;
  return {
    doc,
    graph,
    node: (x = 0, service = "pass", params: Record<string, unknown> = {}) =>
      addNode(doc, "before", { service, plane: "node", position: { x, y: 0 }, params }),
    known: () => ({ graph: graph(), library }),
    wire: (from: string, to: string, source = "value", target = source) =>
      connect(doc, "before", { node: from, port: source }, { node: to, port: target }),
    set: (id: string, name: "disabled" | "pinned" | "engine", value: unknown) => setSetting(doc, "before", id, name, value),
    settings: (ids: readonly string[], name: "disabled" | "pinned") => ids.map((id) => nodeSettings(graph(), id)[name]),
    wires: () =>
      graph()
        .edges.map(({ from, to, metadata }) => `${from}.${metadata?.sourcePort} ${to}.${metadata?.targetPort}`)
        .sort(),
    /** Makes the edit and checks that it is one step, which undo takes back whole. Returns the graph after the edit. */
    oneStep: (edit: () => void): Graph => {
      const before = graph();
      edit();
      const after = graph();
      expect(undo.undoStack).toHaveLength(1);
      undo.undo();
      expect(graph()).toEqual(before);
      undo.redo();
      expect(graph()).toEqual(after);
      return after;
    },
  };
}

describe("[C3] an edit of a selection is one step of undo", () => {
  test("switching off: nodes of which some are off all go off, and then all on", () => {
    const { doc, graph, node, set, settings, oneStep } = page();
    const ids = [node(), node(), node()];
    set(ids[1] as string, "disabled", true);
    oneStep(() => toggleSetting(doc, graph(), ids, "disabled", true));
    expect(settings(ids, "disabled")).toEqual([true, true, true]);
    toggleSetting(doc, graph(), ids, "disabled", true);
    expect(settings(ids, "disabled")).toEqual([undefined, undefined, undefined]);
  });

  test("pinning: a pin that is there stays as it is, and a node without an output gets none", () => {
    const { doc, graph, node, set, settings, oneStep } = page();
    const [old, fresh, empty] = [node(), node(), node()];
    set(old, "pinned", { value: "old" });
    const outputs: Record<string, object> = { [old]: { value: "new" }, [fresh]: { value: "fresh" } };
    oneStep(() => togglePins(doc, graph(), [old, fresh, empty], (id) => outputs[id]));
    expect(settings([old, fresh, empty], "pinned")).toEqual([{ value: "old" }, { value: "fresh" }, undefined]);
    togglePins(doc, graph(), [old, fresh], (id) => outputs[id]);
    expect(settings([old, fresh], "pinned")).toEqual([undefined, undefined]);
  });

  test("copying: wires between the copied nodes come along, those from elsewhere do not", () => {
    const { doc, node, wire, oneStep } = page();
    const [a, b, c] = [node(0), node(400), node(800)];
    wire(a, b);
    wire(b, c);
    let copies: string[] = [];
    const { nodes, edges } = oneStep(() => {
      copies = duplicate(doc, [b, c]);
    });
    expect(nodes).toHaveLength(5);
    const touching = edges.filter(({ from, to }) => copies.includes(from) || copies.includes(to));
    expect(touching.map(({ from, to }) => new Set([from, to]))).toEqual([new Set(copies)]);
  });

  test("deleting: nodes and wires go together", () => {
    const { doc, node, wire, wires, oneStep } = page();
    const [a, b, c] = [node(), node(), node()];
    wire(a, b);
    wire(b, c);
    const id = wire(a, c, "other");
    oneStep(() => removeSelected(doc, { nodes: new Set([b]), edges: new Set([id]), notes: new Set() }));
    expect(wires()).toEqual([]);
  });
});

describe("deleting and reconnecting", () => {
  test("[C3] wires each input behind the node to what came into it, as far as the types fit, in one step", () => {
    const { doc, graph, node, wire, wires, oneStep } = page();
    const [before, gone, behind, last] = [node(), node(), node(), node()];
    wire(before, gone);
    wire(before, gone, "picture");
    wire(gone, behind);
    wire(gone, behind, "picture");
    wire(gone, last, "other");
    oneStep(() => removeAndReconnect(doc, graph(), library, new Set([gone])));
    expect(wires()).toEqual(
      [`${before}.picture ${behind}.picture`, `${before}.value ${behind}.value`, `${before}.value ${last}.other`].sort(),
    );
  });

  test("gives an input one wire where several came in", () => {
    const { doc, graph, node, wire, wires, oneStep } = page();
    const [a, b, gone, behind] = [node(), node(), node(), node()];
    wire(a, gone, "value");
    wire(b, gone, "value", "other");
    wire(gone, behind);
    oneStep(() => removeAndReconnect(doc, graph(), library, new Set([gone])));
    expect([[`${a}.value ${behind}.value`], [`${b}.value ${behind}.value`]]).toContainEqual(wires());
  });

  test("leaves an input alone that another wire still reaches", () => {
    const { doc, graph, node, wire, wires, oneStep } = page();
    const [before, gone, behind, other] = [node(), node(), node(), node()];
    wire(before, gone);
    wire(gone, behind);
    wire(other, behind, "other");
    // The same input has a wire that leads back, which stays when the one from the removed node goes.
    connect(doc, "before", { node: behind, port: "value" }, { node: behind, port: "value" }, "loop");
    oneStep(() => removeAndReconnect(doc, graph(), library, new Set([gone])));
    expect(wires()).toEqual([`${other}.other ${behind}.other`, `${behind}.value ${behind}.value`].sort());
  });

  test("wires nothing across two nodes that go together", () => {
    const { doc, graph, node, wire, wires, oneStep } = page();
    const [a, b, c, d] = [node(), node(), node(), node()];
    wire(a, b);
    wire(b, c);
    wire(c, d);
    oneStep(() => removeAndReconnect(doc, graph(), library, new Set([b, c])));
    expect(wires()).toEqual([]);
  });
});

describe("inserting a node", () => {
  test("[C3] wires what it takes from the output that it was made from, in one step", () => {
    const { doc, known, node, wires, oneStep } = page();
    const before = node();
    let made = "";
    oneStep(() => {
      const { id, join } = insertNode(doc, known(), PAINT, { x: 400, y: 0 }, { from: { node: before, port: "value" } });
      made = id;
      expect(join?.in?.input).toBe("value");
    });
    expect(wires()).toEqual([`${before}.value ${made}.value`]);
  });

  test("takes the output that fits where a whole node was chosen, and gives to an input that asks for one", () => {
    const { doc, known, node, wires } = page();
    const [before, behind] = [node(), node()];
    const { id: first } = insertNode(doc, known(), PAINT, { x: 0, y: 0 }, { from: { node: before } });
    const { id: second } = insertNode(doc, known(), PAINT, { x: 0, y: 0 }, { to: { node: behind, port: "picture" } });
    expect(wires()).toEqual([`${before}.value ${first}.value`, `${second}.picture ${behind}.picture`].sort());
  });

  test("leaves one that does not fit without a wire", () => {
    const { doc, graph, known, node, wires } = page();
    const before = node();
    expect(insertNode(doc, known(), SOUND, { x: 0, y: 0 }, { from: { node: before } }).join).toBeUndefined();
    expect(wires()).toEqual([]);
    expect(graph().nodes).toHaveLength(2);
  });

  test("makes one that takes the elements of a list run for each of them", () => {
    const { doc, graph, known, node } = page();
    const before = node(0, "each");
    insertNode(doc, known(), PAINT, { x: 0, y: 0 }, { from: { node: before, port: "list" } });
    expect(graph().edges[0]?.metadata?.map).toEqual({});
  });

  test("[C3] into a wire gives the wire two halves, of which the first keeps its condition, in one step", () => {
    const { doc, graph, known, node, wire, wires, oneStep } = page();
    const [before, behind] = [node(), node()];
    const id = wire(before, behind);
    setEdge(doc, "before", id, { when: "value != ''" });
    let made = "";
    oneStep(() => {
      const joint = jointOfWire(graph(), id);
      made = insertNode(doc, known(), PASS, { x: 0, y: 0 }, joint ?? {}).id;
    });
    expect(wires()).toEqual([`${before}.value ${made}.value`, `${made}.value ${behind}.value`].sort());
    const conditions = graph().edges.map((edge) => [edge.to === made, edge.metadata?.when]);
    expect(conditions).toEqual(
      expect.arrayContaining([
        [true, "value != ''"],
        [false, undefined],
      ]),
    );
  });

  test("into a wire that is taken after a failure is run after that failure", () => {
    const { doc, graph, known, node, wire } = page();
    const [before, behind] = [node(), node()];
    const id = wire(before, behind);
    setEdge(doc, "before", id, { kind: "on_failure" });
    const { id: made } = insertNode(doc, known(), PASS, { x: 0, y: 0 }, jointOfWire(graph(), id) ?? {});
    const kinds = Object.fromEntries(graph().edges.map(({ to, kind }) => [to, kind]));
    expect(kinds).toEqual({ [made]: "on_failure", [behind]: "normal" });
  });

  test("into a wire between lists, where it takes their elements, gives a list of what it gives for each", () => {
    const { doc, graph, known, node, wire, wires } = page();
    const [lists, other] = [node(0, "each"), node(0, "each")];
    const id = wire(lists, other, "list");
    const { id: made } = insertNode(doc, known(), PAINT, { x: 0, y: 0 }, jointOfWire(graph(), id) ?? {});
    expect(wires()).toEqual([`${lists}.list ${made}.value`, `${made}.picture ${other}.list`].sort());
    expect(graph().edges.map(({ to, metadata }) => [to, metadata?.map])).toEqual(
      expect.arrayContaining([
        [made, {}],
        [other, undefined],
      ]),
    );
  });

  test("[C3] that is there already goes into a wire where its ports fit, and else says why and changes nothing", () => {
    const { doc, graph, known, node, wire, wires, oneStep } = page();
    const [before, behind, fitting, other] = [node(), node(), node(), node(0, "sound")];
    const id = wire(before, behind);
    expect(insertIntoWire(doc, known(), other, id)).toBe("Takes audio, not string.");
    expect(graph().edges).toHaveLength(1);
    oneStep(() => expect(insertIntoWire(doc, known(), fitting, id)).toBeUndefined());
    expect(wires()).toEqual([`${before}.value ${fitting}.value`, `${fitting}.value ${behind}.value`].sort());
  });
});

test("what makes one of the other is what needs nothing more and has a type", () => {
  const { known, node } = page();
  const [from, to] = [node(), node()];
  const { graph, library } = known();
  const isConverter = converter(graph, library, { from: { node: from, port: "picture" }, to: { node: to, port: "value" } });
  const picture = { "x-artifact": "image" };
  const offered = (properties: object, required: string[], outputs: object) =>
    !("why" in isConverter({ inputs: portsOf({ properties, required }), outputs: portsOf({ properties: outputs }) }));
  const text = { text: { type: "string" } };
  expect(offered({ picture }, ["picture"], text)).toBe(true);
  expect(offered({ picture, words: { type: "string" } }, ["picture"], text)).toBe(true);
  expect(offered({ picture, words: { type: "string" } }, ["picture", "words"], text), "it needs more").toBe(false);
  expect(offered({ any: {} }, ["any"], { any: {} }), "it passes on what came").toBe(false);
});

describe("replacing a node", () => {
  test("[C3] keeps place, settings, parameters and wires of the same name and type, in one step", () => {
    const { doc, graph, known, node, wire, wires, set, oneStep } = page();
    const [before, replaced, behind] = [node(), node(200, "pass", { value: "kept", other: "a string where a number is taken" }), node()];
    wire(before, replaced);
    wire(before, replaced, "other");
    wire(replaced, behind, "picture");
    wire(replaced, behind, "value");
    set(replaced, "disabled", true);
    set(replaced, "pinned", { value: "old" });
    const after = oneStep(() => expect(replaceNode(doc, known(), replaced, PAINT)).toBe(2));
    expect(wires()).toEqual([`${before}.value ${replaced}.value`, `${replaced}.picture ${behind}.picture`].sort());
    expect(after.nodes.find(({ id }) => id === replaced)).toMatchObject({ service: "paint", name: "paint", params: { value: "kept" } });
    expect(nodeSettings(graph(), replaced)).toEqual({ disabled: true });
  });

  test.each([
    ["keeps an engine that the other capability has, too", "one", "one"],
    ["forgets an engine that the other capability has not", "gone", undefined],
  ])("%s", (_, engine, kept) => {
    const { doc, graph, known, node, set } = page();
    const replaced = node();
    set(replaced, "engine", engine);
    replaceNode(doc, known(), replaced, PAINT);
    expect(nodeSettings(graph(), replaced).engine).toBe(kept);
  });

  test("keeps what its wires are: one after a failure, one with a condition, one that only orders two nodes", () => {
    const { doc, graph, known, node, wire } = page();
    const [before, replaced, behind] = [node(), node(), node()];
    setEdge(doc, "before", wire(before, replaced), { when: "value != ''" });
    setEdge(doc, "before", wire(replaced, behind, "picture"), { kind: "on_failure" });
    connect(doc, "before", { node: before, port: "" }, { node: replaced, port: "" });
    const { edges } = graph();
    expect(edges).toHaveLength(3);
    expect(replaceNode(doc, known(), replaced, PAINT)).toBe(0);
    expect(graph().edges).toEqual(edges);
  });

  test("wires that go to a port of another name keep their condition and kind", () => {
    const { doc, graph, known, node, wire } = page();
    const [before, replaced, behind] = [node(), node(), node()];
    setEdge(doc, "before", wire(before, replaced, "picture"), { when: "output.picture != null" });
    setEdge(doc, "before", wire(replaced, behind, "picture"), { kind: "on_failure" });
    expect(replaceNode(doc, known(), replaced, DRAW)).toBe(0);
    const [into, out] = [graph().edges.find(({ to }) => to === replaced), graph().edges.find(({ from }) => from === replaced)];
    expect(into?.metadata).toMatchObject({ targetPort: "drawn", when: "output.picture != null" });
    expect([out?.metadata?.sourcePort, out?.kind]).toEqual(["made", "on_failure"]);
  });

  test("leaves a wire out where several ports would fit, and gives no input a second one", () => {
    const { doc, known, node, wire, wires } = page();
    const [before, replaced] = [node(), node()];
    wire(before, replaced, "picture");
    expect(replaceNode(doc, known(), replaced, TWO)).toBe(1);
    const other = page();
    const [source, target] = [other.node(), other.node()];
    other.wire(source, target, "value");
    other.wire(source, target, "other");
    expect(replaceNode(other.doc, other.known(), target, ONLY)).toBe(1);
    expect([wires(), other.wires()]).toEqual([[], [expect.stringMatching(/\.only$/)]]);
  });

  test("keeps a name that a person gave, and drops what a capability without ports cannot have", () => {
    const { doc, graph, known, node, wire } = page();
    const [before, replaced] = [node(), node()];
    renameNode(doc, "before", replaced, "My step");
    wire(before, replaced);
    expect(replaceNode(doc, known(), replaced, entry("none", {}, {}))).toBe(1);
    expect(graph().nodes.find(({ id }) => id === replaced)).toMatchObject({ service: "none", name: "My step" });
  });
});

describe("what a palette was opened for, when it is gone by the time something is chosen", () => {
  test("a wire: the node is left without wires, so that no input gets two", () => {
    const { doc, graph, node, wire } = page();
    const [a, b] = [node(), node(400)];
    const id = wire(a, b);
    const joint = jointOfWire(graph(), id) ?? {};
    expect(presentJoint(graph(), joint)).toEqual({ joint });
    removeSelected(doc, { nodes: new Set(), edges: new Set([id]), notes: new Set() });
    expect(presentJoint(graph(), joint)).toEqual({ joint: {}, gone: "wire" });
  });
  test("a node: there is nothing to be wired to", () => {
    const { doc, graph, node } = page();
    const a = node();
    expect(presentJoint(graph(), { from: { node: a } })).toEqual({ joint: { from: { node: a } } });
    removeSelected(doc, { nodes: new Set([a]), edges: new Set(), notes: new Set() });
    expect(presentJoint(graph(), { from: { node: a } })).toEqual({ joint: {}, gone: "node" });
  });
});

test("[C3] notes are copied with nodes or alone, and pasted where they lay to each other, as one step", () => {
  const { doc, graph, node, oneStep } = page();
  const id = node(100);
  const note = setEntry(doc, "before", "notes", undefined, {
    text: "# Why",
    position: { x: 0, y: -200 },
    size: { width: 240, height: 144 },
  });
  const places = (of: Graph) => notesOf(of).map(({ position, text }) => [position, text]);
  const both = copySelected(doc, graph(), { nodes: new Set([id]), notes: new Set([note]) });
  const alone = copySelected(doc, graph(), { nodes: new Set(), notes: new Set([note]) });
  expect([both?.nodes.length, alone?.nodes.length]).toEqual([1, 0]);
  expect(copySelected(doc, graph(), { nodes: new Set(), notes: new Set() })).toBeUndefined();
  let made = { nodes: [""], notes: [""] };
  const after = oneStep(() => {
    made = pasteCopied(doc, both as Graph, { x: 1000, y: 1000 });
  });
  expect(nodePosition(after, made.nodes[0] ?? "")).toEqual({ x: 1100, y: 1200 });
  expect(places(after)).toContainEqual([{ x: 1000, y: 1000 }, "# Why"]);
  expect(places(normalise(doc).graph)).toHaveLength(2);
});
