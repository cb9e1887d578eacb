// What the page System shows: who works, on what, what waits for it, and what everything lies in. Every list is bounded.
import { serverOfEngine } from "@spindle/graph-model";
import { OPEN_RUN_STATES, type Priority } from "@spindle/schemas";
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { askedOnce } from "../asked-once.ts";
import { priorityOf } from "../record/postgres-orders.ts";
import type { StandingTask } from "../record/types.ts";
import type { Database } from "../store/database.ts";
import { isOutage } from "../store/patient.ts";
import { ALL_DEVICES, comfyDevice, devicesOf } from "../tasks/devices.ts";
import type { Pauses } from "../tasks/pauses.ts";
import type { QueuePositions } from "../tasks/queue-positions.ts";
import type { ServerFailures } from "../tasks/server-failures.ts";
import { taskName } from "../tasks/task-name.ts";
import type { KnownWorker, WorkerRoster } from "../tasks/worker-roster.ts";
import type { LibraryService } from "./library-service.ts";
import type { Stores, StoreView } from "./stores.ts";

/** Tasks of one device that are shown, of those that run and of those that wait. */
const MOST_TASKS = 50;
const MOST_CAPABILITIES = 200;
const MOST_RUNTIMES = 50;
const MOST_RUNS = 20;
/** So old the answer may be; many pages cost no more than one. */
const KEPT_MS = 1000;

export interface SystemTask {
  /** With who asked for it; empty where the request named nobody. */
  run: { id: string; number: number; title: string; priority: Priority; submitter: string };
  node: string;
  path: string;
  /** What the capability is called. */
  label: string;
  engine: string;
  /** ISO 8601: since when it runs, or waits. */
  since: string;
}

export interface RunningTask extends SystemTask {
  worker: string | null;
  /** The slot of its worker. */
  slot: string | null;
  /** Milliseconds that such tasks took: the median, and what one of ten was below and above; null where none has run. */
  took: { ms: number; low: number; high: number } | null;
}

export interface WaitingTask extends SystemTask {
  position: number;
  /** Milliseconds until a worker takes it, and between how many; null where that is not known, or the device is paused. */
  wait: number | null;
  between: [number, number] | null;
}

export interface SystemDevice {
  id: string;
  label: string;
  paused: { since: string; by: string; all: boolean } | null;
  running: RunningTask[];
  /** The first ones, and how many there are. */
  waiting: WaitingTask[];
  count: number;
  /** Whose tasks run and wait, where people are told apart. */
  shares: { submitter: string; running: number; waiting: number }[];
}

export interface SystemWorker {
  plane: string;
  name: string;
  state: KnownWorker["state"];
  /** ISO 8601: when it was heard of last. */
  heardAt: string;
  /** Null of one that does not say, as those of an earlier release. */
  version: string | null;
  slots: { id: string; kind: "gpu" | "cpu"; ready: boolean; task: RunningTask | null }[];
}

export interface KeptWorker {
  plane: string;
  name: string;
  /** ISO 8601: when it was heard of last. */
  heardAt: string;
}

export interface SystemServer {
  id: string;
  device: string;
  address: string;
  live: boolean;
  reason: string | null;
  version: string | null;
  classes: number;
  unreadable: number;
  models: number;
  /** Prompts that run or wait there; null where it does not say. */
  queue: number | null;
  memory: { name: string; total: number; free: number }[];
  busy: { reason: string; since: string; hangs: boolean } | null;
}

export interface SystemRuntime {
  id: string;
  release: string;
  own: boolean;
  live: boolean;
  runs: { id: string; number: number; title: string }[];
  count: number;
}

export interface SystemCapability {
  plane: string;
  service: string;
  label: string;
  live: boolean;
  engines: { id: string; label: string; plane: string; draft: boolean; live: boolean; reason: string | null }[];
}

export interface SystemView {
  at: string;
  paused: { since: string; by: string } | null;
  /** Null while PostgreSQL does not answer. */
  runtimes: SystemRuntime[] | null;
  workers: SystemWorker[];
  /** Those that do not answer, and whose capabilities stay in the library until somebody forgets them. */
  kept: KeptWorker[];
  /** Null while PostgreSQL does not answer. */
  devices: SystemDevice[] | null;
  servers: SystemServer[];
  capabilities: SystemCapability[];
  stores: StoreView[];
}

interface TaskFacts {
  id: string;
  number: number;
  title: string;
  priority: number;
  submitter: string;
  since: Date;
}

interface SystemParts {
  db: Pick<Database, "pool">;
  redis: Redis;
  owner: string;
  library: Pick<LibraryService, "library" | "manifest" | "keptWorkers">;
  roster: Pick<WorkerRoster, "all">;
  positions: Pick<QueuePositions, "queues">;
  pauses: Pick<Pauses, "ofDevice" | "refresh">;
  failures: Pick<ServerFailures, "reasonOf">;
  stores: Pick<Stores, "view">;
}

