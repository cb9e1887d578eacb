// Writes the fixture that the next release is upgraded from: this release's database after real runs, as plain SQL.
// node --import tsx tests/support/release-fixture.ts
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { ROOT } from "../../infra/launch/paths.ts";
import { talkForm } from "./samples.ts";
import { ended, getRun, graphOf, node, type Spindle, startSpindle, submit, until, wait, wire } from "./spindle.ts";

const PRISMA = join(ROOT, "apps/runtime/prisma");

/** All tables, each behind those that its rows refer to. `runtime` stays out: its leases are those of processes that have ended. */
async function tablesOf(db: pg.Client): Promise<string[]> {
  const { rows } = await db.query<{ name: string; needs: string[] }>(
    `SELECT t.relname AS name, array_remove(array_agg(r.relname::text), NULL) AS needs
     FROM pg_class t LEFT JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'f' LEFT JOIN pg_class r ON r.oid = c.confrelid
     WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.relname <> 'runtime' GROUP BY 1 ORDER BY 1`,
  );
  const sorted: string[] = [];
  while (sorted.length < rows.length)
    sorted.push(
      ...rows.filter(({ name, needs }) => !sorted.includes(name) && needs.every((need) => sorted.includes(need))).map(({ name }) => name),
    );
  return sorted;
}

/** The applied migrations, the functions and every row. */
async function dump(db: pg.Client): Promise<string> {
  const { rows: applied } = await db.query<{ migration_name: string }>(
    `SELECT migration_name FROM "_prisma_migrations" ORDER BY migration_name`,
  );
  const parts = [
    `CREATE TABLE "_prisma_migrations" ("id" VARCHAR(36) PRIMARY KEY, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
      "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ, "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0);\n`,
  ];
  for (const { migration_name: name } of applied) parts.push(await readFile(join(PRISMA, "migrations", name, "migration.sql"), "utf8"));
  for (const file of (await readdir(join(PRISMA, "functions"))).sort()) parts.push(await readFile(join(PRISMA, "functions", file), "utf8"));
  for (const table of await tablesOf(db)) {
    const { rows: columns } = await db.query<{ name: string; sequence: string | null }>(
      `SELECT column_name AS name, pg_get_serial_sequence(quote_ident(table_name), column_name) AS sequence
       FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position`,
      [table],
    );
    const names = columns.map(({ name }) => `"${name}"`);
    const { rows } = await db.query<{ row: string }>(
      `SELECT concat_ws(', ', ${names.map((name) => `coalesce(quote_literal(${name}::text), 'NULL')`).join(", ")}) AS row FROM "${table}" ORDER BY 1`,
    );
    if (rows.length > 0)
      parts.push(`INSERT INTO "${table}" (${names.join(", ")}) VALUES\n${rows.map(({ row }) => `(${row})`).join(",\n")};\n`);
    for (const { name, sequence } of columns)
      if (sequence && rows.length > 0) parts.push(`SELECT setval('${sequence}', (SELECT max("${name}") FROM "${table}"));\n`);
  }
  return parts.join("\n");
}

/** Runs of each kind that an upgrade must keep: ended well and badly, at rest, and still to be run. */
async function runEverything(spindle: Spindle): Promise<void> {
  const { url } = spindle;
  const run = async (graph: unknown) => (await submit(url, graph)).body.run;
  const rests = (id: string) => until(async () => (await getRun(url, id)).state === "waiting", 30_000, `run ${id} rests`);

  const talk = await fetch(`${url}/api/infinitetalk`, { method: "POST", body: talkForm() });
  await ended(url, ((await talk.json()) as { jobId: string }).jobId, 300_000);

  const greeting = graphOf(
    [node("hello", "text.template", { template: "Hello {{name}}", values: { name: "Ada" } }), node("end", "output.preview")],
    [wire("hello", "text", "end", "value")],
    { planner: "kept as it is" },
  );
  const saved = await fetch(`${url}/api/graphs`, { method: "POST", body: JSON.stringify({ ...greeting, workflowId: "Greeting" }) });
  const { id: graphId } = (await saved.json()) as { id: string };
  const started = await fetch(`${url}/trpc/runs.start`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ graphId, inputs: {} }),
  });
  const { result, error } = (await started.json()) as { result?: { data: string }; error?: { message: string } };
  if (!result) throw new Error(error?.message);
  await ended(url, result.data);

  const failing = [node("bad", "json.pick", { json: {}, path: "missing" }), node("after", "output.preview", { value: 1 })];
  await ended(url, await run({ ...graphOf(failing, [{ from: "bad", to: "after" }]), workflowId: "Failed" }));

  const loop = [
    { from: "head", to: "tail" },
    { from: "tail", to: "head", metadata: { loop: { maxIterations: 3 } } },
  ];
  const delay = (id: string) => node(id, "control.delay", { milliseconds: 1, value: id });
  await ended(url, await run({ ...graphOf([delay("head"), delay("tail")], loop), workflowId: "Loop" }));

  const ask = node("ask", "human.ask_person", {
    message: "Good?",
    buttons: ["Keep", "Drop"],
    form: { type: "object", required: ["title"], properties: { title: { type: "string", maxLength: 10 } } },
  });
  const question = graphOf(
    [
      wait("before", { seconds: 0, value: "worked out before the upgrade" }),
      ask,
      node("keep", "output.preview"),
      node("drop", "output.preview"),
    ],
    [
      { from: "before", to: "ask" },
      { from: "ask", to: "keep", metadata: { sourcePort: "title", targetPort: "value", when: "has(output.Keep)" } },
      { from: "ask", to: "drop", metadata: { sourcePort: "Drop", targetPort: "value" } },
    ],
  );
  await rests(await run({ ...question, workflowId: "Question" }));
  const shows = (id: string) => node(id, "output.preview", { value: 1 });
  const held = graphOf([shows("a"), shows("b")], [{ from: "a", to: "b" }], { nodes: { a: { breakpoint: "before" } } });
  await rests(await run({ ...held, workflowId: "Breakpoint" }));

  await spindle.processes.worker?.stop();
  await until(
    async () => ((await (await fetch(`${url}/health`)).json()) as { parts: { python: string } }).parts.python !== "up",
    60_000,
    "the worker is gone",
  );
  const queued = await run({ ...graphOf([wait("task", { seconds: 0, value: "after the upgrade" })]), workflowId: "Queued" });
  await until(async () => (await getRun(url, queued)).nodes[0]?.state === "dispatched", 30_000, "the task is queued");
}

const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
const spindle = await startSpindle();
try {
  await runEverything(spindle);
  await spindle.processes.runtime?.stop();
  const db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await db.connect();
  const file = join(PRISMA, `fixtures/${version}.sql`);
  const sql = await dump(db);
  await writeFile(
    file,
    `-- Release ${version}: its database after the runs of tests/support/release-fixture.ts, which wrote this file.\n${sql}`,
  );
  await db.end();
  console.log(`${file}: ${sql.length} characters`);
} finally {
  await spindle.stop();
}
process.exit(0);
