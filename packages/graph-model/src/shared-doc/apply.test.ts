// What an update costs that somebody makes by hand. Counted is what Yjs itself does, whatever our own count of it says: how many items it
// compares to find a place, and by how much it shifts its lists. SEEDS=200 tries more of the random ones.
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { type Random, random } from "../random.testing.ts";
import { EditRefused } from "./admit.ts";
import { LOADING, ONE_UPDATE } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { addNode, copyNodes, moveNodes, nodesOf, normalise, pasteNodes, remove, setParam, Undo } from "./index.ts";
import { craft, craftAtRandom, drawn, type Piece, updateOf } from "./random-updates.testing.ts";

const { admit, decode, replay, Tried } = undivided;

interface Cost {
  comparisons: number;
  moves: number;
}

/** Yjs puts each item that it compares into two sets, and shifts its lists by `splice`. */
function costOf(act: () => void): Cost {
  const cost = { comparisons: 0, moves: 0 };
  const { add } = Set.prototype;
  const { splice } = Array.prototype;
  Set.prototype.add = function (this: Set<unknown>, value: unknown) {
    if (value instanceof Y.Item) cost.comparisons += 0.5;
    return add.call(this, value);
  };
  Array.prototype.splice = function (this: unknown[], ...args: unknown[]) {
    if (this[0] instanceof Y.AbstractStruct) cost.moves += this.length - Number(args[0]);
    return splice.apply(this, args as Parameters<typeof splice>);
  };
  const divide = vi.spyOn(Y.ContentAny.prototype, "splice").mockImplementation(function (this: Y.ContentAny, at) {
    cost.moves += 16 * this.arr.length;
    return new Y.ContentAny(this.arr.splice(at));
  });
  try {
    act();
  } finally {
    Set.prototype.add = add;
    Array.prototype.splice = splice;
    divide.mockRestore();
  }
  return cost;
}

/** A document as the server holds it, with what is stored of it. */
class Server {
  readonly doc = new Y.Doc();
  readonly rows: { seq: string; bytes: Uint8Array }[] = [];
  private readonly tried = new Tried(this.doc);
  refused = 0;
  worst: Cost = { comparisons: 0, moves: 0 };

  send(update: Uint8Array): void {
    const structs = Y.decodeUpdate(update).structs.length;
    const within = (act: () => void) => {
      const cost = costOf(act);
      // Our own trial looks at each item once more than Yjs does.
      expect(cost.comparisons).toBeLessThanOrEqual(2 * (ONE_UPDATE.comparisons + 16 * structs));
      expect(cost.moves).toBeLessThanOrEqual(1.1 * ONE_UPDATE.moves);
      this.worst = { comparisons: Math.max(this.worst.comparisons, cost.comparisons), moves: Math.max(this.worst.moves, cost.moves) };
    };
    within(() => {
      try {
        const { news } = this.tried.admit(update);
        if (!news) return;
        this.rows.push({ seq: String(this.rows.length + 1), bytes: news });
        Y.applyUpdate(this.doc, news);
      } catch (error) {
        expect(error).toBeInstanceOf(EditRefused);
        this.refused++;
      }
    });
  }

  /** Whoever comes in later, and the server itself after a restart, pays no more. */
  expectCheap(): void {
    const structs = [...this.doc.store.clients.values()].reduce((sum, list) => sum + list.length, 0);
    const most = 2 * (LOADING.comparisons + 16 * structs);
    expect(
      costOf(() => Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(this.doc))).comparisons,
      "a page that comes in",
    ).toBeLessThanOrEqual(most);
    const load = costOf(() => expect(replay(this.rows).refused).toEqual([]));
    expect(load.comparisons, "a restart").toBeLessThanOrEqual(most);
  }
}

