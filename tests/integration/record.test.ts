// The record's own guard, below every check that comes before it: a change under an old fence moves nothing.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { NodeMove } from "../../apps/runtime/src/record/changes.ts";
import { ImpossibleNodeRun } from "../../apps/runtime/src/record/node-run.ts";
import { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { RunService } from "../../apps/runtime/src/services/run-service.ts";
import { openDatabase } from "../../apps/runtime/src/store/database.ts";
import { migrateDatabase } from "../../apps/runtime/src/store/migrate.ts";
import { patient } from "../../apps/runtime/src/store/patient.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ENDED_NODE_STATES, ERROR_NODE_STATES, NODE_STATES, RUN_STATES } from "../../schemas/generated/index.ts";
import { RecordHand, TASK } from "../support/record-hand.ts";

type OtherParts = ConstructorParameters<typeof RunService> extends [unknown, ...infer Rest] ? Rest : never;

let hand: RecordHand;
let record: PostgresRecord;
let pool: pg.Pool;
const newRun: RecordHand["newRun"] = (...about) => hand.newRun(...about);
beforeAll(async () => {
  hand = await RecordHand.start();
  ({ record, pool } = hand);
  expect(await migrateDatabase(pool), "a second start applies nothing").toEqual([]);
});
afterAll(async () => expect(await hand?.stop(), "events that break their schema").toEqual([]));

const body = { engine: "e", draft: false };
const error = { code: "node.exception", message: "It failed." };
const seqs = async (run: string) => (await record.history.events(run, 0)).map((event) => event.seq);

test("[E18] what is open is found with whether a runtime drives it", async () => {
  const { run, ids } = await newRun(3);
  const open = async () => (await record.history.openRuns([run]))[0];
  expect(await open()).toMatchObject({ id: run, state: "queued", unowned: true, owner_until: null });
  await record.leases.renew("driver", 60_000);
  await pool.query("UPDATE run SET owner = 'driver' WHERE id = $1", [run]);
  expect(await open()).toMatchObject({ unowned: false, owner_until: expect.any(Date) });
  await pool.query("UPDATE runtime SET lease_until = now() - interval '1 second' WHERE id = 'driver'");
  expect(await open()).toMatchObject({ unowned: true, owner_until: expect.any(Date) });
  await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "dispatch", input: {}, dispatchIn: 60_000, body });
  const found = async (which: "begun" | "drawn" | "all") =>
    (await record.history.waitingIn([run], which)).sort((a, b) => (a.path < b.path ? -1 : 1));
  expect((await found("all")).map(({ state }) => state)).toEqual(["dispatched", "queued", "queued"]);
  const drawn = async (path: string) => {
    await pool.query("UPDATE node_run SET path = $2 WHERE id = $1", [ids[1], path]);
    return (await found("drawn")).map((row) => row.path);
  };
  for (const path of ["n1#3", "n1/x", "n1#3/loop:t>h[2]/x"]) expect(await drawn(path)).toEqual(["n0", "n2"]);
  expect(await drawn("loop:t>h[2]/n1")).toEqual(["loop:t>h[2]/n1", "n0", "n2"]);
  expect(await found("begun")).toMatchObject([{ path: "n0", retry_in: expect.any(Number), answer_in: null, held: null }]);
  await record.leases.leave("driver");
  await pool.query("UPDATE run SET state = 'cancelled' WHERE id = $1", [run]);
  expect(await record.history.openRuns([run])).toEqual([]);
});

