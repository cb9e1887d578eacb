// What becomes of edits that are refused: what nobody may send is counted, all else is kept for whoever made it.
import { EDIT_REFUSED, KEPT, migrate } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import { craft } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { type Author, authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { FakeSocket, messageOf } from "./fake-socket.testing.ts";
import { MemoryLog, MemoryRefused } from "./memory-log.testing.ts";
import { keepRefused, refusedOf } from "./refused-edits.ts";
import { CollabSockets } from "./socket.ts";

const [ADA, BEN] = [authorOf("profile:ada"), authorOf("profile:ben")];
const [OF_ANOTHER, NO_MESSAGE] = ["It was made under the name of another page.", "It is no message of this protocol."];
const key = (client: number, name: string, clock = 0, value = 1) =>
  craft({ [client]: [{ parent: "graph", key: name, content: new Y.ContentAny([value]) }] }, {}, { [client]: clock });
const settle = async () => {
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
};

function start() {
  const log = new MemoryLog();
  log.insert(migrate(new Y.Doc()));
  const documents = new DocumentHost(log, () => {});
  const refused = new MemoryRefused();
  const sockets = new CollabSockets(documents, refused, () => {});
  const connect = async (author: Author) => {
    const socket = new FakeSocket();
    sockets.connect({ id: "g", epoch: 1n }, socket as unknown as WebSocket, { layout: 2 }, { waiting: 0 }, author);
    await settle();
    return socket;
  };
  const context = () => documents.use("g", ({ doc }) => doc.getMap("graph").toJSON());
  return { log, documents, refused, connect, context };
}
const send = async (socket: FakeSocket, message: ArrayBuffer) => {
  socket.emit("message", message);
  await settle();
};
/** What a page was sent of a kind of message that begins with JSON. */
const heard = (socket: FakeSocket, kind: number) =>
  socket.sent
    .filter(([first]) => first === kind)
    .map((bytes) => {
      const decoder = decoding.createDecoder(bytes.subarray(1));
      return { about: JSON.parse(decoding.readVarString(decoder)), decoder };
    });

test("[C5] the third message that nobody may send closes its socket; until then its good edits are stored", async () => {
  const { connect, context } = start();
  const [eve, ada] = [await connect(BEN), await connect(ADA)];
  const junk = Uint8Array.from([0, 2, 3, 255, 255, 255]).slice().buffer;
  await send(eve, junk);
  await send(eve, messageOf(key(5, "good")));
  await send(eve, Uint8Array.from([0]).buffer);
  expect(eve.closed).toBeUndefined();
  expect(heard(eve, EDIT_REFUSED).map(({ about }) => about)).toEqual([
    { code: 4400, reason: "It cannot be applied to the graph." },
    { code: 4400, reason: NO_MESSAGE },
  ]);
  await send(eve, junk);
  expect(eve.closed).toEqual([4400, "It cannot be applied to the graph."]);
  expect([ada.closed, heard(ada, EDIT_REFUSED)]).toEqual([undefined, []]);
  expect(await context()).toMatchObject({ good: 1 });
});

test("[C5] what does not go with the document closes nothing, however often it comes, and is kept for its author alone", async () => {
  const { connect, context, documents } = start();
  await documents.use("g", ({ append }) => append(key(7, "hers"), ADA));
  const ben = await connect(BEN);
  for (let times = 0; times < 10; times++) await send(ben, messageOf(key(7, "his", 1)));
  expect(ben.closed).toBeUndefined();
  expect(heard(ben, EDIT_REFUSED).map(({ about }) => about)).toEqual(Array(10).fill({ code: 4409, reason: OF_ANOTHER }));
  expect(await context()).not.toHaveProperty("his");
  expect(heard(await connect(ADA), KEPT)).toEqual([]);
  const [kept] = heard(await connect(BEN), KEPT);
  expect(kept?.about).toEqual({ last: "10", edits: 10, reason: OF_ANOTHER, at: new Date(0).toISOString() });
});

test("[C5] an author makes what was kept again, and lets go of it", async () => {
  const { connect, context, documents, refused } = start();
  await documents.use("g", ({ append }) => append(key(7, "hers"), ADA));
  const page = new Y.Doc();
  await documents.use("g", ({ doc }) => Y.applyUpdate(page, Y.encodeStateAsUpdate(doc)));
  page.clientID = 7;
  const socket = await connect(BEN);
  for (const text of ["one", "two"]) {
    const before = Y.encodeStateVector(page);
    page.getMap("graph").set("context", { text, with: { more: 1 } });
    await send(socket, messageOf(Y.encodeStateAsUpdate(page, before)));
  }
  await documents.use("g", ({ append }) => append(key(7, "hers later", 1), ADA));
  const [ben, again] = [await connect(BEN), await connect(BEN)];
  const updates = [ben, again].map((one) => heard(one, KEPT).map(({ decoder }) => decoding.readVarUint8Array(decoder))[0]);
  expect(updates[0], "another page of the same author makes the same edit").toEqual(updates[1]);
  await send(ben, messageOf(updates[0] as Uint8Array));
  await send(again, messageOf(updates[0] as Uint8Array));
  expect(await context()).toMatchObject({ hers: 1, "hers later": 1, context: { text: "two", with: { more: 1 } } });

  const forget = (last: string) => {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, KEPT);
    encoding.writeVarString(encoder, last);
    return encoding.toUint8Array(encoder).slice().buffer;
  };
  await send(await connect(ADA), forget("2"));
  await send(ben, forget("1"));
  expect(refused.rows.map(({ id }) => id)).toEqual(["2"]);
  await send(ben, forget("2"));
  expect(refused.rows).toEqual([]);
  await send(ben, forget("all"));
  expect(heard(ben, EDIT_REFUSED).at(-1)?.about.reason).toBe(NO_MESSAGE);
});

test("[C5] what is under another's id goes on from what the document had of it when it was refused", async () => {
  const refused = new MemoryRefused();
  const doc = new Y.Doc();
  Y.applyUpdate(doc, key(7, "a"));
  const mayWrite = (client: number) => client !== 7;
  await keepRefused(refused, "g", { doc, update: key(7, "b", 1), author: BEN, reason: "", mayWrite });
  Y.applyUpdate(doc, key(7, "c", 1));
  await keepRefused(refused, "g", { doc, update: key(7, "d", 2), author: BEN, reason: "", mayWrite });
  const kept = await refusedOf(refused, "g", BEN);
  Y.applyUpdate(doc, kept?.update as Uint8Array);
  expect(doc.getMap("graph").toJSON()).toEqual({ a: 1, b: 1, c: 1, d: 1 });
});
