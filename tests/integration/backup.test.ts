// A back-up that is made while runs go on, restored on a machine where nothing is left.
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { folderStore } from "../../apps/runtime/src/artifacts/folder-store.ts";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { backUp } from "../../apps/runtime/src/backup/backup.ts";
import { artifactFile } from "../../apps/runtime/src/backup/folder.ts";
import { restore } from "../../apps/runtime/src/backup/restore.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { talkForm } from "../support/samples.ts";
import { ended, getRun, graphOf, node, type Spindle, startSpindle, submit, until, wait, wire } from "../support/spindle.ts";

let folder: string;
let backup: string;
let target: Spindle;
/** What the first server said before it was destroyed. */
let before: { graph: string; text: string; talk: string; video: string; resting: string; working: string };

const call = async (url: string, path: string, body?: object): Promise<{ status: number; text: string }> => {
  const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`${url}${path}`, init);
  return { status: answer.status, text: await answer.text() };
};
const exported = async (url: string, id: string): Promise<string> => (await call(url, `/api/graphs/${id}/export`)).text;

function spindle(
  args: string[],
  home: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), ...args], {
      cwd: ROOT,
      env: { ...process.env, SPINDLE_HOME: home, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

async function videoOf(url: string, run: string): Promise<string> {
  const { outputs } = await getRun(url, run);
  const { artifact } = Object.values(outputs ?? {}).find((value) => (value as { mime?: string } | null)?.mime?.startsWith("video/")) as {
    artifact: string;
  };
  const answer = await fetch(`${url}/api/artifacts/${artifact}`);
  expect(answer.status).toBe(200);
  return createHash("sha256")
    .update(new Uint8Array(await answer.arrayBuffer()))
    .digest("hex");
}

const asks = graphOf(
  [node("ask", "human.ask_person", { message: "Good?", buttons: ["Keep"] }), node("end", "output.preview")],
  [wire("ask", "Keep", "end", "value")],
);
const works = graphOf(
  [node("a", "constant.string", { value: "x" }), wait("b", { seconds: 20 }), node("c", "output.preview")],
  [wire("a", "value", "b", "value"), wire("b", "value", "c", "value")],
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spindle-backup-"));
  backup = join(folder, "today");
  const source = await startSpindle();
  try {
    await spindle(["--version"], source.home); // bundles the command line, if it has changed
    const created = await fetch(`${source.url}/api/graphs`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: JSON.stringify(asks),
    });
    const graph = ((await created.json()) as { id: string }).id;
    const posted = await fetch(`${source.url}/api/infinitetalk`, { method: "POST", body: talkForm() });
    const talk = ((await posted.json()) as { jobId: string }).jobId;
    expect((await ended(source.url, talk, 120_000)).state).toBe("succeeded");
    const resting = (await submit(source.url, asks)).body.run;
    await until(async () => (await getRun(source.url, resting)).state === "waiting", 60_000, "a person is asked");
    const working = (await submit(source.url, works)).body.run;
    await until(async () => (await getRun(source.url, working)).nodes.some(({ state }) => state === "running"), 60_000, "the worker works");
    const text = await exported(source.url, graph);
    expect(text).toContain("human.ask_person");
    before = { graph, text, talk, video: await videoOf(source.url, talk), resting, working };
    const made = await spindle(["backup", backup], source.home);
    expect(made, made.err).toMatchObject({ code: 0, out: expect.stringContaining("Backed up to") });
    const runs = gunzipSync(await readFile(join(backup, "tables/run.copy.gz"))).toString();
    expect(runs.split("\n").find((row) => row.startsWith(working))).toContain("\trunning\t");
    const again = await spindle(["backup", backup], source.home);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("is not empty") });
  } finally {
    await source.stop();
  }
  target = await startSpindle();
});
afterAll(async () => {
  await target?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A copy of the back-up in which something was changed. */
async function damaged(name: string, change: (copy: string) => Promise<void>): Promise<string> {
  const copy = join(folder, name);
  await cp(backup, copy, { recursive: true });
  await change(copy);
  return copy;
}

const artifactsOf = async (of: string): Promise<{ key: string }[]> => JSON.parse(await readFile(join(of, "backup.json"), "utf8")).artifacts;
const place = () => ({ databaseUrl: target.env.DATABASE_URL as string, store: folderStore(join(target.home, "store")) });
async function connected(): Promise<pg.Client> {
  const db = new pg.Client({ connectionString: target.env.DATABASE_URL as string });
  await db.connect();
  return db;
}

const isEmpty = async (): Promise<boolean> => {
  const db = new pg.Client({ connectionString: target.env.DATABASE_URL as string });
  await db.connect();
  const { rows } = await db.query(
    "SELECT (SELECT count(*) FROM graph) + (SELECT count(*) FROM run) + (SELECT count(*) FROM artifact) AS n",
  );
  await db.end();
  return rows[0].n === "0";
};

test("[L5] what is damaged, or of another schema, is refused before anything is written", async () => {
  const table = (copy: string) => join(copy, "tables/run_event.copy.gz");
  const cases: [string, (copy: string) => Promise<void>, RegExp][] = [
    ["cut", async (copy) => writeFile(table(copy), (await readFile(table(copy))).subarray(0, 40)), /run_event.* cannot be read/],
    [
      "changed",
      async (copy) => writeFile(table(copy), gzipSync(gunzipSync(await readFile(table(copy))).subarray(1))),
      /run_event.* its hash is another/,
    ],
    ["gone", async (copy) => rm(join(copy, "artifacts/output"), { recursive: true }), /artifacts\/output.* is missing/],
    [
      "an artifact that was altered",
      async (copy) => {
        const file = join(copy, "artifacts", (await artifactsOf(copy))[0]?.key as string);
        const bytes = await readFile(file);
        bytes[bytes.length - 1] = 1 + (bytes.at(-1) as number);
        await writeFile(file, bytes);
      },
      /artifacts\/.* its hash is another/,
    ],
    ["no manifest", async (copy) => rm(join(copy, "backup.json")), /is no back-up/],
    ["a manifest of a later form", async (copy) => writeFile(join(copy, "backup.json"), '{"format":2}'), /a newer Spindle/],
    [
      "another schema",
      async (copy) => {
        const manifest = JSON.parse(await readFile(join(copy, "backup.json"), "utf8"));
        manifest.migrations.pop();
        await writeFile(join(copy, "backup.json"), JSON.stringify(manifest));
      },
      /Restore it with the version that made it/,
    ],
  ];
  for (const [name, change, says] of cases) {
    const refused = await spindle(["restore", await damaged(name, change)], target.home);
    expect(refused, name).toMatchObject({ code: 1, err: expect.stringMatching(says) });
    expect(await isEmpty(), name).toBe(true);
  }
});

/** Waits until a statement of the target's database waits for a lock. */
const isBlocked = (db: pg.Client) =>
  until(
    async () => (await db.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rows.length > 0,
    60_000,
    "somebody waits for the lock",
  );
const newGraph = (db: pg.Client, id: string) => db.query("INSERT INTO graph (id, name) VALUES ($1, 'meanwhile')", [id]);

test("[L5] what somebody begins while it is restored is not mixed with it", async () => {
  const [db, monitor] = await Promise.all([connected(), connected()]);
  const id = randomUUID();
  await db.query("BEGIN");
  await newGraph(db, id);
  const restored = restore({ ...place(), folder: backup }).catch((error: Error) => error.message);
  await isBlocked(monitor);
  await db.query("COMMIT");
  expect(await restored).toMatch(/not empty.* graph/);
  await db.query("DELETE FROM graph WHERE id = $1", [id]);
  await Promise.all([db.end(), monitor.end()]);
  expect(await isEmpty()).toBe(true);
});

test("[L5] everything is there again, and what was under way ends", async () => {
  const done = await spindle(["restore", backup], target.home);
  expect(done, done.err).toMatchObject({ code: 0, out: expect.stringContaining("Restored") });
  expect(await exported(target.url, before.graph)).toBe(before.text);
  expect(await videoOf(target.url, before.talk)).toBe(before.video);
  const answer = await call(target.url, `/api/runs/${before.resting}/answers`, { path: "ask", button: "Keep" });
  expect(answer.status, answer.text).toBe(202);
  expect((await ended(target.url, before.resting)).state).toBe("succeeded");
  expect((await ended(target.url, before.working, 90_000)).outputs).toEqual({ value: "x" });
  const next = (await submit(target.url, asks)).body.run;
  const db = await connected();
  const { rows } = await db.query("SELECT id FROM run ORDER BY number");
  const { rows: graphs } = await db.query("SELECT epoch FROM graph");
  await db.end();
  expect(
    graphs.every(({ epoch }) => Number(epoch) > 1),
    "what pages know of the graphs is not merged into them",
  ).toBe(true);
  expect(rows.map(({ id }) => id)).toEqual([before.talk, before.resting, before.working, next]);
});

test("a database that is not empty is not touched", async () => {
  const refused = await spindle(["restore", backup], target.home);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("is not empty") });
});

test("[L5] it is one moment's, however long it takes", async () => {
  const [db, monitor] = await Promise.all([connected(), connected()]);
  const id = randomUUID();
  await db.query("BEGIN");
  await db.query("LOCK TABLE doc_quarantine IN ACCESS EXCLUSIVE MODE");
  const folderOfIt = join(folder, "moment");
  const made = backUp({ ...place(), folder: folderOfIt });
  await isBlocked(monitor);
  await newGraph(db, id);
  await db.query("INSERT INTO doc_update (graph_id, bytes) VALUES ($1, '')", [id]);
  await db.query("COMMIT");
  await made;
  expect(gunzipSync(await readFile(join(folderOfIt, "tables/doc_update.copy.gz"))).toString()).not.toContain(id);
  await db.query("DELETE FROM graph WHERE id = $1", [id]);
  await Promise.all([db.end(), monitor.end()]);
});

test("one that fails ends, and leaves nothing behind", async () => {
  const { store } = place();
  let gets = 0;
  const away = { ...store, get: () => Promise.reject(new Error(`the bucket is away, ${++gets}`)) };
  expect((await artifactsOf(backup)).length).toBeGreaterThan(4);
  await expect(backUp({ ...place(), store: away, folder: join(folder, "away") })).rejects.toThrow("the bucket is away, 1");
  expect(gets).toBeLessThanOrEqual(4);
  expect((await readdir(folder)).filter((name) => name.startsWith("away"))).toEqual([]);
});

type Damage = (key: string, store: ObjectStore) => Promise<ObjectStore>;
const only = (key: string, store: ObjectStore, get: ObjectStore["get"]): ObjectStore => ({
  ...store,
  get: (asked) => (asked === key ? get : store.get)(asked),
});
const unreadable: [string, Damage, RegExp][] = [
  [
    "has become a folder",
    async (key) => {
      const copy = join(folder, "store");
      await cp(join(target.home, "store"), copy, { recursive: true });
      await rm(join(copy, key));
      await mkdir(join(copy, key));
      return folderStore(copy);
    },
    /EISDIR/,
  ],
  ["may not be read", async (key, store) => only(key, store, () => Promise.reject(new Error("EACCES"))), /EACCES/],
  [
    "breaks off",
    async (key, store) => {
      const body = async function* () {
        yield Buffer.from("the beginning");
        throw new Error("ECONNRESET");
      };
      return only(key, store, async () => Readable.from(body()));
    },
    /ECONNRESET/,
  ],
];
test.each(unreadable)(
  "an object that %s is named with the cause and what to do, and no half of a back-up stays",
  async (_, damage, cause) => {
    const key = (await artifactsOf(backup))[0]?.key as string;
    const { store, databaseUrl } = place();
    const made = backUp({ databaseUrl, store: await damage(key, store), folder: join(folder, "half") });
    const { message } = await made.then(
      () => new Error("It was backed up."),
      (error: Error) => error,
    );
    expect(message).toContain(`The object ${key} cannot be read`);
    expect(message).toMatch(cause);
    expect(message).toMatch(/back up again/);
    expect((await readdir(folder)).filter((name) => name.startsWith("half"))).toEqual([]);
  },
);

test("a back-up that cannot be written blames no object", async () => {
  const { store, databaseUrl } = place();
  // The name of the first object is taken by a folder as soon as the object is asked for.
  const key = (await artifactsOf(backup))[0]?.key as string;
  const half = join(folder, "half");
  const taken = only(key, store, async (asked) => {
    await mkdir(artifactFile(`${half}.partial`, asked));
    return store.get(asked);
  });
  const { message } = await backUp({ databaseUrl, store: taken, folder: half }).then(
    () => new Error("It was backed up."),
    (error: Error) => error,
  );
  expect(message).toMatch(/EISDIR.*half\.partial/);
  expect(message).not.toContain("cannot be read");
});

test("the address of the database, with its password, is for its owner alone", async () => {
  expect((await stat(join(target.home, "server.json"))).mode & 0o777).toBe(0o600);
});

test("artifacts that the store has lost or altered are named, and the rest is backed up", async () => {
  const [lost, altered] = (await artifactsOf(backup)).filter(({ key }) => key.startsWith("output/"));
  await rm(join(target.home, "store", lost?.key as string));
  const file = join(target.home, "store", altered?.key as string);
  await writeFile(file, (await readFile(file)).fill(1));
  const made = await spindle(["backup", join(folder, "tomorrow")], target.home);
  expect(made).toMatchObject({ code: 1, out: expect.stringContaining("Backed up to"), err: expect.stringContaining(lost?.key as string) });
  expect(made.err).toContain(altered?.key);
  expect((await stat(join(folder, "tomorrow/backup.json"))).isFile()).toBe(true);
});

test("a command that would look into another store than the server's is refused", async () => {
  const s3 = { S3_ENDPOINT: "http://127.0.0.1:9", S3_BUCKET: "elsewhere" };
  const refused = await spindle(["backup", join(folder, "wrong")], target.home, s3);
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/keeps artifacts in a folder.*the bucket elsewhere/) });
});