test("[M4, W1] an engine is chosen once: another choice moves nothing, and holds up nothing that shares its statement", async () => {
  const { run, ids } = await newRun(3, { ...TASK, engine: "" });
  await pool.query("UPDATE node_run SET node_id = 'n0' WHERE run_id = $1", [run]); // elements of one map, say
  const other = await newRun(1);
  const choose = (at: number, engine: string, version = "1") => {
    const { timeoutSeconds, ...rest } = { ...TASK, engine, version, draft: true };
    const route = { ...rest, timeoutSeconds };
    const choice = { level: "", nodes: { n0: route } };
    return { run, nodeRun: ids[at] as string, fence: 0, change: "dispatch", input: {}, dispatchIn: 60_000, body, route, choice } as const;
  };
  const changes = [
    choose(0, "big"),
    choose(1, "small"),
    { nodeRun: other.ids[0] as string, fence: 0, change: "dispatch", input: {}, dispatchIn: 60_000, body } as const,
  ];
  const moved = await Promise.all(changes.map((change) => record.nodes.change(change)));
  expect(moved.map((row) => row?.state)).toEqual(["dispatched", undefined, "dispatched"]);
  expect((await record.nodes.change(choose(1, "big", "2")))?.state, "another version is another choice").toBeUndefined();
  expect((await record.nodes.change(choose(2, "big")))?.state, "the same choice is none").toBe("dispatched");
  expect((await record.runs.frozenOf(run)).engines).toMatchObject({ "": { n0: { engine: "big" }, n1: { engine: "" } } });
  expect((await record.nodes.ofRun(run)).map(({ path, state, engine }) => [path, state, engine]).sort()).toEqual([
    ["n0", "dispatched", "big"],
    ["n1", "queued", ""],
    ["n2", "dispatched", "big"],
  ]);
  const events = await record.history.events(run, 0);
  expect(events.map(({ type }) => type)).toEqual(["run.queued", "node.engine", "node.dispatched", "node.dispatched"]);
  expect(events[1]).toMatchObject({ node: "n0", path: "n0", body: { engine: "big", draft: true } });
  expect(await seqs(run)).toEqual([1, 2, 3, 4]);
  for (const id of [run, other.run]) await pool.query("UPDATE run SET state = 'cancelled' WHERE id = $1", [id]);
});

test("[E13] a node run that is to be cancelled is found until it has ended, with its run's owner, and its run is woken", async () => {
  const { run, ids } = await newRun(2);
  await pool.query("UPDATE run SET state = 'waiting' WHERE id = $1", [run]);
  const asked = async () => (await record.runs.toCancel()).filter(({ id }) => ids.includes(id));
  await record.runs.requestNodeCancels(run, [ids[0] as string]);
  expect(await asked()).toMatchObject([{ id: ids[0], state: "queued", owner: null }]);
  expect((await pool.query("SELECT state FROM run WHERE id = $1", [run])).rows).toEqual([{ state: "running" }]);
  const events = (await record.history.events(run, 0)).map(({ type }) => type);
  await record.runs.requestNodeCancels(run, [ids[0] as string]);
  expect((await record.history.events(run, 0)).map(({ type }) => type)).toEqual(events);
  expect(events.at(-1)).toBe("run.running");
  await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "cancel", error });
  await record.runs.requestNodeCancels(run, [ids[0] as string]);
  expect(await asked()).toEqual([]);
});

test("[E9, W1] a change under an old fence, or from a state that does not allow it, moves nothing and is counted", async () => {
  const { run, ids } = await newRun(1);
  const id = ids[0] as string;
  const change = (fence: number, move: NodeMove) => record.nodes.change({ nodeRun: id, fence, ...move });
  expect(await change(0, { change: "dispatch", input: {}, dispatchIn: 0, body })).toMatchObject({
    state: "dispatched",
    fence: 1,
    attempt: 1,
  });
  expect(await change(1, { change: "retry", dispatchIn: 0, error, body: { delayMs: 0 } })).toMatchObject({ fence: 2, attempt: 2 });
  const before = record.nodes.stale;
  expect(await change(1, { change: "succeed", output: { late: true } })).toBeUndefined();
  expect(await change(1, { change: "start", body })).toBeUndefined();
  expect(await change(2, { change: "skip", error })).toBeUndefined();
  expect(record.nodes.stale).toBe(before + 3);
  expect(await change(2, { change: "succeed", output: { right: true } })).toMatchObject({ state: "succeeded" });
  expect(await change(2, { change: "cancel", error })).toBeUndefined();
  expect((await record.nodes.find(id))?.output).toEqual({ right: true });
  expect(await seqs(run)).toEqual([1, 2, 3, 4]);
  const { rows } = await pool.query("SELECT fence FROM outbox WHERE node_run_id = $1 ORDER BY fence", [id]);
  expect(rows).toEqual([{ fence: 1 }, { fence: 2 }]);
});

