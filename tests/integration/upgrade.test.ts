// An upgrade on a real database of the release before: what it keeps, what goes on, and what is refused (docs/decisions/0017).
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrateDatabase } from "../../apps/runtime/src/store/migrate.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, getRun, type Spindle, startSpindle, until } from "../support/spindle.ts";

const PRISMA = join(ROOT, "apps/runtime/prisma");
let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ database: await readFile(join(PRISMA, "fixtures/0.1.0.sql"), "utf8") });
});
afterAll(() => spindle?.stop());

const idOf = async (title: string): Promise<string> => (await spindle.db.query("SELECT id FROM run WHERE title = $1", [title])).rows[0].id;
const post = (path: string, body: unknown): Promise<Response> =>
  fetch(spindle.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

describe("a database of 0.1.0 after the upgrade", () => {
  test("shows its graphs as they were", async () => {
    const { rows } = await spindle.db.query("SELECT id FROM graph WHERE name = 'Greeting'");
    const graph = await (await fetch(`${spindle.url}/api/graphs/${rows[0].id}/export`)).json();
    expect(graph).toMatchObject({ workflowId: "Greeting", metadata: { planner: "kept as it is" } });
    expect(graph.nodes.map((node: { id: string }) => node.id)).toEqual(["hello", "end"]);
  });
  test("[W8] shows its runs, their results, errors and events", async () => {
    const jobs = (await (await fetch(`${spindle.url}/api/jobs`)).json()) as { title: string }[];
    expect(jobs.map((job) => job.title).sort()).toEqual(["Breakpoint", "Failed", "Greeting", "InfiniteTalk", "Loop", "Question", "Queued"]);
    expect(await getRun(spindle.url, await idOf("Greeting"))).toMatchObject({ state: "succeeded", outputs: { value: "Hello Ada" } });
    expect(await getRun(spindle.url, await idOf("Failed"))).toMatchObject({
      state: "failed",
      error: { node: "bad", code: "node.user_error" },
    });
    expect((await getRun(spindle.url, await idOf("Loop"))).counts).toMatchObject({ tail: { total: 3, done: 3 } });
    const { outputs } = await getRun(spindle.url, await idOf("InfiniteTalk"));
    expect(outputs?.video).toMatchObject({ mime: "video/mp4", width: 1024 });
    const watch = await fetch(
      `${spindle.url}/trpc/runs.watch?input=${encodeURIComponent(JSON.stringify({ id: await idOf("Failed"), lastEventId: "1" }))}`,
    );
    const text = await until(firstText(watch), 60_000, "the old events are sent");
    expect(text).toContain("run.running");
  });
  test("[RP4] goes on with the run that waits for an answer, and does not repeat what ran before", async () => {
    const id = await idOf("Question");
    expect(await (await fetch(`${spindle.url}/api/runs/${id}/questions`)).json()).toMatchObject([{ path: "ask", message: "Good?" }]);
    expect((await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "Sun" }, button: "Keep" })).status).toBe(202);
    const run = await ended(spindle.url, id);
    expect(run.state).toBe("succeeded");
    expect(run.nodes.find((node) => node.node === "keep")?.output).toEqual({ value: "Sun" });
    expect(run.nodes.find((node) => node.node === "before")?.attempt).toBe(1);
    const { rows } = await spindle.db.query("SELECT seq FROM run_event WHERE run_id = $1 ORDER BY seq", [id]);
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1));
  });
  test("goes on from a breakpoint, and hands a queued task to a worker", async () => {
    const held = await idOf("Breakpoint");
    expect((await post(`/api/runs/${held}/resume`, { path: "a" })).status).toBe(202);
    expect((await ended(spindle.url, held)).state).toBe("succeeded");
    expect((await ended(spindle.url, await idOf("Queued"))).nodes[0]?.output).toMatchObject({ value: "after the upgrade" });
  });
  test("knows its release, and each runtime's", async () => {
    expect((await spindle.db.query(`SELECT number, name FROM "release"`)).rows).toEqual([{ number: 2, name: "0.2.0" }]);
    expect((await spindle.db.query("SELECT DISTINCT release FROM runtime")).rows).toEqual([{ release: 2 }]);
  });
});

/** A second runtime on the same database, until it listens or ends. */
function runtime(onText: (text: string) => void = () => {}): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", join(ROOT, "apps/runtime/src/main.ts")], {
      cwd: ROOT,
      env: { ...process.env, ...spindle.env, PORT: "0" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        text += chunk;
        onText(text);
        if (text.includes("listening ")) child.kill("SIGTERM");
      });
    child.on("close", (code) => resolve({ code, text }));
  });
}

