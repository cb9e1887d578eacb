// What a socket leaves behind: nothing, whenever and however it goes. Fake sockets and a fake clock.
import { EventEmitter } from "node:events";
import { LAYOUT, migrate } from "@spindle/graph-model/shared-doc";
import * as encoding from "lib0/encoding";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import { DocumentHost } from "./document-host.ts";
import { CollabSockets, layoutIn } from "./socket.ts";
import type { UpdateLog } from "./update-log.ts";

class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  binaryType = "";
  answers = true;
  closed: [number, string?] | undefined;
  sent: Uint8Array[] = [];
  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  ping(data: string): void {
    if (this.answers) this.emit("pong", Buffer.from(data));
  }
  terminate(): void {
    this.end();
  }
  close(code: number, reason?: string): void {
    this.closed = [code, reason];
    this.end();
  }
  end(): void {
    this.readyState = 3;
    this.emit("close");
  }
}

const bytes = migrate(new Y.Doc());
let loaded: (() => void) | undefined;
let fails = false;
const log: UpdateLog = {
  read: () =>
    new Promise((resolve, reject) => {
      loaded = () => (fails ? reject(new Error("no database")) : resolve([{ seq: "1", bytes }]));
    }),
  append: () => Promise.resolve(),
  setAside: () => Promise.resolve(),
  migrate: () => Promise.resolve(),
};
const errors: unknown[] = [];
const start = () => {
  const documents = new DocumentHost(log, () => {}, 1000);
  const sockets = new CollabSockets(documents, (_, error) => void errors.push(error), { pingMs: 20_000, pongMs: 10_000 });
  const share = { waiting: 0 };
  const connect = (layout = LAYOUT) => {
    const socket = new FakeSocket();
    sockets.connect("g", socket as unknown as WebSocket, layout, share);
    return socket;
  };
  return { documents, sockets, connect, share };
};
const load = async () => {
  loaded?.();
  await vi.advanceTimersByTimeAsync(0);
};