test("[W1] a row that cannot be is named where it is read, and holds up no other", async () => {
  const { ids } = await newRun(2);
  const [bad, good] = ids as [string, string];
  await pool.query("UPDATE node_run SET state = 'succeeded' WHERE id = $1", [bad]);
  await expect(record.nodes.find(bad)).rejects.toThrow(new RegExp(`it is succeeded without an output.*${bad}`));
  const found = await record.nodes.findAll([bad, good]);
  expect(found.map((row) => (row instanceof ImpossibleNodeRun ? row.nodeRun : row.state)).sort()).toEqual([bad, "queued"].sort());
});

test("[W1] of twenty that commit at once one wins, and events of one run have no gap", async () => {
  const { run, ids } = await newRun(20);
  await Promise.all(ids.map((nodeRun) => record.nodes.change({ nodeRun, fence: 0, change: "begin", input: {}, body })));
  const wins = await Promise.all(
    Array.from({ length: 20 }, (_, value) =>
      record.nodes.change({ nodeRun: ids[0] as string, fence: 1, change: "succeed", output: { value } }),
    ),
  );
  expect(wins.filter(Boolean)).toHaveLength(1);
  await Promise.all(ids.slice(1).map((nodeRun) => record.nodes.change({ nodeRun, fence: 1, change: "succeed", output: {} })));
  const list = await seqs(run);
  expect(list).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
});

test("[E9] changes that are asked for at once share a commit, each under its own fence", async () => {
  const { run, ids } = await newRun(50);
  const moved = await Promise.all(
    ids.map((nodeRun, index) => record.nodes.change({ nodeRun, fence: index % 5 === 0 ? 7 : 0, change: "begin", input: {}, body })),
  );
  expect(moved.filter((one) => one === undefined)).toHaveLength(10);
  expect(new Set(moved.flatMap((one) => (one ? [one.id] : []))).size).toBe(40);
  const { rows } = await pool.query(
    "SELECT count(DISTINCT xmin::text)::int AS commits FROM run_event WHERE run_id = $1 AND type = 'node.running'",
    [run],
  );
  expect(rows[0].commits).toBeLessThanOrEqual(2);
  expect(await seqs(run)).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
});

test("[E9] of changes that share a commit one that cannot be stored fails alone", async () => {
  const { ids } = await newRun(3);
  const [a, b, c] = ids as [string, string, string];
  const first = record.nodes.change({ nodeRun: a, fence: 0, change: "begin", input: {}, body });
  const bad = record.nodes.change({
    nodeRun: b,
    fence: 0,
    change: "succeedHere",
    output: {},
    artifacts: [{ key: "k", ref: { artifact: "no uuid" } as never }],
  });
  const good = record.nodes.change({ nodeRun: c, fence: 0, change: "succeedHere", output: { text: "nul \u0000 and half a pair \ud800" } });
  await expect(bad).rejects.toThrow(/uuid/);
  expect(await first).toMatchObject({ state: "running" });
  expect(await good).toMatchObject({ state: "succeeded" });
  expect((await record.nodes.find(c))?.output).toEqual({ text: "nul \ufffd and half a pair \ufffd" });
});