const MANY = 3000;
const some = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const VALUE = () => new Y.ContentAny([1]);
const letter = () => new Y.ContentString("a");
const KEY = { parent: "graph", key: "context" };
/** A map with one text in it, made by client 1: the text is (1, 1). */
const TEXT: Piece[] = [
  { parent: "nodes", key: "n", content: new Y.ContentType(new Y.Map()) },
  { parent: [1, 0], key: "text", content: new Y.ContentType(new Y.Text()) },
];
const INSIDE = { parent: [1, 1] as [number, number] };
/** Each sets the key after the one before. */
const chain = (client: number, length: number): Piece[] =>
  some(length, (at) => (at === 0 ? { ...KEY, content: VALUE() } : { after: [client, at - 1], content: VALUE() }));

/** The order of what is in a list is that in which it was sent. Each is refused at some point. */
const DEAR: Record<string, () => Uint8Array[]> = {
  "a chain of sets, and sets of another client that each follow another of them": () => [
    craft({ 10: chain(10, MANY), 20: some(MANY, (at) => ({ after: [10, MANY - 1 - at], content: VALUE() })) }),
  ],
  "the same in two updates": () => [
    craft({ 10: chain(10, MANY) }),
    craft({ 20: some(MANY, (at) => ({ after: [10, MANY - 1 - at], content: VALUE() })) }),
  ],
  "the same by a client each": () => [
    craft({ 10: chain(10, MANY) }),
    craft(Object.fromEntries(some(MANY, (at) => [1000 + at, [{ after: [10, at], content: VALUE() }]]))),
  ],
  "many first sets of a key": () => [craft(Object.fromEntries(some(MANY, (at) => [10 ** 6 - at, [{ ...KEY, content: VALUE() }]])))],
  "first sets of a key that has had many": () => [
    craft({ 10: chain(10, MANY) }),
    craft(Object.fromEntries(some(MANY, (at) => [10 ** 6 - at, [{ ...KEY, content: VALUE() }]]))),
  ],
  "a chain that others follow as it grows, each at once, so that only who loads it compares": () =>
    some(MANY, (at) =>
      craft(
        { 10: [{ ...(at === 0 ? KEY : { after: [10, at - 1] }), content: VALUE() }], [2000 + at]: [{ after: [10, at], content: VALUE() }] },
        {},
        { 10: at },
      ),
    ),
  "letters before one another, and as many behind one another at the same place": () => [
    craft({ 1: TEXT }),
    craft({ 20: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }),
    craft({
      10: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { after: [10, at - 1] }), content: at % 2 ? letter() : new Y.ContentDeleted(1) })),
      30: [{ after: [10, MANY - 1], content: letter() }],
    }),
  ],
  "two blocks of letters before one another": () => [
    craft({ 1: TEXT }),
    craft({ 20: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }),
    craft({
      10: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [10, at - 1] }), content: letter() })),
      30: [{ after: [10, MANY - 1], content: letter() }],
    }),
  ],
  "letters that name a right neighbour on their left": () => [
    craft({ 1: TEXT }),
    craft({
      10: some(MANY, (at) => ({
        ...(at === 0 ? INSIDE : { after: [10, at - 1], before: at > 1 ? [10, 0] : undefined }),
        content: letter(),
      })),
      20: some(MANY, (at) => ({ after: [10, MANY - 1 - at], before: [10, 0], content: letter() })),
    }),
  ],
};

const number = (value: number) => new Y.ContentAny([value]);
/** Letters of one client, in pairs that Yjs joins: each pair is before the one that came before it, so that it joins no further. */
const pairs = (client: number, count: number): Piece[] =>
  some(2 * count, (at) => {
    const before: [number, number] | undefined = at < 2 ? undefined : [client, at - 2 - (at % 2)];
    const place = at % 2 ? { after: [client, at - 1] as [number, number], before } : { before };
    return { ...(at === 0 ? INSIDE : place), content: letter() };
  });
const LOTS = 50_000;
/** Two maps, by client 1. */
const MAPS: Piece[] = ["a", "b"].map((key) => ({ parent: "nodes", key, content: new Y.ContentType(new Y.Map()) }));

