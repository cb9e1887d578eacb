// Documents against a log in memory: what is accepted can be loaded again, and what is not changes nothing.
// SEEDS=200 npx vitest run --project unit apps/runtime/src/collab/document-host.test.ts tries more.
import {
  addNode,
  copyOf,
  EditRefused,
  headOf,
  LAYOUT,
  layoutOf,
  migrate,
  nodesOf,
  normalise,
  setParam,
} from "@spindle/graph-model/shared-doc";
import fc from "fast-check";
import * as encoding from "lib0/encoding";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import {
  damage,
  drawn,
  editAtRandom,
  UNAPPLIABLE,
  updateOf,
} from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { MemoryLog } from "./memory-log.testing.ts";
import type { UpdateLog } from "./update-log.ts";

function varUint(value: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, value);
  return encoding.toUint8Array(encoder);
}
const add = (doc: Y.Doc) => addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
const host = (log: UpdateLog, idleMs?: number) => new DocumentHost(log, () => {}, idleMs);
const reloaded = (log: UpdateLog) => host(log).use("g", ({ doc }) => copyOf(doc));
const state = (doc: Y.Doc) => [Y.encodeStateVector(doc), normalise(doc), Y.createDeleteSetFromStructStore(doc.store)];

describe("[C5] an update", () => {
  afterEach(() => void vi.restoreAllMocks());
  const SEEDS = Number(process.env.SEEDS ?? 6);
  test(`damaged in any way never throws and never stays half, ${SEEDS} times`, { timeout: 600_000 }, async () => {
    let [taken, refused] = [0, 0];
    const property = fc.asyncProperty(fc.gen(), async (generate) => {
      const next = drawn(generate);
      vi.spyOn(Math, "random").mockImplementation(next);
      const log = new MemoryLog();
      const { doc, append } = await host(log).open("g");
      let last = Y.encodeStateAsUpdate(doc);
      for (let round = 0; round < 40; round++) {
        const edit = (copy: Y.Doc) => {
          for (let edits = 1 + next() * 3; edits > 0; edits--) editAtRandom(copy, next);
        };
        const whole = updateOf(doc, edit, Math.floor(next() * 2 ** 32));
        const update = next() < 0.4 ? whole : damage(whole, last, next);
        last = whole;
        const before = Y.encodeStateAsUpdate(doc);
        const rows = log.rows.length;
        try {
          await append(update, authorOf("me"));
          taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(EditRefused);
          expect((error as Error).message.length).toBeLessThan(120);
          expect(Y.encodeStateAsUpdate(doc)).toEqual(before);
          expect(log.rows.length).toBe(rows);
          refused++;
        }
        if (log.rows.length > rows && round % 10 === 0) expect(state(await reloaded(log))).toEqual(state(doc));
      }
      expect(state(await reloaded(log))).toEqual(state(doc));
      expect(log.quarantine).toEqual([]);
    });
    await fc.assert(property, { numRuns: SEEDS, seed: 1 });
    expect(Math.min(taken, refused)).toBeGreaterThan(5 * SEEDS);
  });

  test("that builds on one that is missing has no effect, and its sender is asked for both", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const tab = new Y.Doc();
    const sent: Uint8Array[] = [];
    tab.on("update", (update: Uint8Array) => void sent.push(update));
    const id = add(tab);
    setParam(tab, "me", id, "a", 1);
    expect(await append(sent[1] as Uint8Array, authorOf("tab"))).toBe(false);
    expect([log.rows.length, nodesOf(doc).size], "the row is the document's layout").toEqual([1, 0]);
    expect(await append(Y.encodeStateAsUpdate(tab), authorOf("tab"))).toBe(true);
    expect(normalise(doc)).toEqual(normalise(tab));
    expect(await append(Y.encodeStateAsUpdate(tab), authorOf("tab")), "told again, it is no news").toBe(true);
    expect(log.rows.length).toBe(2);
  });

  /** As `count` pages that each set a value, or typed, and know nothing of each other: the later a page comes, the smaller its id. */
  const apart = (base: Y.Doc, count: number, edit: (doc: Y.Doc) => void, client = 2 ** 20) =>
    Y.mergeUpdates(
      Array.from({ length: count }, (_, index) =>
        updateOf(base, (copy) => {
          copy.clientID = client - index;
          edit(copy);
        }),
      ),
    );
  test("with edits at one place that know nothing of each other is refused when they are more than people are", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const set = (copy: Y.Doc) => headOf(copy).set("context", { a: 1 });
    await append(apart(doc, 100, set), authorOf("me"));
    const rows = log.rows.length;
    await expect(append(apart(new Y.Doc(), 1500, set), authorOf("me"))).rejects.toThrow(
      /Too many edits at one place know nothing of each other/,
    );
    expect(log.rows.length).toBe(rows);
    // In several updates that are few each.
    const empty = new Y.Doc();
    const several = [2 ** 21, 2 ** 22, 2 ** 23, 2 ** 24].map((client) => apart(empty, 400, set, client));
    const refused = (await Promise.allSettled(several.map((update) => append(update, authorOf("me"))))).filter(
      ({ status }) => status === "rejected",
    );
    expect(refused.length).toBeGreaterThan(0);
    await append(updateOf(doc, set), authorOf("me"));
  });
  test("of one page has as many edits at one place as it likes", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    await append(
      updateOf(doc, (copy) => {
        for (let at = 0; at < 2000; at++) headOf(copy).set("context", { at });
      }),
      authorOf("me"),
    );
    expect(headOf(doc).get("context")).toEqual({ at: 1999 });
  });
  test("whose deletions name a range twice is refused", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    await append(updateOf(doc, add), authorOf("me"));
    const [client] = [...Y.decodeStateVector(Y.encodeStateVector(doc)).keys()];
    const twice = Uint8Array.from([0, 1, ...varUint(client as number), 2, 0, 1, 0, 1]);
    await expect(append(twice, authorOf("me"))).rejects.toBeInstanceOf(EditRefused);
    expect(normalise(doc).graph.nodes.length).toBe(1);
  });

  test.each([
    ["that ends at 2^56", "010107000080ffffffffffff7f00"],
    ["that begins there", "01010780ffffffffffff7f0080ffffffffffff7f00"],
    ["that is a deletion up to 2^40", "000107010080808080802000"],
  ])("with a piece %s, which nobody could read again, is refused", async (_, hex) => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    await append(updateOf(doc, add), authorOf("me"));
    await expect(append(Buffer.from(hex, "hex"), authorOf("me"))).rejects.toBeInstanceOf(EditRefused);
    expect(normalise(copyOf(doc)).graph.nodes.length).toBe(1);
    expect(log.rows.length).toBe(2);
  });

  test("in the other encoding of Yjs has no effect", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const tab = new Y.Doc();
    add(tab);
    await append(Y.encodeStateAsUpdateV2(tab), authorOf("me")).catch((error) => expect(error).toBeInstanceOf(EditRefused));
    expect([log.rows.length, nodesOf(doc).size]).toEqual([1, 0]);
  });

  test("that cannot be stored leaves the document as it was, for the next one too", async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const [first, second] = [updateOf(doc, add), updateOf(doc, add)];
    vi.spyOn(log, "append").mockRejectedValueOnce(new Error("the disk is full"));
    await expect(append(first, authorOf("me"))).rejects.toThrow("the disk is full");
    await append(second, authorOf("me"));
    expect(nodesOf(doc).size).toBe(1);
    expect(state(await reloaded(log))).toEqual(state(doc));
    await append(first, authorOf("me"));
    expect(nodesOf(doc).size).toBe(2);
  });
});

