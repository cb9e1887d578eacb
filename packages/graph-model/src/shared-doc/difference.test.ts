// What a copy of another epoch brings to a document, and what it leaves alone. SEEDS=2000 tries more of the random ones.
import type { Graph } from "@spindle/schemas";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import {
  addNode,
  applyDifference,
  connect,
  copyOf,
  differenceTo,
  migrate,
  moveNodes,
  normalise,
  remove,
  setDefinition,
  setEntry,
  setParam,
  setSetting,
  Undo,
} from "./index.ts";
import { drawn, editAtRandom } from "./random-updates.testing.ts";
import { DefinitionSheet } from "./sheet.ts";

afterEach(() => void vi.restoreAllMocks());

const at = { x: 0, y: 0 };
const NEW = { service: "pass", plane: "node", position: at } as const;
const graphOf = (doc: Y.Doc): Graph => structuredClone(normalise(doc).graph);
const ids = (doc: Y.Doc) => normalise(doc).graph.nodes.map(({ id }) => id);
const nodeOf = (doc: Y.Doc, id: string) => normalise(doc).graph.nodes.find((node) => node.id === id);

/** A graph of two nodes and a definition, as it was put back, and the same as somebody went on with it. */
function apart() {
  const doc = new Y.Doc();
  migrate(doc);
  const a = addNode(doc, "me", NEW);
  const b = addNode(doc, "me", NEW);
  setParam(doc, "me", a, "x", 1);
  setParam(doc, "me", a, "y", 1);
  setDefinition(doc, "me", "d", { nodes: [{ id: "in", service: "pass", plane: "node", status: "pending" }], edges: [] });
  return { doc, mine: copyOf(doc), a, b };
}

test("[C1] a copy brings its nodes, wires, values and lists, and takes away nothing that only the document has", () => {
  const { doc, mine, a, b } = apart();
  const added = addNode(mine, "me", { ...NEW, position: { x: 5, y: 6 }, params: { x: 2 } });
  setSetting(mine, "me", added, "disabled", true);
  connect(mine, "me", { node: a, port: "value" }, { node: added, port: "value" });
  setParam(mine, "me", a, "x", 7);
  moveNodes(mine, "me", { [a]: { x: 50, y: 60 } });
  setEntry(mine, "me", "inputs", "seed", { label: "Seed", to: [] });
  setParam(new DefinitionSheet(mine, "d"), "me", "in", "x", 3);
  setDefinition(mine, "me", "e", { nodes: [], edges: [] });
  remove(mine, "me", [b]);
  const others = addNode(doc, "other", NEW);
  setParam(doc, "other", a, "z", 9);
  const copy = graphOf(mine);
  expect(differenceTo(doc, copy)).toEqual({ added: 4, changed: 2, others: 2 });
  applyDifference(doc, "me", copy);
  expect(ids(doc).sort()).toEqual([a, b, added, others].sort());
  expect(nodeOf(doc, a)?.params).toEqual({ x: 7, y: 1, z: 9 });
  expect(nodeOf(doc, added)?.params).toEqual({ x: 2 });
  const { graph, issues } = normalise(doc);
  expect(issues).toEqual([]);
  expect(graph.edges).toEqual(copy.edges);
  expect(graph.metadata).toMatchObject({
    nodes: { [added]: { disabled: true } },
    editor: { positions: { [a]: { x: 50, y: 60 }, [added]: { x: 5, y: 6 } } },
    interface: { inputs: [{ name: "seed", label: "Seed" }] },
    definitions: { d: { nodes: [{ id: "in", params: { x: 3 } }] }, e: {} },
  });
  expect(differenceTo(doc, copy)).toEqual({ added: 0, changed: 0, others: 2 });
});

test("[C3] what a copy brought is undone in one step", () => {
  const { doc, mine, a } = apart();
  addNode(mine, "me", NEW);
  setParam(mine, "me", a, "x", 7);
  const before = graphOf(doc);
  const undo = new Undo(doc, "me", 0);
  applyDifference(doc, "me", graphOf(mine));
  expect(graphOf(doc)).not.toEqual(before);
  undo.undo();
  expect(graphOf(doc)).toEqual(before);
});

const SEEDS = Number(process.env.SEEDS ?? 60);
test(`[C1] whatever was edited on both sides, no node of either and no value of the copy is lost (${SEEDS} times)`, {
  timeout: 300_000,
}, () => {
  let brought = 0;
  const property = fc.property(fc.gen(), (generate) => {
    const next = drawn(generate);
    vi.spyOn(Math, "random").mockImplementation(next);
    const { doc, mine } = apart();
    for (const side of [doc, mine]) for (let edits = next() * 20; edits > 0; edits--) editAtRandom(side, next);
    const copy = JSON.parse(JSON.stringify(graphOf(mine))) as Graph;
    const before = ids(doc);
    const { added, changed } = differenceTo(doc, copy);
    brought += added + changed;
    applyDifference(doc, "me", copy);
    const after = new Set(ids(doc));
    expect([...before, ...copy.nodes.map(({ id }) => id)].filter((id) => !after.has(id))).toEqual([]);
    for (const node of copy.nodes) expect(nodeOf(doc, node.id)?.params ?? {}).toMatchObject(node.params ?? {});
  });
  fc.assert(property, { numRuns: SEEDS, seed: 1, endOnFailure: true });
  expect(brought).toBeGreaterThan(SEEDS);
});
