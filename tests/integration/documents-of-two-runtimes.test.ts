// DESIGN C1: two runtimes on one database. A graph's document has one owner; the others lead their sockets to it, and one takes over.
import { EDIT_REFUSED, EPOCH, KEPT, LAYOUT, nodesOf, SAVED } from "@spindle/graph-model/shared-doc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import type { Supervised } from "../../infra/launch/child.ts";
import { addPreview } from "../support/documents.ts";
import { startRuntime } from "../support/second-runtime.ts";
import { createGraph, graphOf, node, type Spindle, startSpindle, storedGraph, until } from "../support/spindle.ts";

let spindle: Spindle;
let other: { url: string; process: Supervised };
const pages: WebsocketProvider[] = [];
beforeAll(async () => {
  spindle = await startSpindle({ worker: false, env: { SPINDLE_RUN_LEASE_MS: "8000" } }); // longer than a busy machine holds a runtime
  other = await startRuntime(spindle);
});
afterAll(async () => {
  for (const provider of pages) provider.destroy();
  await other?.process.stop();
  await spindle?.stop();
});

/** A page of a graph, on a runtime. */
async function join(url: string, graph: string) {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${url.replace("http", "ws")}/collab`, graph, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
    maxBackoffTime: 500,
    params: { layout: String(LAYOUT) },
  });
  for (const kind of [EPOCH, KEPT, EDIT_REFUSED, SAVED]) provider.messageHandlers[kind] = () => {};
  pages.push(provider);
  await until(async () => provider.synced, 60_000, "the document is here");
  return { doc, provider, ids: () => [...nodesOf(doc).keys()].sort(), add: () => addPreview(doc) };
}
type Page = Awaited<ReturnType<typeof join>>;

const create = (url: string) => createGraph(url, graphOf([node("a", "output.preview")]));
/** The nodes that are stored, as a runtime says. */
const stored = async (url: string, graph: string) =>
  (await storedGraph<{ nodes: { id: string }[] }>(url, graph)).nodes.map(({ id }) => id).sort();
const ownerOf = async (graph: string) =>
  (await spindle.db.query("SELECT doc_owner, doc_url, doc_fence FROM graph WHERE id = $1", [graph])).rows[0];
const has = (graph: string, ids: readonly string[]) =>
  until(
    async () => {
      const all = await stored(spindle.url, graph);
      return ids.every((id) => all.includes(id));
    },
    60_000,
    "it is stored",
  );
const agree = (people: readonly Page[], count: number) =>
  until(async () => people.every((page) => page.ids().length === count && page.provider.synced), 90_000, `all have ${count} nodes`);

test("[C1] two people on two runtimes edit one document, which one of the runtimes has, and each reads what is stored", async () => {
  const graph = await create(other.url);
  const [ada, ben] = [await join(spindle.url, graph), await join(other.url, graph)];
  const added = [ada.add(), ben.add(), ada.add(), ben.add()];
  await agree([ada, ben], 5);
  expect(ada.ids()).toEqual(ben.ids());
  const all = ["a", ...added].sort();
  expect([await stored(spindle.url, graph), await stored(other.url, graph)]).toEqual([all, all]);
  expect(await ownerOf(graph)).toMatchObject({ doc_url: other.url, doc_fence: "1" });
});

test("[C1] the runtime that has a document is killed: no edit that was stored is lost, and all agree on the other one", async () => {
  const graph = await create(other.url);
  const [ada, ben, cy] = [await join(spindle.url, graph), await join(other.url, graph), await join(other.url, graph)];
  const stays = [cy.add(), cy.add()];
  await has(graph, stays);
  cy.provider.destroy(); // nobody who has them alone brings them back
  const before = await ownerOf(graph);
  const added = [ada.add(), ben.add()];
  process.kill(other.process.pid as number, "SIGKILL");
  added.push(ada.add(), ben.add());
  await until(async () => !ada.provider.wsconnected, 60_000, "Ada's socket is broken");
  added.push(ada.add());
  await agree([ada, ben], 8);
  expect(ada.ids()).toEqual(ben.ids());
  expect(ada.ids()).toEqual(["a", ...stays, ...added].sort());
  await has(graph, added);
  const after = await ownerOf(graph);
  expect(after.doc_owner).not.toBe(before.doc_owner);
  expect(Number(after.doc_fence)).toBeGreaterThan(Number(before.doc_fence));
});

test("[C1] a runtime that hangs loses its document, and when it wakes it stores nothing of its own", async () => {
  await until(async () => (await fetch(`${other.url}/health`)).ok, 60_000, "the second runtime is there");
  const graph = await create(other.url);
  const [ada, ben] = [await join(spindle.url, graph), await join(other.url, graph)];
  const added = [ada.add(), ben.add()];
  await agree([ada, ben], 3);
  const pid = other.process.pid as number;
  process.kill(pid, "SIGSTOP");
  try {
    added.push(ben.add(), ada.add());
    await until(async () => (await ownerOf(graph)).doc_url === spindle.url, 60_000, "the first one has the document");
    await has(graph, added.slice(-1));
    added.push(ada.add());
    await has(graph, added.slice(-1));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await agree([ada, ben], 6);
  expect(ada.ids()).toEqual(["a", ...added].sort());
  expect(ben.ids()).toEqual(ada.ids());
  expect(await stored(other.url, graph)).toEqual(ada.ids());
  expect((await ownerOf(graph)).doc_url).toBe(spindle.url);
});

test("[C1] a graph that is deleted on one runtime ends for those who have it open on another", async () => {
  await until(async () => (await fetch(`${other.url}/health`)).ok, 60_000, "the second runtime is there");
  const graph = await create(other.url);
  const ben = await join(other.url, graph);
  const closed = new Promise<{ code: number }>((resolve) => ben.provider.once("closed", resolve));
  const answer = await fetch(`${spindle.url}/trpc/graphs.remove`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: graph }),
  });
  expect(answer.status).toBe(200);
  expect((await closed).code).toBe(4404);
});

test("[C1, C5] only a runtime says for whom it leads a socket", async () => {
  const graph = await create(other.url);
  const claim = { principal: "somebody", names: ["profile:x"], path: `/collab/${graph}?layout=${LAYOUT}`, until: Date.now() + 60_000 };
  const header = `${Buffer.from(JSON.stringify(claim)).toString("base64url")}.${"A".repeat(43)}`;
  const socket = new WebSocket(`${spindle.url.replace("http", "ws")}/collab/${graph}?layout=${LAYOUT}`, {
    headers: { "x-spindle-forwarded": header },
  });
  await new Promise((resolve) => socket.once("open", resolve));
  expect((await ownerOf(graph)).doc_url, "it is led on, as any other").toBe(other.url);
  socket.close();
});
