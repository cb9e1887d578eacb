// What a socket leaves behind: nothing, whenever and however it goes. Fake sockets and a fake clock.
import { EPOCH, LAYOUT, migrate } from "@spindle/graph-model/shared-doc";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { awarenessOfAll, FakeSocket, messageOf, refusalOf } from "./fake-socket.testing.ts";
import { MemoryRefused } from "./memory-log.testing.ts";
import { CollabSockets, knowsIn, type PageKnows } from "./socket.ts";
import type { UpdateLog } from "./update-log.ts";

const bytes = migrate(new Y.Doc());
let loaded: (() => void) | undefined;
let fails = false;
const log: UpdateLog = {
  read: () =>
    new Promise((resolve, reject) => {
      loaded = () => (fails ? reject(new Error("no database")) : resolve([{ seq: "1", bytes }]));
    }),
  clients: () => Promise.resolve(new Map()),
  append: () => Promise.resolve([String(++appended)]),
  setAside: () => Promise.resolve("0"),
  compact: () => Promise.resolve("0"),
  migrate: () => Promise.resolve(),
};
const errors: unknown[] = [];
let appended = 0;
const start = () => {
  const documents = new DocumentHost(log, () => {}, 1000);
  const sockets = new CollabSockets(documents, new MemoryRefused(), (_, error) => void errors.push(error));
  const share = { waiting: 0 };
  const connect = (knows: PageKnows = { layout: LAYOUT }, author = authorOf("me")) => {
    const socket = new FakeSocket();
    sockets.connect({ id: "g", epoch: 3n }, socket as unknown as WebSocket, knows, share, author);
    return socket;
  };
  return { documents, sockets, connect, share };
};
/** Long enough for what came to be handled: one message in each turn of the event loop. */
const settle = async () => {
  await vi.advanceTimersByTimeAsync(0);
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
};
const load = async () => {
  loaded?.();
  await settle();
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  fails = false;
  errors.length = 0;
});
afterEach(() => void vi.useRealTimers());