describe("a start", () => {
  test("is refused on a database that is more than one release newer", async () => {
    await spindle.db.query(`INSERT INTO "release" (number, name) VALUES (4, '0.4.0')`);
    const { code, text } = await runtime();
    await spindle.db.query(`DELETE FROM "release" WHERE number = 4`);
    expect(code).toBe(78);
    expect(text).toContain("upgraded by Spindle 0.4.0, which is 2 releases newer than this one (0.2.0)");
  });
  test("goes on beside the next release, whose functions it leaves alone", async () => {
    await spindle.db.query(`INSERT INTO "release" (number, name) VALUES (3, '0.3.0')`);
    await spindle.db.query(`UPDATE "function" SET checksum = 'of 0.3.0'`);
    const { text } = await runtime();
    const { rows } = await spindle.db.query(`SELECT DISTINCT checksum FROM "function"`);
    await spindle.db.query(`DELETE FROM "release" WHERE number = 3`);
    expect(text).toContain("listening ");
    expect(rows).toEqual([{ checksum: "of 0.3.0" }]);
  });
  test("waits for runtimes of 0.1.0 to stop, and says so", async () => {
    await spindle.db.query("INSERT INTO runtime (id, lease_until) VALUES ('old', now() + interval '1 hour')");
    let waited = false;
    const { text } = await runtime((so) => {
      if (waited || !so.includes("waits for older processes to stop: old (release 0.1.0)")) return;
      waited = true;
      expect(so).not.toContain("listening");
      void spindle.db.query("DELETE FROM runtime WHERE id = 'old'");
    });
    expect(waited).toBe(true);
    expect(text).toContain("listening ");
  });
});

test("a migration that has changed since it was applied is refused by its name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-prisma-"));
  try {
    await cp(PRISMA, folder, { recursive: true });
    const first = join(folder, "migrations/20261120000000_first/migration.sql");
    await writeFile(first, `${await readFile(first, "utf8")}\n-- edited`);
    await expect(migrateDatabase(spindle.db, () => {}, folder)).rejects.toThrow(
      "The migration 20261120000000_first was changed after it had been applied.",
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe("a function that changes", () => {
  let pool: pg.Pool;
  let folder: string;
  beforeAll(async () => {
    await spindle.db.query("CREATE DATABASE functions");
    pool = new pg.Pool({ connectionString: (spindle.env.DATABASE_URL as string).replace(/\/spindle$/, "/functions"), max: 2 });
    folder = await mkdtemp(join(tmpdir(), "spindle-prisma-"));
    await cp(PRISMA, folder, { recursive: true });
  });
  afterAll(async () => {
    await pool?.end();
    await rm(folder, { recursive: true, force: true });
  });
  const write = (sql: string) => writeFile(join(folder, "functions/twice.sql"), sql);
  const quiet = () => {};

  test("is applied once for each text, and with a parameter more it takes the place of its former self", async () => {
    await write("CREATE OR REPLACE FUNCTION twice(n INT) RETURNS INT LANGUAGE sql AS 'SELECT n * 2';");
    expect(await migrateDatabase(pool, quiet, folder)).toContain("twice");
    expect(await migrateDatabase(pool, quiet, folder)).toEqual([]);
    await write("CREATE OR REPLACE FUNCTION twice(n INT, more INT DEFAULT 1) RETURNS INT LANGUAGE sql AS 'SELECT n * 2 + more';");
    expect(await migrateDatabase(pool, quiet, folder)).toEqual(["twice"]);
    expect((await pool.query("SELECT twice(4) AS n")).rows).toEqual([{ n: 9 }]);
  });
  test("is applied whole or not at all", async () => {
    await write("CREATE OR REPLACE FUNCTION twice(n INT, more INT DEFAULT 1) RETURNS INT LANGUAGE sql AS 'SELECT 0';");
    await writeFile(
      join(folder, "functions/wrong.sql"),
      "CREATE OR REPLACE FUNCTION wrong() RETURNS INT LANGUAGE sql AS 'SELECT nothing';",
    );
    await expect(migrateDatabase(pool, quiet, folder)).rejects.toThrow(
      'prisma/functions/wrong.sql cannot be applied: column "nothing" does not exist',
    );
    expect((await pool.query("SELECT twice(4) AS n")).rows).toEqual([{ n: 9 }]);
  });
});

/** Reads a stream of events until the first of them is there. */
function firstText(answer: Response): () => Promise<string | undefined> {
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    text += decoder.decode((await reader.read()).value, { stream: true });
    if (!text.includes("run.running")) return undefined;
    await reader.cancel();
    return text;
  };
}
