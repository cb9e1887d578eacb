// What refused edits may cost: a copy of the document each, so few of them.
import { EditRefused, headOf, migrate } from "@spindle/graph-model/shared-doc";
import { afterEach, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import { craft, updateOf } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import { FakeSocket, messageOf, refusalOf } from "./fake-socket.testing.ts";
import { Losses, MustWait } from "./losses.ts";
import { MemoryLog, MemoryRefused } from "./memory-log.testing.ts";
import { CollabSockets } from "./socket.ts";

/** Documents that were made, replicas among them. */
const made = vi.hoisted(() => ({ docs: 0 }));
vi.mock("yjs", async (original) => {
  const yjs = await original<typeof Y>();
  class Doc extends yjs.Doc {
    constructor(options?: ConstructorParameters<typeof yjs.Doc>[0]) {
      super(options);
      made.docs++;
    }
  }
  return { ...yjs, Doc };
});
afterEach(() => void vi.restoreAllMocks());

const GRAPH = { id: "g", epoch: 1n };
const number = (value: number) => new Y.ContentAny([value]);
const key = (client: number, name: string) => craft({ [client]: [{ parent: "graph", key: name, content: number(1) }] });
const empty = new Y.Doc();
Y.applyUpdate(empty, migrate(new Y.Doc()));
/** Only a look at the document tells that it may not be. */
const UNFIT = updateOf(empty, (doc) => void headOf(doc).set("layout", 7));

test("[C5] a principal whose refused edits cost copies of a large document waits a minute; its neighbours do not", {
  timeout: 60_000,
}, async () => {
  let now = 1_000_000;
  vi.spyOn(Date, "now").mockImplementation(() => now);
  const log = new MemoryLog();
  const fill = Array.from({ length: 200_000 }, (_, at) => ({ parent: "graph", key: `k${at}`, content: number(at) }));
  log.insert(Y.mergeUpdates([Y.encodeStateAsUpdate(empty), craft({ 9: fill })]));
  const documents = new DocumentHost(log, () => {});
  await documents.open("g");
  const sockets = new CollabSockets(documents, new MemoryRefused(), () => {});
  const opened = new Set<FakeSocket>();
  const send = async (share: { waiting: number }, update: Uint8Array) => {
    const socket = new FakeSocket();
    opened.add(socket);
    sockets.connect(GRAPH, socket as unknown as WebSocket, { layout: 2 }, share, authorOf("me"));
    const rows = log.rows.length;
    socket.emit("message", messageOf(update));
    await vi.waitUntil(() => refusalOf(socket) || log.rows.length > rows || socket.sent.some(([kind]) => kind === 5), 20_000);
    return socket;
  };
  const [mine, neighbour] = [{ waiting: 0 }, { waiting: 0 }];
  made.docs = 0;
  for (let times = 0; times < 3; times++) expect(refusalOf(await send(mine, UNFIT))?.[0]).toBe(4409);
  for (let times = 0; times < 5; times++)
    expect((await send(mine, UNFIT)).closed).toEqual([1013, "Several edits from here were refused. The next one is taken in 60 s."]);
  expect(made.docs, "a copy for each edit that was tried").toBe(3);

  now += 20_000;
  const reader = new FakeSocket();
  sockets.connect(GRAPH, reader as unknown as WebSocket, { layout: 2 }, mine, authorOf("me"));
  const nothingNew = Uint8Array.from([0, 1, 9, 1, 0, 1]); // a deletion alone, of the key k0 of client 9
  const stored = log.rows.length;
  reader.emit("message", messageOf(nothingNew));
  await vi.waitUntil(() => log.rows.length > stored, 20_000);
  expect((await send(mine, key(20, "mine"))).closed).toEqual([1013, expect.stringMatching(/is taken in 40 s/)]);
  expect(reader.closed, "who reads").toBeUndefined();
  expect((await send(neighbour, key(21, "neighbour"))).closed).toBeUndefined();
  now += 40_000;
  expect((await send(mine, key(20, "mine"))).closed).toBeUndefined();
  for (const socket of [...opened, reader]) socket.end();
});

test("[C5] edits that wait behind another are refused as those before them were, and cost no copy", { timeout: 60_000 }, async () => {
  const log = new MemoryLog();
  const fill = Array.from({ length: 300_000 }, (_, at) => ({ parent: "graph", key: `k${at}`, content: number(at) }));
  log.insert(Y.mergeUpdates([Y.encodeStateAsUpdate(empty), craft({ 9: fill })]));
  const documents = new DocumentHost(log, () => {});
  const { append } = await documents.open("g");
  const sockets = new CollabSockets(documents, new MemoryRefused(), () => {});
  let stored = () => {};
  const append1 = log.append.bind(log);
  vi.spyOn(log, "append").mockImplementationOnce(async (graph, bytes, claim) => {
    await new Promise<void>((resolve) => {
      stored = resolve;
    });
    return append1(graph, bytes, claim);
  });
  const first = append(key(20, "slow"), authorOf("another"));
  await vi.waitUntil(() => vi.mocked(log.append).mock.calls.length === 1, 20_000);
  made.docs = 0;
  const mine = { waiting: 0 };
  const burst = Array.from({ length: 8 }, () => {
    const socket = new FakeSocket();
    sockets.connect(GRAPH, socket as unknown as WebSocket, { layout: 2 }, mine, authorOf("me"));
    socket.emit("message", messageOf(UNFIT));
    return socket;
  });
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => void setImmediate(resolve));
  stored();
  await first;
  await vi.waitUntil(() => burst.every(refusalOf), 20_000);
  expect(burst.map((socket) => refusalOf(socket)?.[0])).toEqual([4409, 4409, ...Array(6).fill(1013)]);
  expect(made.docs, "after the first, whose copy was there").toBe(1);
});

