// Pieces of a text that somebody puts between any two others by hand. SEEDS=5000 tries more of them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { EditRefused } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { addNode, nodesOf, normalise, setParam } from "./index.ts";
import { craft, drawn, type Piece, updateOf } from "./random-updates.testing.ts";

const { replay, Tried } = undivided;
type Id = [client: number, clock: number];

const LETTERS = "abc def ghi, jkl.\nmno";

/** A graph as the server holds and stores it, with one node that has a short prompt. */
class Stored {
  readonly doc = new Y.Doc();
  private readonly rows: { seq: string; bytes: Uint8Array }[] = [];
  private readonly tried = new Tried(this.doc);

  constructor() {
    this.send(
      updateOf(
        this.doc,
        (doc) => {
          addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
          setParam(doc, "me", [...nodesOf(doc).keys()][0] as string, "prompt", LETTERS);
        },
        100,
      ),
    );
  }

  edit(act: (doc: Y.Doc, node: string) => void): void {
    this.send(updateOf(this.doc, (doc) => act(doc, [...nodesOf(doc).keys()][0] as string), 101));
  }

  /** Whether it was taken. */
  send(update: Uint8Array): boolean {
    try {
      const { news } = this.tried.admit(update);
      if (!news) return false;
      this.rows.push({ seq: String(this.rows.length), bytes: news });
      Y.applyUpdate(this.doc, news);
      return true;
    } catch (error) {
      if (!(error instanceof EditRefused)) throw error;
      return false;
    }
  }

  prompt(doc = this.doc): string {
    return String(normalise(doc).graph.nodes[0]?.params?.prompt);
  }

  /** Of its prompt the letters, those deleted among them, from left to right. */
  letters(): Id[] {
    const [node] = [...nodesOf(this.doc).values()] as Y.Map<Y.Map<Y.Text>>[];
    const text = node?.get("params")?.get("prompt") as unknown as { _start: Y.Item | null };
    const ids: Id[] = [];
    for (let item = text._start; item; item = item.right)
      for (let at = 0; at < item.length; at++) ids.push([item.id.client, item.id.clock + at]);
    return ids;
  }

  /** The prompt as a page has it that opens the graph now, and as the server has it that loads its rows, or one row of all. */
  again(): string[] {
    const whole = Y.encodeStateAsUpdate(this.doc);
    const page = new Y.Doc();
    Y.applyUpdate(page, whole);
    return [page, replay(this.rows).doc, replay([{ seq: "0", bytes: whole }]).doc].map((doc) => this.prompt(doc));
  }
}

const between = (after: Id | undefined, before: Id | undefined, letter: string): Piece => ({
  ...(after && { after }),
  ...(before && { before }),
  content: new Y.ContentString(letter),
});

describe("[C5] a piece of a text", () => {
  test("whose neighbours lie the other way round is refused", () => {
    const stored = new Stored();
    const letters = stored.letters();
    for (const [right, after] of letters.entries())
      for (const before of letters.slice(0, right + 1)) expect(stored.send(craft({ 300: [between(after, before, "x")] }))).toBe(false);
    expect(stored.prompt()).toBe(LETTERS);
  });

  test.each([
    ["in another text", "b", () => [new Y.ContentString("Q"), new Y.ContentString("XD"), new Y.ContentString("X")]],
    ["as a value of a key", "count", () => [new Y.ContentString("Q"), new Y.ContentAny([1, 2]), new Y.ContentAny([1])]],
  ])("that goes on %s than where it began is refused", (_, other, make) => {
    const stored = new Stored();
    stored.edit((doc, id) => {
      setParam(doc, "me", id, "b", LETTERS);
      setParam(doc, "me", id, "count", 1);
    });
    const ends = new Map(
      [...stored.doc.store.clients.values()].flatMap((structs) =>
        structs.flatMap((item) => (item instanceof Y.Item && item.parentSub !== null ? [[item.parentSub, item] as const] : [])),
      ),
    );
    const endOf = (key: string): Id => {
      const item = ends.get(key) as Y.Item;
      const text = item.content instanceof Y.ContentType ? (item.content.type as unknown as { _start: Y.Item })._start : item;
      return [text.lastId.client, text.lastId.clock];
    };
    const [begin, rest, alone] = make() as unknown as [Y.Item["content"], Y.Item["content"], Y.Item["content"]];
    for (const [origin, elsewhere] of [
      ["prompt", other],
      [other, "prompt"],
    ] as const) {
      const client = origin === "prompt" ? 300 : 301;
      const [first, second] = origin === "prompt" ? [begin, rest] : [alone, new Y.ContentString("XYZ")];
      expect(stored.send(craft({ [client]: [{ after: endOf(origin), content: first }] }))).toBe(true);
      expect(stored.send(craft({ [client]: [{ after: endOf(elsewhere), content: second }] }))).toBe(false);
    }
    const now = stored.prompt();
    expect(stored.again()).toEqual([now, now, now]);
  });

  test("of which the server has a part is taken when somebody has replaced its text since", () => {
    const stored = new Stored();
    const empty = (doc: Y.Doc, id: string) => {
      const node = nodesOf(doc).get(id) as Y.Map<Y.Map<unknown>>;
      node.get("params")?.set("b", new Y.Text());
    };
    stored.edit(empty);
    const page = new Y.Doc();
    page.clientID = 500;
    Y.applyUpdate(page, Y.encodeStateAsUpdate(stored.doc));
    const type = (text: string) => setParam(page, "me", [...nodesOf(page).keys()][0] as string, "b", text, { isText: true });
    type("a");
    expect(stored.send(Y.encodeStateAsUpdate(page))).toBe(true);
    stored.edit(empty);
    type("abc");
    expect(stored.send(Y.encodeStateAsUpdate(page))).toBe(true);
  });

  const SEEDS = Number(process.env.SEEDS ?? 400);
  test(`is where it was when the document is loaded, wherever ${SEEDS} of people who lie put it`, { timeout: 600_000 }, () => {
    const seen = { taken: 0, refused: 0 };
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      const below = (limit: number) => Math.floor(next() * limit);
      const stored = new Stored();
      const clocks = new Map<number, number>();
      for (let round = 0; round < 8; round++) {
        const letters = stored.letters();
        const client = [3, 50, 99, 101, 200, 300][below(6)] as number;
        const clock = clocks.get(client) ?? 0;
        const left = below(letters.length + 1) - 1;
        const right = next() < 0.3 ? left + 1 : next() < 0.9 ? left + 1 + below(letters.length - left) : below(letters.length);
        const [after, before] = [letters[left], letters[right]];
        if (!after && !before) continue;
        const pieces = [between(after, before, String(round))];
        for (let more = below(3); more > 0; more--) {
          const last: Id = [client, clock + pieces.length - 1];
          pieces.push(next() < 0.5 ? between(last, before, "'") : between(after, last, ","));
        }
        const [owner, at] = letters[below(letters.length)] as Id;
        const gone: Record<number, [number, number][]> = next() < 0.3 ? { [owner]: [[at, 1]] } : {};
        if (!stored.send(craft({ [client]: pieces }, gone, { [client]: clock }))) {
          seen.refused++;
          continue;
        }
        seen.taken++;
        clocks.set(client, clock + pieces.length);
        const now = stored.prompt();
        expect(stored.again()).toEqual([now, now, now]);
      }
    });
    fc.assert(property, { numRuns: SEEDS, seed: 1 });
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(SEEDS);
  });
});
