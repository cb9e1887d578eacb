// The list of graphs: pictures, results, search, copies, and what was deleted, which can be restored for 30 days.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { LAYOUT, SAVED } from "@spindle/graph-model/shared-doc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { authorOf } from "../../apps/runtime/src/collab/clients.ts";
import { DocumentHost } from "../../apps/runtime/src/collab/document-host.ts";
import { updateLog } from "../../apps/runtime/src/collab/update-log.ts";
import { GraphService, type GraphSummary } from "../../apps/runtime/src/services/graph-service.ts";
import { updateOf } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview, type Documents, startDocuments } from "../support/documents.ts";
import { PORTRAIT } from "../support/samples.ts";
import { ended, graphOf, node, until, wire } from "../support/spindle.ts";

let documents: Documents;
let spindle: Documents["spindle"];
let db: Documents["db"];
beforeAll(async () => {
  documents = await startDocuments();
  ({ spindle, db } = documents);
});
afterAll(() => documents?.stop());

const newGraph = async (): Promise<string> => {
  const body = JSON.stringify(graphOf([node("a", "output.preview")], []));
  return (await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body })).json()).id;
};
const exported = async (graph: string) =>
  (await (await fetch(`${spindle.url}/api/graphs/${graph}/export`)).json()).nodes.map((one: { id: string }) => one.id);
