// The rate at which PostgreSQL takes the transaction that accepts a run, by its own tool with eight clients.
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findProgram } from "../launch/paths.ts";
import type { Bench } from "./figure.ts";

const SECONDS = 10;
const CLIENTS = 8;
const TRANSACTION = [
  "INSERT INTO bench_run (state, inputs) VALUES ('queued', '{}')",
  "INSERT INTO bench_node (run, state) VALUES (currval('bench_run_id_seq'), 'queued')",
  "INSERT INTO bench_event (run, seq, body) VALUES (currval('bench_run_id_seq'), 1, '{}')",
];

/** Transactions a second, and what measured them: pgbench where the machine has it, else eight connections of our own. */
export async function acceptRate({ db, env }: Bench): Promise<{ perSecond: number; by: string }> {
  await db.query(`CREATE TABLE IF NOT EXISTS bench_run (id BIGSERIAL PRIMARY KEY, state TEXT, inputs JSONB);
    CREATE TABLE IF NOT EXISTS bench_node (id BIGSERIAL PRIMARY KEY, run BIGINT, state TEXT);
    CREATE TABLE IF NOT EXISTS bench_event (run BIGINT, seq INT, body JSONB, PRIMARY KEY (run, seq))`);
  const program = findPgbench();
  if (program) return { perSecond: await byPgbench(program, env.DATABASE_URL as string), by: `pgbench, ${CLIENTS} clients` };
  return { perSecond: await byOurselves(env.DATABASE_URL as string), by: `${CLIENTS} connections (there is no pgbench here)` };
}

function findPgbench(): string | undefined {
  const onPath = findProgram("pgbench");
  if (onPath) return onPath;
  try {
    return readdirSync("/usr/lib/postgresql")
      .map((version) => findIn(`/usr/lib/postgresql/${version}/bin`))
      .find(Boolean);
  } catch {
    return undefined;
  }
}
const findIn = (folder: string): string | undefined => (readdirSync(folder).includes("pgbench") ? join(folder, "pgbench") : undefined);

async function byPgbench(program: string, url: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "spindle-pgbench-"));
  const script = join(folder, "accept.sql");
  await writeFile(script, `BEGIN;\n${TRANSACTION.map((line) => `${line};`).join("\n")}\nCOMMIT;\n`);
  const args = ["-n", "-c", String(CLIENTS), "-j", "2", "-T", String(SECONDS), "-M", "prepared", "-f", script, url];
  const { stdout } = await promisify(execFile)(program, args);
  await rm(folder, { recursive: true });
  return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
}

async function byOurselves(url: string): Promise<number> {
  const end = performance.now() + SECONDS * 1000;
  const counts = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      let count = 0;
      for (; performance.now() < end; count++) for (const line of ["BEGIN", ...TRANSACTION, "COMMIT"]) await client.query(line);
      await client.end();
      return count;
    }),
  );
  return counts.reduce((a, b) => a + b, 0) / SECONDS;
}
