// Several people in one document at the same moment (DESIGN C2): what each of them did stays, and all see the same.
import type { Graph } from "@spindle/schemas";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { hasErrors, validate } from "../index.ts";
import { sampleLibrary } from "../sample-library.testing.ts";
import {
  addNode,
  connect,
  copyOf,
  loadGraph,
  migrate,
  moveEntry,
  moveNodes,
  normalise,
  remove,
  removeDefinition,
  removeEntry,
  renameNode,
  setDefinition,
  setEdge,
  setEntry,
  setInterface,
  setParam,
  setSetting,
  Undo,
  Unsaved,
} from "./index.ts";
import { definitionsOf, nodesOf } from "./layout.ts";
import { drawn, editAtRandom } from "./random-updates.testing.ts";
import { DefinitionSheet } from "./sheet.ts";
import { isText } from "./text.ts";

const at = { x: 0, y: 0 };
const inside = (doc: Y.Doc) => new DefinitionSheet(doc, "d");
const record = (value: unknown) => (value ?? {}) as Record<string, unknown>;
const node = (id: string, params?: object) => ({ id, service: "pass", plane: "node", status: "pending", ...(params ? { params } : {}) });
const DEFINITION = {
  nodes: [node("a"), node("b")],
  edges: [{ from: "a", to: "b" }],
  metadata: { editor: { positions: { a: at, b: at } } },
};
const metadataOf = (doc: Y.Doc) => record(normalise(doc).graph.metadata);
const defined = (doc: Y.Doc, name = "d") =>
  record(metadataOf(doc).definitions)[name] as { nodes: Graph["nodes"]; edges: Graph["edges"]; metadata: Record<string, unknown> };
const names = (list: unknown) => (list as { name: string }[]).map((one) => one.name);

/** Documents of as many people, who all have what `first` did. */
function people(count: number, first: (doc: Y.Doc) => void = () => {}): Y.Doc[] {
  const doc = new Y.Doc();
  migrate(doc);
  first(doc);
  return Array.from({ length: count }, () => copyOf(doc));
}

/** Sends everybody's edits to everybody, in another order to each; all see the same then, which is returned. */
function meet(docs: readonly Y.Doc[]): Graph {
  const updates = docs.map((doc) => Y.encodeStateAsUpdate(doc));
  docs.forEach((doc, place) => updates.forEach((_, index) => Y.applyUpdate(doc, updates[(index + place) % docs.length] as Uint8Array)));
  const [first, ...others] = docs.map((doc) => normalise(doc));
  for (const other of others) expect(other).toEqual(first);
  return first?.graph as Graph;
}