const post = (name: string, body: object) =>
  fetch(`${spindle.url}/trpc/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const call = (name: string, id: string) => post(`graphs.${name}`, { id });
const create = async (graph: object): Promise<string> =>
  (await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json()).id;
const list = async (request?: object): Promise<GraphSummary[]> => {
  const input = request ? `?input=${encodeURIComponent(JSON.stringify(request))}` : "";
  return (await (await fetch(`${spindle.url}/trpc/graphs.list${input}`)).json()).result.data;
};
const picture = (id: string, headers = {}) => fetch(`${spindle.url}/api/graphs/${id}/picture.svg`, { headers });
const query = async <T>(name: string): Promise<T> => (await (await fetch(`${spindle.url}/trpc/graphs.${name}`)).json()).result.data;
const listed = async (name: "list" | "deleted") => (await query<{ id: string }[]>(name)).map(({ id }) => id);

test("a graph that is deleted says so to those who have it open, takes no more edits, and is as it was when it is restored", async () => {
  const graph = await newGraph();
  const page = new WebSocket(`${spindle.url.replace("http", "ws")}/collab/${graph}?layout=${LAYOUT}`);
  await once(page, "open");
  const closed = once(page, "close");
  await call("remove", graph);
  expect((await closed)[0]).toBe(4404);
  expect([(await listed("list")).includes(graph), (await listed("deleted")).includes(graph)]).toEqual([false, true]);
  const answer = await fetch(`${spindle.url}/api/graphs/${graph}/export`);
  expect([answer.status, (await answer.json()).error.code]).toEqual([404, "graph.deleted"]);
  // Another runtime may have it open.
  const other = new DocumentHost(updateLog({ pool: db } as never), () => {});
  const late = other.use(graph, ({ doc, append }) =>
    append(
      updateOf(doc, (copy) => void addPreview(copy)),
      authorOf("late"),
    ),
  );
  await expect(late).rejects.toThrow("Its graph was deleted.");
  await call("restore", graph);
  expect([(await listed("list")).includes(graph), (await listed("deleted")).includes(graph)]).toEqual([true, false]);
  expect(await exported(graph)).toEqual(["a"]);
});

test("[G8] a graph that asks a person for each element is no program, and its export says where and what to do", async () => {
  const program = async (nodes: ReturnType<typeof node>[], edges: object[]) =>
    fetch(`${spindle.url}/api/graphs/${await create(graphOf(nodes, edges as never))}/export?to=langgraph`);
  const list = node("list", "constant.array", { value: [1, 2] });
  const ask = node("ask", "human.ask_person");
  const wired = wire("list", "value", "ask", "value");
  const refused = await program([list, ask], [{ ...wired, metadata: { ...wired.metadata, map: {} } }]);
  expect(refused.status).toBe(422);
  expect(JSON.stringify(await refused.json())).toContain("export.person_in_map");
  const text = await (await program([list, ask], [wired])).text();
  expect(text).toContain("export const graph = graph0Builder;");
});

test("a deleted graph is kept for 30 days", async () => {
  const [kept, gone] = [await newGraph(), await newGraph()];
  for (const [graph, days] of [
    [kept, 29],
    [gone, 31],
  ] as const) {
    await call("remove", graph);
    await db.query("UPDATE graph SET deleted_at = now() - make_interval(days => $2) WHERE id = $1", [graph, days]);
  }
  await new GraphService({ pool: db } as never, documents as never, () => undefined as never).sweep();
  const deleted = await listed("deleted");
  expect([deleted.includes(kept), deleted.includes(gone)]).toEqual([true, false]);
  expect((await call("restore", gone)).status).toBe(404);
});

test("the picture of a graph follows its document, is sent once, and is shown to nobody once the graph is deleted", async () => {
  const id = await newGraph();
  const first = await picture(id);
  expect([first.status, first.headers.get("content-type")]).toEqual([200, "image/svg+xml; charset=utf-8"]);
  expect((await first.text()).match(/--plane-node,/g)).toHaveLength(1);
  const same = await picture(id, { "if-none-match": first.headers.get("etag"), "cache-control": "max-age=0" });
  expect(same.status).toBe(304);
  const doc = new Y.Doc();
  const person = new WebsocketProvider(`${spindle.url.replace("http", "ws")}/collab`, `${id}?layout=${LAYOUT}`, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  });
  person.messageHandlers[SAVED] = () => {}; // which only the editor shows
  await until(async () => person.synced, 30_000, "the document is here");
  addPreview(doc);
  const drawn = await until(
    async () => {
      const text = await (await picture(id)).text();
      return (
        (text
          .match(/ d="[^"]*"/g)
          ?.join("")
          .match(/M/g)?.length ?? 0) > 1 && text
      );
    },
    30_000,
    "the second node is drawn",
  );
  person.destroy();
  expect(drawn).not.toContain("output.preview");
  await call("remove", id);
  expect([(await picture(id)).status, (await picture("00000000-0000-4000-8000-000000000000")).status]).toEqual([404, 404]);
});

test("the list has the picture that the last run of a graph gave, for as long as no later one succeeded", async () => {
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(await readFile(PORTRAIT))]), "portrait.jpg");
  const image = await (await fetch(`${spindle.url}/api/artifacts?kind=image`, { method: "POST", body: form })).json();
  const id = await create(
    graphOf([node("image", "constant.image", { value: image }), node("seen", "output.preview")], [wire("image", "value", "seen", "value")]),
  );
  expect((await list()).find((one) => one.id === id)?.result).toBeUndefined();
  const run = (await (await post("runs.start", { graphId: id, inputs: {} })).json()).result.data;
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
  expect((await list()).find((one) => one.id === id)?.result).toMatchObject({ artifact: image.artifact, mime: "image/jpeg" });
});

test("the list is searched by any part of a name and sorted, whatever the letters mean to the database", async () => {
  const ids: string[] = [];
  for (const name of ["moon walk", "Apollo", "100% MOON_BASE"]) {
    const id = await newGraph();
    await post("graphs.rename", { id, name });
    ids.push(id);
  }
  const names = async (request: object) => (await list(request)).filter(({ id }) => ids.includes(id)).map(({ name }) => name);
  expect(await names({ search: " moon ", sort: "name" })).toEqual(["100% MOON_BASE", "moon walk"]);
  expect(await names({ search: "0% m" })).toEqual(["100% MOON_BASE"]);
  expect(await names({ search: "n_w" })).toEqual([]);
  expect(await names({ sort: "name" })).toEqual(["100% MOON_BASE", "Apollo", "moon walk"]);
  expect(await names({ sort: "created" })).toEqual(["100% MOON_BASE", "Apollo", "moon walk"]);
});

test("a copy of a graph has its document and a name of its own, and no run", async () => {
  const id = await newGraph();
  await post("graphs.rename", { id, name: "n".repeat(200) });
  const copy = (await (await call("duplicate", id)).json()).result.data;
  expect(await exported(copy)).toEqual(["a"]);
  const [of] = (await list()).filter((one) => one.id === copy);
  expect([of?.name.length, of?.name.endsWith(" copy"), of?.lastRun]).toEqual([200, true, undefined]);
});
