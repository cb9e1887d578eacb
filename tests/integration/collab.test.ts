// Shared documents over the real socket: what one person does reaches the other and the database; what is hostile does not.
import { addNode, connect, LAYOUT, layoutOf, nodesOf, normalise, SAVED, setEntry, setParam } from "@spindle/graph-model/shared-doc";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { DocumentHost } from "../../apps/runtime/src/collab/document-host.ts";
import { updateLog } from "../../apps/runtime/src/collab/update-log.ts";
import type { GraphAbout, GraphSummary } from "../../apps/runtime/src/services/graph-service.ts";
import { UNAPPLIABLE, updateOf } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview as add, type Documents, refusalTo, startDocuments, varUint } from "../support/documents.ts";
import { ended, getRun, until } from "../support/spindle.ts";

let documents: Documents;
let spindle: Documents["spindle"];
let db: Documents["db"];
const open: WebsocketProvider[] = [];
beforeAll(async () => {
  documents = await startDocuments();
  ({ spindle, db } = documents);
});
afterAll(async () => {
  for (const provider of open) provider.destroy();
  await documents?.stop();
});

const socketUrl = () => `${spindle.url.replace("http", "ws")}/collab`;
const minimal = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [{ id: "a", service: "output.preview", plane: "node", status: "pending" }],
  edges: [],
};
const newGraph = async (): Promise<string> =>
  (await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(minimal) })).json()).id;

async function join(graph: string): Promise<{ doc: Y.Doc; provider: WebsocketProvider }> {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(socketUrl(), `${graph}?layout=${LAYOUT}`, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  });
  provider.messageHandlers[SAVED] = () => {}; // which only the editor shows
  open.push(provider);
  await until(async () => provider.synced, 60_000, "the document is here");
  return { doc, provider };
}
const ids = (doc: Y.Doc) =>
  normalise(doc)
    .graph.nodes.map((node) => node.id)
    .sort();
const exported = async (graph: string) =>
  (await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).json()).nodes.map((node: { id: string }) => node.id).sort();

test("[C1, C2] edits of both people meet, in the server's document as well", async () => {
  const graph = await newGraph();
  const [ada, ben] = [await join(graph), await join(graph)];
  const added = add(ada.doc);
  await until(async () => ids(ben.doc).includes(added), 60_000, "Ben sees it");
  const two = add(ben.doc);
  await until(async () => ids(ada.doc).length === 3 && ids(ben.doc).length === 3, 60_000, "both have both");
  expect(ids(ada.doc)).toEqual(["a", added, two].sort());
  expect(ids(ben.doc)).toEqual(ids(ada.doc));
  expect(await exported(graph)).toEqual(ids(ada.doc));
});

test("[C1] a person who was away gets what was missed, and brings what was done meanwhile", async () => {
  const graph = await newGraph();
  const [ada, ben] = [await join(graph), await join(graph)];
  ada.provider.disconnect();
  const away = add(ada.doc);
  const meanwhile = add(ben.doc);
  ada.provider.connect();
  await until(async () => ids(ben.doc).includes(away) && ids(ada.doc).includes(meanwhile), 60_000, "they agree again");
  expect(await exported(graph)).toEqual(ids(ada.doc));
});

