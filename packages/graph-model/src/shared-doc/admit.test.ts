// What a document as a whole may come to, and what an edit of a large one costs.
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { EditRefused, Tried as Stepwise } from "./admit.ts";
import { atOnce, ONE_UPDATE } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { craft, type Piece } from "./random-updates.testing.ts";

const { decode, replay, Tried } = undivided;
const admit = (replica: Y.Doc, update: Uint8Array) => undivided.admit(replica, decode(update, ONE_UPDATE.parts));

const MANY = 3000;
const some = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const number = (value: number) => new Y.ContentAny([value]);
const letter = () => new Y.ContentString("a");
const KEY = { parent: "graph", key: "context" };
/** A map with one text in it, made by client 1: the text is (1, 1). */
const TEXT: Piece[] = [
  { parent: "nodes", key: "n", content: new Y.ContentType(new Y.Map()) },
  { parent: [1, 0], key: "text", content: new Y.ContentType(new Y.Text()) },
];
const INSIDE = { parent: [1, 1] as [number, number] };

test("[C5] an update with documents inside is refused before one of them is made", () => {
  const update = craft({ 10: some(MANY, (at) => ({ parent: "nodes", key: `${at}`, content: new Y.ContentDoc(new Y.Doc()) })) });
  const tried = new Tried(new Y.Doc());
  tried.admit(craft({ 9: [{ ...KEY, content: number(0) }] }));
  const made = vi.spyOn(Y.Doc.prototype, "on");
  expect(() => tried.admit(update)).toThrow(EditRefused);
  const listening = new Set(made.mock.contexts);
  made.mockRestore();
  expect(listening.size).toBeLessThanOrEqual(1); // the replica
});

describe("[C5] of several values of a key in one piece", () => {
  const several: Piece = { ...KEY, content: new Y.ContentAny([1, 2]) };
  test.each([
    ["stand", craft({ 9: [several] })],
    ["stand but for the last", craft({ 9: [several] }, { 9: [[1, 1]] })],
    ["stand around another", craft({ 9: [several, { after: [9, 0], before: [9, 1], content: number(3) }] })],
  ])("those are refused that %s: what takes their node away would fail", (_, update) => {
    const tried = new Tried(new Y.Doc());
    expect(() => tried.admit(update)).toThrow("neither a map, a text nor JSON");
  });

  test("those are taken that were overwritten, also where they are deleted in a later step", () => {
    const page = new Y.Doc({ gc: false });
    for (let value = 0; value < 5; value++) page.getMap("graph").set("context", value);
    const doc = new Y.Doc();
    const { news, gap } = atOnce(new Stepwise(doc).admit(Y.encodeStateAsUpdate(page), ONE_UPDATE, 1));
    for (const update of news) Y.applyUpdate(doc, update);
    expect([gap, news.length > 1, doc.getMap("graph").get("context")]).toEqual([false, true, 4]);
  });
});

