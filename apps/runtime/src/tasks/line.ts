// DESIGN E14: who goes first. Tasks wait in PostgreSQL, where the order may still change; only the next few are on the bus.
import { isGroupId, type Library, serverOfEngine } from "@spindle/graph-model";
import type { RunRecord } from "../record/record.ts";
import type { NodeRunRow } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import type { LiveBoard, Place } from "./live.ts";

/**
 * Tasks that are due, with about the `place` in the line of their route: by priority, then one of each person in turn, of each of their runs in
 * turn. Whose turn it is at the very front says `turns.ts`.
 */
export const PLACES = `WITH due AS (
    SELECT o.id, n.run_id, n.plane, n.service, n.engine, r.priority, r.submitter,
      row_number() OVER (PARTITION BY n.run_id, n.plane, n.service, n.engine ORDER BY o.id) AS of_run
    FROM outbox o JOIN node_run n ON n.id = o.node_run_id JOIN run r ON r.id = n.run_id
    WHERE o.sent_at IS NULL AND o.available_at <= now()
  ), turns AS (
    SELECT *, row_number() OVER (PARTITION BY priority, submitter, plane, service, engine ORDER BY of_run, id) AS of_person FROM due
  ), placed AS (
    SELECT *, row_number() OVER (PARTITION BY plane, service, engine ORDER BY priority DESC, of_person, id) AS place FROM turns
  )`;

/** Whoever has been sent is before whoever has not. */
const LINE_SQL = `${PLACES}
  SELECT n.id, n.run_id, n.node_id, n.path, n.plane, n.service, n.engine, n.state,
    extract(epoch FROM now() - n.started_at) * 1000 AS spent
  FROM node_run n JOIN outbox o ON o.node_run_id = n.id AND o.fence = n.fence LEFT JOIN placed p ON p.id = o.id
  WHERE n.state = 'running' OR (n.state = 'dispatched' AND (o.sent_at IS NOT NULL OR p.id IS NOT NULL))
  ORDER BY p.place NULLS FIRST, o.id LIMIT 5000`;

type Waiting = Pick<NodeRunRow, "id" | "run_id" | "node_id" | "path" | "plane" | "service" | "engine" | "state"> & { spent: number | null };

/** What a task waits for: its ComfyUI, the GPUs of its plane, or what needs none. */
export function devicesOf({ plane, service, engine }: Pick<NodeRunRow, "plane" | "service" | "engine">, library: Library): string {
  return plane === "comfy" ? `comfy ${serverOfEngine(engine)}` : `${plane} ${library.find(plane, service)?.gpu ? "gpu" : "cpu"}`;
}

const EVERY_MS = 1500;

/** Where tasks stand in line, a moment ago; those who watch a run are told. */
export class Line {
  private timer: NodeJS.Timeout | undefined;
  private runs = new Map<string, Map<string, Place>>();

  /** @param pool everything of one pool waits for the same devices */
  constructor(
    private readonly record: RunRecord,
    private readonly live: LiveBoard,
    private readonly pool: (task: Pick<NodeRunRow, "plane" | "service" | "engine">) => string,
  ) {}

  start(onError: (where: string, error: unknown) => void): void {
    const look = async () => {
      await this.look().catch((error) => isOutage(error) || onError("line", error));
      this.timer = setTimeout(look, EVERY_MS);
    };
    this.timer = setTimeout(look, EVERY_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** By node. */
  of(run: string): ReadonlyMap<string, Place> {
    return this.runs.get(run) ?? NOBODY;
  }

  private async look(): Promise<void> {
    const tasks = (await this.record.pool.query<Waiting>({ name: "line", text: LINE_SQL })).rows;
    const waiting = tasks.filter((one) => one.state === "dispatched");
    const found = waiting.length > 0 ? places(tasks, this.pool, await this.record.durations(tasks)) : new Map<string, Place>();
    const before = this.runs;
    this.runs = new Map();
    for (const { id, run_id: run, node_id: node } of waiting) {
      const place = found.get(id);
      if (!place || isGroupId(node)) continue; // a region is one task of several nodes, which wait with it
      const nodes = this.runs.get(run) ?? new Map<string, Place>();
      this.runs.set(run, nodes.set(node, place));
    }
    for (const run of new Set([...before.keys(), ...this.runs.keys()])) this.tell(run, before.get(run) ?? NOBODY);
  }

  private tell(run: string, before: ReadonlyMap<string, Place>): void {
    if (this.live.changed.listenerCount(run) === 0) return;
    const now = this.of(run);
    for (const node of new Set([...before.keys(), ...now.keys()])) this.live.update(run, node, { queue: now.get(node) });
  }
}

const NOBODY: ReadonlyMap<string, Place> = new Map();

/**
 * Where each waiting task stands, in its order. The wait is what is before it and what runs, over how many run at once.
 * @param durations milliseconds by `service\nengine`
 */
export function places(
  tasks: readonly Waiting[],
  pool: (task: Waiting) => string,
  durations: ReadonlyMap<string, number>,
): Map<string, Place> {
  const lines = new Map<string, { busy: number; work: number | undefined; waiting: number }>();
  const found = new Map<string, Place>();
  const takes = (task: Waiting) => durations.get(`${task.service}\n${task.engine}`);
  const lineOf = (task: Waiting) => {
    const line = lines.get(pool(task)) ?? { busy: 0, work: 0, waiting: 0 };
    lines.set(pool(task), line);
    return line;
  };
  const add = (line: { work: number | undefined }, ms: number | undefined) => {
    line.work = line.work === undefined || ms === undefined ? undefined : line.work + ms;
  };
  for (const task of tasks) {
    if (task.state !== "running") continue;
    const line = lineOf(task);
    const all = takes(task);
    line.busy++;
    add(line, all === undefined ? undefined : Math.max(0, all - (task.spent ?? 0)));
  }
  for (const task of tasks) {
    if (task.state !== "dispatched") continue;
    const line = lineOf(task);
    const wait = line.busy > 0 && line.work !== undefined ? Math.round(line.work / line.busy) : undefined;
    found.set(task.id, { position: ++line.waiting, ...(wait === undefined ? {} : { wait }) });
    add(line, takes(task));
  }
  return found;
}
