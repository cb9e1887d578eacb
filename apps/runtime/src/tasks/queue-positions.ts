// The position of a task among those that wait for the same device (DESIGN E14).
import type { TaskQueue } from "../record/record.ts";
import type { StandingTask, Took } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import type { Routed } from "./devices.ts";
import type { QueuePosition } from "./why-not-running.ts";

const EVERY_MS = 1500;

/** What one device does and is to do. */
export interface DeviceQueue {
  running: readonly (StandingTask & { took: Took | undefined })[];
  /** In the order in which workers take them, about. */
  waiting: readonly (StandingTask & QueuePosition)[];
}

/** The positions of the tasks that wait, worked out every EVERY_MS. */
export class QueuePositions {
  private timer: NodeJS.Timeout | undefined;
  private found: ReadonlyMap<string, DeviceQueue> = new Map();
  private places: ReadonlyMap<string, QueuePosition> = new Map();

  /** @param device names the device of a task; all tasks of one wait for each other */
  constructor(
    private readonly queue: Pick<TaskQueue, "standing" | "durations">,
    private readonly device: (task: Routed) => string,
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
    return this.places.get(nodeRun);
  }

  /** The queues of the devices that have something to do. */
  get queues(): ReadonlyMap<string, DeviceQueue> {
    return this.found;
  }

  private async refresh(): Promise<void> {
    const tasks = await this.queue.standing();
    this.found = queuesOf(tasks, this.device, tasks.length > 0 ? await this.queue.durations(tasks) : new Map());
    this.places = new Map(
      [...this.found.values()].flatMap(({ waiting }) =>
        waiting.map(({ id, position, wait, between }) => [
          id,
          { position, ...(wait === undefined ? {} : { wait }), ...(between ? { between } : {}) },
        ]),
      ),
    );
  }
}

/**
 * What each device does, and what waits for it. The wait is what is before it and what runs, over how many run at once.
 * @param durations by `service\nengine`
 */
function queuesOf(
  tasks: readonly StandingTask[],
  device: (task: StandingTask) => string,
  durations: ReadonlyMap<string, Took>,
): Map<string, DeviceQueue> {
  const queues = new Map<
    string,
    { running: (StandingTask & { took: Took | undefined })[]; waiting: (StandingTask & QueuePosition)[]; work: Took | undefined }
  >();
  const queueOf = (task: StandingTask) => {
    const name = device(task);
    const queue = queues.get(name) ?? { running: [], waiting: [], work: { ms: 0, low: 0, high: 0 } };
    queues.set(name, queue);
    return queue;
  };
  const took = (task: StandingTask) => durations.get(`${task.service}\n${task.engine}`);
  for (const task of tasks) {
    if (task.state !== "running") continue;
    const queue = queueOf(task);
    queue.running.push({ ...task, took: took(task) });
    queue.work = sum(queue.work, took(task), task.spent ?? 0);
  }
  for (const task of tasks) {
    if (task.state !== "dispatched") continue;
    const queue = queueOf(task);
    const { running, waiting, work } = queue;
    const share = (ms: number) => Math.round(ms / running.length);
    const known =
      running.length > 0 && work ? { wait: share(work.ms), between: [share(work.low), share(work.high)] as [number, number] } : {};
    waiting.push({ ...task, position: waiting.length + 1, ...known });
    queue.work = sum(work, took(task));
  }
  return queues;
}

/** @param spent milliseconds that are over of what is added */
function sum(work: Took | undefined, more: Took | undefined, spent = 0): Took | undefined {
  if (!work || !more) return undefined;
  const left = (ms: number) => Math.max(0, ms - spent);
  return { ms: work.ms + left(more.ms), low: work.low + left(more.low), high: work.high + left(more.high) };
}