describe("[C5] a document", () => {
  const byClients = (count: number) =>
    craft(Object.fromEntries(some(count, (at) => [10 + at, [{ parent: "collapsed", key: `${at}`, content: number(1) }]])));
  const TOO_MANY = "More than 16,384 pages have edited the graph. Export it, and import it as a new one.";
  const edit = craft({ 5: [{ ...KEY, content: number(0) }] });
  test("that as many pages have edited as may takes no edit of another; one of before the limit is read", { timeout: 60_000 }, () => {
    expect(() => new Tried(new Y.Doc()).admit(byClients(2 ** 14 + 1))).toThrow(TOO_MANY);
    const full = replay([{ seq: "1", bytes: byClients(2 ** 14) }]).doc;
    expect(() => new Tried(full).admit(edit)).toThrow(TOO_MANY);
    const own = craft({ 10: [{ ...KEY, content: number(0) }] }, {}, { 10: 1 });
    expect(new Tried(full).admit(own).news, "of a page that has edited it").toBeDefined();
    const { doc, refused } = replay([{ seq: "1", bytes: byClients(30_000) }]);
    expect([refused, doc.store.clients.size]).toEqual([[], 30_000]);
    const tried = new Tried(doc);
    expect(() => tried.admit(edit)).toThrow(TOO_MANY);
    expect(tried.admit(craft({}, { 10: [[0, 1]] })).news, "a deletion").toBeDefined();
  });
  test("of too long a history takes nothing but deletions, and is read", { timeout: 60_000 }, () => {
    const rows = some(3, (part) => ({
      seq: `${part}`,
      bytes: craft({
        [10 + part]: some(200_000, (at) => ({ parent: "collapsed", key: `${part} ${at % 500}`, content: number(at) })).map((piece, at) =>
          at < 500 ? piece : { after: [10 + part, at - 500] as [number, number], content: piece.content },
        ),
      }),
    }));
    const { doc, refused } = replay(rows);
    expect(refused).toEqual([]);
    const tried = new Tried(doc);
    expect(() => tried.admit(edit)).toThrow("a history of more than 524,288 edits. Export it, and import it as a new one.");
    expect(tried.admit(craft({}, { 10: [[199_999, 1]] })).news).toBeDefined();
  });
});

/** How often somebody goes past an item in the middle of the text. */
function watchTheMiddle(replica: Y.Doc): () => number {
  const text = (replica.getMap("nodes").get("n") as Y.Map<Y.Text>).get("text") as Y.Text;
  let item = text._start as Y.Item;
  for (let at = 0; at < MANY / 2; at++) item = item.right as Y.Item;
  let looks = 0;
  for (const side of ["left", "right"] as const) {
    let neighbour = item[side];
    Object.defineProperty(item, side, {
      get: () => {
        looks++;
        return neighbour;
      },
      set: (to: Y.Item | null) => {
        neighbour = to;
      },
    });
  }
  return () => looks;
}

test("[C5] an edit of a long text looks at what it is put between, not at all of the text, unless somebody else put something there", () => {
  const replica = new Y.Doc();
  admit(replica, craft({ 1: TEXT }));
  admit(replica, craft({ 20: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }));
  const looks = watchTheMiddle(replica);
  const put = (client: number, clock: number, after: [number, number]) =>
    admit(replica, craft({ [client]: [{ after, content: letter() }] }, {}, { [client]: clock }));
  for (let at = 0; at < 10; at++) put(30, at, at === 0 ? [20, 0] : [30, at - 1]);
  expect(looks()).toBe(0);
  put(40, 0, [20, 0]);
  expect(looks(), "a rival").toBeGreaterThan(0);
});

test("[C5] an edit of a long text that has rivals looks at all of it only now and then", () => {
  const replica = new Y.Doc();
  admit(replica, craft({ 1: TEXT }));
  admit(replica, craft({ 20: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }));
  const rival = (client: number) => admit(replica, craft({ [client]: [{ after: [20, 0], content: letter() }] }));
  rival(40);
  const looks = watchTheMiddle(replica);
  rival(41);
  const once = looks();
  expect(once, "at the edit of a rival").toBeGreaterThan(0);
  const put = (at: number) => {
    const after: [number, number] = at === 0 ? [20, 0] : [30, at - 1];
    admit(replica, craft({ 30: [{ after, before: [40, 0], content: letter() }] }, {}, { 30: at }));
  };
  for (let at = 0; at <= 400; at++) put(at);
  expect(looks()).toBeLessThanOrEqual(3 * once);
});

