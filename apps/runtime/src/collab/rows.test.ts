// What is stored of a document stays in proportion to what it holds, and no edit that was acknowledged is lost for it.
import { addNode, countParts, headOf, migrate, nodesOf, normalise, ONE_STEP } from "@spindle/graph-model/shared-doc";
import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { craft, updateOf } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { MemoryLog } from "./memory-log.testing.ts";
import { updateLog } from "./update-log.ts";

vi.mock("yjs", async (original) => {
  const yjs = await original<typeof Y>();
  return { ...yjs, applyUpdate: vi.fn(yjs.applyUpdate) };
});

const add = (doc: Y.Doc) => addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
const host = (log: MemoryLog, onError: () => void = () => {}) => new DocumentHost(log, onError);
const nodes = (log: MemoryLog) => host(log).use("g", ({ doc }) => [...nodesOf(doc).keys()].sort());
const crowd = (count: number) => Array.from({ length: count }, () => ({}));
const overwrite = (doc: Y.Doc, count: number) => updateOf(doc, (copy) => void copy.getMap("metadata").set("k", crowd(count)));

describe("[C5] the rows of a document", () => {
  test("are made one when there are a thousand, and each edit is still there", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const page = new Y.Doc();
    for (let edit = 0; edit < 1500; edit++) {
      const before = Y.encodeStateVector(page);
      add(page);
      await append(Y.encodeStateAsUpdate(page, before), authorOf("me"));
    }
    await vi.waitUntil(() => log.rows.length < 1000, 20_000);
    expect(await nodes(log)).toEqual([...nodesOf(doc).keys()].sort());
    expect(await nodes(log)).toHaveLength(1500);
  });

  test("do not grow with what is overwritten again and again", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    for (let times = 0; times < 30; times++) await append(overwrite(doc, 100_000), authorOf("me"));
    await vi.waitUntil(() => log.rows.reduce((sum, row) => sum + row.bytes.length, 0) < 5 * 200_000, 20_000);
    expect(await host(log).use("g", (again) => normalise(again.doc))).toEqual(normalise(doc));
  });

  test("that a runtime of before left are made one when the document is loaded", async () => {
    const log = new MemoryLog();
    const page = new Y.Doc();
    for (let edit = 0; edit < 1200; edit++) {
      const before = Y.encodeStateVector(page);
      add(page);
      log.insert(Y.encodeStateAsUpdate(page, before));
    }
    expect(await nodes(log)).toHaveLength(1200);
    await vi.waitUntil(() => log.rows.length === 1, 20_000);
    expect(await nodes(log)).toHaveLength(1200);
  });

  test("that two runtimes make one of lose nothing of what the other stored", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    const [ada, ben] = [await host(log).open("g"), await host(log).open("g")];
    const added: string[] = [];
    for (let round = 0; round < 12; round++)
      for (const { doc, append } of round % 3 ? [ada, ben] : [ben, ada]) {
        await append(
          updateOf(doc, (copy) => void added.push(add(copy))),
          authorOf("me"),
        );
        await append(overwrite(doc, 100_000), authorOf("me"));
      }
    await vi.waitUntil(() => log.rows.length < 12, 20_000);
    expect(await nodes(log)).toEqual(added.sort());
  });

  test("that another runtime made one row of are read again, and only one row says what the document says", {
    timeout: 60_000,
  }, async () => {
    const log = new MemoryLog();
    await host(log).use("g", ({ doc, append }) =>
      append(
        updateOf(doc, (copy) => void copy.getMap("metadata").set("large", crowd(300_000))),
        authorOf("me"),
      ),
    );
    const [ada, ben] = [await host(log).open("g"), await host(log).open("g")];
    const mine = [ada, ben].map(({ doc }, at) => updateOf(doc, (copy) => void headOf(copy).set(`by ${at}`, true)));
    await ada.append(mine[0] as Uint8Array, authorOf("me"));
    await ben.append(mine[1] as Uint8Array, authorOf("me"));
    for (let round = 0; round < 3; round++) for (const { doc, append } of [ada, ben]) await append(overwrite(doc, 100_000), authorOf("me"));
    const large = () => log.rows.filter(({ bytes }) => countParts(bytes, 2 ** 30) > 300_000).length;
    await vi.waitUntil(() => headOf(ben.doc).has("by 0") || headOf(ada.doc).has("by 1"), 20_000);
    await vi.waitUntil(() => large() === 1, 20_000);
    // The one that came second goes on from there: an edit of what it was told of is stored like any other.
    const [late, key] = headOf(ben.doc).has("by 0") ? [ben, "by 0"] : [ada, "by 1"];
    const again = updateOf(late.doc, (copy) => void headOf(copy).set(key, "again"));
    await late.append(again, authorOf("me"));
    expect(headOf(late.doc).get(key)).toBe("again");
    const whole = await host(log).use("g", ({ doc }) => [headOf(doc).get("by 0"), headOf(doc).get("by 1")]);
    expect(whole).toEqual(key === "by 0" ? ["again", true] : [true, "again"]);
  });

  test("are made one after the document was given to whoever opens it, and while others edit it", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    await host(log).use("g", async ({ doc, append }) => {
      vi.spyOn(log, "compact").mockRejectedValueOnce(new Error("not yet"));
      await append(overwrite(doc, 300_000), authorOf("me"));
      await vi.waitUntil(() => vi.mocked(log.compact).mock.calls.length === 1, 20_000);
    });
    const compact = MemoryLog.prototype.compact.bind(log);
    let letGo = () => {};
    vi.mocked(log.compact).mockImplementationOnce(async (...all) => {
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      return compact(...all);
    });
    const { doc, append } = await host(log).open("g");
    await append(updateOf(doc, add), authorOf("me"));
    await vi.waitUntil(() => vi.mocked(log.compact).mock.calls.length === 2, 20_000);
    await append(updateOf(doc, add), authorOf("me"));
    expect(nodesOf(doc).size).toBe(2);
    const before = log.rows.length;
    letGo();
    await vi.waitUntil(() => log.rows.length < before, 20_000);
    expect(await nodes(log)).toHaveLength(2);
  });

  test("are not waited for in an outage: they are made one another time", async () => {
    const pool = new pg.Pool({ host: "127.0.0.1", port: 1 });
    await expect(updateLog({ pool }).compact("g", ["1"], new Uint8Array(2))).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await pool.end();
  });

  test("of which one could not be applied are not made one of a document that lacks it", async () => {
    const log = new MemoryLog();
    const onError = vi.fn();
    const documents = host(log, onError);
    const { doc, append } = await documents.open("g");
    const [first, second] = [updateOf(doc, add), overwrite(doc, 300_000)];
    const apply = vi.mocked(Y.applyUpdate).getMockImplementation() as typeof Y.applyUpdate;
    let fails = true;
    vi.mocked(Y.applyUpdate).mockImplementation((...all) => {
      if (all[0] === doc && fails) {
        fails = false;
        throw new Error("a fault of the library");
      }
      apply(...all);
    });
    const edits = await Promise.allSettled([append(first, authorOf("me")), append(second, authorOf("me"))]);
    expect(edits.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(onError).toHaveBeenCalledWith("collaboration", expect.objectContaining({ message: "a fault of the library" }));
    expect(await documents.use("g", (again) => nodesOf(again.doc).size)).toBe(1);
    expect(await nodes(log)).toHaveLength(1);
  });

  test("stay as they are when they cannot be made one, and editing goes on", async () => {
    const log = new MemoryLog();
    const onError = vi.fn();
    const { doc, append } = await host(log, onError).open("g");
    vi.spyOn(log, "compact").mockRejectedValueOnce(new Error("the disk is full"));
    for (let times = 0; times < 4; times++) await append(overwrite(doc, 100_000), authorOf("me"));
    await vi.waitUntil(() => onError.mock.calls.length > 0, 20_000);
    expect(onError).toHaveBeenCalledWith("collaboration", expect.objectContaining({ message: "the disk is full" }));
    await append(updateOf(doc, add), authorOf("me"));
    expect([(await nodes(log)).length, nodesOf(doc).size]).toEqual([1, 1]);
  });

  test("that come to more than fits into memory are not decoded, whoever opens the document", async () => {
    const log = new MemoryLog();
    const bytes = craft({ 10: [{ parent: "graph", key: "k", content: new Y.ContentAny([crowd(2_000_000)]) }] });
    for (let row = 0; row < 3; row++) log.insert(bytes);
    const made = vi.spyOn(Y.UpdateDecoderV1.prototype, "readAny");
    const refused = await host(log)
      .open("g")
      .catch((error: unknown) => error);
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
    expect(refused).toMatchObject({
      status: 409,
      message: "Its edits are more than can be opened. Export its last readable version, import that, and remove it.",
    });
    expect(log.rows.length, "they stay").toBe(3);
    expect((await host(log).readable("g")).getMap("graph").get("k"), "the oldest are read").toHaveLength(2_000_000);
    log.rows.unshift({ seq: "0", bytes: craft({ 11: [{ after: [12, 0], content: new Y.ContentAny([1]) }] }) });
    expect((await host(log).readable("g")).store.clients.has(11), "what builds on another is left out").toBe(false);
    log.rows = [log.rows[0] as (typeof log.rows)[0]];
    await expect(host(log).readable("g"), "nothing stands by itself").rejects.toMatchObject({ status: 422 });
    expect([log.rows.length, log.quarantine]).toEqual([1, []]);
  });
});

