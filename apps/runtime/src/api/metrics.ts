// What is asked anew at each scrape of `/metrics`. What is counted as it happens is in src/metrics.ts.
import { OPEN_NODE_STATES, OPEN_RUN_STATES } from "@spindle/schemas";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { askedOnce } from "../asked-once.ts";
import { counted, routeLabels } from "../metrics.ts";
import type { Services } from "../services/services.ts";

/** How many sockets of each kind are open. */
export type OpenSockets = () => Readonly<Record<string, number>>;

const QUEUED_SQL = `SELECT n.plane, n.service, n.engine, count(*)::int AS tasks, extract(epoch FROM now() - min(o.available_at))::float8 AS age
  FROM node_run n JOIN outbox o ON o.node_run_id = n.id AND o.fence = n.fence
  WHERE n.state = 'dispatched' AND o.available_at <= now() GROUP BY 1, 2, 3`;

export function metricsText(
  { db, library, record, stores, waits, workers }: Services,
  openSockets: OpenSockets,
): { contentType: string; text: () => Promise<string> } {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  /** A part that is down leaves its figures out, and no others. */
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => Promise<void> | void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        this.reset();
        await Promise.resolve(collect(this)).catch(() => this.reset());
      },
    });
  const byState = (table: "node_run" | "run", states: readonly string[]) => async (of: Gauge) => {
    const text = `SELECT state, count(*)::int AS n FROM ${table} WHERE state = ANY($1) GROUP BY state`;
    for (const state of states) of.set({ state }, 0);
    for (const { state, n } of (await db.pool.query<{ state: string; n: number }>(text, [states])).rows) of.set({ state }, n);
  };
  const once = askedOnce(async () => (await db.pool.query<Queued>(QUEUED_SQL)).rows, 0);

  gauge("spindle_node_runs", "Node runs that have not ended, by state", ["state"], byState("node_run", OPEN_NODE_STATES));
  gauge("spindle_runs", "Runs that have not ended, by state", ["state"], byState("run", OPEN_RUN_STATES));
  gauge("spindle_queue_tasks", "Tasks that are due and that no worker has begun", ["plane", "capability", "engine"], async (of) => {
    for (const row of await once()) of.inc(routeLabels(row), row.tasks);
  });
  gauge("spindle_queue_oldest_seconds", "How long the task has been due that has waited longest, by plane", ["plane"], async (of) => {
    for (const plane of ["python", ...(library.comfyState === undefined ? [] : ["comfy"])]) of.set({ plane }, 0);
    const ages = new Map<string, number>();
    for (const { plane, age } of await once()) ages.set(plane, Math.max(age, ages.get(plane) ?? 0));
    for (const [plane, age] of ages) of.set({ plane }, age);
  });
  gauge("spindle_not_running_seconds", "How long what has waited longest has, by what it waits for", ["kind"], async (of) => {
    for (const [kind, seconds] of await waits.longest()) of.set({ kind }, seconds);
  });
  gauge("spindle_part_up", "Whether a part of the product answers, as /health says", ["part"], async (of) => {
    for (const [part, state] of Object.entries(await stores.health())) of.set({ part }, state === "up" ? 1 : 0);
  });
  gauge("spindle_sockets", "Sockets of browsers that are open, by what they are for", ["kind"], (of) => {
    for (const [kind, open] of Object.entries(openSockets())) of.set({ kind }, open);
  });
  gauge("spindle_database_connections", "Connections to PostgreSQL, by pool and state", ["pool", "state"], (of) => {
    for (const [pool, { totalCount, idleCount }] of Object.entries({ shared: db.pool, changes: db.changes })) {
      of.set({ pool, state: "busy" }, totalCount - idleCount);
      of.set({ pool, state: "idle" }, idleCount);
    }
  });
  gauge("spindle_database_waiting", "Statements that wait for a connection, by pool", ["pool"], (of) => {
    for (const [pool, { waitingCount }] of Object.entries({ shared: db.pool, changes: db.changes })) of.set({ pool }, waitingCount);
  });
  gauge("spindle_clock_skew_seconds", "How far the clock of a store is before this machine's", ["part"], async (of) => {
    const ofPostgres = async () =>
      (await db.pool.query<{ now: number }>("SELECT extract(epoch FROM clock_timestamp())::float8 AS now")).rows[0]?.now ?? Number.NaN;
    const ofRedis = async () => {
      const [seconds = 0, micros = 0] = (await workers.redis.time()).map(Number);
      return seconds + micros / 1e6;
    };
    for (const [part, ask] of Object.entries({ postgres: ofPostgres, redis: ofRedis })) {
      const begun = Date.now();
      const answer = await ask().catch(() => undefined);
      if (answer !== undefined) of.set({ part }, answer - (begun + Date.now()) / 2000); // half of the way is the answer's
    }
  });
  gauge("spindle_disk_free_bytes", "Room left on the disk of SPINDLE_HOME", [], async (of) => {
    of.set((await stores.disk()).free);
  });
  gauge("spindle_disk_bytes", "Size of the disk of SPINDLE_HOME", [], async (of) => {
    of.set((await stores.disk()).total);
  });
  gauge("spindle_artifacts", "Artifacts that are stored, by purpose", ["purpose"], async (of) => {
    for (const { purpose, files } of await stores.artifacts()) of.set({ purpose }, files);
  });
  gauge("spindle_artifacts_bytes", "Bytes of the artifacts that are stored, by purpose", ["purpose"], async (of) => {
    for (const { purpose, bytes } of await stores.artifacts()) of.set({ purpose }, bytes);
  });
  new Counter({
    name: "spindle_stale_results_total",
    help: "Changes refused because they came under an old fence",
    registers,
    collect() {
      this.reset();
      this.inc(record.nodes.stale);
    },
  });
  const all = Registry.merge([registry, counted]);
  return { contentType: all.contentType, text: () => all.metrics() };
}

interface Queued {
  plane: string;
  service: string;
  engine: string;
  tasks: number;
  age: number;
}