test("[E1, C1] a run takes the server's document as it is then; what is edited meanwhile changes the next one alone", async () => {
  const graph = await newGraph();
  const ada = await join(graph);
  const slow = addNode(ada.doc, "me", { service: "control.delay", plane: "node", position: { x: 0, y: 0 } });
  setParam(ada.doc, "me", slow, "milliseconds", 1500);
  connect(ada.doc, "me", { node: slow, port: "value" }, { node: "a", port: "value" });
  setParam(ada.doc, "me", slow, "value", "before");
  const stored = async (text: string) => (await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).text()).includes(text);
  await until(() => stored('"before"'), 60_000, "the server has the last of the edits");
  const start = async (): Promise<string> => {
    const answer = await fetch(`${spindle.url}/trpc/runs.start`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ graphId: graph, inputs: {} }),
    });
    return (await answer.json()).result.data;
  };
  const first = await start();
  await until(async () => (await getRun(spindle.url, first)).nodes.some(({ state }) => state === "running"), 60_000, "it runs");
  setParam(ada.doc, "me", slow, "value", "after");
  const late = addNode(ada.doc, "me", { service: "constant.number", plane: "node", position: { x: 0, y: 0 }, params: { value: 3 } });
  await until(async () => (await exported(graph)).includes(late), 60_000, "the server has the edits");
  const run = await ended(spindle.url, first);
  expect([run.outputs, run.nodes.map(({ node }) => node).sort()]).toEqual([{ value: "before" }, ["a", slow].sort()]);
  const ran = await (await fetch(`${spindle.url}/api/runs/${first}/graph`)).json();
  expect(ran.nodes.find((node: { id: string }) => node.id === slow).params.value).toBe("before");
  const next = await ended(spindle.url, await start());
  expect(next.nodes.find(({ node }) => node === "a")?.output).toEqual({ value: "after" });
  expect(next.nodes.map(({ node }) => node)).toContain(late);
});

test.each<[string, Uint8Array]>([
  ["noise", new Uint8Array([0, 2, 40, ...Array.from({ length: 40 }, (_, index) => (index * 37) % 256)])],
  ["a cut-off message", new Uint8Array([0, 2, 200, 1, 2])],
  ["nothing", new Uint8Array([])],
  ["awareness that is none", new Uint8Array([1, 5, 255, 255, 255, 255, 255])],
  ["an update that is none", new Uint8Array([0, 2, 3, 255, 255, 255])],
])("[C5] %s, sent three times, closes its own socket and harms nobody", async (_, bytes) => {
  const graph = await newGraph();
  const ada = await join(graph);
  const attacker = new WebSocket(`${socketUrl()}/${graph}?layout=${LAYOUT}`);
  await new Promise((resolve) => attacker.once("open", resolve));
  const closed = new Promise<number>((resolve) => attacker.once("close", resolve));
  for (let times = 0; times < 3; times++) attacker.send(bytes);
  expect(await closed).toBe(4400);
  const mine = add(ada.doc);
  await until(async () => (await exported(graph)).includes(mine), 60_000, "editing goes on");
});

test("[C4, C5] a socket from another site, to no graph, or too large a message is refused", async () => {
  const graph = await newGraph();
  const answer = (url: string, headers = {}) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(url, { headers });
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
      socket.once("open", () => {
        socket.close();
        resolve(101);
      });
      socket.once("error", () => {});
    });
  expect(await answer(`${socketUrl()}/${graph}`, { origin: "https://evil.example" })).toBe(403);
  const toNone = new WebSocket(`${socketUrl()}/00000000-0000-0000-0000-000000000000`);
  expect(await new Promise((resolve) => toNone.once("close", resolve))).toBe(4410);
  expect(await answer(`${socketUrl()}/../../etc/passwd`)).toBe(404);
  expect(await answer(`${socketUrl()}/${graph}`, { origin: spindle.url })).toBe(101);
  const large = new WebSocket(`${socketUrl()}/${graph}?layout=${LAYOUT}`);
  await new Promise((resolve) => large.once("open", resolve));
  const closed = new Promise<number>((resolve) => large.once("close", resolve));
  large.on("error", () => {});
  large.send(new Uint8Array(5 * 1024 * 1024));
  expect(await closed).toBe(1009);
  expect((await fetch(`${spindle.url}/health`)).status).toBe(200);
});