describe("[C5] what else a server does goes on while", () => {
  const many = Array.from({ length: 60_000 }, (_, at) => ({ parent: "metadata", key: `k${at}`, content: new Y.ContentAny([at]) }));
  /** How many others had their turn before it was done. */
  const turnsDuring = async (done: Promise<unknown>) => {
    let [turns, isDone] = [0, false];
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await done;
    isDone = true;
    return turns;
  };
  const largest = (updates: Uint8Array[]) => Math.max(...updates.map((bytes) => Y.decodeUpdate(bytes).structs.length));

  test("a large update is tried, and put into the document: it is in all of it, and in its rows", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    const parts: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => void parts.push(update));
    const steps = many.length / ONE_STEP;
    expect(await turnsDuring(append(craft({ 9: many }), authorOf("me")))).toBeGreaterThan(1.5 * steps);
    expect([parts.length, largest(parts)]).toEqual([Math.ceil(steps), ONE_STEP]);
    expect(doc.getMap("metadata").size).toBe(many.length);
    expect(await host(log).use("g", (again) => again.doc.getMap("metadata").size)).toBe(many.length);
    const gone = updateOf(doc, (copy) => copy.getMap("metadata").clear());
    expect(await turnsDuring(append(gone, authorOf("me")))).toBeGreaterThan(1.5 * steps);
    expect(doc.getMap("metadata").size).toBe(0);
  });

  test("a large document is loaded, and copied for the first edit of it", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    log.insert(Y.mergeUpdates([craft({ 9: many }), migrate(new Y.Doc())]));
    const opening = host(log).open("g");
    expect(await turnsDuring(opening)).toBeGreaterThan(many.length / ONE_STEP);
    const { doc, append } = await opening;
    expect(await turnsDuring(append(updateOf(doc, add), authorOf("me")))).toBeGreaterThan(many.length / ONE_STEP);
    expect(nodesOf(doc).size).toBe(1);
  });
});

