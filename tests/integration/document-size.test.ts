// Documents that hold too much, in PostgreSQL and over the real socket: they harm no other, and what was acknowledged stays.
import { countParts, migrate, normalise } from "@spindle/graph-model/shared-doc";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as Y from "yjs";
import { authorOf } from "../../apps/runtime/src/collab/clients.ts";
import { DocumentHost } from "../../apps/runtime/src/collab/document-host.ts";
import { updateLog } from "../../apps/runtime/src/collab/update-log.ts";
import type { GraphSummary } from "../../apps/runtime/src/services/graph-service.ts";
import { craft, updateOf } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview as add, type Documents, refusalTo, startDocuments } from "../support/documents.ts";
import { until } from "../support/spindle.ts";

let documents: Documents;
beforeAll(async () => {
  documents = await startDocuments();
});
afterAll(() => documents?.stop());

const trpc = async (call: string, input?: unknown) => {
  const body = input === undefined ? {} : { method: "POST", body: JSON.stringify(input) };
  // This process makes large documents, and does not hear meanwhile that the server has closed a connection that nobody used.
  const headers = { "content-type": "application/json", connection: "close" };
  return (await fetch(`${documents.spindle.url}/trpc/${call}`, { ...body, headers })).json();
};
const newGraph = async (): Promise<string> => (await trpc("graphs.create", { name: "A graph" })).result.data;
const list = async (): Promise<GraphSummary[]> => (await trpc("graphs.list")).result.data;
const listed = async (id: string) => (await list()).find((one) => one.id === id);
const objects = (count: number) => Array.from({ length: count }, () => ({}));
const crowd = (count: number) => craft({ 10: [{ parent: "graph", key: "k", content: new Y.ContentAny([objects(count)]) }] });
const exported = (graph: string, query = "") =>
  fetch(`${documents.spindle.url}/api/graphs/${graph}/export${query}`, { headers: { connection: "close" } });
/** Stores a node behind all that is stored. Returns its id. */
async function addTo(graph: string): Promise<string> {
  const doc = new Y.Doc();
  migrate(doc);
  const id = add(doc);
  await documents.db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(Y.encodeStateAsUpdate(doc))]);
  return id;
}
const rowsOf = async (graph: string) =>
  (await documents.db.query("SELECT seq, bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph])).rows as {
    seq: string;
    bytes: Buffer;
  }[];

test("[C5] an update of two million values is refused, and the document goes on", async () => {
  const graph = await newGraph();
  expect(await refusalTo(documents.spindle.url, graph, crowd(2_000_000))).toEqual({
    code: 4400,
    reason: "It brings too many values at once. Do it in several steps.",
  });
  expect(await listed(graph)).toMatchObject({ nodes: 0, setAside: 0 });
});

test.each([
  ["values", () => Array.from({ length: 3 }, () => Buffer.from(crowd(2_000_000)))],
  ["bytes", () => Array.from({ length: 5 }, () => Buffer.alloc(30 * 1024 * 1024))],
])(
  "[C5] a graph whose stored %s fill the memory is one of the list, opens for nobody, harms no other and can be removed",
  async (_, make) => {
    const sentence = "Its edits are more than can be opened. Export its last readable version, import that, and remove it.";
    const [graph, other] = [await newGraph(), await newGraph()];
    const node = await addTo(graph);
    for (const bytes of make()) await documents.db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, bytes]);
    const before = (await rowsOf(graph)).length;
    await documents.db.query("UPDATE graph SET updated_at = now() WHERE id = $1", [graph]);
    const log = updateLog({ pool: documents.db as never });
    await expect(new DocumentHost(log, () => {}).open(graph)).rejects.toMatchObject({ status: 409, message: sentence });
    for (let times = 0; times < 2; times++)
      expect(await listed(graph)).toMatchObject({ unreadable: `This graph cannot be read: ${sentence}`, readable: "last" });
    expect((await listed(other))?.unreadable).toBeUndefined();
    expect((await exported(graph)).status).toBe(409);
    const last = await exported(graph, "?readable=last");
    expect([last.status, (await last.json()).nodes.map(({ id }: { id: string }) => id)]).toEqual([200, [node]]);
    expect((await rowsOf(graph)).length).toBe(before);
    await trpc("graphs.remove", { id: graph });
    expect(await listed(graph)).toBeUndefined();
  },
);