test("an address that opens more sockets than pages do is refused, and its neighbour is not", async () => {
  const graph = await newGraph();
  const url = `${socketUrl()}/${graph}?layout=${LAYOUT}`;
  const knock = (localAddress: string) =>
    new Promise<WebSocket | number>((resolve) => {
      const socket = new WebSocket(url, { localAddress });
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
      socket.once("open", () => resolve(socket));
      socket.once("error", () => {});
    });
  const answers = await Promise.all(Array.from({ length: 140 }, () => knock("127.0.0.2")));
  expect(answers.filter((answer) => answer === 429)).toHaveLength(12);
  const sockets = answers.filter((answer) => answer instanceof WebSocket);
  const neighbour = await knock("127.0.0.3");
  expect(neighbour).toBeInstanceOf(WebSocket);
  for (const socket of [...sockets, neighbour as WebSocket]) socket.close();
  await until(
    async () => {
      const socket = await knock("127.0.0.2");
      if (socket instanceof WebSocket) socket.close();
      return socket instanceof WebSocket;
    },
    60_000,
    "places are given back",
  );
});

test("an address whose sockets ask and do not read loses some of them, and its neighbour hears all", async () => {
  const graph = await newGraph();
  const ada = await join(graph);
  for (const name of ["a", "b"]) setParam(ada.doc, "me", [...nodesOf(ada.doc).keys()][0] as string, name, "x".repeat(1_000_000));
  const ask = Uint8Array.from([0, 0, 1, 0]);
  await until(
    async () => JSON.stringify(await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).json()).length > 2_000_000,
    60_000,
    "stored",
  );
  const deaf = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = new WebSocket(`${socketUrl()}/${graph}?layout=${LAYOUT}`, { localAddress: "127.0.0.2" });
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("open", resolve));
      socket.pause();
      return socket;
    }),
  );
  const codes = deaf.map((socket) => new Promise<number>((resolve) => socket.once("close", resolve)));
  // Whoever asks again before the answer gets it once, so each asks again after somebody's edit.
  for (let time = 0; time < 10; time++) {
    for (const socket of deaf) socket.send(ask);
    const mine = add(ada.doc);
    await until(async () => (await exported(graph)).includes(mine), 60_000, "editing goes on");
  }
  for (const socket of deaf) socket.resume();
  for (const socket of deaf) socket.close(1000);
  expect((await Promise.all(codes)).filter((code) => code === 1006).length, "cut off").toBeGreaterThan(0);
});

const trpc = async <T>(call: string, input?: unknown): Promise<T> => {
  const query = input === undefined ? "" : `?input=${encodeURIComponent(JSON.stringify(input))}`;
  const body = await (await fetch(`${spindle.url}/trpc/${call}${query}`)).json();
  if (!body.result) throw new Error(`${call}: ${JSON.stringify(body.error)}`);
  return body.result.data;
};

/** Sends one update over a socket of its own. Returns how the server refused it. */
const sendRaw = (graph: string, update: Uint8Array, cookie = "") => refusalTo(spindle.url, graph, update, cookie);

/** The cookies of a browser profile that has opened a page. */
async function newProfile(): Promise<string> {
  const { headers } = await fetch(spindle.url, { headers: { accept: "text/html" } });
  return headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
}

test("[C5] nobody edits under the client id of another profile, also once the server was restarted", async () => {
  const graph = await newGraph();
  const [ada, eve] = await Promise.all([newProfile(), newProfile()]);
  expect([ada, eve]).toEqual([expect.stringMatching(/^spindle-profile-/), expect.stringMatching(/^spindle-profile-/)]);
  const page = new Y.Doc();
  page.clientID = 2 ** 32 - 1; // it has not seen the context that the graph has, and of two such values that of the larger id stays
  const mark = (text: string) => {
    const before = Y.encodeStateVector(page);
    page.getMap("graph").set("context", { text });
    return Y.encodeStateAsUpdate(page, before);
  };
  const context = async () => (await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).json()).context?.text;
  const stores = (update: Uint8Array, cookie: string, text: string) =>
    Promise.race([
      sendRaw(graph, update, cookie).then(({ code, reason }) => `${code} ${reason}`),
      until(async () => (await context()) === text, 60_000, "it is stored").then(() => "stored"),
    ]);
  expect(await stores(mark("first"), ada, "first")).toBe("stored");
  const next = mark("second");
  const hijack = Uint8Array.from([1, 1, ...varUint(page.clientID), 1, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0]);
  const refused = "4409 It was made under the name of another page.";
  for (const cookie of [eve, ""]) expect(await stores(hijack, cookie, "hijacked")).toBe(refused);
  await restartRuntime();
  expect(await stores(next, eve, "second")).toBe(refused);
  expect(await context()).toBe("first");
  expect(await stores(next, ada, "second")).toBe("stored");
});