test("documents that nobody has open leave memory before they fill it, those whose rows were made one as well", {
  timeout: 60_000,
}, async () => {
  const log = new MemoryLog();
  const documents = host(log);
  const { doc, append, close } = await documents.open("first");
  for (let at = 0; at < 3; at++)
    await append(
      updateOf(doc, (copy) => void copy.getMap("metadata").set(`k${at}`, crowd(250_000))),
      authorOf("me"),
    );
  await vi.waitUntil(() => log.rows.length < 3, 20_000);
  close();
  for (let at = 0; at < 3; at++) await documents.use(`${at}`, () => {}); // from the same rows, so each is as large
  await vi.waitUntil(() => documents.size === 2, 20_000); // their rows may be made one first
});

test("[C1] an update is heard of, and acknowledged, once it is stored", async () => {
  const log = new MemoryLog();
  const { doc, append } = await host(log).open("g");
  const order: string[] = [];
  doc.on("update", () => void order.push("heard"));
  vi.spyOn(log, "append").mockImplementationOnce(async () => {
    await new Promise((done) => setImmediate(done));
    order.push("stored");
    return ["1"];
  });
  await append(updateOf(doc, add), authorOf("me")).then(() => order.push("acknowledged"));
  expect(order).toEqual(["stored", "heard", "acknowledged"]);
});