const TEXT = "A text that is longer than any name, so that it is stored as one.\nAnd another line.";
const textOf = (doc: Y.Doc): Y.Text => ((nodesOf(doc).get("n") as Y.Map<unknown>).get("params") as Y.Map<unknown>).get("text") as Y.Text;
const nest = (doc: Y.Doc, depth: number, leaf: unknown): void => {
  let map: Y.Map<unknown> = nodesOf(doc);
  for (let level = 0; level < depth; level++) {
    const inner = new Y.Map<unknown>();
    map.set("x", inner);
    map = inner;
  }
  map.set("x", leaf);
};

describe("[C5] an edit", () => {
  const type = /neither a map, a text nor JSON/;
  test.each<[string, (doc: Y.Doc) => void, RegExp]>([
    ["an embedded object in a text", (doc) => textOf(doc).insertEmbed(3, { a: 1 }), type],
    ["a formatted text", (doc) => textOf(doc).format(0, 4, { bold: true }), type],
    ["an attribute of a text", (doc) => textOf(doc).setAttribute("a", "b"), type],
    ["a map in a text", (doc) => textOf(doc).insertEmbed(0, new Y.Map()), type],
    ["an XML text", (doc) => setParam(doc, "me", "n", "a", new Y.XmlText("a")), type],
    ["a list type", (doc) => setParam(doc, "me", "n", "a", new Y.Array()), type],
    ["a document in the document", (doc) => setParam(doc, "me", "n", "a", new Y.Doc()), type],
    ["letters that are no part of a text", (doc) => doc.getText("letters").insert(0, "abc"), /belongs to no part/],
    ["a text too deep", (doc) => nest(doc, 40, new Y.Text("abc")), /nested deeper than 32/],
    ["another layout", (doc) => void headOf(doc).set("layout", LAYOUT + 1), /^It changes the layout/],
    ["no layout", (doc) => headOf(doc).delete("layout"), /^It changes the layout/],
  ])("that brings %s is refused, and the document stays", async (_, edit, reason) => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    await append(
      updateOf(doc, (copy) => {
        nodesOf(copy).set("n", new Y.Map<unknown>([["params", new Y.Map()]]));
        setParam(copy, "me", "n", "text", TEXT);
      }),
      authorOf("me"),
    );
    const before = state(doc);
    const rows = log.rows.length;
    const refused = await append(updateOf(doc, edit), authorOf("me")).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(EditRefused);
    expect((refused as Error).message).toMatch(reason);
    expect([state(doc), log.rows.length]).toEqual([before, rows]);
    await append(
      updateOf(doc, (copy) => textOf(copy).insert(3, "😀 typed")),
      authorOf("me"),
    );
    expect(state(await reloaded(log))).toEqual(state(doc));
    expect(textOf(doc).toString()).toBe(`${TEXT.slice(0, 3)}😀 typed${TEXT.slice(3)}`);
  });
});

