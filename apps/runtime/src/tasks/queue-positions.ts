// The position of a task among those that wait for the same device (DESIGN E14).
import type { NodeRunRow } from "../record/node-run.ts";
import type { TaskQueue } from "../record/record.ts";
import type { StandingTask } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import type { QueuePosition } from "./why-not-running.ts";

const EVERY_MS = 1500;

/** The positions of the tasks that wait, worked out every EVERY_MS. */
export class QueuePositions {
  private timer: NodeJS.Timeout | undefined;
  private found: ReadonlyMap<string, QueuePosition> = new Map();

  /** @param pool names the pool of a task; all tasks of one pool wait for the same devices */
  constructor(
    private readonly queue: Pick<TaskQueue, "standing" | "durations">,
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

  /** The position of a node run's task; undefined if it does not wait. */
  of(nodeRun: string): QueuePosition | undefined {
    return this.found.get(nodeRun);
  }

  private async refresh(): Promise<void> {
    const tasks = await this.queue.standing();
    const isAnyWaiting = tasks.some(({ state }) => state === "dispatched");
    this.found = isAnyWaiting ? positionsOf(tasks, this.pool, await this.queue.durations(tasks)) : new Map();
  }
}

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
