// The position of a task among those that wait for the same devices (DESIGN E14).
import { isRegionId, type Library, serverOfEngine } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";
import type { TaskQueue } from "../record/record.ts";
import type { StandingTask } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import type { LiveBoard, QueuePosition } from "./live.ts";

/** The devices that a task waits for: its ComfyUI server, the GPUs of its plane, or the plane's workers without one. */
export function devicesOf({ plane, service, engine }: Pick<NodeRunRow, "plane" | "service" | "engine">, library: Library): string {
  return plane === "comfy" ? `comfy ${serverOfEngine(engine)}` : `${plane} ${library.find(plane, service)?.gpu ? "gpu" : "cpu"}`;
}

const EVERY_MS = 1500;

/** The positions of the tasks that wait, worked out every EVERY_MS and published to those who watch their run. */
export class QueuePositions {
  private timer: NodeJS.Timeout | undefined;
  private runs = new Map<string, Map<string, QueuePosition>>();

  /** @param pool names the pool of a task; all tasks of one pool wait for the same devices */
  constructor(
    private readonly queue: Pick<TaskQueue, "standing" | "durations">,
    private readonly live: LiveBoard,
    private readonly pool: (task: Pick<NodeRunRow, "plane" | "service" | "engine">) => string,
  ) {}

  start(onError: (where: string, error: unknown) => void): void {
    const refresh = async () => {
      await this.refresh().catch((error) => {
        if (!isOutage(error)) onError("queue", error);
      });
      this.timer = setTimeout(refresh, EVERY_MS);
    };
    this.timer = setTimeout(refresh, EVERY_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** The positions of a run's tasks, by node. */
  of(run: string): ReadonlyMap<string, QueuePosition> {
    return this.runs.get(run) ?? NONE;
  }

  private async refresh(): Promise<void> {
    const tasks = await this.queue.standing();
    const waiting = tasks.filter(({ state }) => state === "dispatched");
    const found = waiting.length > 0 ? positionsOf(tasks, this.pool, await this.queue.durations(tasks)) : new Map<string, QueuePosition>();
    const before = this.runs;
    this.runs = new Map();
    for (const { id, run_id: run, node_id: node } of waiting) {
      const position = found.get(id);
      if (!position || isRegionId(node)) continue; // a region is one task of several nodes, which wait with it
      const nodes = this.runs.get(run) ?? new Map<string, QueuePosition>();
      this.runs.set(run, nodes.set(node, position));
    }
    for (const run of new Set([...before.keys(), ...this.runs.keys()])) this.publish(run, before.get(run) ?? NONE);
  }

  private publish(run: string, before: ReadonlyMap<string, QueuePosition>): void {
    if (this.live.changed.listenerCount(run) === 0) return;
    const now = this.of(run);
    for (const node of new Set([...before.keys(), ...now.keys()])) this.live.update(run, node, { queue: now.get(node) });
  }
}

const NONE: ReadonlyMap<string, QueuePosition> = new Map();

/**
 * Where each waiting task stands, in its order. The wait is what is before it and what runs, over how many run at once.
 * @param durations milliseconds by `service\nengine`
 */
function positionsOf(
  tasks: readonly StandingTask[],
  pool: (task: StandingTask) => string,
  durations: ReadonlyMap<string, number>,
): Map<string, QueuePosition> {
  const queues = new Map<string, { busy: number; work: number | undefined; waiting: number }>();
  const found = new Map<string, QueuePosition>();
  const takes = (task: StandingTask) => durations.get(`${task.service}\n${task.engine}`);
  const queueOf = (task: StandingTask) => {
    const queue = queues.get(pool(task)) ?? { busy: 0, work: 0, waiting: 0 };
    queues.set(pool(task), queue);
    return queue;
  };
  const add = (queue: { work: number | undefined }, ms: number | undefined) => {
    queue.work = queue.work === undefined || ms === undefined ? undefined : queue.work + ms;
  };
  for (const task of tasks) {
    if (task.state !== "running") continue;
    const queue = queueOf(task);
    const all = takes(task);
    queue.busy++;
    add(queue, all === undefined ? undefined : Math.max(0, all - (task.spent ?? 0)));
  }
  for (const task of tasks) {
    if (task.state !== "dispatched") continue;
    const queue = queueOf(task);
    const wait = queue.busy > 0 && queue.work !== undefined ? Math.round(queue.work / queue.busy) : undefined;
    found.set(task.id, { position: ++queue.waiting, ...(wait === undefined ? {} : { wait }) });
    add(queue, takes(task));
  }
  return found;
}