test("[C5] edits that only delete are tried longer, and not for ever", async () => {
  vi.spyOn(Date, "now").mockReturnValue(1_000_000);
  const losses = new Losses();
  const [adds, deletes] = [key(20, "a"), Uint8Array.from([0, 1, 9, 1, 0, 1])];
  const refuse = () => Promise.reject(Object.assign(new EditRefused("no"), { lost: 2 ** 19 + 1 }));
  await expect(losses.pay(adds, 100, refuse)).rejects.toThrow("no");
  await expect(losses.pay(adds, 100, refuse)).rejects.toBeInstanceOf(MustWait);
  for (let times = 0; times < 3; times++) await expect(losses.pay(deletes, 100, refuse)).rejects.toThrow("no");
  await expect(losses.pay(deletes, 100, refuse)).rejects.toBeInstanceOf(MustWait);
});

/** An edit that is tried when `tried` says so, and over when it is told to be. */
function edit(losses: Losses, pieces: number) {
  let end = { take: () => {}, refuse: () => {} };
  const under = { way: false };
  const paid = losses.pay(key(20, "a"), pieces, () => {
    under.way = true;
    return new Promise<string>((resolve, reject) => {
      const refused = Object.assign(new EditRefused("no"), { lost: pieces });
      end = { take: () => resolve("taken"), refuse: () => reject(refused) };
    });
  });
  const over = paid.catch((error: Error) => error);
  return { under, over, take: () => end.take(), refuse: () => end.refuse() };
}
const settled = () => new Promise((resolve) => void setImmediate(resolve));

test("[C5] a large edit of one graph delays no small edit of the same principal on another", async () => {
  const losses = new Losses();
  const large = edit(losses, 400_000);
  const small = edit(losses, 1000);
  await settled();
  expect([large.under.way, small.under.way]).toEqual([true, true]);
  small.take();
  expect(await small.over).toBe("taken");
  large.take();
  expect(await large.over).toBe("taken");
});

test("[C5] edits of many graphs at once cost no more copies than one after another", async () => {
  const losses = new Losses();
  const edits = Array.from({ length: 4 }, () => edit(losses, 200_000));
  const underWay = async () => {
    await settled();
    return edits.map(({ under }) => under.way);
  };
  expect(await underWay()).toEqual([true, true, false, false]);
  edits[0]?.refuse();
  expect(await underWay(), "what is lost counts beside what is at stake").toEqual([true, true, false, false]);
  edits[1]?.refuse();
  expect(await underWay()).toEqual([true, true, true, false]);
  edits[2]?.refuse();
  expect(await edits[3]?.over).toBeInstanceOf(MustWait);
  expect(await underWay()).toEqual([true, true, true, false]);
});

test("[C5] an edit is as much at stake as it may split, and waits while others are tried", async () => {
  const losses = new Losses();
  const first = edit(losses, 1000);
  const many = craft({ 20: Array.from({ length: 180_000 }, (_, at) => ({ parent: "graph", key: `k${at}`, content: number(at) })) });
  const large = losses.pay(many, 1000, async () => "taken");
  const last = edit(losses, 1);
  await settled();
  expect([first.under.way, last.under.way]).toEqual([true, false]);
  first.take();
  expect(await large).toBe("taken");
  await settled();
  last.take();
  expect(await last.over).toBe("taken");
});