/** They make Yjs shift its lists by as much as the square of their size, or copy as many values. Each is refused at some point. */
const SCATTERED: Record<string, () => Uint8Array[]> = {
  "pieces that Yjs joins two by two": () => [craft({ 1: TEXT }), craft({ 10: pairs(10, LOTS) })],
  "the deletion of every second letter of many pieces": () => [
    craft({ 1: TEXT }),
    craft({ 10: some(LOTS, (at) => ({ ...(at === 0 ? INSIDE : { before: [10, 2 * at - 2] }), content: new Y.ContentString("ab") })) }),
    craft({}, { 10: some(LOTS, (at) => [2 * at, 1]) }),
  ],
  "sets that divide the many values of another": () => [
    craft({ 10: [{ ...KEY, content: new Y.ContentAny(some(2 * LOTS, () => 1)) }] }),
    craft({ 20: some(LOTS, (at) => ({ after: [10, 2 * at], before: [10, 2 * at + 1], content: number(at) })) }),
  ],
  "the deletion of a map whose entries stand two by two among another's": () => [
    craft({ 1: MAPS }),
    craft({ 10: some(3 * LOTS, (at) => ({ parent: [1, at % 3 === 2 ? 1 : 0], key: `${at}`, content: number(1) })) }),
    craft({}, { 1: [[0, 1]] }),
  ],
};

describe("[C5] an update that costs more than its size", () => {
  test.each(Object.entries(DEAR))("as %s is refused before that, and leaves nothing that is dear", { timeout: 60_000 }, (_, make) => {
    const server = new Server();
    for (const update of make()) if (server.refused === 0) server.send(update);
    expect(server.refused).toBe(1);
    server.expectCheap();
    server.send(updateOf(server.doc, (doc) => void addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } })));
    expect(server.refused, "somebody else's edit").toBe(1);
  });
  test.each(Object.entries(SCATTERED))("as %s is refused before Yjs does all of it", { timeout: 60_000 }, (_, make) => {
    const server = new Server();
    for (const update of make()) if (server.refused === 0) server.send(update);
    expect(server.refused).toBe(1);
    server.expectCheap();
  });
});

describe("[C5] what builds on edits that are missing", () => {
  test("is not kept, so that whoever brings those pays for nothing but them", { timeout: 60_000 }, () => {
    const server = new Server();
    server.send(craft({ 10: chain(10, 100_000).slice(1) }, {}, { 10: 1 }));
    expect([server.rows.length, server.refused]).toEqual([0, 0]);
    server.send(craft({ 10: chain(10, 1) }));
    expect(Y.getState(server.doc.store, 10)).toBe(1);
  });
  test("costs no more where each of it is by another client", { timeout: 60_000 }, () => {
    const server = new Server();
    const filter = vi.spyOn(Array.prototype, "filter");
    server.send(craft(Object.fromEntries(some(15_000, (at) => [10 + at, [{ after: [5, at], content: number(at) }]]))));
    const looked = filter.mock.contexts.reduce<number>((sum, list) => sum + (list as unknown[]).length, 0);
    filter.mockRestore();
    expect([server.rows.length, server.refused, server.doc.store.clients.size]).toEqual([0, 0, 0]);
    expect(looked).toBeLessThan(100_000);
  });
});

/** A page of one person, who can undo. */
class Page {
  readonly doc = new Y.Doc();
  private readonly undoing = new Undo(this.doc, "me", 0);
  constructor(readonly server: Server) {
    this.meet();
  }
  meet(): void {
    this.server.send(Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(this.server.doc)));
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(this.server.doc, Y.encodeStateVector(this.doc)));
  }
  undoAll(): void {
    while (this.undoing.undoStack.length > 0) this.undoing.undo();
  }
  redoAll(): void {
    while (this.undoing.redoStack.length > 0) this.undoing.redo();
  }
}

const PROSE = "A harbour in the morning, with ships of every nation at anchor and gulls over the water.";
const prompt = (doc: Y.Doc): Y.Text =>
  ((nodesOf(doc).values().next().value as Y.Map<unknown>).get("params") as Y.Map<Y.Text>).get("a") as Y.Text;
