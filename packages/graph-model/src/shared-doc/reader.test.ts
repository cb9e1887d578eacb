// A reader that follows a document: it gives what a fresh one gives, and what no edit touched is the same object as before.
import type { Graph } from "@spindle/schemas";
import { afterEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import {
  addNode,
  connect,
  loadGraph,
  migrate,
  moveNodes,
  normalise,
  reader,
  setDefinition,
  setEdge,
  setEntry,
  setParam,
  setSetting,
} from "./index.ts";
import { editAtRandom, random } from "./random-updates.testing.ts";
import { DefinitionSheet } from "./sheet.ts";

afterEach(() => void vi.restoreAllMocks());

type Parts = Record<string, unknown>;
const record = (value: unknown): Parts => (value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Parts) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Every object of a graph whose identity is promised, by its place. */
function parts({ nodes, edges, metadata }: Graph): Map<string, unknown> {
  const { definitions, nodes: settings, interface: ends, editor } = record(metadata);
  const found = new Map<string, unknown>();
  const add = (kind: string, all: Iterable<readonly [string, unknown]>) => {
    for (const [id, value] of all) if (value !== null && typeof value === "object") found.set(`${kind} ${id}`, value);
  };
  const byId = (all: unknown) =>
    list(all).map((one, index) => [String(record(one).id ?? record(record(one).metadata).id ?? index), one] as const);
  add("node", byId(nodes));
  add("edge", byId(edges));
  add("settings of", Object.entries(record(settings)));
  add("definition", Object.entries(record(definitions)));
  for (const [name, definition] of Object.entries(record(definitions))) {
    add(`node of ${name}`, byId(record(definition).nodes));
    add(`settings in ${name} of`, Object.entries(record(record(record(definition).metadata).nodes)));
  }
  add("part", Object.entries({ definitions, settings, ends, ...record(ends), ...record(editor), edges }));
  return found;
}

/** How many objects are new of those that say the same as before. */
function expectKept(before: Graph, now: Graph, what: string): void {
  const old = parts(before);
  for (const [place, value] of parts(now))
    if (JSON.stringify(old.get(place)) === JSON.stringify(value))
      expect(old.get(place) === value, `${what}: ${place} is the same object`).toBe(true);
}

test("after each of 2,000 random commands it gives what a fresh one gives, and keeps what was not touched", { timeout: 300_000 }, () => {
  const next = random(7);
  vi.spyOn(Math, "random").mockImplementation(next);
  const [ours, theirs] = [new Y.Doc(), new Y.Doc()];
  migrate(ours);
  const read = reader(ours);
  let before = read().graph;
  for (let command = 0; command < 2000; command++) {
    // Every tenth comes from somebody else, together with what they did before; every hundredth is an import.
    const doc = next() < 0.1 ? theirs : ours;
    if (next() < 0.04) loadGraph(ours, "me", { ...before, nodes: before.nodes.slice(0, 12) as Graph["nodes"] });
    else editAtRandom(doc, next);
    if (next() < 0.1) {
      Y.applyUpdate(ours, Y.encodeStateAsUpdate(theirs));
      Y.applyUpdate(theirs, Y.encodeStateAsUpdate(ours));
    }
    const now = read();
    expect(now, `command ${command}`).toEqual(normalise(ours));
    expect(read(), "nothing was edited since").toBe(now);
    expectKept(before, now.graph, `command ${command}`);
    before = now.graph;
  }
  expect(normalise(theirs).graph.nodes.length + before.nodes.length).toBeGreaterThan(2);
});

test("what one edit costs does not depend on how large the graph is", () => {
  const costs = [10, 500].map((size) => {
    const doc = new Y.Doc();
    migrate(doc);
    const ids = Array.from({ length: size }, (_, index) =>
      addNode(doc, "me", { service: "pass", plane: "node", position: { x: index, y: 0 } }),
    );
    const wires = ids
      .slice(1)
      .map((id, index) => connect(doc, "me", { node: ids[index] as string, port: "value" }, { node: id, port: "value" }));
    const nodes = ids.map((id) => ({ id, service: "pass", plane: "node", status: "pending", params: { a: 1 } }));
    setDefinition(doc, "me", "d", { nodes, edges: [] });
    for (const id of ids) setEntry(doc, "me", "inputs", id, { label: id });
    const read = reader(doc);
    read();
    const entries = vi.spyOn(Y.Map.prototype, "entries");
    const edits: (() => void)[] = [
      () => setParam(doc, "me", ids[3] as string, "a", 2),
      () => setSetting(doc, "me", ids[3] as string, "engine", "x"),
      () => moveNodes(doc, "me", { [ids[3] as string]: { x: 1, y: 1 } }),
      () => setEdge(doc, "me", wires[3] as string, { when: "output.a" }),
      () => setParam(new DefinitionSheet(doc, "d"), "me", ids[3] as string, "a", 2),
      () => void addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } }),
    ];
    const counts = edits.map((edit) => {
      edit();
      entries.mockClear();
      read();
      return entries.mock.calls.length;
    });
    entries.mockRestore();
    return counts;
  });
  expect(costs[1]).toEqual(costs[0]);
  expect(Math.max(...(costs[0] as number[]))).toBeLessThan(14);
});

test("a move of a node leaves the node the same object, and its place a new one", () => {
  const doc = new Y.Doc();
  const id = addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 }, params: { a: { b: [1] } }, tags: ["t"] });
  const read = reader(doc);
  const before = read().graph;
  moveNodes(doc, "me", { [id]: { x: 5, y: 5 } });
  const now = read().graph;
  expect(now.nodes).toBe(before.nodes);
  expect(now.metadata).toEqual({ editor: { positions: { [id]: { x: 5, y: 5 } } } });
});

test("a document that is destroyed is followed no more", () => {
  const doc = new Y.Doc();
  const read = reader(doc);
  const before = read();
  doc.destroy();
  addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
  expect(read()).toBe(before);
});