test("[C5] a text with as many rivals as it may have goes on being written, after a restart too", { timeout: 60_000 }, () => {
  const doc = new Y.Doc();
  let tried = new Tried(doc);
  const send = (update: Uint8Array) => Y.applyUpdate(doc, tried.admit(update).news as Uint8Array);
  send(craft({ 1: TEXT }));
  send(craft({ 20: some(MANY, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }));
  expect(() => {
    for (let client = 1000; client < 2000; client++) send(craft({ [client]: [{ after: [20, MANY - 1], content: letter() }] }));
  }).toThrow(EditRefused);
  for (let at = 0; at < 500; at++) {
    if (at % 100 === 0) tried = new Tried(doc);
    const content = at % 2 ? new Y.ContentDeleted(1) : letter(); // so that they are not joined
    send(craft({ 30: [{ after: at === 0 ? [20, 0] : [30, at - 1], content }] }, {}, { 30: at }));
  }
  expect(() => send(craft({ 2000: [{ after: [20, MANY - 1], content: letter() }] })), "one more rival").toThrow(EditRefused);
});

test("[C5] a text of more pieces than may have rivals takes none, but goes on being written", { timeout: 60_000 }, () => {
  const replica = new Y.Doc();
  const count = 2 ** 16;
  admit(replica, craft({ 1: TEXT }));
  admit(replica, craft({ 20: some(count, (at) => ({ ...(at === 0 ? INSIDE : { before: [20, at - 1] }), content: letter() })) }));
  const tried = new Tried(replica);
  const next = craft({ 30: [{ before: [20, count - 1], content: letter() }] });
  expect(tried.admit(next).news).toBeDefined();
  expect(() => tried.admit(craft({ 40: [{ after: [20, 0], content: letter() }] }))).not.toThrow();
  expect(() => tried.admit(craft({ 41: [{ after: [20, 0], content: letter() }] }))).toThrow(
    "One text or value of the graph has a history of more than 65,536 edits. Export it, and import it as a new one.",
  );
});

describe("[C5] what is under the id of another page", () => {
  /** Client 7 is somebody else's. */
  const mayWrite = (client: number) => client !== 7;
  const admitAs = (doc: Y.Doc, update: Uint8Array) =>
    atOnce(new Stepwise(doc).admit(update, ONE_UPDATE, Number.POSITIVE_INFINITY, mayWrite));
  const withSeven = () => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, craft({ 7: [{ ...KEY, content: number(1) }] }));
    return doc;
  };
  const mine: Piece = { parent: "graph", key: "mine", content: number(2) };

  test.each<[string, Uint8Array]>([
    ["an item", craft({ 7: [{ parent: "graph", key: "more", content: number(3) }] }, {}, { 7: 1 })],
    ["the end of an item that is there", craft({ 7: [{ ...KEY, content: new Y.ContentAny([1, 2]) }] })],
    ["the claim that a thousand million of its edits are gone", Uint8Array.from([1, 1, 7, 1, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0])],
    ["an item beside one of one's own", craft({ 5: [mine], 7: [{ parent: "graph", key: "more", content: number(3) }] }, {}, { 7: 1 })],
  ])("and is not in the document is refused: %s", (_, update) => {
    const doc = withSeven();
    expect(() => admitAs(doc, update)).toThrow("It was made under the name of another page.");
    expect(doc.getMap("graph").toJSON()).toEqual({ context: 1 });
  });
  test("and is in the document already is ignored, whatever it says", () => {
    const doc = withSeven();
    const { news, clients } = admitAs(doc, craft({ 5: [mine], 7: [{ ...KEY, content: number(9) }] }));
    for (const update of news) Y.applyUpdate(doc, update);
    expect([doc.getMap("graph").toJSON(), clients]).toEqual([{ context: 1, mine: 2 }, [5]]);
  });
  test("may be deleted by anybody", () => {
    const doc = withSeven();
    const { news, clients } = admitAs(doc, craft({}, { 7: [[0, 1]] }));
    for (const update of news) Y.applyUpdate(doc, update);
    expect([doc.getMap("graph").toJSON(), clients]).toEqual([{}, []]);
  });
  test("is told of no client whose edits had no effect", () => {
    const { clients, gap } = admitAs(withSeven(), craft({ 5: [mine] }, {}, { 5: 4 }));
    expect([clients, gap]).toEqual([[], true]);
  });
});
