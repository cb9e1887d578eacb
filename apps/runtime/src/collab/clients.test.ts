// Whose client ids are, and how fast somebody may edit and speak. Fake sockets and a fake clock.
import { migrate } from "@spindle/graph-model/shared-doc";
import { afterEach, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import { craft } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { type Author, authorOf, Clients, SERVER } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { awarenessOf, FakeSocket, messageOf } from "./fake-socket.testing.ts";
import { MemoryLog, MemoryRefused } from "./memory-log.testing.ts";
import { CollabSockets } from "./socket.ts";

afterEach(() => void vi.useRealTimers());

const [ADA, BEN] = [authorOf("profile:ada", "profile:ada's second"), authorOf("profile:ben")];
/** An edit under a client id, after those under it that are there. */
const key = (client: number, name: string, clock = 0) =>
  craft({ [client]: [{ parent: "graph", key: name, content: new Y.ContentAny([1]) }] }, {}, { [client]: clock });
const OF_ANOTHER = "It was made under the name of another page.";
const start = (log = new MemoryLog()) => {
  log.insert(migrate(new Y.Doc()));
  return { log, host: () => new DocumentHost(log, () => {}) };
};

test("[C5] a client id is its first user's, also once the document is loaded again; nobody else's edits under it are stored", async () => {
  const { log, host } = start();
  const { append } = await host().open("g");
  await append(key(7, "a"), ADA);
  await expect(append(key(7, "b", 1), BEN)).rejects.toThrow(OF_ANOTHER);
  const later = await host().open("g");
  await expect(later.append(key(7, "b", 1), BEN)).rejects.toThrow(OF_ANOTHER);
  await later.append(key(7, "b", 1), authorOf("profile:ada's second", "profile:ada"));
  expect(later.doc.getMap("graph").toJSON()).toMatchObject({ a: 1, b: 1 });
  expect([...log.owners]).toEqual([[7, "profile:ada"]]);
});

test("[C5] what the server edits for a program is under an id that no page can go on with", async () => {
  const { log, host } = start();
  const documents = host();
  await documents.change("g", (doc) => void doc.getMap("graph").set("context", 1));
  const [[client, owner] = [0]] = [...log.owners];
  expect(owner).toBe(SERVER.name);
  const edit = key(client, "b", 1);
  await expect(documents.use("g", ({ append }) => append(edit, ADA))).rejects.toThrow(OF_ANOTHER);
});

test("[C5] an id that nobody has used is its page's as soon as the page says that it is there", () => {
  const clients = new Clients(new Map([[1, "profile:ada"]]));
  clients.announce(BEN, 1);
  clients.announce(ADA, 2);
  clients.announce(BEN, 2);
  expect([1, 2, 3].map((id) => [clients.isOf(ADA, id), clients.isOf(BEN, id)])).toEqual([
    [true, false],
    [true, false],
    [true, true],
  ]);
  for (let id = 10; id < 10 + 2 ** 14; id++) clients.announce(BEN, id);
  expect(clients.isOf(BEN, 2), "those that were said first are forgotten").toBe(true);
});

const settle = async () => {
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
};
async function sockets() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
  const { log, host } = start();
  const documents = host();
  const collab = new CollabSockets(documents, new MemoryRefused(), () => {});
  const connect = async (author: Author) => {
    const socket = new FakeSocket();
    collab.connect({ id: "g", epoch: 1n }, socket as unknown as WebSocket, { layout: 2 }, { waiting: 0 }, author);
    await settle();
    socket.sent = [];
    return socket;
  };
  return { log, documents, connect };
}
const heard = (socket: FakeSocket) => socket.sent.filter(([kind]) => kind === 1);

test("[C5] what is said of a page that another identity has edited with has no effect", async () => {
  const { documents, connect } = await sockets();
  const [ada, ben] = [await connect(ADA), await connect(BEN)];
  await documents.use("g", ({ append }) => append(key(7, "a"), ADA));
  ben.emit("message", awarenessOf([7, '{"user":"ben"}']));
  await settle();
  expect([heard(ada).length, ben.readyState]).toEqual([0, 1]);
  ada.emit("message", awarenessOf([7, '{"user":"ada"}']));
  await settle();
  expect(heard(ben).length).toBe(1);
});

test("[C5] one who says more than thirty things a second is told of less often, and the last of it comes through", async () => {
  const { connect } = await sockets();
  const [ada, ben] = [await connect(ADA), await connect(BEN)];
  for (let at = 1; at <= 500; at++) {
    ada.emit("message", awarenessOf([7, JSON.stringify({ at })], at));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settle();
  expect(heard(ben).length).toBe(60);
  await vi.advanceTimersByTimeAsync(1000);
  expect(heard(ben).length).toBe(61);
  expect(Buffer.from(heard(ben).at(-1) as Uint8Array).toString()).toContain('{"at":500}');
});

test("[C5] edits that come faster than five hundred a second wait, and none is lost", async () => {
  const { log, connect } = await sockets();
  const ada = await connect(ADA);
  const append = vi.spyOn(log, "append");
  const isStored = async (count: number) => {
    while (append.mock.calls.length < count) await new Promise((resolve) => setImmediate(resolve));
    await settle();
    return append.mock.calls.length === count;
  };
  const send = (clock: number) => ada.emit("message", messageOf(key(7, `k${clock}`, clock)));
  for (let clock = 0; clock < 5000; clock++) {
    send(clock);
    if (clock % 100 === 99) await isStored(clock + 1);
  }
  for (let clock = 5000; clock < 5100; clock++) send(clock);
  await settle();
  expect(append).toHaveBeenCalledTimes(5000);
  for (const count of [5010, 5020]) {
    for (let edits = 0; edits < 10; edits++) {
      await vi.advanceTimersByTimeAsync(2);
      await settle();
    }
    expect(await isStored(count)).toBe(true);
  }
  await vi.advanceTimersByTimeAsync(1000);
  while (append.mock.calls.length < 5100) {
    await vi.advanceTimersByTimeAsync(2);
    await settle();
  }
  expect(ada.readyState).toBe(1);
});
