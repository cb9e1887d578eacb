// Undo in texts that were deleted as a whole, and brought back (DESIGN C3).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { undivided } from "./at-once.testing.ts";
import { copyOf, nodesOf, normalise, remove, setParam } from "./index.ts";
import { first, N, type Person, PROSE, params, people } from "./people.testing.ts";
import { drawn } from "./random-updates.testing.ts";

const SEEDS = Number(process.env.SEEDS ?? 20);
const shown = ({ doc }: Person) => normalise(doc).graph;

/** Each list is the same from the left as from the right. */
function expectInOrder(doc: Y.Doc): void {
  for (const structs of doc.store.clients.values())
    for (const item of structs) {
      if (!(item instanceof Y.Item)) continue;
      if (item.left) expect(item.left.right === item).toBe(true);
      if (item.right) expect(item.right.left === item).toBe(true);
    }
}

describe("[C3] what comes back of a text that was deleted as a whole", () => {
  test("is between what came of its old neighbours, whatever was written into those since, and the server takes it", () => {
    const [ada] = people(first);
    const server = new undivided.Tried(copyOf(ada.doc));
    ada.doc.on("update", (update) => {
      const { news } = server.admit(update);
      if (news) Y.applyUpdate(server.doc, news);
    });
    setParam(ada.doc, "ada", N, "prompt", PROSE.replace("seen ", ""));
    remove(ada.doc, "ada", [N], []);
    ada.undo.undo();
    setParam(ada.doc, "ada", N, "prompt", PROSE.replace("seen ", "").replace("old", "old, BIG"));
    ada.undo.undo();
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(PROSE);
    expect(normalise(server.doc).graph).toEqual(shown(ada));
  });

  const SHORT = "0123456\n89";
  test.each<[string, (type: (text: string) => void, ada: Person) => void]>([
    [
      "which was joined to what follows it",
      (type, { undo }) => {
        type("01234a\n89");
        undo.stopCapturing();
        type("01234a\n89boat, ");
        type("01234aoat, ");
        undo.undo();
      },
    ],
    ["which was divided since", (type) => type("boat, 56\n89")],
  ])("is taken back whole and alone, of a step %s", (_, act) => {
    const [ada] = people((doc) => {
      first(doc);
      setParam(doc, "first", N, "prompt", SHORT);
    }, 1e9);
    const type = (text: string) => setParam(ada.doc, "ada", N, "prompt", text);
    act(type, ada);
    ada.undo.stopCapturing();
    remove(ada.doc, "ada", [N], []);
    ada.undo.undo();
    type("b\n 56\n89");
    ada.undo.undo();
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(SHORT);
    expectInOrder(ada.doc);
  });

  test("leaves what stands before and behind each piece as it is, also of a step that took away more than it brought", () => {
    const [ada] = people(first, 1e9);
    const type = (text: string) => setParam(ada.doc, "ada", N, "prompt", text);
    type(PROSE.replace("dawn", "dawn harbour"));
    ada.undo.stopCapturing();
    type(PROSE.replace("dawn", "dawn harbours"));
    type(PROSE.replace("dawn", "dawn harb"));
    ada.undo.stopCapturing();
    remove(ada.doc, "ada", [N], []);
    for (let times = 0; times < 3; times++) ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(PROSE);
    expectInOrder(ada.doc);
  });

  test.each([
    ["was deleted as well, and brought back", "0123456\n89", "0156\n89", ""],
    ["was written over, and brought back", "0123456\n89", "0156\n89", "a"],
    ["was deleted in part, and brought back", "An old harbour at dawn\n", "An old at dawn\n", "An dawn\n"],
  ])("is at its old place where what stood around it %s", (_, before, less, since) => {
    const [ada] = people((doc) => {
      first(doc);
      setParam(doc, "first", N, "prompt", before);
    });
    const type = (text: string) => setParam(ada.doc, "ada", N, "prompt", text, { isText: true });
    type(less);
    remove(ada.doc, "ada", [N], []);
    ada.undo.undo();
    type(since);
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(less);
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(before);
    expectInOrder(ada.doc);
  });

  test.each([
    ["taken away", (ada: Person) => setParam(ada.doc, "ada", N, "prompt", undefined)],
    ["deleted with its node", (ada: Person) => remove(ada.doc, "ada", [N], [])],
  ])("is at its old place where in one step something was typed in between and the text %s", (_, act) => {
    const [ada] = people((doc) => {
      first(doc);
      setParam(doc, "first", N, "prompt", "ab\nef", { isText: true });
    }, 1e9);
    const type = (text: string) => setParam(ada.doc, "ada", N, "prompt", text, { isText: true });
    type("oab\nef");
    ada.undo.stopCapturing();
    type("ab\nef");
    type("ab\neXf");
    act(ada);
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe("oab\nef");
  });

  test("is not torn apart at a letter of two units", () => {
    const text = "ab😀cdef\n";
    const [ada, , cy] = people((doc) => {
      first(doc);
      setParam(doc, "first", N, "prompt", text);
    });
    setParam(ada.doc, "ada", N, "prompt", text.replace("cd", ""));
    for (let times = 0; times < 2; times++) {
      remove(ada.doc, "ada", [N], []);
      ada.undo.undo();
    }
    ada.undo.undo();
    expect(params(ada, N)?.prompt).toBe(text);
    Y.applyUpdate(cy.doc, Y.encodeStateAsUpdate(ada.doc));
    expect(params(cy, N)?.prompt).toBe(text);
  });

  test("comes back in one go, of however many pieces", () => {
    const [ada] = people((doc) => {
      first(doc);
      setParam(doc, "first", N, "prompt", "a\n", { isText: true });
    });
    const text = () => ((nodesOf(ada.doc).get(N) as Y.Map<Y.Map<Y.Text>>).get("params") as Y.Map<Y.Text>).get("prompt") as Y.Text;
    ada.doc.transact(() => {
      for (let at = 0; at < 100_000; at++) text().insert(0, "b"); // each a piece: it is written before the others
    });
    const before = text().toString();
    remove(ada.doc, "ada", [N], []);
    ada.undo.undo();
    expect(text().toString()).toBe(before);
  });

  test(`is what was there before each step, all the way back and forth (${SEEDS} scripts)`, { timeout: 300_000 }, () => {
    let steps = 0;
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      const below = (limit: number) => Math.floor(next() * limit);
      const [ada] = people(first, 1e9);
      const back: unknown[] = [];
      const forth: unknown[] = [];
      const expectStep = (from: unknown[], to: unknown[], act: () => unknown) => {
        const was = shown(ada);
        const before = from.pop();
        expect(act() === null).toBe(before === undefined);
        expect(shown(ada)).toEqual(before ?? was);
        if (before) to.push(was);
        steps++;
      };
      const undo = () => expectStep(back, forth, () => ada.undo.undo());
      const redo = () => expectStep(forth, back, () => ada.undo.redo());
      const edit = () => {
        const text = params(ada, N)?.prompt;
        const chance = next();
        if (chance < 0.15) remove(ada.doc, "ada", [N], []);
        else if (chance < 0.35) setParam(ada.doc, "ada", N, "prompt", next() < 0.5 ? undefined : `${PROSE}!`, { isText: true });
        else if (typeof text === "string") {
          const at = below(text.length + 1);
          const typed = ["", "harbour ", "\n", "a", "boat, "][below(5)] as string;
          setParam(ada.doc, "ada", N, "prompt", text.slice(0, at) + typed + text.slice(at + below(6)), { isText: true });
        }
      };
      for (let step = 0; step < 40; step++) {
        const chance = next();
        if (chance < 0.15) redo();
        else if (chance < 0.4) undo();
        else if (params(ada, N)) {
          back.push(shown(ada));
          forth.length = 0;
          ada.undo.stopCapturing();
          setParam(ada.doc, "ada", N, "x", step + 1); // so that no step comes to nothing
          for (let edits = below(4); edits > 0; edits--) edit();
        }
      }
      while (back.length > 0) undo();
      while (forth.length > 0) redo();
      expectInOrder(ada.doc);
    });
    fc.assert(property, { numRuns: SEEDS, seed: 5, endOnFailure: true });
    expect(steps).toBeGreaterThan(SEEDS);
  });

  test(`is never refused, to three who type, delete and take back, apart and together (${SEEDS} scripts)`, { timeout: 300_000 }, () => {
    let undone = 0;
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      const below = (limit: number) => Math.floor(next() * limit);
      const all = people(first);
      const server = new undivided.Tried(copyOf(all[0].doc));
      /** Brings what one has to the server, and the server's to that one. */
      const bring = ({ doc }: Person) => {
        const { news } = server.admit(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server.doc)));
        if (news) Y.applyUpdate(server.doc, news);
        Y.applyUpdate(doc, Y.encodeStateAsUpdate(server.doc, Y.encodeStateVector(doc)));
      };
      for (let step = 0; step < 60; step++) {
        const person = all[below(3)] as Person;
        const [id, text] = [N, params(person, N)?.prompt];
        const chance = next();
        if (chance < 0.4 && typeof text === "string") {
          const at = below(text.length + 1);
          const typed = next() < 0.6 ? (["harbour ", "\n", "a", "boat, "][below(4)] as string) : "";
          setParam(person.doc, person.name, id, "prompt", text.slice(0, at) + typed + text.slice(at + below(6)), { isText: true });
        } else if (chance < 0.45 && text !== undefined)
          setParam(person.doc, person.name, id, "prompt", next() < 0.3 ? undefined : `${PROSE}!`);
        else if (chance < 0.52) remove(person.doc, person.name, [id], []);
        else if (chance < 0.68) undone += Number(person.undo.undo() !== null);
        else if (chance < 0.75) person.undo.redo();
        else bring(person);
      }
      for (const person of [...all, ...all]) bring(person);
      for (const person of all) expect(shown(person)).toEqual(normalise(server.doc).graph);
    });
    fc.assert(property, { numRuns: SEEDS, seed: 4, endOnFailure: true });
    expect(undone).toBeGreaterThan(SEEDS);
  });
});