export class SystemService {
  /** What is down leaves out what it would say. */
  readonly view: () => Promise<SystemView>;

  constructor(private readonly parts: SystemParts) {
    this.view = askedOnce(() => this.gather(), KEPT_MS);
  }

  private async gather(): Promise<SystemView> {
    const { roster, pauses, stores, failures } = this.parts;
    const known = <Answer>(asked: Promise<Answer>): Promise<Answer | null> =>
      asked.catch((error) => {
        if (!isOutage(error)) throw error;
        return null;
      });
    await known(pauses.refresh());
    const [devices, runtimes, found] = await Promise.all([known(this.devices()), known(this.runtimes()), stores.view()]);
    const workers = roster.all;
    const all = pauses.ofDevice(ALL_DEVICES);
    return {
      at: new Date().toISOString(),
      paused: all ? { since: all.at.toISOString(), by: all.by } : null,
      runtimes,
      workers: workers.map((worker) => workerView(worker, devices ?? [])),
      kept: this.kept(workers),
      devices,
      servers: serversOf(workers, failures),
      capabilities: this.capabilities(),
      stores: found,
    };
  }

  private kept(workers: readonly KnownWorker[]): KeptWorker[] {
    const answering = new Set(workers.flatMap(({ worker, state }) => (state === "silent" ? [] : [worker])));
    const gone = this.parts.library.keptWorkers().filter(({ worker }) => !answering.has(worker));
    return gone.map(({ plane, worker, reportedAt }) => ({ plane, name: worker, heardAt: reportedAt.toISOString() }));
  }

  private async devices(): Promise<SystemDevice[]> {
    const { library, positions, pauses } = this.parts;
    const known = devicesOf(library.library());
    const queues = positions.queues;
    const ids = [...new Set([...known.keys(), ...queues.keys()])];
    const shown = ids.map((id) => {
      const { running = [], waiting = [] } = queues.get(id) ?? {};
      return { id, running: running.slice(0, MOST_TASKS), waiting: waiting.slice(0, MOST_TASKS), count: waiting.length };
    });
    const tasks = shown.flatMap(({ running, waiting }) => [...running, ...waiting]);
    const [facts, workers] = await Promise.all([this.factsOf(tasks), this.workersOf(shown.flatMap(({ running }) => running))]);
    const viewOf = (task: StandingTask): SystemTask | undefined => {
      const fact = facts.get(task.id);
      if (!fact) return undefined; // it is over by now
      const { number, title, submitter } = fact;
      return {
        run: { id: task.run_id, number, title, priority: priorityOf(fact.priority), submitter },
        node: task.node_id,
        path: task.path,
        label: library.library().find(task.plane, task.service)?.label ?? task.service,
        engine: task.engine,
        since: fact.since.toISOString(),
      };
    };
    return shown.map(({ id, running, waiting, count }) => {
      const pause = pauses.ofDevice(id);
      const runs = running.flatMap((task): RunningTask[] => {
        const view = viewOf(task);
        return view ? [{ ...view, ...(workers.get(task.id) ?? { worker: null, slot: null }), took: task.took ?? null }] : [];
      });
      const waits = waiting.flatMap((task): WaitingTask[] => {
        const view = viewOf(task);
        const { position, wait = null, between = null } = task;
        return view ? [{ ...view, position, ...(pause ? { wait: null, between: null } : { wait, between }) }] : [];
      });
      return {
        id,
        label: known.get(id) ?? id,
        paused: pause ? { since: pause.at.toISOString(), by: pause.by, all: pause.device === ALL_DEVICES } : null,
        running: runs,
        waiting: waits,
        count,
        shares: sharesOf(runs, waits),
      };
    });
  }