describe("two people at once", () => {
  test("add inputs to the interface, and both stay, in one order", () => {
    for (const first of [
      () => {},
      (doc: Y.Doc) => setInterface(doc, "me", { inputs: [], outputs: [] }),
      (doc: Y.Doc) => setInterface(doc, "me", { inputs: [{ name: "seed", label: "Seed", to: [] }], outputs: [] }),
    ]) {
      const [ada, ben, cy] = people(3, first) as [Y.Doc, Y.Doc, Y.Doc];
      const before = names(record(metadataOf(ada).interface).inputs ?? []);
      setEntry(ada, "me", "inputs", "picture", { label: "Picture", to: [] });
      setEntry(ben, "me", "inputs", "sound", { label: "Sound", to: [] });
      setEntry(cy, "me", "outputs", "video", { label: "Video", from: { node: "n", port: "video" } });
      const { inputs, outputs } = record(record(meet([ada, ben, cy]).metadata).interface);
      expect(names(inputs)).toEqual([...before, "picture", "sound"]);
      expect(outputs).toEqual([{ name: "video", label: "Video", from: { node: "n", port: "video" } }]);
    }
  });
  test("in a document that nobody has edited yet lose nothing", () => {
    const [ada, ben] = [new Y.Doc(), new Y.Doc()];
    setEntry(ada, "me", "inputs", "a", { label: "A" });
    setDefinition(ada, "me", "d", DEFINITION);
    setEntry(ben, "me", "inputs", "b", { label: "B" });
    setEntry(ben, "me", "notes", "n", { text: "hello" });
    setDefinition(ben, "me", "e", DEFINITION);
    const metadata = record(meet([ada, ben]).metadata);
    expect(metadata).toMatchObject({
      interface: { inputs: [{ name: "a" }, { name: "b" }] },
      editor: { notes: [{ id: "n", text: "hello" }] },
    });
    expect(Object.keys(record(metadata.definitions)).sort()).toEqual(["d", "e"]);
  });
  test("move a node of a definition, and add one, and set another's parameter and engine", () => {
    const [ada, ben, cy] = people(3, (doc) => setDefinition(doc, "me", "d", DEFINITION)) as [Y.Doc, Y.Doc, Y.Doc];
    moveNodes(inside(ada), "me", { a: { x: 7, y: 8 } });
    const added = addNode(inside(ben), "me", { service: "pass", plane: "node", position: { x: 1, y: 1 } });
    const wire = connect(inside(ben), "me", { node: "b", port: "value" }, { node: added, port: "value" });
    setParam(inside(cy), "me", "b", "value", 3);
    setSetting(inside(cy), "me", "b", "engine", "x");
    setSetting(inside(ada), "me", "b", "disabled", true);
    meet([ada, ben, cy]);
    const { nodes, edges, metadata } = defined(ada);
    expect(nodes).toEqual([node("a"), node("b", { value: 3 }), node(added)]);
    expect(edges.map((one) => one.metadata?.id ?? "e0")).toEqual(["e0", wire]);
    expect(metadata).toEqual({
      editor: { positions: { a: { x: 7, y: 8 }, b: at, [added]: { x: 1, y: 1 } } },
      nodes: { b: { disabled: true, engine: "x" } },
    });
  });
  test("remove a node of a definition and wire to it: no wire hangs in the air", () => {
    const [ada, ben] = people(2, (doc) => setDefinition(doc, "me", "d", DEFINITION)) as [Y.Doc, Y.Doc];
    remove(inside(ada), "me", ["b"]);
    connect(inside(ben), "me", { node: "a", port: "value" }, { node: "b", port: "value" });
    meet([ada, ben]);
    expect(defined(ada)).toEqual({ nodes: [node("a")], edges: [], metadata: { editor: { positions: { a: at } } } });
  });
  test("remove a node of a definition and set its engine: no settings are left of it", () => {
    const [ada, ben] = people(2, (doc) =>
      setDefinition(doc, "me", "d", { ...DEFINITION, metadata: { nodes: { a: { engine: "x" } } } }),
    ) as [Y.Doc, Y.Doc];
    remove(inside(ada), "me", ["b"]);
    setSetting(inside(ben), "me", "b", "engine", "y");
    setSetting(inside(ben), "me", "a", "disabled", true);
    meet([ada, ben]);
    expect(defined(ada)).toEqual({ nodes: [node("a")], edges: [], metadata: { nodes: { a: { engine: "x", disabled: true } } } });
  });
  test("edit a frame and add a note and a group", () => {
    const frames = [
      { title: "Load", position: at, size: { width: 1, height: 1 } },
      { title: "Save", position: at, size: { width: 2, height: 2 } },
    ];
    const graph = {
      schema: "langgraph.v1",
      workflowId: "w",
      nodes: [],
      edges: [],
      metadata: { editor: { frames, zoom: 1 } },
    } as never as Graph;
    const [ada, ben] = people(2, (doc) => loadGraph(doc, "me", graph)) as [Y.Doc, Y.Doc];
    removeEntry(ada, "me", "frames", "0");
    setEntry(ada, "me", "frames", "0", { title: "Store" }); // the place it has now
    setEntry(ben, "me", "frames", "1", { colour: "#fff" });
    const note = setEntry(ben, "me", "notes", undefined, { text: "Why?", position: at });
    const group = setEntry(ada, "me", "groups", undefined, { title: "Sound", nodes: ["a"] });
    expect(record(meet([ada, ben]).metadata).editor).toEqual({
      frames: [{ title: "Store", position: at, size: { width: 2, height: 2 }, colour: "#fff" }],
      notes: [{ id: note, text: "Why?", position: at }],
      groups: [{ id: group, title: "Sound", nodes: ["a"] }],
      zoom: 1,
    });
  });
  test("set one edge's condition and its list settings", () => {
    const [ada, ben] = people(2, (doc) => {
      const [a, b] = [
        addNode(doc, "me", { service: "pass", plane: "node", position: at }),
        addNode(doc, "me", { service: "pass", plane: "node", position: at }),
      ];
      connect(doc, "me", { node: a, port: "value" }, { node: b, port: "value" });
    }) as [Y.Doc, Y.Doc];
    const id = String(normalise(ada).graph.edges[0]?.metadata?.id);
    setEdge(ada, "me", id, { when: "output.a" });
    setEdge(ben, "me", id, { map: { limit: 2 } });
    expect(meet([ada, ben]).edges[0]?.metadata).toMatchObject({ when: "output.a", map: { limit: 2 }, sourcePort: "value" });
    setEdge(ada, "me", id, { when: "output.a > 1" });
    setEdge(ben, "me", id, { when: "!output.a" });
    expect(meet([ada, ben]).edges[0]?.metadata?.when).toBe("!output.a > 1");
    setEdge(ada, "me", id, { when: null, map: null });
    expect(Object.keys(meet([ada, ben]).edges[0]?.metadata ?? {}).sort()).toEqual(["id", "sourcePort", "targetPort"]);
  });
  test("make something of one name: one of the two stays, whole, and the same for all", () => {
    const [ada, ben, cy] = people(3) as [Y.Doc, Y.Doc, Y.Doc];
    setDefinition(ada, "me", "d", { nodes: [node("a1"), node("a2")], edges: [{ from: "a1", to: "a2" }] });
    setDefinition(ben, "me", "d", { nodes: [node("b1"), node("b2")], edges: [{ from: "b1", to: "b2" }] });
    addNode(inside(ben), "me", { service: "pass", plane: "node", position: at });
    setEntry(ada, "me", "inputs", "x", { label: "Ada's", to: [] });
    setEntry(ben, "me", "inputs", "x", { label: "Ben's", widget: "slider" });
    const graph = meet([ada, ben, cy]);
    const { nodes, edges } = defined(cy);
    const ids = nodes.map((one) => one.id);
    expect([ids.slice(0, 2), edges]).toEqual(
      ids[0] === "a1" ? [["a1", "a2"], [{ from: "a1", to: "a2" }]] : [["b1", "b2"], [{ from: "b1", to: "b2" }]],
    );
    const { inputs } = record(record(graph.metadata).interface);
    expect([[{ name: "x", label: "Ada's", to: [] }], [{ name: "x", label: "Ben's", widget: "slider" }]]).toContainEqual(inputs);
  });
  test("delete a definition and edit inside it: it is gone for all, and the graph is whole", () => {
    const [ada, ben, cy] = people(3, (doc) => {
      setDefinition(doc, "me", "d", DEFINITION);
      addNode(doc, "me", { service: "pass", plane: "node", position: at, params: { value: 1 } });
    }) as [Y.Doc, Y.Doc, Y.Doc];
    removeDefinition(ada, "me", "d");
    setParam(inside(ben), "me", "a", "value", "x".repeat(100));
    addNode(inside(ben), "me", { service: "pass", plane: "node", position: at });
    renameNode(inside(cy), "me", "b", "Ben");
    const graph = meet([ada, ben, cy]);
    expect(graph.metadata).not.toHaveProperty("definitions");
    expect(hasErrors(validate(graph, sampleLibrary))).toBe(false);
    setParam(inside(ben), "me", "a", "value", 1);
    expect(() => addNode(inside(ben), "me", { service: "pass", plane: "node", position: at })).toThrow("There is no definition d.");
  });
  test("sort a list while another adds to it, and equal places are no obstacle", () => {
    const [ada, ben] = people(2, (doc) => ["a", "b", "c"].map((id) => setEntry(doc, "me", "inputs", id, { label: id }))) as [Y.Doc, Y.Doc];
    const inputs = () => names(record(record(meet([ada, ben]).metadata).interface).inputs);
    moveEntry(ada, "me", "inputs", "c", "a");
    setEntry(ben, "me", "inputs", "y", {});
    setEntry(ada, "me", "inputs", "x", {});
    expect(inputs()).toEqual(["c", "a", "b", "x", "y"]);
    moveEntry(ben, "me", "inputs", "c", "y");
    expect(inputs()).toEqual(["a", "b", "x", "c", "y"]);
    moveEntry(ben, "me", "inputs", "a");
    expect(inputs()).toEqual(["b", "x", "c", "y", "a"]);
  });
});

