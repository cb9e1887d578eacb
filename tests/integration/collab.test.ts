// Shared documents over the real socket: what one person does reaches the other and the database; what is hostile does not.
import { addNode, normalise } from "@spindle/graph-model/shared-doc";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { type Spindle, startSpindle, until } from "../support/spindle.ts";

let spindle: Spindle;
let db: pg.Client;
const open: WebsocketProvider[] = [];
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
  db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await db.connect();
});
afterAll(async () => {
  for (const provider of open) provider.destroy();
  await db?.end();
  await spindle?.stop();
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
  const provider = new WebsocketProvider(socketUrl(), graph, doc, { WebSocketPolyfill: WebSocket as never, disableBc: true });
  provider.messageHandlers[4] = () => {}; // "saved", which only the editor shows
  open.push(provider);
  await until(async () => provider.synced, 10_000, "the document is here");
  return { doc, provider };
}
const ids = (doc: Y.Doc) =>
  normalise(doc)
    .graph.nodes.map((node) => node.id)
    .sort();
const exported = async (graph: string) =>
  (await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).json()).nodes.map((node: { id: string }) => node.id).sort();
const add = (doc: Y.Doc) => addNode(doc, "me", { service: "output.preview", plane: "node", position: { x: 0, y: 0 } });

test("edits of both people meet, in the server's document and in PostgreSQL before anybody hears of them", async () => {
  const graph = await newGraph();
  const [ada, ben] = [await join(graph), await join(graph)];
  let stored = Promise.resolve(0);
  ben.doc.once("update", () => {
    stored = db.query("SELECT count(*)::int AS n FROM doc_update WHERE graph_id = $1", [graph]).then(({ rows }) => rows[0].n);
  });
  const one = add(ada.doc);
  await until(async () => ids(ben.doc).includes(one), 5000, "Ben sees it");
  const two = add(ben.doc);
  await until(async () => ids(ada.doc).length === 3 && ids(ben.doc).length === 3, 5000, "both have both");
  expect(ids(ada.doc)).toEqual(["a", one, two].sort());
  expect(ids(ben.doc)).toEqual(ids(ada.doc));
  expect(await exported(graph)).toEqual(ids(ada.doc));
  expect(await stored, "the import and at least one edit were rows when Ben heard of it").toBeGreaterThanOrEqual(2);
});

test("a person who was away gets what was missed, and brings what was done meanwhile", async () => {
  const graph = await newGraph();
  const [ada, ben] = [await join(graph), await join(graph)];
  ada.provider.disconnect();
  const away = add(ada.doc);
  const meanwhile = add(ben.doc);
  ada.provider.connect();
  await until(async () => ids(ben.doc).includes(away) && ids(ada.doc).includes(meanwhile), 10_000, "they agree again");
  expect(await exported(graph)).toEqual(ids(ada.doc));
});

test.each<[string, Uint8Array]>([
  ["noise", new Uint8Array([0, 2, 40, ...Array.from({ length: 40 }, (_, index) => (index * 37) % 256)])],
  ["a cut-off message", new Uint8Array([0, 2, 200, 1, 2])],
  ["nothing", new Uint8Array([])],
  ["awareness that is none", new Uint8Array([1, 5, 255, 255, 255, 255, 255])],
  ["an update that is none", new Uint8Array([0, 2, 3, 255, 255, 255])],
])("%s closes its own socket and harms nobody", async (_, bytes) => {
  const graph = await newGraph();
  const ada = await join(graph);
  const attacker = new WebSocket(`${socketUrl()}/${graph}`);
  await new Promise((resolve) => attacker.once("open", resolve));
  const closed = new Promise<number>((resolve) => attacker.once("close", resolve));
  attacker.send(bytes);
  expect(await closed).toBe(1008);
  const mine = add(ada.doc);
  await until(async () => (await exported(graph)).includes(mine), 5000, "editing goes on");
});

test("a socket from another site, to no graph, or too large a message is refused", async () => {
  const graph = await newGraph();
  const answer = (url: string, headers = {}) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(url, { headers });
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
      socket.once("open", () => (socket.close(), resolve(101)));
      socket.once("error", () => {});
    });
  expect(await answer(`${socketUrl()}/${graph}`, { origin: "https://evil.example" })).toBe(403);
  expect(await answer(`${socketUrl()}/00000000-0000-0000-0000-000000000000`)).toBe(404);
  expect(await answer(`${socketUrl()}/../../etc/passwd`)).toBe(404);
  expect(await answer(`${socketUrl()}/${graph}`, { origin: spindle.url })).toBe(101);
  const large = new WebSocket(`${socketUrl()}/${graph}`);
  await new Promise((resolve) => large.once("open", resolve));
  const closed = new Promise<number>((resolve) => large.once("close", resolve));
  large.on("error", () => {});
  large.send(new Uint8Array(5 * 1024 * 1024));
  expect(await closed).toBe(1009);
  expect((await fetch(`${spindle.url}/health`)).status).toBe(200);
});
