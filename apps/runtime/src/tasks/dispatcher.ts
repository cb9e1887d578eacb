// Drains the outbox to the bus (DESIGN W2), in the order of the queue (DESIGN E14). A task may be sent twice: the bus keeps one entry for it.
import { crashPoint, type RuntimeEnd } from "@spindle/task-bus";
import type { Timings } from "../config.ts";
import type { TaskQueue } from "../record/record.ts";
import type { QueuedTask, Took } from "../record/types.ts";
import { FairShare } from "./fair-share.ts";
import type { Pauses } from "./pauses.ts";
import { entryOf, routeOf } from "./task-name.ts";

/**
 * How many tasks of one route are on the bus ahead of their workers: as many as make a second of work, so that workers are never idle.
 * The order of those on the bus is fixed, so a task that is submitted now waits for no more than these.
 */
const AHEAD_MS = 1000;
const AHEAD_MOST = 64;
/** The same for capabilities of which no run has been measured yet. */
const AHEAD_UNKNOWN = 4;

/** Working out the order of thousands of tasks takes time; the order is kept for so many times that time, so that most of it goes to sending. */
const ORDER_STANDS = 8;
const ORDER_MOST_MS = 400;

/** How long tasks of these kinds took, by `service\nengine`. */
type Durations = (of: readonly { service: string; engine: string }[]) => Promise<ReadonlyMap<string, Took>>;

export class Dispatcher {
  private order: QueuedTask[] = [];
  private orderedUntil = 0;
  private readonly fairShare = new FairShare();
  private readonly durations: Durations;

  constructor(
    private readonly queue: Pick<TaskQueue, "due" | "send" | "durations">,
    private readonly bus: RuntimeEnd,
    private readonly timings: Timings,
    private readonly pauses: Pick<Pauses, "isHeld">,
  ) {
    this.durations = remembered((of) => queue.durations(of));
  }

  /** Whether tasks are queued here: what is dispatched now is queued behind them. */
  get isQueueing(): boolean {
    return this.order.length > 0;
  }

  /** Sends what is due and has room. Returns how many rows it settled. @throws on an outage; the rows stay for the next call */
  async drain(): Promise<number> {
    if (this.order.length === 0 || performance.now() > this.orderedUntil) {
      const before = performance.now();
      this.order = await this.queue.due(AHEAD_MOST);
      const now = performance.now();
      this.orderedUntil = now + Math.min(ORDER_MOST_MS, ORDER_STANDS * (now - before));
    }
    this.order = this.order.filter((task) => !this.pauses.isHeld(task));
    const chosen = new Set(await this.withRoom(this.order));
    if (chosen.size === 0) return 0;
    this.order = this.order.filter((task) => !chosen.has(task));
    return this.send([...chosen].map(({ outbox }) => outbox));
  }

  private send(tasks: readonly string[]): Promise<number> {
    return this.queue.send(tasks, async (rows) => {
      await Promise.all(rows.map((row) => this.bus.dispatch(entryOf(row, this.timings), routeOf(row))));
      if (rows.length > 0) crashPoint("afterSend");
    });
  }

  /** As many of each route as there is room for on the bus. */
  private async withRoom(queued: readonly QueuedTask[]): Promise<QueuedTask[]> {
    if (queued.length === 0) return [];
    const routes = new Map<string, QueuedTask[]>();
    for (const task of queued) {
      const key = JSON.stringify(routeOf(task));
      const list = routes.get(key);
      if (list) list.push(task);
      else routes.set(key, [task]);
    }
    const lists = [...routes] as [string, [QueuedTask, ...QueuedTask[]]][];
    const took = await this.durations(lists.map(([, [first]]) => first));
    const chosen = await Promise.all(
      lists.map(async ([key, list]) => {
        const ms = took.get(`${list[0].service}\n${list[0].engine}`)?.ms;
        const ahead = ms === undefined ? AHEAD_UNKNOWN : Math.max(1, Math.min(AHEAD_MOST, Math.floor(AHEAD_MS / Math.max(1, ms))));
        return this.fairShare.pick(key, list, ahead - (await this.bus.waiting(routeOf(list[0]))));
      }),
    );
    return chosen.flat();
  }
}

const REMEMBERED_MS = 5000;

/** Keeps durations for a few seconds, because every dispatch needs them; those that are not known yet are asked for each time. */
function remembered<Kind extends { service: string; engine: string }>(
  ask: (of: readonly Kind[]) => Promise<ReadonlyMap<string, Took>>,
): (of: readonly Kind[]) => Promise<ReadonlyMap<string, Took>> {
  let known = new Map<string, Took>();
  let until = 0;
  return async (of) => {
    if (Date.now() > until) {
      known = new Map();
      until = Date.now() + REMEMBERED_MS;
    }
    if (of.some(({ service, engine }) => !known.has(`${service}\n${engine}`))) known = new Map([...known, ...(await ask(of))]);
    return known;
  };
}