describe("a document of layout 1", () => {
  const stored = () => {
    const log = new MemoryLog();
    const tab = new Y.Doc();
    tab.getMap("graph").set("metadata", { planner: "p", interface: { inputs: [{ name: "a", label: "A", to: [] }], outputs: [] } });
    add(tab);
    const before = JSON.stringify(normalise(tab).graph);
    log.rows.push({ seq: "1", bytes: Y.encodeStateAsUpdate(tab) });
    return { log, before };
  };
  test("is migrated once, as one stored update, before anybody sees it", async () => {
    const { log, before } = stored();
    const first = await host(log).open("g");
    expect([log.rows.length, layoutOf(first.doc), first.doc.getMap("inputs").size]).toEqual([2, LAYOUT, 2]);
    expect(JSON.stringify(normalise(first.doc).graph)).toBe(before);
    const second = await host(log).open("g");
    expect([log.rows.length, state(second.doc)]).toEqual([2, state(first.doc)]);
  });
  test("that two runtimes load at once is migrated by one of them, and an edit that comes between is not lost", async () => {
    const { log, before } = stored();
    const migrated = log.migrate.bind(log);
    let waiting: Promise<unknown> = Promise.resolve();
    vi.spyOn(log, "migrate").mockImplementation((graph, make) => {
      const turn = waiting.then(() => migrated(graph, make)); // the lock of the graph's row
      waiting = turn;
      return turn;
    });
    const late = new Y.Doc();
    late.getMap("graph").set("context", { late: 1 });
    const opening = [host(log).open("g"), host(log).open("g")];
    log.rows.push({ seq: "2", bytes: Y.encodeStateAsUpdate(late) });
    const [first, second] = await Promise.all(opening);
    expect(log.rows.length).toBe(3);
    expect(state(first?.doc as Y.Doc)).toEqual(state(second?.doc as Y.Doc));
    const { graph } = normalise(first?.doc as Y.Doc);
    expect(graph).toEqual({ ...JSON.parse(before), context: { late: 1 } });
  });
  test("of a newer release is refused with a sentence, and left as it is", async () => {
    const log = new MemoryLog();
    const doc = new Y.Doc();
    headOf(doc).set("layout", LAYOUT + 1);
    log.rows.push({ seq: "1", bytes: Y.encodeStateAsUpdate(doc) });
    const refused = await host(log)
      .open("g")
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(refused).toMatchObject({ status: 409, message: expect.stringMatching(/^A newer release of Spindle saved this graph/) });
    expect(new TextEncoder().encode((refused as Error).message).length, "a socket's reason").toBeLessThan(124);
    expect(log.rows.length).toBe(1);
  });
});
describe("[C5] a stored row", () => {
  test("that can be applied, but poisons what is made of the document, is set aside as well", async () => {
    const log = new MemoryLog();
    const tab = new Y.Doc();
    const kept = add(tab);
    log.insert(Y.encodeStateAsUpdate(tab));
    log.insert(Uint8Array.from([1, 1, 7, 0, 0, 0, 0])); // a piece of no length
    log.insert(Buffer.from("010107000080ffffffffffff7f00", "hex")); // one that ends at 2^56
    const doc = await reloaded(log);
    expect(normalise(doc).graph.nodes.map(({ id }) => id)).toEqual([kept]);
    expect(() => copyOf(doc)).not.toThrow();
  });
  test("that cannot be applied, and what builds on it, is set aside once, and the rest stays", async () => {
    const log = new MemoryLog();
    const tab = new Y.Doc();
    const kept = add(tab);
    log.insert(Y.encodeStateAsUpdate(tab));
    log.insert(UNAPPLIABLE);
    const other = copyOf(tab);
    const lost = updateOf(other, (doc) => setParam(doc, "me", kept, "n", 10n));
    Y.applyUpdate(other, lost);
    log.insert(lost);
    const before = Y.encodeStateVector(other);
    setParam(other, "me", kept, "m", 1);
    setParam(other, "me", kept, "n", 2);
    log.insert(Y.encodeStateAsUpdate(other, before));
    log.insert(updateOf(tab, (doc) => setParam(doc, "me", kept, "k", 3)));
    const doc = await reloaded(log);
    const { params } = normalise(doc).graph.nodes[0] as { params?: object };
    expect(params, "m came in one row with n, which builds on what is lost").toEqual({ m: 1, k: 3 });
    const aside = [
      { seq: "2", reason: "It cannot be applied to the graph." },
      { seq: "3", reason: "It holds a bigint, which JSON cannot carry." },
      { seq: "4", reason: "It builds on an edit that is not there." },
    ];
    expect(log.quarantine).toEqual(aside);
    expect(state(await reloaded(log))).toEqual(state(doc));
    expect(log.quarantine).toEqual(aside);
  });
});

