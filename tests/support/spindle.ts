// A whole Spindle of real processes for a test file, with short leases, in a folder of its own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { RunView } from "../../apps/runtime/src/services/run-service.ts";
import type { SystemView } from "../../apps/runtime/src/services/system-service.ts";
import { buildDatabaseClient } from "../../infra/launch/build.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { startPostgres } from "../../infra/launch/postgres.ts";
import { type Stack, type StackOptions, startStack } from "../../infra/launch/stack.ts";
import { isEndedRunState } from "../../schemas/generated/index.ts";
import { badEvents } from "./events.ts";
import { newDatabase, openPool, postgresFolder } from "./postgres.ts";

export type Spindle = Stack & {
  home: string;
  /** Its database, for what a test asks of it besides the product. */
  db: pg.Pool;
};

const SHORT = { SPINDLE_LEASE_MS: "3000", SPINDLE_BEAT_MS: "500", SPINDLE_RETRY_BASE_MS: "200", SPINDLE_RUN_LEASE_MS: "2500" };

interface Options extends Partial<Pick<StackOptions, "worker" | "env" | "route" | "redis">> {
  /** A PostgreSQL for this file alone, because its test ends it; else the project's, if it has one. */
  ownPostgres?: boolean;
  /** SQL that fills the database before anything runs on it: an earlier release's. The file has its own PostgreSQL then. */
  database?: string;
}

export async function startSpindle(options: Options = {}): Promise<Spindle> {
  await buildDatabaseClient();
  const home = await mkdtemp(join(tmpdir(), "spindle-test-"));
  const postgres = postgresFolder(home);
  if (options.database) await fill(postgres, options.database);
  const database = options.ownPostgres || options.database ? undefined : await newDatabase();
  const stack = await startStack({
    home,
    postgres,
    port: await freePort(),
    quiet: true,
    worker: options.worker ?? true,
    ...(options.redis ? { redis: options.redis } : {}),
    ...(options.route ? { route: options.route } : {}),
    env: { ...SHORT, ...(database ? { DATABASE_URL: database.url } : {}), ...options.env },
  });
  if (options.worker !== false) await until(async () => (await health(stack.url)).parts.python === "up", 30_000, "the worker reports");
  const db = openPool(stack.env.DATABASE_URL as string);
  return {
    ...stack,
    home,
    db,
    stop: async () => {
      try {
        const bad = await badEvents(db); // of every run that a test file made
        if (bad.length > 0) throw new Error(`Events break schemas/events/run-event.schema.json:\n${bad.join("\n")}`);
      } finally {
        await db.end();
        await stack.stop();
        await database?.drop();
        for (const folder of [postgres, home]) await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function fill(folder: string, sql: string): Promise<void> {
  const { url, process } = await startPostgres(folder);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
  await process.stop();
}

export async function health(url: string): Promise<{ status: string; parts: Record<string, string> }> {
  return (await (await fetch(`${url}/health`)).json()) as never;
}

/** Waits for what is expected, by asking; fails with its name. */
export async function until<T>(ask: () => Promise<T | undefined | false>, patienceMs: number, what: string): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer) return answer as T;
    if (Date.now() > end) throw new Error(`In ${patienceMs} ms it did not happen that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function getSystem(url: string): Promise<SystemView> {
  const answer = await fetch(`${url}/api/system`);
  if (!answer.ok) throw new Error(`GET /api/system answers ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as SystemView;
}

export async function getRun(url: string, id: string): Promise<RunView> {
  const answer = await fetch(`${url}/api/runs/${id}`);
  if (!answer.ok) throw new Error(`run: ${answer.status}`);
  return (await answer.json()) as RunView;
}

export const ended = (url: string, id: string, patienceMs = 60_000): Promise<RunView> =>
  until(
    async () => {
      const run = await getRun(url, id);
      return isEndedRunState(run.state) ? run : undefined;
    },
    patienceMs,
    `run ${id} ends`,
  );

/** Starts a graph that is sent along. Returns the answer's status and body. */
export async function submit(
  url: string,
  graph: unknown,
  inputs: Record<string, string | Blob> = {},
  kinds: Record<string, string> = {},
): Promise<{
  status: number;
  body: { run: string; error?: { code: string; message: string; field?: string; issues?: { code: string; place: object }[] } };
}> {
  const form = new FormData();
  form.set("graph", typeof graph === "string" ? graph : JSON.stringify(graph));
  for (const [name, value] of Object.entries(inputs)) form.set(name, value);
  const query = new URLSearchParams(Object.entries(kinds).map(([name, kind]) => [`kind.${name}`, kind]));
  const answer = await fetch(`${url}/api/runs?${query}`, { method: "POST", body: form });
  return { status: answer.status, body: (await answer.json()) as never };
}

/** Starts a graph that is sent along. Returns its run. @throws if it is not accepted */
export async function startRun(url: string, graph: unknown, inputs: Parameters<typeof submit>[2] = {}): Promise<string> {
  const { status, body } = await submit(url, graph, inputs);
  if (status !== 202) throw new Error(`The run was not accepted (${status}): ${JSON.stringify(body)}`);
  return body.run;
}

/** Stores a graph. Returns its id. */
export async function createGraph(url: string, graph: unknown): Promise<string> {
  const answer = await fetch(`${url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  if (!answer.ok) throw new Error(`The graph was not stored (${answer.status}): ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

/** A graph as it is stored. */
export async function storedGraph<Graph>(url: string, id: string): Promise<Graph> {
  return (await (await fetch(`${url}/api/graphs/${id}/export?to=json`)).json()) as Graph;
}

type Node = { id: string; service: string; plane: string; name?: string; params?: Record<string, unknown> };
type Edge = { from: string; to: string; kind?: string; metadata?: Record<string, unknown> };

export const node = (id: string, service: string, params?: Record<string, unknown>, plane = "node"): Node & { status: string } => ({
  id,
  service,
  plane,
  status: "pending",
  ...(params ? { params } : {}),
});
export const named = (name: string, of: Node): Node => ({ ...of, name });
export const wait = (id: string, params?: Record<string, unknown>) => node(id, "dummy.dummy_task", params, "python");
export const wire = (from: string, sourcePort: string, to: string, targetPort: string): Edge => ({
  from,
  to,
  metadata: { sourcePort, targetPort },
});
export const graphOf = (nodes: Node[], edges: Edge[] = [], metadata?: object) => ({
  schema: "langgraph.v1",
  workflowId: "test",
  nodes,
  edges,
  ...(metadata ? { metadata } : {}),
});

/** Metadata by which the nodes stand at these places of the canvas. */
export const placed = (places: Readonly<Record<string, readonly [x: number, y: number]>>) => ({
  editor: { positions: Object.fromEntries(Object.entries(places).map(([id, [x, y]]) => [id, { x, y }])) },
});
