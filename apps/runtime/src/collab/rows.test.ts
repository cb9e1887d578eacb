// What is stored of a document stays in proportion to what it holds, and no edit that was acknowledged is lost for it.
import { addNode, nodesOf, normalise } from "@spindle/graph-model/shared-doc";
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { craft, updateOf } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { DocumentHost } from "./document-host.ts";
import { MemoryLog } from "./memory-log.testing.ts";

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
      await append(Y.encodeStateAsUpdate(page, before), "me");
    }
    expect(log.rows.length).toBeLessThan(1000);
    expect(await nodes(log)).toEqual([...nodesOf(doc).keys()].sort());
    expect(await nodes(log)).toHaveLength(1500);
  });

  test("do not grow with what is overwritten again and again", { timeout: 60_000 }, async () => {
    const log = new MemoryLog();
    const { doc, append } = await host(log).open("g");
    for (let times = 0; times < 30; times++) await append(overwrite(doc, 100_000), "me");
    const bytes = log.rows.reduce((sum, row) => sum + row.bytes.length, 0);
    expect(bytes).toBeLessThan(5 * 200_000);
    expect(await host(log).use("g", (again) => normalise(again.doc))).toEqual(normalise(doc));
  });

  test("that a runtime of before left are made one when the document is loaded", async () => {
    const log = new MemoryLog();
    const page = new Y.Doc();
    for (let edit = 0; edit < 1200; edit++) {
      const before = Y.encodeStateVector(page);
      add(page);
      await log.append("g", Y.encodeStateAsUpdate(page, before));
    }
    expect(await nodes(log)).toHaveLength(1200);
    expect(log.rows.length).toBe(1);
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
          "me",
        );
        await append(overwrite(doc, 100_000), "me");
      }
    expect(log.rows.length).toBeLessThan(24);
    expect(await nodes(log)).toEqual(added.sort());
  });

  test("stay as they are when they cannot be made one, and editing goes on", async () => {
    const log = new MemoryLog();
    const onError = vi.fn();
    const { doc, append } = await host(log, onError).open("g");
    vi.spyOn(log, "compact").mockRejectedValueOnce(new Error("the disk is full"));
    for (let times = 0; times < 4; times++) await append(overwrite(doc, 100_000), "me");
    expect(onError).toHaveBeenCalledWith("collaboration", expect.objectContaining({ message: "the disk is full" }));
    await append(updateOf(doc, add), "me");
    expect([(await nodes(log)).length, nodesOf(doc).size]).toEqual([1, 1]);
  });

  test("that come to more than fits into memory are not decoded, whoever opens the document", async () => {
    const log = new MemoryLog();
    const bytes = craft({ 10: [{ parent: "graph", key: "k", content: new Y.ContentAny([crowd(2_000_000)]) }] });
    for (let row = 0; row < 3; row++) await log.append("g", bytes);
    const made = vi.spyOn(Y.UpdateDecoderV1.prototype, "readAny");
    const refused = await host(log)
      .open("g")
      .catch((error: unknown) => error);
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
    expect(refused).toMatchObject({
      status: 409,
      message: "Its stored edits are more than this server can open. Remove it, and import an exported copy of it.",
    });
    expect(log.rows.length, "they stay").toBe(3);
  });
});

test("documents that nobody has open leave memory before they fill it", { timeout: 60_000 }, async () => {
  const log = new MemoryLog();
  const documents = host(log);
  const { doc, append, close } = await documents.open("first");
  for (let at = 0; at < 3; at++)
    await append(
      updateOf(doc, (copy) => void copy.getMap("metadata").set(`k${at}`, crowd(250_000))),
      "me",
    );
  close();
  for (let at = 0; at < 5; at++) await documents.use(`${at}`, () => {});
  expect(documents.size).toBe(2);
});
