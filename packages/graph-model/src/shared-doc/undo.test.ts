// Undo among several people (DESIGN C3): what one takes back is one's own, and all of it.
import type { Graph } from "@spindle/schemas";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  addNode,
  connect,
  moveNodes,
  normalise,
  remove,
  removeDefinition,
  renameNode,
  setDefinition,
  setEdge,
  setEntry,
  setParam,
  setSetting,
} from "./index.ts";
import { AT, first, meet, N, nodeIn, type Person, PROSE, params, people } from "./people.testing.ts";
import { drawn, editAtRandom, type Random } from "./random-updates.testing.ts";
import { DefinitionSheet } from "./sheet.ts";

const SEEDS = Number(process.env.SEEDS ?? 20);
const shown = ({ doc }: Person) => normalise(doc).graph;

describe("[C3] undo", () => {
  test("of a value that another has set since leaves the other's, and takes back what was done before it", () => {
    const [ada, ben] = people(first);
    renameNode(ada.doc, "ada", N, "Ada's");
    setParam(ada.doc, "ada", N, "x", "ada 1");
    meet(ada, ben);
    setParam(ben.doc, "ben", N, "x", "ben 2");
    meet(ada, ben);
    ada.undo.undo();
    expect(params(ada, N)?.x).toBe("ben 2");
    expect(nodeIn(shown(ada), N)?.name).toBeUndefined();
  });

  test("of two edits between which another set the value gives the other's, and stays there", () => {
    const [ada, ben] = people(first);
    setParam(ada.doc, "ada", N, "x", "ada 1");
    meet(ada, ben);
    setParam(ben.doc, "ben", N, "x", "ben 2");
    meet(ada, ben);
    setParam(ada.doc, "ada", N, "x", "ada 3");
    ada.undo.undo();
    expect(params(ada, N)?.x).toBe("ben 2");
    ada.undo.undo();
    expect(params(ada, N)?.x).toBe("ben 2");
    ada.undo.redo();
    expect(params(ada, N)?.x).toBe("ada 3");
  });

  test("of a value that another has taken away since leaves it away", () => {
    const [ada, ben] = people(first);
    setParam(ada.doc, "ada", N, "x", "ada 1");
    meet(ada, ben);
    setParam(ben.doc, "ben", N, "x", undefined);
    meet(ada, ben);
    ada.undo.undo();
    expect(params(ada, N)).not.toHaveProperty("x");
  });

  test("of a deletion gives back every field, whatever another did in the node at the same moment", () => {
    const [ada, ben, cy] = people(first);
    setSetting(ada.doc, "first", N, "engine", "one");
    meet(ada, ben, cy);
    const before = shown(ada);
    remove(ada.doc, "ada", [N]);
    setParam(ben.doc, "ben", N, "x", "ben");
    setParam(ben.doc, "ben", N, "prompt", `Misty. ${PROSE}`);
    moveNodes(cy.doc, "cy", { [N]: { x: 7, y: 8 } });
    setSetting(cy.doc, "cy", N, "engine", "two");
    expect(meet(ada, ben, cy).nodes).toEqual([]);
    ada.undo.undo();
    expect(meet(ada, ben, cy)).toEqual(before);
    ada.undo.redo();
    expect(meet(ada, ben, cy).nodes).toEqual([]);
    ada.undo.undo();
    expect(meet(ada, ben, cy)).toEqual(before);
  });

  test("of a deletion gives back what others had set in the node before it, and edits of before it can still be taken back", () => {
    const [ada, ben] = people(first);
    setParam(ada.doc, "ada", N, "x", "ada 1");
    setParam(ada.doc, "ada", N, "prompt", `${PROSE} No people.`);
    meet(ada, ben);
    setParam(ben.doc, "ben", N, "y", "ben 2");
    setParam(ben.doc, "ben", N, "prompt", `Misty. ${PROSE} No people.`);
    meet(ada, ben);
    remove(ada.doc, "ada", [N]);
    ada.undo.undo();
    expect(params(ada, N)).toEqual({ x: "ada 1", y: "ben 2", prompt: `Misty. ${PROSE} No people.` });
    ada.undo.undo();
    ada.undo.undo();
    expect(params(ada, N)).toEqual({ x: 0, y: "ben 2", prompt: `Misty. ${PROSE}` });
    for (let times = 0; times < 3; times++) ada.undo.redo();
    expect(shown(ada).nodes).toEqual([]);
  });

  test("of what was done in a node that another has deleted since it was brought back does nothing, and goes on before that", () => {
    const [ada, ben] = people(first);
    setEntry(ada.doc, "ada", "notes", "note", { text: "ada" });
    setParam(ada.doc, "ada", N, "x", "ada 1");
    setParam(ada.doc, "ada", N, "prompt", PROSE.slice(9));
    remove(ada.doc, "ada", [N]);
    ada.undo.undo();
    meet(ada, ben);
    remove(ben.doc, "ben", [N]);
    meet(ada, ben);
    ada.undo.undo();
    expect(meet(ada, ben).nodes).toEqual([]);
    expect(shown(ada).metadata).not.toHaveProperty("editor");
    expect(ada.undo.canUndo()).toBe(false);
  });

  test("of a removal gives the value back after another that was set since has been taken back", () => {
    const [ada] = people(first);
    setParam(ada.doc, "ada", N, "x", undefined);
    setParam(ada.doc, "ada", N, "x", "again");
    removeDefinition(ada.doc, "ada", "d");
    setDefinition(ada.doc, "ada", "d", { nodes: [], edges: [] });
    const definition = () => (shown(ada).metadata?.definitions as Record<string, { nodes: unknown[] }> | undefined)?.d;
    expect([params(ada, N)?.x, definition()?.nodes.length]).toEqual(["again", 0]);
    for (let times = 0; times < 4; times++) ada.undo.undo();
    expect([params(ada, N)?.x, definition()?.nodes.length]).toEqual([0, 1]);
    for (let times = 0; times < 4; times++) ada.undo.redo();
    expect([params(ada, N)?.x, definition()?.nodes.length]).toEqual(["again", 0]);
  });

  test("of a removal gives the value back also where something else was done and taken back in between", () => {
    const [ada] = people(first);
    setParam(ada.doc, "ada", N, "x", undefined);
    setParam(ada.doc, "ada", N, "x", "again");
    ada.undo.undo();
    setParam(ada.doc, "ada", N, "y", 1);
    for (let times = 0; times < 2; times++) ada.undo.undo();
    expect(params(ada, N)?.x).toBe(0);
  });
  test("of a removal gives the value back also where a later step set it and took it away", () => {
    const [ada] = people(first, 1e9);
    setParam(ada.doc, "ada", N, "x", undefined);
    ada.undo.stopCapturing();
    setParam(ada.doc, "ada", N, "x", 8);
    setParam(ada.doc, "ada", N, "x", undefined);
    setParam(ada.doc, "ada", N, "y", 1);
    for (let times = 0; times < 2; times++) ada.undo.undo();
    expect(params(ada, N)?.x).toBe(0);
  });

  test("of edits that are one step gives what was there before the first of them", () => {
    const [ada, ben] = people(first, 60_000);
    setParam(ada.doc, "ada", N, "x", "ada 1");
    meet(ada, ben);
    setParam(ben.doc, "ben", N, "x", "ben 2");
    meet(ada, ben);
    setParam(ada.doc, "ada", N, "x", "ada 3");
    setParam(ada.doc, "ada", N, "y", "ada 4");
    remove(ada.doc, "ada", [N]);
    ada.undo.undo();
    expect(params(ada, N)).toEqual({ x: "ben 2", y: 0, prompt: PROSE });
  });

  test("in a definition, of an edge's settings and of an entry leaves the other's as well", () => {
    const [ada, ben] = people((doc) => {
      first(doc);
      setEntry(doc, "first", "notes", "note", { text: "a", colour: "red" });
      connect(doc, "first", { node: N, port: "value" }, { node: N, port: "value" }, "loop");
    });
    const edge = String(shown(ada).edges[0]?.metadata?.id);
    setParam(new DefinitionSheet(ada.doc, "d"), "ada", "n", "x", "ada");
    setEntry(ada.doc, "ada", "notes", "note", { text: "ada", colour: "green" });
    setEdge(ada.doc, "ada", edge, { when: "output.a", loop: { maxIterations: 3 } });
    meet(ada, ben);
    setParam(new DefinitionSheet(ben.doc, "d"), "ben", "n", "x", "ben");
    setEntry(ben.doc, "ben", "notes", "note", { text: "ben" });
    setEdge(ben.doc, "ben", edge, { loop: { maxIterations: 5 } });
    meet(ada, ben);
    while (ada.undo.canUndo()) ada.undo.undo();
    const { metadata, edges } = meet(ada, ben) as unknown as { metadata: Record<string, never>; edges: Graph["edges"] };
    expect(metadata.definitions).toMatchObject({ d: { nodes: [{ params: { x: "ben" } }] } });
    expect(metadata.editor).toMatchObject({ notes: [{ text: "ben", colour: "red" }] });
    expect(edges[0]?.metadata).toMatchObject({ loop: { maxIterations: 5 } });
    expect(edges[0]?.metadata).not.toHaveProperty("when");
  });
});

