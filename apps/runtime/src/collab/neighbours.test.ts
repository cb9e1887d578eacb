// Edits that come while one is being stored: they share an INSERT and a message, and each has its own answer.
import { copyOf, EditRefused, EditUnfit } from "@spindle/graph-model/shared-doc";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { authorOf } from "./clients.ts";
import { DocumentHost, type OpenDocument } from "./document-host.ts";
import { MemoryLog } from "./memory-log.testing.ts";
import { DocumentLost } from "./update-log.ts";

const [ADA, BEN] = [authorOf("profile:ada"), authorOf("profile:ben")];

async function opened(log = new MemoryLog()): Promise<OpenDocument & { log: MemoryLog; heard: number[] }> {
  const document = await new DocumentHost(log, () => {}).open("g");
  const heard: number[] = [];
  document.doc.on("update", (update: Uint8Array) => void heard.push(update.length));
  log.inserts = 0;
  return { ...document, log, heard };
}

/** What one client says of a key of its own. */
function edit(doc: Y.Doc, client: number, key: string, value: unknown = 1): Uint8Array {
  const page = copyOf(doc);
  page.clientID = client;
  const before = Y.encodeStateVector(page);
  page.getMap("graph").set("context", { [key]: value });
  return Y.encodeStateAsUpdate(page, before);
}

test("[C5] edits that come while one is stored are stored with one INSERT, and told with one message", async () => {
  const { doc, append, log, heard } = await opened();
  const edits = Array.from({ length: 20 }, (_, at) => append(edit(doc, 100 + at, `k${at}`), at % 2 ? ADA : BEN));
  expect(await Promise.all(edits)).toEqual(Array(20).fill(true));
  expect([log.inserts, heard.length]).toEqual([1, 1]);
  expect(log.owners.get(101)).toBe("profile:ada");
  const again = await opened(log);
  expect(again.doc.toJSON()).toEqual(doc.toJSON());
});

test("[C5] one of them that is refused is refused alone, and what came before it and after it is stored", async () => {
  const { doc, append, log } = await opened();
  const answers = await Promise.allSettled([
    append(edit(doc, 101, "a"), ADA),
    append(Uint8Array.from([9, 9, 9, 9]), BEN),
    append(edit(doc, 102, "b"), ADA),
    append(edit(doc, 103, "x", 10n), BEN),
    append(edit(doc, 104, "c"), ADA),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
  for (const answer of answers) if (answer.status === "rejected") expect(answer.reason).toBeInstanceOf(EditRefused);
  expect([...doc.store.clients.keys()].filter((client) => client < 200).sort()).toEqual([101, 102, 104]);
  expect([...(await opened(log)).doc.store.clients.keys()].filter((client) => client < 200).sort()).toEqual([101, 102, 104]);
});

test("[C5] of two that use one new client id, it is whose came first; one that says another's over again says nothing new", async () => {
  const { doc, append, log } = await opened();
  const mine = edit(doc, 101, "a");
  const [first, second, third] = await Promise.allSettled([
    append(mine, ADA),
    append(edit(doc, 101, "longer", [1, 2]), BEN),
    append(mine, BEN),
  ]);
  expect(first.status).toBe("fulfilled");
  // Under the id there is nothing new in what has the same clock: it is left out, as what the server holds is.
  expect([second.status, third.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(doc.getMap("graph").get("context")).toEqual({ a: 1 });
  const next = copyOf(doc);
  next.clientID = 101;
  const before = Y.encodeStateVector(next);
  next.getMap("graph").set("context", { b: 1 });
  const [own, foreign] = await Promise.allSettled([append(edit(doc, 105, "z"), ADA), append(Y.encodeStateAsUpdate(next, before), BEN)]);
  expect(own.status).toBe("fulfilled");
  expect(foreign).toMatchObject({ status: "rejected", reason: expect.any(EditUnfit) });
  expect(log.owners.get(101)).toBe("profile:ada");
});

test("[C5] in one group too nobody goes on under a client id that another is the first under", async () => {
  const { doc, append } = await opened();
  const page = copyOf(doc);
  page.clientID = 101;
  const [start] = [Y.encodeStateVector(page)];
  page.getMap("graph").set("context", { a: 1 });
  const first = Y.encodeStateAsUpdate(page, start);
  const middle = Y.encodeStateVector(page);
  page.getMap("graph").set("context", { b: 1 });
  const [mine, theirs] = await Promise.allSettled([append(first, ADA), append(Y.encodeStateAsUpdate(page, middle), BEN)]);
  expect(mine.status).toBe("fulfilled");
  expect(theirs).toMatchObject({ status: "rejected", reason: expect.any(EditUnfit) });
  expect(doc.getMap("graph").get("context")).toEqual({ a: 1 });
});

test("[C1] what could not be stored is in nobody's document, and each of them is told", async () => {
  const log = new MemoryLog();
  const { doc, append, heard } = await opened(log);
  log.append = () => Promise.reject(new DocumentLost("g"));
  const answers = await Promise.allSettled([append(edit(doc, 101, "a"), ADA), append(edit(doc, 102, "b"), BEN)]);
  for (const answer of answers) expect(answer).toMatchObject({ status: "rejected", reason: expect.any(DocumentLost) });
  expect(heard).toEqual([]);
});