/** A server whose document has one node with a prompt, and two people who have it open. */
function two(): { server: Server; ada: Page; ben: Page; id: string } {
  const server = new Server();
  server.send(
    updateOf(
      server.doc,
      (doc) => void addNode(doc, "x", { service: "pass", plane: "node", position: { x: 0, y: 0 }, params: { a: PROSE } }),
    ),
  );
  return { server, ada: new Page(server), ben: new Page(server), id: nodesOf(server.doc).keys().next().value as string };
}
/** Some letters at a time, of which the last is taken back; now and then elsewhere than at the end. */
function type(doc: Y.Doc, letters: number, next: Random): void {
  let at = 30;
  for (let typed = 0; typed < letters; typed += 5) {
    if (next() < 0.05) at = Math.floor(next() * prompt(doc).length);
    doc.transact(() => prompt(doc).insert(at, "abcdef"), "me");
    doc.transact(() => prompt(doc).delete(at + 5, 1), "me");
    at += 5;
  }
}

test("[C5] a piece between any two others is refused, or is there again when the document is loaded", () => {
  const start = new Y.Doc();
  const tried = new Tried(start);
  const admitted = (update: Uint8Array) => {
    const { news } = tried.admit(update);
    if (news) Y.applyUpdate(start, news);
  };
  admitted(
    updateOf(start, (doc) => [0, 1, 2].map((x) => addNode(doc, "me", { service: "pass", plane: "node", position: { x, y: 0 } })), 100),
  );
  admitted(updateOf(start, (doc) => setParam(doc, "me", [...nodesOf(doc).keys()][0] as string, "a", "te\nxt"), 101));
  const base = Y.encodeStateAsUpdate(start);
  const places = [...start.store.clients.keys()].flatMap((client) =>
    Array.from({ length: Y.getState(start.store, client) }, (_, clock): [number, number] => [client, clock]),
  );
  let taken = 0;
  for (const after of places)
    for (const before of places)
      for (const content of [new Y.ContentAny(["x"]), new Y.ContentString("x")]) {
        const live = new Y.Doc();
        Y.applyUpdate(live, base);
        try {
          const { news } = new Tried(live).admit(craft({ 300: [{ after, before, content }] }));
          if (news) Y.applyUpdate(live, news);
        } catch {
          continue;
        }
        taken++;
        const again = new Y.Doc();
        Y.applyUpdate(again, Y.encodeStateAsUpdate(live));
        expect(normalise(again), `${after} ${before}`).toEqual(normalise(live));
      }
  expect(taken).toBeGreaterThan(0);
});