describe("[C3] undo by three people at random", () => {
  afterEach(() => void vi.restoreAllMocks());
  /** Runs a script of edits and of steps of `act`, after each of which some of them meet. */
  const script = (
    captureTimeout: number,
    edit: (person: Person, next: Random, at: number) => void,
    act: (person: Person, next: Random) => void,
  ) =>
    fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      vi.spyOn(Math, "random").mockImplementation(next);
      const all = people((doc) => {
        first(doc);
        addNode(doc, "first", { service: "pass", plane: "node", position: AT, params: { x: 0, prompt: PROSE } });
      }, captureTimeout);
      let now = 1;
      vi.spyOn(Date, "now").mockImplementation(() => now);
      for (let at = 0; at < 60; at++) {
        now += Math.floor(next() * 600);
        const person = all[Math.floor(next() * 3)] as Person;
        if (next() < 0.6) edit(person, next, at);
        else act(person, next);
        if (next() < 0.3) meet(...all.filter(() => next() < 0.7));
      }
      meet(...all);
      vi.restoreAllMocks();
    });
  const anything = ({ doc, name }: Person, next: Random) => {
    const transact = doc.transact.bind(doc);
    doc.transact = (change: never) => transact(change, name) as never;
    editAtRandom(doc, next);
    doc.transact = transact;
  };

  test(`and redo after it changes nothing (${SEEDS} scripts)`, { timeout: 300_000 }, () => {
    let done = 0;
    const act = (person: Person, next: Random) => {
      for (let times = 1 + Math.floor(next() * 3); times > 0; times--) if (next() < 0.5) person.undo.undo();
      const before = shown(person);
      let undone = 0;
      for (let times = 1 + Math.floor(next() * 4); times > 0; times--) if (person.undo.undo()) undone++;
      for (let times = 0; times < undone; times++) expect(person.undo.redo(), "each step can be done again").not.toBeNull();
      expect(shown(person)).toEqual(before);
      done += undone;
    };
    fc.assert(script(300, anything, act), { numRuns: SEEDS, seed: 1, endOnFailure: true });
    expect(done).toBeGreaterThan(SEEDS);
  });

  test(`takes nothing of what another set last (${SEEDS} scripts)`, { timeout: 300_000 }, () => {
    let kept = 0;
    const set = ({ doc, name }: Person, next: Random, at: number) => {
      const { nodes } = normalise(doc).graph;
      const { id } = nodes[Math.floor(next() * nodes.length)] ?? {};
      if (id === undefined) return;
      if (next() < 0.15) remove(doc, name, [id]);
      else setParam(doc, name, id, next() < 0.5 ? "x" : "y", next() < 0.2 ? undefined : `${name} ${at}`);
    };
    const act = (person: Person, next: Random) => {
      const before = shown(person);
      if (next() < 0.3) return void person.undo.redo();
      person.undo.undo();
      const after = shown(person);
      for (const { id, params: now } of after.nodes)
        for (const [key, value] of Object.entries(nodeIn(before, id)?.params ?? {})) {
          if (typeof value !== "string" || key === "prompt" || value.startsWith(person.name)) continue;
          expect(now?.[key], `${key} of ${id}`).toBe(value);
          kept++;
        }
    };
    fc.assert(script(300, set, act), { numRuns: SEEDS, seed: 2, endOnFailure: true });
    expect(kept).toBeGreaterThan(SEEDS);
  });

  test(`of a deletion gives every field back (${SEEDS} scripts)`, { timeout: 300_000 }, () => {
    let back = 0;
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      const all = people(first);
      const [ada, ...others] = all;
      vi.spyOn(Math, "random").mockImplementation(next);
      for (let round = 0; round < 5; round++) {
        for (const person of all) for (let edits = next() * 6; edits > 0; edits--) anything(person, next);
        meet(...all);
        const before = shown(ada);
        const gone = before.nodes.filter(() => next() < 0.4);
        if (gone.length === 0) continue;
        remove(
          ada.doc,
          ada.name,
          gone.map(({ id }) => id),
        );
        for (const person of others) for (let edits = next() * 6; edits > 0; edits--) anything(person, next);
        meet(...all);
        ada.undo.undo();
        const after = meet(...all);
        for (const { id, ...fields } of gone) {
          const { params: had, ...rest } = fields;
          const now = nodeIn(after, id);
          expect(Object.keys(now?.params ?? {})).toEqual(expect.arrayContaining(Object.keys(had ?? {})));
          expect(now).toMatchObject(rest);
          back++;
        }
      }
      vi.restoreAllMocks();
    });
    fc.assert(property, { numRuns: SEEDS, seed: 3, endOnFailure: true });
    expect(back).toBeGreaterThan(SEEDS / 2);
  });
});
