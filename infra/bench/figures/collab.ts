// Shared documents: from one person's edit to another's page, a cold load, and what the worst that is sent holds up.
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { copyOf, EDIT_REFUSED, EPOCH, KEPT, LAYOUT, migrate, SAVED, setEntry } from "@spindle/graph-model/shared-doc";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { DocumentHost } from "../../../apps/runtime/src/collab/document-host.ts";
import { updateLog } from "../../../apps/runtime/src/collab/update-log.ts";
import { type Bench, byTurns, type Figure, type Measure, median, quantile, ratio } from "../figure.ts";
import { chain } from "../graphs.ts";
import { SHAPES } from "../shapes.ts";

const EDITS_PER_SECOND = 5;
const SECONDS = 10;
const LOADED_BYTES = 5 * 2 ** 20;
const ONE_EDIT_BYTES = 1000;
const ROUNDS = 7;
const ROWS = 100;
const REQUESTS = 30;

export const collab: Measure = async (bench) => [await edits(bench, 2), await edits(bench, 20), await load(bench), await delay(bench)];

/** Somebody's page: what is edited in it goes to the others, and what they edited comes. */
interface Page {
  doc: Y.Doc;
  close(): void;
}

async function edits(bench: Bench, people: number): Promise<Figure> {
  const relay = fork(new URL("../relay.ts", import.meta.url), [], {
    execArgv: ["--import", "tsx"],
    env: { ...process.env, ...bench.env },
  });
  try {
    const [port] = (await once(relay, "message")) as [number];
    const { ours, anchor } = await byTurns(3, {
      ours: async () => {
        const graph = await newGraph(bench);
        return p95(await Promise.all(Array.from({ length: people }, () => pageOf(bench, graph))));
      },
      anchor: async () => p95(await Promise.all(Array.from({ length: people }, () => relayed(port)))),
    });
    return ratio({
      id: `collab.p95.${people}`,
      ours: median(ours),
      anchor: "the same edits by a relay that commits one INSERT for each",
      anchorValue: median(anchor),
      unit: "ms",
      goal: "<= 2",
    });
  } finally {
    relay.kill();
  }
}

/** Each person edits so many times a second. Milliseconds from an edit to the page of another, of which 95 in 100 take less. */
async function p95(pages: readonly Page[]): Promise<number> {
  const begun = new Map<string, number>();
  const taken: number[] = [];
  for (const [at, { doc }] of pages.entries())
    doc.getMap("inputs").observeDeep((events, { local }) => {
      if (local) return;
      for (const { target } of events) {
        const text = (target as Y.Map<unknown>).get("label");
        const since = typeof text === "string" ? begun.get(text) : undefined;
        if (since !== undefined && !text?.toString().startsWith(`${at} `)) taken.push(performance.now() - since);
      }
    });
  const timers = pages.map(({ doc }, at) => {
    let count = 0;
    setEntry(doc, "me", "inputs", `f${at}`, { label: "" });
    return setInterval(() => {
      const label = `${at} ${++count}`;
      begun.set(label, performance.now());
      setEntry(doc, "me", "inputs", `f${at}`, { label });
    }, 1000 / EDITS_PER_SECOND);
  });
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  for (const timer of timers) clearInterval(timer);
  for (const page of pages) page.close();
  if (taken.length < (pages.length - 1) * EDITS_PER_SECOND) throw new Error(`Only ${taken.length} edits arrived.`);
  return quantile(taken, 0.95);
}

async function newGraph({ url }: Bench): Promise<string> {
  const answer = await fetch(`${url}/api/graphs`, { method: "POST", body: JSON.stringify(chain(3)) });
  return ((await answer.json()) as { id: string }).id;
}

async function pageOf({ url }: Bench, graph: string): Promise<Page> {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${url.replace("http", "ws")}/collab`, `${graph}?layout=${LAYOUT}`, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  });
  for (const kind of [SAVED, EPOCH, EDIT_REFUSED, KEPT]) provider.messageHandlers[kind] = () => {}; // which only the editor shows
  await new Promise<void>((resolve) => provider.on("sync", (synced) => synced && resolve()));
  return { doc, close: () => provider.destroy() };
}

/** What everybody begins with, where no server gives it. */
const empty = new Y.Doc();
migrate(empty);

async function relayed(port: number): Promise<Page> {
  const doc = copyOf(empty);
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, "open");
  doc.on("update", (update: Uint8Array, origin: unknown) => void (origin !== socket && socket.send(update)));
  socket.on("message", (bytes: Buffer) => Y.applyUpdate(doc, bytes, socket));
  return { doc, close: () => socket.close() };
}

async function load({ db }: Bench): Promise<Figure> {
  const graph = randomUUID();
  await db.query("INSERT INTO graph (id, name) VALUES ($1, 'bench')", [graph]);
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => void updates.push(update));
  migrate(doc);
  let bytes = 0;
  for (let at = 0; bytes < LOADED_BYTES; at++) {
    setEntry(doc, "me", "notes", `n${at}`, { text: `${at} ${"x".repeat(ONE_EDIT_BYTES)}`, position: { x: at, y: at } });
    bytes += updates.at(-1)?.length ?? 0;
  }
  // As neighbouring edits of one moment share a row.
  const each = Math.ceil(updates.length / ROWS);
  const rows = Array.from({ length: ROWS }, (_, at) => Y.mergeUpdates(updates.slice(at * each, (at + 1) * each)));
  for (const row of rows) await db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, $2)", [graph, Buffer.from(row)]);
  const log = updateLog({ pool: db });
  const { ours, anchor } = await byTurns(ROUNDS, {
    ours: () => timed(() => new DocumentHost(log, () => {}, 0).use(graph, () => {})),
    anchor: () =>
      timed(async () => {
        const { rows } = await db.query<{ bytes: Buffer }>("SELECT bytes FROM doc_update WHERE graph_id = $1 ORDER BY seq", [graph]);
        const bare = new Y.Doc();
        bare.transact(() => rows.forEach((row) => void Y.applyUpdate(bare, row.bytes)));
      }),
  });
  return ratio({
    id: "collab.load",
    ours: median(ours),
    anchor: "the same rows read, and applied by Yjs",
    anchorValue: median(anchor),
    unit: "ms",
    goal: "<= 1.3",
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** What may be sent to be looked at, at its worst: the shapes that are hardest to validate, which a dry run reads, resolves and plans. */
async function delay({ url }: Bench): Promise<Figure> {
  const send = async (graph: string) => {
    const form = new FormData();
    form.set("graph", graph);
    await (await fetch(`${url}/api/runs?dry=1`, { method: "POST", body: form })).text();
  };
  const longest = async (graphs: readonly string[]) => {
    await longestDelay(url);
    for (let at = 0; at < REQUESTS; at++) await send(graphs[at % graphs.length] as string);
    return longestDelay(url);
  };
  const worst = Object.values(SHAPES).map((make) => JSON.stringify(make()));
  const { ours, anchor } = await byTurns(3, { ours: () => longest(worst), anchor: () => longest([JSON.stringify(chain(30))]) });
  return ratio({
    id: "hostile.delay",
    ours: median(ours),
    anchor: `the same of ${REQUESTS} graphs of 30 nodes`,
    anchorValue: median(anchor),
    unit: "ms",
    goal: "<= 5",
  });
}

/** Milliseconds for which the runtime's event loop did one thing, since this was asked last. */
async function longestDelay(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return 1000 * Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]);
}
