// Records the golden runs of this release: real runs on real stores, as the next release is to decide them (docs/testing.md).
// node --import tsx tests/support/golden-runs.ts [RELEASE whose fixture is there]
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { resolve } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import type pg from "pg";
import { frozenDefinitionsOf } from "../../apps/runtime/src/engine/frozen-graphs.ts";
import type { GoldenNode, GoldenRun } from "../../apps/runtime/src/engine/golden-runs.testing.ts";
import { RELEASE } from "../../apps/runtime/src/store/release.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, getRun, graphOf, node, startRun, startSpindle, until, wait, wire } from "./spindle.ts";
import { WorkerHand } from "./worker-hand.ts";

const FOLDER = join(ROOT, "apps/runtime/prisma/fixtures/runs");

const SELECT_NODES = `SELECT n.id, n.path, n.node_id AS node, n.state, n.attempt, n.broken, n.input, r.output, n.error->>'code' AS error, n.reused_from
  FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id WHERE n.run_id = $1 ORDER BY n.path COLLATE "C"`;
const SELECT_RUN = `SELECT r.state, r.outputs, r.inputs, r.engines, r.definitions, r.options, v.document AS graph
  FROM run r JOIN revision v ON v.id = r.revision_id WHERE r.id = $1`;
const COMMITTED = makeLibrary([...committedManifests.node.capabilities, ...committedManifests.python.capabilities]);
/** Events that change no row. */
const NOTES = ["loop.limit"];

/** A run that has ended, as the next release is to decide it. */
async function readGolden(db: Pick<pg.Client, "query">, name: string, run: string): Promise<GoldenRun> {
  const [found] = (await db.query(SELECT_RUN, [run])).rows;
  const { definitions: hashes, ...about } = found;
  const bodies = await db.query("SELECT body FROM frozen_definition WHERE hash = ANY($1) ORDER BY hash", [hashes ?? []]);
  // A run of 0.1.0 froze no definitions: those of now stand for them, whose names and ports are the same.
  const definitions = hashes
    ? bodies.rows.map(({ body }) => body)
    : frozenDefinitionsOf(resolve(about.graph, COMMITTED)).map(({ body }) => body);
  const events = (await db.query("SELECT type, path, body FROM run_event WHERE run_id = $1 ORDER BY seq", [run])).rows as {
    type: string;
    path: string | null;
    body: Pick<GoldenNode["events"][number], "error" | "output">;
  }[];
  const nodes = (await db.query(SELECT_NODES, [run])).rows as (Omit<GoldenNode, "events" | "reused"> & {
    id: string;
    reused_from: string | null;
  })[];
  return {
    name,
    ...about,
    definitions,
    notes: events.flatMap(({ type, path }) => (NOTES.includes(type) ? [`${type} ${path}`] : [])).sort(),
    nodes: nodes.map(({ id: _, reused_from, ...row }) => ({
      ...row,
      ...(reused_from ? { reused: true as const } : {}),
      events: events.flatMap(({ type, path, body: { error, output } }) =>
        path === row.path && !NOTES.includes(type) ? [{ type, ...(error ? { error } : {}), ...(output ? { output } : {}) }] : [],
      ),
    })),
  };
}

