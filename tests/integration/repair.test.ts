// What was set aside of a graph's stored edits is listed by the command line, and put back once it can be applied.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { CLOSE, LAYOUT, migrate, setParam } from "@spindle/graph-model/shared-doc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { ROOT } from "../../infra/launch/paths.ts";
import { UNAPPLIABLE } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview, type Documents, startDocuments } from "../support/documents.ts";
import { createGraph, graphOf, node, storedGraph } from "../support/spindle.ts";

let documents: Documents;
beforeAll(async () => {
  documents = await startDocuments();
});
afterAll(() => documents?.stop());

function repair(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), "graphs", "repair", ...args], {
      cwd: ROOT,
      env: { ...process.env, SPINDLE_HOME: documents.spindle.home },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const insert = (graph: string, bytes: Uint8Array) =>
  documents.db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(bytes)]);
const setAside = async (graph: string) =>
  (await documents.db.query<{ reason: string }>("SELECT reason FROM doc_quarantine WHERE graph_id = $1 ORDER BY seq", [graph])).rows;
const epochOf = async (graph: string) =>
  (await documents.db.query<{ epoch: string }>("SELECT epoch FROM graph WHERE id = $1", [graph])).rows[0]?.epoch;
const nodesOf = async (graph: string) =>
  (await storedGraph<{ nodes: { id: string; params?: object }[] }>(documents.spindle.url, graph)).nodes.filter(({ id }) => id !== "a");

/** Closes with this code, and what is said of it. */
function closingOf(graph: string, epoch: string): Promise<[number, string]> {
  const url = `${documents.spindle.url.replace("http", "ws")}/collab/${graph}?layout=${LAYOUT}&epoch=${epoch}`;
  const socket = new WebSocket(url);
  return new Promise((resolve) => socket.once("close", (code, reason) => resolve([code, String(reason)])));
}

test("[C5] an edit that was set aside is put back once what it builds on is there, and pages begin afresh", async () => {
  const { url } = documents.spindle;
  expect(await repair()).toEqual({ code: 0, out: "Nothing is set aside.\n", err: "" });
  const graph = await createGraph(url, graphOf([node("a", "output.preview", { value: 1 })]));
  await documents.db.query("UPDATE graph SET name = 'Harbour' WHERE id = $1", [graph]);
  // A page adds a node and sets a parameter of it; the first of the two rows is lost, and one is damaged.
  const page = new Y.Doc();
  migrate(page);
  const sent: Uint8Array[] = [Y.encodeStateAsUpdate(page)];
  page.on("update", (update: Uint8Array) => void sent.push(update));
  const id = addPreview(page);
  setParam(page, "me", id, "value", 7);
  const [, added, set] = sent as [Uint8Array, Uint8Array, Uint8Array];
  const other = await createGraph(url, graphOf([node("a", "output.preview", { value: 1 })]));
  // As another server that has just started: this one has the documents in memory.
  process.kill(documents.spindle.processes.runtime?.pid as number, "SIGKILL");
  await insert(graph, set);
  await insert(graph, UNAPPLIABLE);
  await expect.poll(() => nodesOf(graph).catch(() => undefined)).toEqual([]);
  expect(await setAside(graph)).toHaveLength(2);

  const listed = await repair();
  expect(listed).toMatchObject({ code: 0, err: "" });
  expect(listed.out).toContain(`${graph}  Harbour: 2 edits\n`);
  expect(listed.out).toMatch(/^ {2}\d+ {2}\S+Z {2}\d+ bytes {2}It builds on an edit that is not there\.$/m);
  expect(listed.out).not.toContain(other);

  const tooEarly = await repair(graph);
  expect(tooEarly).toMatchObject({ code: 1, err: "" });
  expect(tooEarly.out).toMatch(/^Still set aside: 2 edits\.\n/);
  expect(await epochOf(graph), "nothing was put back").toBe("1");

  await insert(graph, Y.mergeUpdates([sent[0] as Uint8Array, added]));
  const mended = await repair(graph);
  expect(mended).toMatchObject({ code: 1, err: "" });
  expect(mended.out).toMatch(/^Put back: 1 edit\.\n(.*\n)*Still set aside: 1 edit\.\n {2}\d+ .*cannot be applied/);
  expect([await epochOf(graph), (await setAside(graph)).length]).toEqual(["2", 1]);
  expect(await closingOf(graph, "1"), "a page of before").toEqual([
    CLOSE.epoch,
    "The graph was restored or repaired since this page opened it.",
  ]);
  await expect.poll(() => nodesOf(graph)).toMatchObject([{ id, params: { value: 7 } }]);
  expect(await epochOf(other)).toBe("1");
});

test("a graph that there is not, and what is no id, are refused in words", async () => {
  expect(await repair("x")).toMatchObject({ code: 1, err: expect.stringContaining('"x" is no id of a graph.') });
  const nowhere = "00000000-0000-4000-8000-000000000000";
  expect(await repair(nowhere)).toMatchObject({ code: 1, err: `spindle: There is no graph ${nowhere}.\n` });
});