test("[RV4] what waits to be written of a cancelled run is dropped, if a node run would begin by it and nothing of it is under way", async () => {
  const { run, ids } = await newRun(4);
  const { ids: others } = await newRun(1);
  const [under, waiting, ending, begun] = ids as [string, string, string, string];
  await record.nodes.change({ run, nodeRun: begun, fence: 0, change: "begin", input: {}, body });
  const begin = (nodeRun: string) => record.nodes.change({ run, nodeRun, fence: 0, change: "succeedHere", input: {}, output: {}, body });
  const asked = [
    begin(under),
    begin(waiting),
    record.nodes.change({
      run,
      nodeRun: ending,
      fence: 0,
      change: "cancel",
      error: { class: "cancelled", code: "run.cancelled", message: "C." },
    }),
    record.nodes.change({ run, nodeRun: begun, fence: 1, change: "succeed", output: {}, body }),
    record.nodes.change({ nodeRun: others[0] as string, fence: 0, change: "succeedHere", output: {}, body }),
  ];
  const stale = record.nodes.stale;
  record.nodes.drop(run);
  expect((await Promise.all(asked)).map((row) => row?.state)).toEqual(["succeeded", undefined, "cancelled", "succeeded", "succeeded"]);
  expect([(await record.nodes.find(waiting))?.state, record.nodes.stale]).toEqual(["queued", stale]);
});

describe("[E9] a change whose statement PostgreSQL ends for its time", () => {
  const LARGE = "x".repeat(1024 * 1024);
  let hurried: PostgresRecord;
  let changes: pg.Pool;
  beforeAll(async () => {
    changes = new pg.Pool({ connectionString: hand.url, max: 1, statement_timeout: 500 });
    hurried = new PostgresRecord(pool, changes);
    // A sequence counts what is rolled back, too.
    await pool.query(`CREATE SEQUENCE tries; CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM nextval('tries'); PERFORM pg_sleep(5); RETURN NEW; END $$;
      CREATE TRIGGER dawdle BEFORE INSERT ON node_result FOR EACH ROW WHEN (NEW.output ? 'slow') EXECUTE FUNCTION dawdle()`);
  });
  afterAll(async () => {
    await changes.end();
    await pool.query("DROP TRIGGER dawdle ON node_result; DROP FUNCTION dawdle; DROP SEQUENCE tries");
  });
  const tries = async () => Number((await pool.query("SELECT last_value FROM tries")).rows[0].last_value);
  const succeed = (nodeRun: string, output: Record<string, unknown>) =>
    patient(() => hurried.nodes.change({ nodeRun, fence: 0, change: "succeedHere", output, body }));

  test("and that is large fails after three times alone, with a reason; what others asked for goes on", async () => {
    const { run, ids } = await newRun(5);
    const [first, slow, ...rest] = ids as [string, string, ...string[]];
    await pool.query("SELECT setval('tries', 1, false)");
    const asked = [succeed(first, {}), succeed(slow, { slow: LARGE }), ...rest.map((id) => succeed(id, {}))];
    expect(await asked[1]).toBeUndefined();
    expect((await Promise.all(asked)).map((row) => row?.state)).toEqual(["succeeded", undefined, "succeeded", "succeeded", "succeeded"]);
    expect(await tries()).toBeLessThanOrEqual(4); // once with the others
    expect(await record.nodes.find(slow)).toMatchObject({
      state: "failed",
      output: null,
      error: { class: "user", code: "node.unstorable", message: expect.stringMatching(/3 MiB.*three times/) },
    });
    expect(await seqs(run)).toHaveLength(6);
  });
  test("is tried again where it is small: then something else keeps the database busy", async () => {
    const { ids } = await newRun(1);
    await pool.query("SELECT setval('tries', 1, false)");
    const asked = succeed(ids[0] as string, { slow: "small" });
    while ((await tries()) < 5) await new Promise((resolve) => setTimeout(resolve, 100));
    await pool.query("ALTER TABLE node_result DISABLE TRIGGER dawdle");
    expect(await asked).toMatchObject({ state: "succeeded" });
    await pool.query("ALTER TABLE node_result ENABLE TRIGGER dawdle");
  });
  test("has its next try alone, after what others asked for", async () => {
    const { ids } = await newRun(20);
    const [slow, ...rest] = ids as [string, ...string[]];
    await pool.query("SELECT setval('tries', 1, false)");
    const asked = succeed(slow, { slow: LARGE });
    for (const id of rest) expect(await succeed(id, {})).toMatchObject({ state: "succeeded" });
    expect(await asked).toBeUndefined();
    expect(await tries()).toBeLessThanOrEqual(3);
  });
});