async function record(hand: WorkerHand): Promise<GoldenRun[]> {
  const { url, db } = hand.spindle;
  const golden: GoldenRun[] = [];
  const keep = async (name: string, run: string) => {
    await ended(url, run);
    golden.push(await readGolden(db, name, run));
  };
  const number = (id: string, value: unknown) => node(id, "constant.number", { value });
  const end = (id = "end") => node(id, "output.preview");
  const when = (from: string, to: string, text: string, kind?: string) => ({
    from,
    to,
    ...(kind ? { kind } : {}),
    metadata: { when: text },
  });
  const answer = (run: string, body: object) =>
    fetch(`${url}/api/runs/${run}/answers`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const done = async (value: unknown) => {
    const entry = await hand.claim();
    await hand.worker.beat(entry);
    await hand.done(entry, value);
  };

  await keep(
    "chain",
    await startRun(
      url,
      graphOf(
        [number("a", 2), node("b", "text.template", { template: "{{a}}", values: { a: "x" } }), end()],
        [{ from: "a", to: "b" }, wire("b", "text", "end", "value")],
      ),
    ),
  );
  await keep(
    "branch",
    await startRun(
      url,
      graphOf(
        [number("a", 2), number("yes", 1), number("no", 0), end("after")],
        [when("a", "yes", "output.value > 1"), when("a", "no", "output.value > 2"), { from: "no", to: "after" }],
      ),
    ),
  );
  const list = node("list", "constant.array", { value: ["a", "b", "c"] });
  const over = (to: string, port: string) => ({ from: "list", to, metadata: { sourcePort: "value", targetPort: port, map: { limit: 2 } } });
  const map = await startRun(url, graphOf([list, wait("each"), end()], [over("each", "value"), wire("each", "value", "end", "value")]));
  for (const value of ["x", "y", "z"]) await done(value);
  await keep("map", map);
  await keep(
    "loop",
    await startRun(
      url,
      graphOf(
        [number("start", 1), node("count", "text.template", { template: "{{n}}.", values: { n: "1" } }), end()],
        [
          { from: "start", to: "count" },
          { from: "count", to: "count", metadata: { loop: { maxIterations: 3 }, when: "output.text != ''" } },
          wire("count", "text", "end", "value"),
        ],
      ),
    ),
  );
  const definition = {
    nodes: [node("inner", "text.template", { template: "<{{word}}>", values: { word: "in" } })],
    edges: [],
  };
  const calls = [node("call", "graph.call", { definition: "part" }), node("again", "graph.call", { definition: "part" })];
  await keep("subgraph", await startRun(url, graphOf(calls, [{ from: "call", to: "again" }], { definitions: { part: definition } })));

  const retried = await startRun(
    url,
    graphOf([wait("a"), wait("b"), end()], [wire("a", "value", "b", "value"), wire("b", "value", "end", "value")]),
  );
  const failing = await hand.claim();
  await hand.worker.beat(failing);
  const error = (cls: string, message: string) => ({ class: cls, code: "node.exception", message });
  await hand.worker.settle({ v: 1, task: failing.task, outcome: "failed", error: error("transient", "It passes.") } as never);
  await done(1);
  const broken = await hand.claim();
  await hand.worker.beat(broken);
  await hand.worker.settle({ v: 1, task: broken.task, outcome: "failed", error: error("user", "It stays.") } as never);
  await keep("failure-with-retry", retried);

  const handled = await startRun(
    url,
    graphOf(
      [wait("a"), number("mend", 1), number("else", 2)],
      [
        { from: "a", to: "mend", kind: "on_failure" },
        { from: "a", to: "else" },
      ],
    ),
  );
  const bad = await hand.claim();
  await hand.worker.beat(bad);
  await hand.worker.settle({ v: 1, task: bad.task, outcome: "failed", error: error("user", "It stays.") } as never);
  await keep("failure-that-is-handled", handled);

  const form = { type: "object", properties: { word: { type: "string" } } };
  const asks = node("ask", "human.ask_person", { message: "?", form, buttons: ["Keep", "Drop"] });
  const branch = (port: string, to: string) => ({ from: "ask", to, metadata: { sourcePort: port, targetPort: "value" } });
  const person = await startRun(url, graphOf([asks, end("keep"), end("drop")], [branch("Keep", "keep"), branch("Drop", "drop")]));
  await until(async () => (await getRun(url, person)).state === "waiting", 30_000, "the person is asked");
  const { status } = await answer(person, { path: "ask", values: { word: "yes" }, button: "Keep" });
  if (status >= 300) throw new Error(`The answer was refused: ${status}`);
  await keep("person", person);

  const cancelled = await startRun(url, graphOf([wait("a", { seconds: 60 }), wait("b")], [wire("a", "value", "b", "value")]));
  const held = await hand.claim();
  const lease = await hand.hold(held);
  await until(async () => (await getRun(url, cancelled)).nodes.some(({ state }) => state === "running"), 30_000, "it runs");
  await fetch(`${url}/api/runs/${cancelled}/cancel`, { method: "POST" });
  await lease.cancelled;
  await hand.worker.settle({ v: 1, task: held.task, outcome: "failed", error: error("cancelled", "Cancelled.") } as never).catch(() => {});
  await keep("cancel", cancelled);
  return golden;
}

/** Those of the release before that its fixture has, which are over. */
async function recordedBy(release: string): Promise<GoldenRun[]> {
  const database = await readFile(join(FOLDER, `../${release}.sql`), "utf8");
  const spindle = await startSpindle({ database, worker: false });
  try {
    const { rows } = await spindle.db.query("SELECT id, title FROM run WHERE finished_at IS NOT NULL AND template IS NULL ORDER BY title");
    return await Promise.all(rows.map(({ id, title }) => readGolden(spindle.db, title.toLowerCase(), id)));
  } finally {
    await spindle.stop();
  }
}

async function recordNow(): Promise<GoldenRun[]> {
  const hand = await WorkerHand.start({ env: { SPINDLE_RETRY_BASE_MS: "50" } });
  try {
    return await record(hand);
  } finally {
    await hand.stop();
  }
}

const [, , release = RELEASE] = process.argv;
const golden = release === RELEASE ? await recordNow() : await recordedBy(release);
const folder = join(FOLDER, release);
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const run of golden) await writeFile(join(folder, `${run.name}.json`), `${JSON.stringify(run)}\n`);
console.log(`${golden.length} golden runs of ${release}: ${golden.map(({ name, state }) => `${name} ${state}`).join(", ")}`);