beforeEach(() => {
  vi.useFakeTimers();
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
  const large = (mib: number) => new ArrayBuffer(mib * 1024 * 1024);
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

describe("[C5] what a page says of itself", () => {
  /** An awareness message: of each page its id, its clock and its state as JSON. */
  const awarenessOf = (...pages: [client: number, state: string][]) => {
    const body = encoding.createEncoder();
    encoding.writeVarUint(body, pages.length);
    for (const [client, state] of pages) {
      encoding.writeVarUint(body, client);
      encoding.writeVarUint(body, 2 ** 40);
      encoding.writeVarString(body, state);
    }
    const whole = encoding.createEncoder();
    encoding.writeVarUint(whole, 1);
    encoding.writeVarUint8Array(whole, encoding.toUint8Array(body));
    return encoding.toUint8Array(whole).slice().buffer;
  };
  const awareness = (socket: FakeSocket) => socket.sent.filter(([kind]) => kind === 1).length;

  test.each<[string, string]>([
    ["nested too deep to be told to others", `${"[".repeat(5000)}${"]".repeat(5000)}`],
    ["longer than a page has to say", JSON.stringify("a".repeat(20_000))],
    ["no JSON", "{"],
  ])("closes its own connection if it is %s, and newcomers come in", async (_, state) => {
    const { connect } = start();
    const [bad, other] = [connect(), connect()];
    await load();
    bad.emit("message", awarenessOf([1, state]));
    await vi.advanceTimersByTimeAsync(0);
    expect(bad.closed?.[0]).toBe(4400);
    const late = connect();
    await load();
    await vi.advanceTimersByTimeAsync(0);
    expect([other.readyState, late.readyState, awareness(other)]).toEqual([1, 1, 0]);
  });
  test("for more pages than a connection has closes it", async () => {
    const { connect } = start();
    const socket = connect();
    await load();
    for (let from = 0; from < 16; from += 4)
      socket.emit("message", awarenessOf(...[1, 2, 3, 4].map((id): [number, string] => [from + id, "{}"])));
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.readyState).toBe(1);
    socket.emit("message", awarenessOf([17, "{}"]));
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.closed?.[0]).toBe(4400);
  });
  test("longer in all than a page has to say closes its own connection, however many messages it is told in", async () => {
    const { connect } = start();
    const socket = connect();
    await load();
    const state = JSON.stringify("a".repeat(4000));
    for (let id = 0; id < 4; id++) socket.emit("message", awarenessOf([id, state]));
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.readyState).toBe(1);
    socket.emit("message", awarenessOf([4, state]));
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.closed?.[0]).toBe(4400);
  });
  test("under the id of another page has no effect", async () => {
    const { connect } = start();
    const [ada, eve] = [connect(), connect()];
    await load();
    ada.emit("message", awarenessOf([7, '{"user":"ada"}']));
    await vi.advanceTimersByTimeAsync(0);
    expect(awareness(eve)).toBe(1);
    eve.emit("message", awarenessOf([8, '{"user":"eve"}'], [7, '{"user":"eve too"}']));
    await vi.advanceTimersByTimeAsync(0);
    expect([awareness(ada), eve.readyState]).toEqual([1, 1]);
    eve.emit("message", awarenessOf([8, '{"user":"eve"}']));
    await vi.advanceTimersByTimeAsync(0);
    expect(awareness(ada)).toBe(2);
    ada.end();
    await vi.advanceTimersByTimeAsync(0);
    eve.emit("message", awarenessOf([7, '{"user":"ada, on a new connection"}']));
    await vi.advanceTimersByTimeAsync(0);
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
  // Step 1 of the server, step 2 and "saved" for the first message, none for the third: the second closed the socket.
  expect(socket.sent.map(([kind, step]) => (kind === 5 ? [kind] : [kind, step]))).toEqual([[0, 0], [0, 1], [5]]);
  expect(socket.closed).toEqual([4400, "It is no message of this protocol."]);
});

test.each<[string, number, (doc: Y.Doc) => void, RegExp]>([
  ["that nobody may make", 4400, (doc) => void doc.getMap("nodes").set("n", new Uint8Array(3)), /holds bytes/],
  ["that does not go with what is there", 4409, (doc) => void doc.getMap("graph").set("layout", 1), /changes the layout/],
])("[C5] an edit %s closes its socket with %i", async (_, code, edit, reason) => {
  const { connect } = start();
  const [socket, other] = [connect(), connect()];
  await load();
  const message = encoding.createEncoder();
  for (const part of [0, 2]) encoding.writeVarUint(message, part);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, bytes);
  const before = Y.encodeStateVector(doc);
  edit(doc);
  encoding.writeVarUint8Array(message, Y.encodeStateAsUpdate(doc, before));
  socket.emit("message", encoding.toUint8Array(message).slice().buffer);
  await vi.advanceTimersByTimeAsync(0);
  expect(socket.closed).toEqual([code, expect.stringMatching(reason)]);
  expect(other.readyState).toBe(1);
});

test("those who have a document open hear that it ends, and why", async () => {
  const { documents, sockets, connect } = start();
  const socket = connect();
  await load();
  documents.drop("g", "removed");
  expect(socket.closed?.[0]).toBe(4404);
  await vi.advanceTimersByTimeAsync(0);
  expect([documents.size, sockets.size]).toEqual([0, 0]);
});

test.each([
  ["an older", 1, "This page was opened before Spindle was updated."],
  ["a newer", LAYOUT + 1, "This page is newer than the server that it reached."],
])("a page of %s layout is told so for good, and reads nothing", async (_, layout, reason) => {
  const { documents, sockets, connect } = start();
  const socket = connect(layout);
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
])("the address %j is of a page of layout %i", (query, layout) => expect(layoutIn(query)).toBe(layout));