const PROMPT = "An old harbour at dawn, seen from a fishing boat, in the manner of a Dutch painting of 1650.";

describe("a text", () => {
  const typing = (text: string) => {
    const docs = people(2, (doc) => addNode(doc, "me", { service: "pass", plane: "node", position: at, params: { prompt: text } })) as [
      Y.Doc,
      Y.Doc,
    ];
    const id = normalise(docs[0]).graph.nodes[0]?.id as string;
    return { docs, id, prompt: () => meet(docs).nodes[0]?.params?.prompt };
  };
  test("typed into at both ends keeps the words of both", () => {
    const { docs, id, prompt } = typing(PROMPT);
    setParam(docs[0], "ada", id, "prompt", `Misty. ${PROMPT}`);
    setParam(docs[1], "ben", id, "prompt", `${PROMPT} No people.`);
    expect(prompt()).toBe(`Misty. ${PROMPT} No people.`);
  });
  test("whose field was open while another's words came keeps them", () => {
    const { docs, id, prompt } = typing(PROMPT);
    setParam(docs[1], "ben", id, "prompt", `${PROMPT} No people.`);
    prompt();
    setParam(docs[0], "ada", id, "prompt", `Misty. ${PROMPT}`, { base: PROMPT });
    expect(prompt()).toBe(`Misty. ${PROMPT} No people.`);
  });
  test("is one if it is prose or typed as such; a name is not, of which the last writer's is taken whole", () => {
    const { docs, id, prompt } = typing("euler");
    setParam(docs[0], "ada", id, "prompt", "euler_a");
    setParam(docs[1], "ben", id, "prompt", "2_euler");
    expect(["euler_a", "2_euler"]).toContain(prompt());
    setParam(docs[1], "ben", id, "prompt", "ddim");
    prompt();
    setParam(docs[0], "ada", id, "prompt", "euler_b", { base: "euler_a" });
    expect(prompt(), "typed while the other chose").toBe("euler_b");
    setParam(docs[0], "ada", id, "prompt", "a cat", { isText: true });
    prompt();
    setParam(docs[0], "ada", id, "prompt", "a cat in a box", { isText: true });
    setParam(docs[1], "ben", id, "prompt", "not a cat", { isText: true });
    expect(prompt()).toBe("not a cat in a box");
    setParam(docs[0], "ada", id, "prompt", undefined);
    expect(prompt()).toBeUndefined();
  });
  test("in a definition is one as well, and the undo of its words leaves the other's", () => {
    const [ada, ben] = people(2, (doc) => setDefinition(doc, "me", "d", { nodes: [node("a", { prompt: PROMPT })], edges: [] })) as [
      Y.Doc,
      Y.Doc,
    ];
    const undo = new Undo(ada, "ada", 0);
    setParam(inside(ada), "ada", "a", "prompt", `Misty. ${PROMPT}`);
    setParam(inside(ben), "ben", "a", "prompt", `${PROMPT} No people.`);
    setParam(inside(ben), "ben", "a", "seed", 3);
    meet([ada, ben]);
    addNode(inside(ada), "ada", { service: "pass", plane: "node", position: at });
    undo.undo();
    undo.undo();
    meet([ada, ben]);
    expect(defined(ben).nodes).toEqual([node("a", { prompt: `${PROMPT} No people.`, seed: 3 })]);
    undo.undo();
    expect(defined(ada).nodes, "nothing of one's own is left to undo").toHaveLength(1);
    undo.redo();
    expect(defined(ada).nodes[0]?.params?.prompt).toBe(`Misty. ${PROMPT} No people.`);
  });
  test("is saved like any edit, its deletions too", () => {
    const [ada] = people(1, (doc) => setDefinition(doc, "me", "d", { nodes: [node("a", { prompt: PROMPT })], edges: [] })) as [Y.Doc];
    const unsaved = new Unsaved(ada);
    unsaved.acknowledge(Y.encodeSnapshot(Y.snapshot(ada)));
    for (const text of [PROMPT.slice(3), `And ${PROMPT.slice(3)}`]) {
      setParam(inside(ada), "me", "a", "prompt", text);
      expect(unsaved.isEmpty).toBe(false);
      unsaved.acknowledge(Y.encodeSnapshot(Y.snapshot(ada)));
      expect(unsaved.isEmpty).toBe(true);
    }
    const before = Y.encodeStateVector(ada);
    setParam(inside(ada), "me", "a", "prompt", `And ${PROMPT.slice(3)}`);
    expect(Y.encodeStateVector(ada), "the same text again is no edit").toEqual(before);
  });
  test("is never cut within a character", () => {
    const { docs, id, prompt } = typing(`${PROMPT}😀`);
    setParam(docs[0], "ada", id, "prompt", `${PROMPT}😃`);
    expect(prompt()).toBe(`${PROMPT}😃`);
    setParam(docs[0], "ada", id, "prompt", `${PROMPT}🤃`);
    expect(prompt()).toBe(`${PROMPT}🤃`);
    setParam(docs[0], "ada", id, "prompt", `${PROMPT}😃🤃`);
    expect(prompt()).toBe(`${PROMPT}😃🤃`);
  });
});

