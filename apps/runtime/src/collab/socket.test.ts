// What a socket leaves behind: nothing, whenever and however it goes. Fake sockets and a fake clock.
import { EventEmitter } from "node:events";
import { LAYOUT, migrate } from "@spindle/graph-model/shared-doc";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
  ping(): void {
    if (this.answers) this.emit("pong");
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
  const connect = (layout = LAYOUT) => {
    const socket = new FakeSocket();
    sockets.connect("g", socket as unknown as WebSocket, layout);
    return socket;
  };
  return { documents, sockets, connect };
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