test.each([
  ["bytes", () => Buffer.alloc(129 * 1024 * 1024)],
  ["values", () => Buffer.from(crowd(4_200_000))],
])("[C5] a graph whose first stored edit alone has too many %s has no readable version, and says what to do", async (_, make) => {
  const graph = await newGraph();
  await documents.db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, make()]);
  await addTo(graph);
  const answer = await exported(graph, "?readable=last");
  expect([answer.status, (await answer.json()).error.message]).toEqual([
    422,
    "The first of its edits are more than can be opened by themselves. Import the graph of one of its runs, or restore a back-up, and remove it.",
  ]);
});

test("[C5] the last readable version of a graph that opens is all of it, and there is no other than the last", async () => {
  const graph = await newGraph();
  expect(await (await exported(graph, "?readable=last")).json()).toMatchObject({ nodes: [] });
  await addTo(graph);
  expect(await (await exported(graph, "?readable=last")).text()).toBe(await (await exported(graph)).text());
  expect((await exported(graph, "?readable=first")).status).toBe(422);
});

test("[C5] what two runtimes store while each makes one row of its rows is all there", async () => {
  const graph = await newGraph();
  const errors: unknown[] = [];
  const runtime = () => new DocumentHost(updateLog({ pool: documents.db as never }), (_, error) => void errors.push(error));
  const opened = await Promise.all([runtime().open(graph), runtime().open(graph)]);
  const added: string[] = [];
  const overwrite = (doc: Y.Doc) => updateOf(doc, (copy) => void copy.getMap("metadata").set("k", objects(100_000)));
  const round = () =>
    Promise.all(
      opened.flatMap(({ doc, append }) => [
        append(
          updateOf(doc, (copy) => void added.push(add(copy))),
          authorOf("me"),
        ),
        append(overwrite(doc), authorOf("me")),
      ]),
    );
  const ids = () =>
    runtime().use(graph, ({ doc }) =>
      normalise(doc)
        .graph.nodes.map(({ id }) => id)
        .sort(),
    );
  const [first] = opened;
  await first?.append(
    updateOf(first.doc, (copy) => void copy.getMap("metadata").set("large", objects(300_000))),
    authorOf("me"),
  );
  for (let times = 0; times < 8; times++) await round();
  const large = async () => (await rowsOf(graph)).filter(({ bytes }) => countParts(bytes, 2 ** 30) > 300_000).length;
  await until(async () => (await rowsOf(graph)).length < 24 && (await large()) === 1, 60_000, "one row says all");
  expect(await ids()).toEqual([...added].sort());
  const [ada, ben] = opened.map(({ doc }) => doc.getMap("nodes").size);
  expect(Math.max(ada as number, ben as number), "who came second has read what the first one stored").toBeGreaterThan(8);
  expect(errors).toEqual([]);
});

test("[C5] rows that cannot be made one stay as they are", async () => {
  const graph = await newGraph();
  await new DocumentHost(updateLog({ pool: documents.db as never }), () => {}).change(graph, (doc) => void add(doc));
  const rows = await rowsOf(graph);
  await documents.db.query(`CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$ LANGUAGE plpgsql`);
  await documents.db.query("CREATE TRIGGER refuse BEFORE INSERT ON doc_update FOR EACH ROW EXECUTE FUNCTION refuse()");
  const seqs = rows.map(({ seq }) => seq);
  await expect(updateLog({ pool: documents.db as never }).compact(graph, seqs, new Uint8Array(2))).rejects.toThrow("no room");
  await documents.db.query("DROP TRIGGER refuse ON doc_update; DROP FUNCTION refuse()");
  expect(await rowsOf(graph)).toEqual(rows);
});

test("[C5] a graph whose rows are being made one is removed all the same", async () => {
  const graph = await newGraph();
  await new DocumentHost(updateLog({ pool: documents.db as never }), () => {}).change(graph, (doc) => void add(doc));
  const seqs = (await rowsOf(graph)).map(({ seq }) => seq);
  const pool = new pg.Pool({ connectionString: documents.spindle.env.DATABASE_URL as string });
  const remover = await pool.connect();
  await remover.query("BEGIN");
  await remover.query("SELECT FROM graph WHERE id = $1 FOR UPDATE", [graph]); // removing it begins with this
  const compacted = updateLog({ pool } as never).compact(graph, seqs, new Uint8Array(2));
  const waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  await until(async () => (await documents.db.query(waits)).rowCount === 1, 60_000, "making one row waits");
  await remover.query("DELETE FROM graph WHERE id = $1", [graph]);
  await remover.query("COMMIT");
  expect(await compacted).toBeUndefined();
  remover.release();
  await pool.end();
  expect(await listed(graph)).toBeUndefined();
});