test("[E9] changes that are large share no commit with many others", async () => {
  const { run, ids } = await newRun(12);
  const output = { text: "x".repeat(2 * 1024 * 1024) };
  await Promise.all(ids.map((nodeRun) => record.nodes.change({ nodeRun, fence: 0, change: "succeedHere", output, body })));
  const { rows } = await pool.query(
    "SELECT count(*)::int AS changes FROM run_event WHERE run_id = $1 AND type = 'node.succeeded' GROUP BY xmin::text",
    [run],
  );
  for (const { changes } of rows) expect(changes).toBeLessThanOrEqual(4);
});

test("a list of runs counts their nodes in as many queries and rows as it has runs, however many nodes those have", async () => {
  const url = hand.url;
  const database = openDatabase(url);
  const runs = new RunService(database, ...([record, {}, {}, {}, { ofRuns: () => new Map() }, () => {}] as unknown as OtherParts));
  const { run: large, ids } = await newRun(400);
  const { run: small } = await newRun(2);
  await pool.query("UPDATE node_run SET state = 'succeeded' WHERE id = ANY($1)", [ids.slice(0, 30)]);
  await pool.query("UPDATE node_run SET node_id = 'group:a>', draft = true WHERE id = $1", [ids[0]]);
  await runs.list(); // connections and statements are there
  const query = vi.spyOn(pg.Client.prototype, "query");
  const rows = vi.spyOn(pg.Query.prototype as unknown as { handleDataRow(message: object): void }, "handleDataRow");
  try {
    const list = await runs.list();
    const of = (id: string) => list.find((run) => run.id === id);
    expect(of(large)).toMatchObject({ nodes: 399, done: 29, draft: true });
    expect(of(small)).toMatchObject({ nodes: 2, done: 0, draft: false });
    expect(query.mock.calls.length).toBe(2);
    expect(rows.mock.calls.length).toBeLessThanOrEqual(2 * list.length);
  } finally {
    vi.restoreAllMocks();
    await database.close();
  }
});

test("an answer about a run reads what it tells: of its status, a job and a list no value of a node run", async () => {
  const database = openDatabase(hand.url);
  const live = { of: () => [] };
  const runs = new RunService(
    database,
    ...([record, {}, {}, live, { of: () => ({ nodes: new Map() }), ofRuns: () => new Map() }, () => {}] as unknown as OtherParts),
  );
  const { run, ids } = await newRun(6);
  const values = { input: { text: "i".repeat(500_000) }, output: { text: "o".repeat(500_000) } };
  for (const nodeRun of ids) await record.nodes.change({ nodeRun, fence: 0, change: "succeedHere", body, ...values });
  await pool.query("UPDATE node_run SET path = 'm#' || substr(path, 2), node_id = 'm' WHERE run_id = $1 AND path > 'n1'", [run]);
  const nodes = ["n0", "n1", "m"].map((id) => ({ id, service: "s", plane: "python" }));
  await pool.query("UPDATE revision SET document = $2 FROM run r WHERE r.id = $1 AND revision.id = r.revision_id", [
    run,
    { nodes, edges: [] },
  ]);
  let bytes = 0;
  const handle = Reflect.get(pg.Query.prototype, "handleDataRow") as (message: { length: number }) => void;
  vi.spyOn(pg.Query.prototype as unknown as { handleDataRow: typeof handle }, "handleDataRow").mockImplementation(function (
    this: unknown,
    message,
  ) {
    bytes += message.length;
    handle.call(this, message);
  });
  const read = async (ask: () => Promise<unknown>) => {
    bytes = 0;
    await ask();
    return Math.round(bytes / 500_000);
  };
  try {
    const few = [() => runs.status(run), () => runs.job(run), () => runs.list()];
    expect(await Promise.all(few.map((ask) => ask()))).toMatchObject([{ progress: 2 / 3 }, { id: run }, expect.any(Array)]);
    for (const ask of few) expect(await read(ask)).toBe(0);
    expect(await read(() => runs.graphWithState(run)), "the outputs of two nodes").toBe(2);
    expect(await read(() => runs.get(run)), "what went into them, too").toBe(4);
    expect((await runs.get(run)).counts).toEqual({ m: { total: 4, done: 4, failed: 0 } });
  } finally {
    vi.restoreAllMocks();
    await database.close();
  }
});