test("one that closes while its document loads leaves no timer, no room and no document", async () => {
  const { documents, sockets, connect } = start();
  const socket = connect();
  socket.emit("message", Uint8Array.from([0, 0, 1, 0]).buffer);
  socket.end();
  await load();
  expect([sockets.size, socket.sent.length]).toEqual([0, 0]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([documents.size, vi.getTimerCount()]).toEqual([0, 0]);
});

test("one whose document cannot be loaded is closed, and the next tries again", async () => {
  const { documents, sockets, connect } = start();
  fails = true;
  const socket = connect();
  await load();
  expect(socket.closed?.[0]).toBe(1011);
  expect([sockets.size, documents.size, errors.length]).toEqual([0, 0, 1]);
  fails = false;
  connect();
  await load();
  expect(sockets.size).toBe(1);
});

test("one that answers no ping is out after 30 seconds; its neighbour stays", async () => {
  const { documents, sockets, connect } = start();
  const [deaf, well] = [connect(), connect()];
  await load();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(deaf.readyState).toBe(1);
  deaf.answers = false;
  await vi.advanceTimersByTimeAsync(30_000);
  expect([deaf.readyState, well.readyState, sockets.size]).toEqual([3, 1, 1]);
  well.answers = false;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(sockets.size).toBe(0);
  await vi.advanceTimersByTimeAsync(1000);
  expect([documents.size, vi.getTimerCount()]).toEqual([0, 0]);
});

test("unless it is said otherwise, 30 seconds lie between the last answer to a ping and the end", async () => {
  const { sockets, connect } = start();
  const socket = connect();
  await load();
  await vi.advanceTimersByTimeAsync(20_000);
  socket.answers = false;
  await vi.advanceTimersByTimeAsync(29_999);
  expect([socket.readyState, sockets.size]).toEqual([1, 1]);
  await vi.advanceTimersByTimeAsync(1);
  expect([socket.readyState, sockets.size]).toEqual([3, 0]);
});

test("pongs that nobody asked for keep no connection alive", async () => {
  const { connect } = start();
  const socket = connect();
  await load();
  socket.answers = false;
  for (let second = 0; second < 40; second++) {
    socket.emit("pong", Buffer.from(""));
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(socket.readyState).toBe(3);
});

describe("what comes faster than it is handled", () => {
  const large = (mib: number) => new Uint8Array(mib * 1024 * 1024).fill(9, 0, 1).buffer; // of a kind that nobody knows
  test("waits in the network: no more is read from a socket until what it sent is handled", async () => {
    const { connect, share } = start();
    const socket = connect();
    socket.emit("message", large(3));
    expect([socket.isPaused, share.waiting]).toEqual([false, 3 * 1024 * 1024]);
    socket.emit("message", large(2));
    expect(socket.isPaused).toBe(true);
    await load();
    expect([socket.isPaused, share.waiting]).toEqual([false, 0]);
  });
  test("by many sockets of one principal waits, too", async () => {
    const { connect, share } = start();
    const sockets = Array.from({ length: 20 }, () => connect());
    for (const socket of sockets) socket.emit("message", large(2));
    expect(sockets.map(({ isPaused }) => isPaused)).toEqual(sockets.map((_, index) => index > 15));
    await load();
    expect([share.waiting, sockets.some(({ isPaused }) => isPaused)]).toEqual([0, false]);
  });
});

test("an edit that came before its socket went is stored", async () => {
  const { documents, sockets, connect } = start();
  const socket = connect();
  await load();
  appended = 0;
  const doc = new Y.Doc();
  Y.applyUpdate(doc, bytes);
  const before = Y.encodeStateVector(doc);
  doc.getMap("nodes").set("n", new Y.Map());
  socket.emit("message", messageOf(Y.encodeStateAsUpdate(doc, before)));
  socket.end();
  await settle();
  expect([appended, sockets.size]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([documents.size, vi.getTimerCount()]).toEqual([0, 0]);
});

describe("[C5] many short messages at once", () => {
  const ASK = Uint8Array.from([0, 0, 1, 0]).buffer;
  test("that ask for all of the document get it once", async () => {
    const { connect, share } = start();
    const socket = connect();
    await load();
    socket.sent = [];
    for (let times = 0; times < 4000; times++) socket.emit("message", ASK);
    await settle();
    expect(socket.sent.map(([kind]) => kind)).toEqual([0, 5]);
    socket.emit("message", ASK);
    await settle();
    expect([socket.sent.length, socket.readyState, share.waiting]).toEqual([4, 1, 0]);
  });
  test("are handled one in each turn of the event loop, whichever sockets they come by", async () => {
    const { connect } = start();
    const sockets = [connect(), connect()];
    await load();
    const doc = new Y.Doc();
    doc.getMap("nodes").set("n", new Y.Map());
    const before = Y.encodeStateVector(doc);
    doc.getMap("nodes").set("n", new Y.Map());
    const gap = messageOf(Y.encodeStateAsUpdate(doc, before));
    sockets[0]?.emit("message", gap); // for which the document is copied, in turns of its own
    await settle();
    let turn = 0;
    const answered: number[] = [];
    for (const socket of sockets) socket.send = () => void answered.push(turn);
    for (let times = 0; times < 10; times++) for (const socket of sockets) socket.emit("message", gap);
    for (; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([answered.length, new Set(answered).size]).toEqual([20, 20]);
  });
  test("are read no further at a thousand, and close their socket at more than come by themselves", async () => {
    const { sockets, connect, share } = start();
    const socket = connect();
    const junk = Uint8Array.from([9]).buffer;
    for (let times = 0; times < 1000; times++) socket.emit("message", junk);
    expect(socket.isPaused).toBe(false);
    socket.emit("message", junk);
    expect([socket.isPaused, socket.closed]).toEqual([true, undefined]);
    for (let times = 0; times < 7000; times++) socket.emit("message", junk);
    expect(socket.closed).toEqual([1008, "More messages came at once than this server keeps. Connect again."]);
    await load();
    expect([socket.isPaused, share.waiting, sockets.size]).toEqual([false, 0, 0]);
  });
});

describe("[C5] what a page says of itself", () => {
  const awarenessOf = (...pages: [client: number, state: string][]) => awarenessOfAll(pages, 2 ** 40);
  const awareness = (socket: FakeSocket) => socket.sent.filter(([kind]) => kind === 1).length;

  test.each<[string, string]>([
    ["nested too deep to be told to others", `${"[".repeat(5000)}${"]".repeat(5000)}`],
    ["longer than a page has to say", JSON.stringify("a".repeat(20_000))],
    ["no JSON", "{"],
  ])("closes its own connection if it is %s, and newcomers come in", async (_, state) => {
    const { connect } = start();
    const [bad, other] = [connect(), connect()];
    await load();
    for (let times = 0; times < 3; times++) bad.emit("message", awarenessOf([1, state]));
    await settle();
    expect(bad.closed?.[0]).toBe(4400);
    const late = connect();
    await load();
    await settle();
    expect([other.readyState, late.readyState, awareness(other)]).toEqual([1, 1, 0]);
  });
  test("for more pages than a connection has closes it", async () => {
    const { connect } = start();
    const socket = connect();
    await load();
    for (let from = 0; from < 16; from += 4)
      socket.emit("message", awarenessOf(...[1, 2, 3, 4].map((id): [number, string] => [from + id, "{}"])));
    await settle();
    expect(socket.readyState).toBe(1);
    for (let times = 0; times < 3; times++) socket.emit("message", awarenessOf([17, "{}"]));
    await settle();
    expect(socket.closed?.[0]).toBe(4400);
  });
  test("to be gone counts like anything else it says, and is forgotten with its connection", async () => {
    const { sockets, connect } = start();
    const stays = connect();
    await load();
    stays.emit("message", awarenessOf([1, "{}"]));
    const gone = (from: number, count: number) =>
      awarenessOf(...Array.from({ length: count }, (_, id): [number, string] => [from + id, "null"]));
    for (let round = 1; round <= 20; round++) {
      const socket = connect();
      await settle();
      socket.emit("message", gone(100 * round, 16));
      await settle();
      expect(socket.readyState).toBe(1);
      for (let times = 0; times < 3; times++) socket.emit("message", gone(100 * round + 16, 1));
      await settle();
      expect(socket.closed?.[0]).toBe(4400);
    }
    const [room] = [...(Reflect.get(sockets, "rooms") as Map<Y.Doc, { awareness: Awareness }>).values()];
    expect([room?.awareness.states.size, room?.awareness.meta.size], "its own id, and that of the page that stays").toEqual([1, 2]);
  });
  test("longer in all than a page has to say closes its own connection, however many messages it is told in", async () => {
    const { connect } = start();
    const socket = connect();
    await load();
    const state = JSON.stringify("a".repeat(4000));
    for (let id = 0; id < 4; id++) socket.emit("message", awarenessOf([id, state]));
    await settle();
    expect(socket.readyState).toBe(1);
    for (let times = 0; times < 3; times++) socket.emit("message", awarenessOf([4, state]));
    await settle();
    expect(socket.closed?.[0]).toBe(4400);
  });
  test("under the id of another page has no effect", async () => {
    const { connect } = start();
    const [ada, eve] = [connect(), connect()];
    await load();
    ada.emit("message", awarenessOf([7, '{"user":"ada"}']));
    await settle();
    expect(awareness(eve)).toBe(1);
    eve.emit("message", awarenessOf([8, '{"user":"eve"}'], [7, '{"user":"eve too"}']));
    await settle();
    expect([awareness(ada), eve.readyState]).toEqual([1, 1]);
    eve.emit("message", awarenessOf([8, '{"user":"eve"}']));
    await settle();
    expect(awareness(ada)).toBe(2);
    ada.end();
    await settle();
    eve.emit("message", awarenessOf([7, '{"user":"ada, on a new connection"}']));
    await settle();
    expect(awareness(eve)).toBeGreaterThan(2);
  });
});

test("what comes while the document loads is answered in order after it", async () => {
  const { connect } = start();
  const socket = connect();
  socket.emit("message", Uint8Array.from([0, 0, 1, 0]).buffer);
  socket.emit("message", Uint8Array.from([1, 5, 255, 255, 255, 255, 255]).buffer);
  socket.emit("message", Uint8Array.from([0, 0, 1, 0]).buffer);
  await load();
  // Step 1 of the server, step 2 and "saved" for the first message, which answers the third as well; the second is refused.
  expect(socket.sent.map(([kind, step]) => (kind === 0 ? [kind, step] : [kind]))).toEqual([[6], [0, 0], [0, 1], [5], [7]]);
  expect(refusalOf(socket)).toEqual([4400, "It is no message of this protocol."]);
});

test.each<[string, number, (doc: Y.Doc) => void, RegExp]>([
  ["that nobody may make", 4400, (doc) => void doc.getMap("nodes").set("n", new Uint8Array(3)), /holds bytes/],
  ["that does not go with what is there", 4409, (doc) => void doc.getMap("graph").set("layout", 1), /changes the layout/],
])("[C5] an edit %s is refused with %i", async (_, code, edit, reason) => {
  const { connect } = start();
  const [socket, other] = [connect(), connect()];
  await load();
  const doc = new Y.Doc();
  Y.applyUpdate(doc, bytes);
  const before = Y.encodeStateVector(doc);
  edit(doc);
  socket.emit("message", messageOf(Y.encodeStateAsUpdate(doc, before)));
  await settle();
  expect(refusalOf(socket)).toEqual([code, expect.stringMatching(reason)]);
  expect([socket.closed, other.readyState]).toEqual([undefined, 1]);
});

test("those who have a document open hear that it ends, and why", async () => {
  const { documents, sockets, connect } = start();
  const socket = connect();
  await load();
  documents.drop("g", "removed");
  expect(socket.closed?.[0]).toBe(4404);
  await settle();
  expect([documents.size, sockets.size]).toEqual([0, 0]);
});

test.each([
  ["an older", 1, "This page was opened before Spindle was updated."],
  ["a newer", LAYOUT + 1, "This page is newer than the server that it reached."],
])("a page of %s layout is told so for good, and reads nothing", async (_, layout, reason) => {
  const { documents, sockets, connect } = start();
  const socket = connect({ layout });
  socket.emit("message", Uint8Array.from([0, 0, 1, 0]).buffer);
  expect(socket.closed).toEqual([4426, reason]);
  expect([documents.size, sockets.size, socket.sent.length, vi.getTimerCount(), errors.length]).toEqual([0, 0, 0, 0, 0]);
});

test.each([
  ["", 1],
  ["layout=2", 2],
  ["a=b&layout=12", 12],
  ["layout=two", 1],
  ["layout=", 1],
  ["%ff&layout=%zz", 1],
])("the address %j is of a page of layout %i", (query, layout) => expect(knowsIn(query)).toEqual({ layout }));

test("[C5] a page is told the epoch of the document, and one that knows a document of another epoch brings nothing of it", async () => {
  const { sockets, documents, connect } = start();
  expect(knowsIn("layout=2&epoch=3")).toEqual({ layout: 2, epoch: "3" });
  const [fresh, known] = [connect(), connect({ layout: LAYOUT, epoch: "3" })];
  await load();
  for (const socket of [fresh, known]) expect(socket.sent.map(([kind]) => kind)).toContain(EPOCH);
  const old = connect({ layout: LAYOUT, epoch: "2" });
  expect(old.closed).toEqual([4427, "The graph was restored or repaired since this page opened it."]);
  old.emit("message", messageOf(Y.encodeStateAsUpdate(new Y.Doc())));
  await settle();
  expect([old.sent.length, sockets.size, errors.length]).toEqual([0, 1, 0]);
  for (const socket of [fresh, known]) socket.end();
  await settle();
  expect(documents.size).toBe(1);
});