async function restartRuntime(): Promise<void> {
  const killed = spindle.processes.runtime?.pid as number;
  process.kill(killed, "SIGKILL");
  await until(async () => spindle.processes.runtime?.pid !== killed && (await fetch(`${spindle.url}/health`)).ok, 60_000, "it is back");
}

const nest = (top: Y.Map<unknown>, depth: number): void => {
  for (let map = top, level = 0; level < depth; level++) {
    const inner = new Y.Map<unknown>();
    map.set("x", inner);
    map = inner;
  }
};
const POISON: [string, (doc: Y.Doc) => void, RegExp][] = [
  ["maps nested 1,000 deep", (doc) => nest(doc.getMap("nodes"), 1000), /nested deeper/],
  ["a bigint", (doc) => setParam(doc, "me", "a", "n", 10n), /bigint/],
  ["bytes", (doc) => setParam(doc, "me", "a", "n", { in: [new Uint8Array(3)] }), /bytes/],
  ["a type that the layout has not", (doc) => setParam(doc, "me", "a", "n", new Y.Array()), /neither a map, a text nor JSON/],
  ["a root of its own", (doc) => doc.getMap("elsewhere").set("a", 1), /belongs to no part/],
];

test("[C5] what would break a document is refused with its reason, and one poisoned row harms no other", { timeout: 180_000 }, async () => {
  const graph = await newGraph();
  const other = await newGraph();
  const ada = await join(graph);
  for (const [what, edit, reason] of POISON) {
    const closed = await sendRaw(
      graph,
      updateOf(ada.doc, (doc) => {
        nodesOf(doc);
        edit(doc);
      }),
    );
    expect(closed.code, what).toBe(4400);
    expect(closed.reason, what).toMatch(reason);
  }
  expect((await sendRaw(graph, UNAPPLIABLE)).code).toBe(4400);
  const mine = add(ada.doc);
  await until(async () => (await exported(graph)).includes(mine), 60_000, "editing goes on");

  const bad = Buffer.from(UNAPPLIABLE);
  const big = Buffer.from(updateOf(ada.doc, (doc) => setParam(doc, "me", mine, "n", 10n)));
  for (const bytes of [bad, big]) await db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, bytes]);
  await restartRuntime();

  expect(await exported(graph), "the graph opens without them").toEqual(ids(ada.doc));
  const { setAside } = await trpc<GraphAbout>("graphs.get", { id: graph });
  expect(setAside).toMatchObject({ edits: 2 });
  const list = await trpc<GraphSummary[]>("graphs.list");
  expect(list.find((one) => one.id === graph)).toMatchObject({ nodes: 2, setAside: 2 });
  expect(list.find((one) => one.id === other)).toMatchObject({ nodes: 1, setAside: 0 });
  const { rows } = await db.query("SELECT bytes, reason FROM doc_quarantine WHERE graph_id = $1 ORDER BY seq", [graph]);
  expect(rows.map((row) => row.bytes)).toEqual([bad, big]);
  expect(rows.map((row) => row.reason)).toEqual([expect.stringMatching(/cannot be applied/), expect.stringMatching(/bigint/)]);
  await until(async () => ada.provider.synced, 60_000, "Ada is back");
  const after = add(ada.doc);
  await until(async () => (await exported(graph)).includes(after), 60_000, "and edits on");
  await restartRuntime();
  expect(await exported(graph), "the second load sets nothing more aside").toEqual(ids(ada.doc));
  expect((await trpc<GraphAbout>("graphs.get", { id: graph })).setAside).toMatchObject({ edits: 2 });
});