describe("a document that nobody has open", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test("leaves memory, not before its idle time, and comes back whole", async () => {
    const log = new MemoryLog();
    log.rows.push({ seq: "0", bytes: migrate(new Y.Doc()) });
    const documents = host(log, 1000);
    const [first, second] = [await documents.open("g"), await documents.open("g")];
    await first.append(updateOf(first.doc, add), authorOf("me"));
    first.close();
    first.close();
    await vi.advanceTimersByTimeAsync(5000);
    expect(documents.size, "somebody has it open").toBe(1);
    second.close();
    await vi.advanceTimersByTimeAsync(900);
    const three = await documents.open("g");
    expect(three.doc).toBe(second.doc);
    await vi.advanceTimersByTimeAsync(5000);
    three.close();
    await vi.advanceTimersByTimeAsync(1000);
    expect(documents.size).toBe(0);
    const again = await documents.open("g");
    expect([log.reads, nodesOf(again.doc).size]).toEqual([2, 1]);
  });

  test("is one of 32 at most; the first that was left first goes first, and first that somebody has open stays", async () => {
    const documents = host(new MemoryLog(), 1000);
    const open = await documents.open("open");
    for (let at = 0; at < 200; at++) (await documents.open(`graph ${at}`)).close();
    expect(documents.size).toBe(33);
    const again = await documents.open("graph 199");
    expect(documents.size, "it was there").toBe(33);
    again.close();
    open.close();
    expect(documents.size).toBe(32);
    await vi.advanceTimersByTimeAsync(1000);
    expect([documents.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test("stays while an edit of it is being stored, and no edit is lost between closing and opening", async () => {
    const log = new MemoryLog();
    const documents = host(log, 1000);
    const first = await documents.open("g");
    let stored = () => {};
    const append = log.append.bind(log);
    vi.spyOn(log, "append").mockImplementationOnce(async (graph, bytes, claim) => {
      await new Promise<void>((resolve) => {
        stored = resolve;
      });
      return append(graph, bytes, claim);
    });
    const done = first.append(updateOf(first.doc, add), authorOf("me"));
    first.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(documents.size).toBe(1);
    const second = await documents.open("g");
    while (vi.mocked(log.append).mock.calls.length === 0) await new Promise((resolve) => void setImmediate(resolve));
    stored();
    await done;
    expect(nodesOf(second.doc).size).toBe(1);
    second.close();
    await vi.advanceTimersByTimeAsync(1000);
    expect([documents.size, nodesOf(await reloaded(log)).size]).toEqual([0, 1]);
  });
});