describe("people at random", () => {
  afterEach(() => void vi.restoreAllMocks());
  const SEEDS = Number(process.env.SEEDS ?? 25);
  test(`of whom ${SEEDS} times three edit apart and meet always see the same`, { timeout: 300_000 }, () => {
    let texts = 0;
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      vi.spyOn(Math, "random").mockImplementation(next);
      const docs = people(3);
      for (const [index, doc] of docs.entries()) doc.clientID = index + 1;
      for (let round = 0; round < 6; round++) {
        for (const doc of docs) for (let edits = next() * 12; edits > 0; edits--) editAtRandom(doc, next);
        const graph = meet(docs);
        expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
        for (const [name, definition] of Object.entries(record(graph.metadata?.definitions))) {
          const { nodes, edges } = definition as typeof DEFINITION;
          const ids = new Set(nodes.map(({ id }) => id));
          expect(ids.size, `ids of ${name}`).toBe(nodes.length);
          for (const edge of edges) expect([ids.has(edge.from), ids.has(edge.to)]).toEqual([true, true]);
        }
      }
      const params = [...nodesOf(docs[0] as Y.Doc).values()].flatMap((node) => [
        ...((node as Y.Map<unknown>).get("params") as Y.Map<unknown>).values(),
      ]);
      texts += params.filter(isText).length + definitionsOf(docs[0] as Y.Doc).size;
    });
    fc.assert(property, { numRuns: SEEDS, seed: 1 });
    expect(texts, "texts and definitions at the end").toBeGreaterThan(SEEDS);
  });
});
