// A graph that is deleted can be restored for 30 days.
import { once } from "node:events";
import { LAYOUT } from "@spindle/graph-model/shared-doc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { DocumentHost } from "../../apps/runtime/src/collab/document-host.ts";
import { updateLog } from "../../apps/runtime/src/collab/update-log.ts";
import { GraphService } from "../../apps/runtime/src/services/graph-service.ts";
import { updateOf } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview, type Documents, startDocuments } from "../support/documents.ts";
import { graphOf, node } from "../support/spindle.ts";

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
const call = (name: string, id: string) =>
  fetch(`${spindle.url}/trpc/graphs.${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id }),
  });
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
      "late",
    ),
  );
  await expect(late).rejects.toThrow("Its graph was deleted.");
  await call("restore", graph);
  expect([(await listed("list")).includes(graph), (await listed("deleted")).includes(graph)]).toEqual([true, false]);
  expect(await exported(graph)).toEqual(["a"]);
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
