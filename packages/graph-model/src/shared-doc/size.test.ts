// What an update and a document may hold. What is too much is seen before it becomes objects.
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { random } from "../random.testing.ts";
import { EditRefused, EditUnfit, measure } from "./admit.ts";
import { ONE_UPDATE, WHOLE_GRAPH } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { countParts } from "./decode.ts";
import { copyNodes, loadGraph, pasteNodes } from "./index.ts";
import { craft, editAtRandom, updateOf } from "./random-updates.testing.ts";
import { sizeOf } from "./size.ts";

const { admit, decode, Tried } = undivided;

const objects = (count: number) => Array.from({ length: count }, () => ({}));
const keyed = (client: number, key: string, value: unknown) =>
  craft({ [client]: [{ parent: "graph", key, content: new Y.ContentAny([value]) }] });
/** A list of empty objects: two bytes each, and some sixty in memory. */
const crowd = (count: number, client = 10, key = "k") => keyed(client, key, objects(count));

describe("[C5] an update", () => {
  test.each([
    ["values", () => crowd(2_000_000), "It brings too many values at once. Do it in several steps."],
    [
      "structs",
      () => craft({ 10: Array.from({ length: 600_000 }, () => ({ parent: "graph", key: "k", content: new Y.ContentDeleted(1) })) }),
      /too many/,
    ],
    ["deletions", () => craft({}, { 10: Array.from({ length: 600_000 }, (_, at) => [2 * at, 1] as [number, number]) }), /too many/],
  ])("of too many %s is refused before a value of it is made, and no replica is lost", (_, make, reason) => {
    const update = make();
    const tried = new Tried(new Y.Doc());
    const made = vi.spyOn(Y.UpdateDecoderV1.prototype, "readAny");
    let refused: unknown;
    try {
      tried.admit(update);
    } catch (error) {
      refused = error;
    }
    const values = made.mock.calls.length;
    made.mockRestore();
    expect(refused).toBeInstanceOf(EditRefused);
    expect(refused).not.toBeInstanceOf(EditUnfit);
    expect((refused as EditRefused).message).toMatch(reason);
    expect([values, (refused as EditRefused).lost]).toEqual([0, 0]);
  });

  const deep = () => {
    let value: unknown = 1;
    for (let level = 0; level < 5000; level++) value = [value];
    return value;
  };
  const chain = (length: number) =>
    craft({
      10: Array.from({ length }, (_, at) => ({
        parent: at === 0 ? "nodes" : ([10, at - 1] as [number, number]),
        key: "x",
        content: new Y.ContentType(new Y.Map()),
      })),
    });
  test.each<[string, () => Uint8Array, RegExp]>([
    ["a number that JSON has not", () => keyed(10, "k", 10n), /bigint/],
    ["bytes", () => keyed(10, "k", [new Uint8Array(3)]), /bytes/],
    ["deep lists", () => keyed(10, "k", deep()), /nested deeper/],
    ["deep maps", () => chain(200), /nested deeper/],
    ["a root of its own", () => craft({ 10: [{ parent: "elsewhere", key: "k", content: new Y.ContentAny([1]) }] }), /no part of a graph/],
    [
      "a type that no graph has",
      () => craft({ 10: [{ parent: "graph", key: "k", content: new Y.ContentType(new Y.Array()) }] }),
      /neither/,
    ],
    ["noise", () => Uint8Array.from([1, 2, 3]), /cannot be applied/],
  ])("with %s is refused without a look at the document", (_, make, reason) => {
    const doc = new Y.Doc();
    const copied = vi.spyOn(doc, "transact");
    const encoded = vi.spyOn(doc.store.clients, "entries");
    let refused: unknown;
    try {
      new Tried(doc).admit(make());
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(EditRefused);
    expect(refused).toMatchObject({ message: expect.stringMatching(reason), lost: 0 });
    expect([copied.mock.calls.length, encoded.mock.calls.length]).toEqual([0, 0]);
  });

  test("that only does not go with the document says how large a replica was lost", () => {
    const doc = new Y.Doc();
    const tried = new Tried(doc);
    for (let at = 0; at < 20; at++) Y.applyUpdate(doc, tried.admit(keyed(10 + at, `k${at}`, at)).news as Uint8Array);
    expect(() => tried.admit(keyed(50, "layout", 7))).toThrow(expect.objectContaining({ lost: 21 }));
  });

  const graph = (nodes: number, edges: number) => ({
    schema: "langgraph.v1" as const,
    workflowId: "w",
    nodes: Array.from({ length: nodes }, (_, at) => ({
      id: `node-${at}`,
      service: "text.template",
      plane: "node" as const,
      status: "pending" as const,
      name: `A name ${at}`,
      params: { template: `Say {{value}} ${at}`, value: at, choice: "one", isOn: true },
    })),
    edges: Array.from({ length: edges }, (_, at) => ({
      from: `node-${at % nodes}`,
      to: `node-${(at + 1 + Math.floor(at / nodes)) % nodes}`,
      kind: "normal" as const,
      metadata: { id: `edge-${at}`, fromPort: "text", toPort: "value" },
    })),
    metadata: {},
  });
  test("of a pasted graph of 3,000 nodes, and of the largest graph that may be imported, is taken", { timeout: 60_000 }, () => {
    const page = new Y.Doc();
    loadGraph(page, "me", graph(3000, 6000) as never);
    const pasted = updateOf(
      page,
      (doc) => void pasteNodes(doc, "me", copyNodes(page, [...page.getMap("nodes").keys()]) as never, { x: 9, y: 9 }),
    );
    const whole = updateOf(new Y.Doc(), (doc) => loadGraph(doc, "me", graph(5000, 20_000) as never));
    for (const update of [pasted, whole]) expect(countParts(update, 2 ** 40)).toBeLessThan(0.7 * ONE_UPDATE.parts);
    expect(new Tried(page).admit(pasted).news).toBeDefined();
    expect(new Tried(new Y.Doc()).admit(whole, WHOLE_GRAPH).news).toBeDefined();
  });
});

test("[C5] a number of values that an update claims, and does not bring, lays out nothing", () => {
  const honest = keyed(10, "k", 7);
  // The last bytes are how many values there are, the value, and that nothing is deleted.
  const claimed = Uint8Array.from([...honest.subarray(0, -4), ...[0xff, 0xff, 0xff, 0x0f], ...honest.subarray(-3)]);
  expect(honest.at(-4), "one value").toBe(1);
  const laidOut = vi.spyOn(Array, "from");
  expect(countParts(claimed, 1000)).toBeLessThan(10);
  expect(() => decode(claimed, 1000)).toThrow(EditRefused);
  expect(laidOut.mock.calls.filter(([list]) => (list as { length: number }).length > 1000)).toEqual([]);
  laidOut.mockRestore();
});

describe("[C5] a document", () => {
  test("that is full takes nothing more, says so, and takes again when something was taken out", { timeout: 60_000 }, () => {
    const doc = new Y.Doc();
    const tried = new Tried(doc);
    const send = (update: Uint8Array) => Y.applyUpdate(doc, tried.admit(update).news as Uint8Array);
    const many = ONE_UPDATE.values / 8;
    for (let at = 0; at < 7; at++) send(crowd(many, 10 + at, `k${at}`));
    expect(() => send(crowd(many, 20, "last"))).toThrow(
      "More than 1,048,576 values are in the graph. Take something out of it, or divide it.",
    );
    send(crowd(1000, 21, "small"));
    send(craft({}, { 10: [[0, 1]] }));
    send(crowd(many, 22, "last"));
  });

  test("full of characters takes no more of them, in keys that were deleted neither", { timeout: 60_000 }, () => {
    const doc = new Y.Doc();
    const tried = new Tried(doc);
    const send = (update: Uint8Array) => Y.applyUpdate(doc, tried.admit(update).news as Uint8Array);
    const many = "x".repeat(ONE_UPDATE.characters / 8);
    const name = (at: number) => `${at}${many}`;
    for (let at = 0; at < 7; at++) {
      send(at % 2 ? keyed(10 + at, `k${at}`, many) : keyed(10 + at, name(at), 1));
      send(craft({}, { [10 + at]: [[0, 1]] }));
    }
    expect(() => {
      for (let at = 7; at < 12; at++) send(keyed(10 + at, name(at), 1));
    }).toThrow(/More than 16,777,216 characters are in the graph/);
  });

  test("is counted by what its updates bring and take as it is when all of it is counted", () => {
    const next = random(7);
    const doc = new Y.Doc({ gc: false }); // so that the names of the keys of what was deleted stay
    const size = sizeOf(doc);
    for (let round = 0; round < 60; round++) {
      admit(
        doc,
        decode(
          updateOf(doc, (copy) => editAtRandom(copy, next)),
          ONE_UPDATE.parts,
        ),
        ONE_UPDATE,
        size,
      );
      expect(size).toEqual(sizeOf(doc));
    }
    expect(Math.min(size.values, size.characters)).toBeGreaterThan(20);
  });

  test("whose rows come to more than it may be opened with is not decoded; what was overwritten counts", async () => {
    const bytes = crowd(ONE_UPDATE.values);
    const rows = Array.from({ length: 5 }, (_, at) => ({ seq: `${at}`, bytes }));
    const made = vi.spyOn(Y.UpdateDecoderV1.prototype, "readAny");
    expect(await measure(rows, () => Promise.resolve())).toEqual(Array(3).fill(ONE_UPDATE.values + 2));
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });
});