describe("[C5] what people do is taken, however much it is:", () => {
  const expectAllTaken = (server: Server, ...pages: Page[]) => {
    for (const page of [...pages, ...pages]) page.meet();
    expect(server.refused).toBe(0);
    const graph = JSON.stringify(normalise(server.doc));
    for (const { doc } of pages) expect(JSON.stringify(normalise(doc)) === graph, "they see the same").toBe(true);
  };
  test("6,000 letters by each of two who were apart in one text, all of it undone, and done again", { timeout: 120_000 }, () => {
    const { server, ada, ben } = two();
    const next = random(1);
    for (const { doc } of [ada, ben]) type(doc, 6000, next);
    expectAllTaken(server, ada, ben);
    for (const page of [ada, ben]) page.undoAll();
    expectAllTaken(server, ada, ben);
    for (const page of [ada, ben]) page.redoAll();
    expectAllTaken(server, ada, ben);
    server.expectCheap();
  });
  test("3,000 nodes pasted, undone, done again and removed", { timeout: 120_000 }, () => {
    const { server, ada, ben, id } = two();
    const graph = copyNodes(ada.doc, [id]) as NonNullable<ReturnType<typeof copyNodes>>;
    const [node] = graph.nodes;
    const nodes = some(3000, (at) => ({ ...node, id: `n${at}` })) as typeof graph.nodes;
    const edges = some(2999, (at) => ({ from: `n${at}`, to: `n${at + 1}`, kind: "normal" as const, metadata: { targetPort: "a" } }));
    const ids = pasteNodes(ada.doc, "me", { ...graph, nodes, edges: edges as typeof graph.edges }, { x: 0, y: 0 });
    setParam(ben.doc, "me", id, "a", `${PROSE} And a pilot.`);
    expectAllTaken(server, ada, ben);
    ada.undoAll();
    expectAllTaken(server, ada, ben);
    ada.redoAll();
    expectAllTaken(server, ada, ben);
    remove(ben.doc, "me", ids);
    expectAllTaken(server, ada, ben);
    ben.undoAll();
    expectAllTaken(server, ada, ben);
    server.expectCheap();
  });
  test("5,000 moves of one node by each of two who were apart", { timeout: 120_000 }, () => {
    const { server, ada, ben, id } = two();
    for (const { doc } of [ada, ben]) for (let x = 0; x < 5000; x++) moveNodes(doc, "me", { [id]: { x, y: 0 } });
    expectAllTaken(server, ada, ben);
    server.expectCheap();
  });
  test("a list that one writes from the bottom up, 2,000 lines, while another writes 200 lines at its head", { timeout: 120_000 }, () => {
    const { server, ada, ben } = two();
    for (let line = 0; line < 2000; line++) ada.doc.transact(() => prompt(ada.doc).insert(0, "line\n"), "me");
    for (let line = 0; line < 200; line++) ben.doc.transact(() => prompt(ben.doc).insert(0, "head\n"), "me");
    expectAllTaken(server, ada, ben);
    server.expectCheap();
  });
  test("100 pages that each set one value while they were apart", { timeout: 120_000 }, () => {
    const { server, id } = two();
    const pages = some(100, () => new Page(server));
    for (const [x, { doc }] of pages.entries()) moveNodes(doc, "me", { [id]: { x, y: 0 } });
    for (const page of pages) page.meet();
    expect(server.refused).toBe(0);
    server.expectCheap();
  });
});

describe("an update that is taken", () => {
  const SEEDS = Number(process.env.SEEDS ?? 40);
  const ALLOWANCE = { ...ONE_UPDATE, comparisons: 60, moves: 4000 };
  test(`does what Yjs makes of it, and costs Yjs what was counted, in ${SEEDS} random documents`, { timeout: 600_000 }, () => {
    const seen = { taken: 0, refused: 0, gaps: 0 };
    const property = fc.property(fc.gen(), (generate) => {
      const next = drawn(generate);
      const replica = new Y.Doc();
      const yjs = new Y.Doc();
      const first = craft({ 1: [...TEXT, { ...KEY, content: number(0) }] });
      admit(replica, decode(first, ALLOWANCE.parts));
      Y.applyUpdate(yjs, first);
      for (let round = 0; round < 8; round++) {
        const update = craftAtRandom(yjs, next);
        const cost = costOf(() => Y.applyUpdate(yjs, update));
        const isWhole = yjs.store.pendingStructs === null && yjs.store.pendingDs === null;
        yjs.store.pendingStructs = null;
        yjs.store.pendingDs = null;
        try {
          const { gap } = admit(replica, decode(update, ALLOWANCE.parts), ALLOWANCE);
          expect(gap).toBe(!isWhole);
        } catch (error) {
          if (!(error instanceof EditRefused)) throw error;
          seen.refused++;
          return;
        }
        expect(cost.comparisons).toBeLessThanOrEqual(ALLOWANCE.comparisons + 16 * Y.decodeUpdate(update).structs.length);
        expect(Y.encodeStateAsUpdate(replica)).toEqual(Y.encodeStateAsUpdate(yjs));
        if (!isWhole) seen.gaps++;
        seen.taken++;
      }
    });
    fc.assert(property, { numRuns: SEEDS, seed: 1 });
    expect(Math.min(seen.taken / 4, seen.refused, seen.gaps)).toBeGreaterThan(SEEDS / 10);
  });
});