/** The lists of states that a text of SQL compares a state with. */
function statesIn(sql: string): string[][] {
  const compared = /(?:\bstate|->>'to')\s*(?:=|<>|NOT IN|IN)\s*(?:ANY\s*)?[(]*(?:ARRAY\[)?((?:'\w+'(?:::text)?[,\s]*)+)/g;
  return [...sql.matchAll(compared)].map(([, list = ""]) => [...list.matchAll(/'(\w+)'/g)].map(([, state = ""]) => state));
}

test("[W1] SQL names no state that the schema does not have, and the function that changes rows ends the same ones", async () => {
  const { rows: functions } = await pool.query<{ name: string; sql: string }>(
    "SELECT p.proname AS name, p.prosrc AS sql FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'",
  );
  const { rows: indexes } = await pool.query<{ name: string; sql: string }>(
    "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'",
  );
  const folder = join(ROOT, "apps/runtime/src");
  const files = (await readdir(folder, { recursive: true })).filter((file) => /^(record|tasks|services|api)\/[^.]*\.ts$/.test(file));
  const sources = await Promise.all(files.map(async (name) => ({ name, sql: await readFile(join(folder, name), "utf8") })));
  const found = [...functions, ...indexes, ...sources].map(({ name, sql }) => ({ name, lists: statesIn(sql) }));
  const known: readonly string[] = [...NODE_STATES, ...RUN_STATES];
  for (const { name, lists } of found) for (const state of lists.flat()) expect(known, name).toContain(state);
  expect(found.flatMap(({ lists }) => lists).length, "places in functions, indexes and sources that name states").toBeGreaterThan(20);

  const lists = found.find(({ name }) => name === "change_node_runs")?.lists.filter((list) => list.length > 1) ?? [];
  expect(lists.map((list) => list.sort())).toEqual([[...ERROR_NODE_STATES].sort(), [...ENDED_NODE_STATES].sort()]);
  expect(functions.find(({ name }) => name === "change_node_runs")?.sql, "a node run has no lease").not.toContain("lease_until");
});

test("[E9] node runs that are added twice, by two runtimes or after a lost answer, are there once and answered as they are", async () => {
  const { run, ids } = await newRun(1);
  await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "skip", error });
  const fresh = (path: string) => ({ ...TASK, nodeId: path, path });
  const added = await Promise.all([record.nodes.add(run, ["n0", "n1"].map(fresh)), record.nodes.add(run, ["n1", "n2"].map(fresh))]);
  const about = (await record.nodes.ofRun(run)).map(({ id, path, state }) => [path, state, id]).sort();
  expect(about.map(([path, state]) => [path, state])).toEqual([
    ["n0", "skipped"],
    ["n1", "queued"],
    ["n2", "queued"],
  ]);
  const [n0, n1, n2] = about;
  expect(added.map((rows) => rows.map(({ id, path, state }) => [path, state, id]))).toEqual([
    [n0, n1],
    [n1, n2],
  ]);
});