test("a page of the layout before is told to reload, and nothing of it arrives", async () => {
  const graph = await newGraph();
  const before = await exported(graph);
  const page = new Y.Doc();
  add(page);
  const old = new WebsocketProvider(socketUrl(), graph, page, { WebSocketPolyfill: WebSocket as never, disableBc: true });
  open.push(old);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => old.once("closed", resolve));
  expect(await closed).toMatchObject({ code: 4426, reason: "This page was opened before Spindle was updated." });
  expect(old.shouldConnect, "its own code takes 4400 to 4499 for good").toBe(false);
  expect(await exported(graph)).toEqual(before);
});

test("a document of layout 1 that two runtimes load at once is migrated by one of them", async () => {
  const graph = await newGraph();
  const page = new Y.Doc();
  const inputs = [{ name: "text", label: "Text", to: [{ node: "a", port: "value" }] }];
  page.getMap("graph").set("metadata", { planner: "p", interface: { inputs, outputs: [] } });
  page.getMap("edges").set(
    "e0",
    new Y.Map<unknown>([
      ["from", "a"],
      ["to", "b"],
      ["metadata", { when: "true" }],
    ]),
  );
  for (const id of ["a", "b"])
    page.getMap("nodes").set(
      id,
      new Y.Map<unknown>([
        ["service", "pass"],
        ["plane", "node"],
        ["params", new Y.Map()],
      ]),
    );
  const text = JSON.stringify(normalise(page).graph);
  await db.query("DELETE FROM doc_update WHERE graph_id = $1", [graph]);
  await db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(Y.encodeStateAsUpdate(page))]);
  const pools = [1, 2, 3].map(() => new pg.Pool({ connectionString: spindle.env.DATABASE_URL as string }));
  const log = (pool: pg.Pool) => updateLog({ pool: pool as never });
  const late = new Y.Doc();
  late.getMap("graph").set("context", { late: 1 });
  const appended = log(pools[2] as pg.Pool).append(graph, [Y.encodeStateAsUpdate(late)], { owners: new Map([[late.clientID, "late"]]) });
  const opened = await Promise.all(pools.map((pool) => new DocumentHost(log(pool), () => {}).open(graph)));
  await appended;
  const { rows } = await db.query("SELECT bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph]);
  expect(rows.length, "layout 1, the late edit, one migration").toBe(3);
  for (const { doc } of opened) {
    expect([layoutOf(doc), doc.getMap("inputs").size]).toEqual([LAYOUT, 2]);
    expect(JSON.stringify({ ...normalise(doc).graph, context: {} })).toBe(text);
  }
  const again = await new DocumentHost(log(pools[0] as pg.Pool), () => {}).open(graph);
  expect(normalise(again.doc).graph).toEqual({ ...JSON.parse(text), context: { late: 1 } });
  await Promise.all(pools.map((pool) => pool.end()));
});

test("two people add an input to the interface, and both stay", async () => {
  const graph = await newGraph();
  const [ada, ben] = [await join(graph), await join(graph)];
  ada.provider.disconnect();
  setEntry(ada.doc, "me", "inputs", "picture", { label: "Picture", to: [] });
  setEntry(ben.doc, "me", "inputs", "sound", { label: "Sound", to: [] });
  ada.provider.connect();
  const inputs = (doc: Y.Doc) =>
    ((normalise(doc).graph.metadata?.interface as { inputs?: { name: string }[] })?.inputs ?? []).map((input) => input.name);
  await until(async () => inputs(ada.doc).length === 2 && inputs(ben.doc).length === 2, 60_000, "both have both");
  expect(inputs(ada.doc)).toEqual(inputs(ben.doc));
});