  private async factsOf(tasks: readonly StandingTask[]): Promise<Map<string, TaskFacts>> {
    if (tasks.length === 0) return new Map();
    const { rows } = await this.parts.db.pool.query<TaskFacts>({
      name: "system-tasks",
      text: `SELECT n.id, r.number, r.title, r.priority, r.submitter, CASE WHEN n.state = 'running' THEN n.started_at ELSE n.changed_at END AS since
             FROM node_run n JOIN run r ON r.id = n.run_id WHERE n.id = ANY($1) AND n.state IN ('dispatched', 'running')`,
      values: [tasks.map(({ id }) => id)],
    });
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Who has the leases of tasks, by node run; nobody's while Redis is away. */
  private async workersOf(tasks: readonly StandingTask[]): Promise<Map<string, { worker: string; slot: string | null }>> {
    if (tasks.length === 0) return new Map();
    const keys = tasks.map(({ id, fence }) => names.lease(taskName(id, fence)));
    const owners = await this.parts.redis.mget(keys).catch(() => []);
    const workers = this.parts.roster.all;
    return new Map(
      tasks.flatMap(({ id }, index) => {
        const owner = owners[index];
        if (!owner) return [];
        // A slot renews under its worker's name and its own.
        const worker = workers.find(({ worker }) => owner === worker || owner.startsWith(`${worker}:`));
        return [
          [id, worker ? { worker: worker.worker, slot: owner.slice(worker.worker.length + 1) || null } : { worker: owner, slot: null }],
        ];
      }),
    );
  }

  private async runtimes(): Promise<SystemRuntime[]> {
    const { rows } = await this.parts.db.pool.query<Omit<SystemRuntime, "own">>({
      name: "system-runtimes",
      text: `SELECT o.id, COALESCE(l.name, o.release::text) AS release, o.lease_until > now() AS live, COALESCE(r.count, 0)::int AS count, COALESCE(r.runs, '[]') AS runs
             FROM runtime o LEFT JOIN release l ON l.number = o.release LEFT JOIN LATERAL (
               SELECT count(*), jsonb_agg(jsonb_build_object('id', id, 'number', number, 'title', title) ORDER BY number) FILTER (WHERE place <= ${MOST_RUNS}) AS runs
               FROM (SELECT id, number, title, row_number() OVER (ORDER BY number) AS place FROM run WHERE owner = o.id AND state = ANY($1)) driven
             ) r ON true ORDER BY o.id LIMIT ${MOST_RUNTIMES}`,
      values: [OPEN_RUN_STATES],
    });
    return rows.map((row) => ({ ...row, own: row.id === this.parts.owner }));
  }

  /** ComfyUI's classes are thousands, and each has its servers as engines: those are shown as servers. */
  private capabilities(): SystemCapability[] {
    const all = this.parts.library.manifest().capabilities.filter(({ plane, engines = [] }) => plane !== "comfy" && engines.length > 0);
    return all.slice(0, MOST_CAPABILITIES).map(({ plane, id, label, engines = [], ...rest }) => ({
      plane,
      service: id,
      label,
      live: (rest as { live?: boolean }).live !== false,
      engines: engines.map((engine) => ({
        id: engine.id,
        label: engine.label,
        plane: engine.plane ?? plane,
        draft: engine.draft === true,
        live: engine.live === true,
        reason: engine.live ? null : (engine.reason ?? null),
      })),
    }));
  }
}

function workerView({ plane, worker, state, heardAt, report }: KnownWorker, devices: readonly SystemDevice[]): SystemWorker {
  const tasks = devices.flatMap(({ running }) => running).filter((task) => task.worker === worker);
  const slots = report?.slots ?? report?.servers?.map(({ id, live }) => ({ id, kind: "gpu" as const, ready: live })) ?? [];
  return {
    plane,
    name: worker,
    state,
    heardAt: heardAt.toISOString(),
    version: report?.version ?? null,
    slots: slots.map((slot) => ({
      ...slot,
      task: tasks.find((task) => (plane === "comfy" ? serverOfEngine(task.engine) === slot.id : task.slot === slot.id)) ?? null,
    })),
  };
}

/** Of a server that several bridges report one that is live. */
function serversOf(workers: readonly KnownWorker[], failures: SystemParts["failures"]): SystemServer[] {
  const servers = new Map<string, SystemServer>();
  for (const { state, report } of workers)
    for (const server of report?.servers ?? []) {
      const isSilent = state === "silent";
      const live = server.live && !isSilent;
      if (servers.has(server.id) && !live) continue;
      servers.set(server.id, {
        id: server.id,
        device: comfyDevice(server.id),
        address: server.address,
        live,
        reason: isSilent ? "Its bridge has gone silent. Start the bridge again." : (server.reason ?? failures.reasonOf(server.id) ?? null),
        version: server.version ?? null,
        classes: server.classes,
        unreadable: server.unreadable ?? 0,
        models: server.models,
        queue: live ? (server.queue ?? null) : null,
        memory: live ? (server.memory ?? []) : [],
        busy: live ? (server.busy ?? null) : null,
      });
    }
  return [...servers.values()];
}

function sharesOf(running: readonly SystemTask[], waiting: readonly SystemTask[]): SystemDevice["shares"] {
  const shares = new Map<string, { submitter: string; running: number; waiting: number }>();
  for (const [which, tasks] of [
    ["running", running],
    ["waiting", waiting],
  ] as const)
    for (const {
      run: { submitter },
    } of tasks) {
      const share = shares.get(submitter) ?? { submitter, running: 0, waiting: 0 };
      share[which]++;
      shares.set(submitter, share);
    }
  return shares.size > 1 || !shares.has("") ? [...shares.values()] : [];
}
