// The edits of a selection, on a document with an undo manager as the page has it.
import { type Graph, type Library, type NodeDefinition, nodeSettings, portsOf } from "@spindle/graph-model";
import { addNode, connect, normalise, rootsOf, setSetting } from "@spindle/graph-model/shared-doc";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import { duplicate, removeAndReconnect, removeSelected, togglePins, toggleSetting } from "./edits";

const ports = { value: { type: "string" }, other: { type: "string" }, picture: { "x-artifact": "image" } };
const PASS = {
  plane: "node",
  service: "pass",
  inputs: portsOf({ properties: ports }),
  outputs: portsOf({ properties: ports }),
  parameters: [],
  engines: [],
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === "pass" ? PASS : undefined), all: () => [PASS] };

/** A document, and how many steps of undo an edit of it makes. */
function page() {
  const doc = new Y.Doc();
  const undo = new Y.UndoManager(rootsOf(doc), { trackedOrigins: new Set([ME]), captureTimeout: 0 });
  const graph = (): Graph => normalise(doc).graph;
  return {
    doc,
    graph,
    node: (x = 0) => addNode(doc, "before", { service: "pass", plane: "node", position: { x, y: 0 } }),
    wire: (from: string, to: string, source = "value", target = source) =>
      connect(doc, "before", { node: from, port: source }, { node: to, port: target }),
    set: (id: string, name: "disabled" | "pinned", value: unknown) => setSetting(doc, "before", id, name, value),
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
    oneStep(() => removeSelected(doc, { nodes: new Set([b]), edges: new Set([id]) }));
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
