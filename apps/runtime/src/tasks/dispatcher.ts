// Drains the outbox to the bus (DESIGN W2). Sending twice is harmless: the bus keeps one entry for each task.
import { createHash } from "node:crypto";
import { canonicalText, serverOfEngine } from "@spindle/graph-model";
import { crashPoint, type Route, type RuntimeEnd } from "@spindle/task-bus";
import type { Timings } from "../config.ts";
import type { RunRecord } from "../record/record.ts";
import type { NodeRunRow, QueuedTask } from "../record/types.ts";
import { FairShare } from "./fair-share.ts";
import { taskName } from "./task-name.ts";

/** The bytes that `GET /tasks/:task/input` answers. */
export const inputText = (row: Pick<NodeRunRow, "input">): string => canonicalText(row.input ?? {});

export const routeOf = (row: Pick<NodeRunRow, "plane" | "service" | "engine">): Route => ({
  plane: row.plane,
  service: row.service,
  // A workflow on a server waits in the server's one queue, with everything else for it.
  engine: row.plane === "comfy" ? serverOfEngine(row.engine) : row.engine,
});

/**
 * How many tasks of one route wait on the bus, where the order is fixed: a second of work, so that workers never wait for more and
 * whoever comes next is not behind many.
 */
const AHEAD_MS = 1000;
const AHEAD_MOST = 64;
/** Of tasks that nobody knows yet. */
const AHEAD_UNKNOWN = 4;

/** For so long it is not asked again whether a task may go past the queue. */
const FULL_MS = 50;

/** Working out the order of thousands takes time; it stands for so many times that, so that most of the time goes to work. */
const ORDER_STANDS = 8;
const ORDER_MOST_MS = 400;

/** Milliseconds that tasks of these kinds took, by `service\nengine`. */
type Durations = (of: readonly { service: string; engine: string }[]) => Promise<ReadonlyMap<string, number>>;

export class Dispatcher {
  private order: QueuedTask[] = [];
  private orderedUntil = 0;
  private readonly fairShare = new FairShare();

  /** Where tasks were queued a moment ago they are queued now. */
  private fullUntil = 0;
  private readonly durations: Durations;

  constructor(
    private readonly record: Pick<RunRecord, "queue" | "durations">,
    private readonly bus: RuntimeEnd,
    private readonly timings: Timings,
  ) {
    this.durations = remembered((of) => record.durations(of));
  }

  /**
   * A task goes to its workers at once if none is queued ahead of it. Should this process die in between, or the bus be away, the
   * outbox sends it, to the same entry. Returns whether it went.
   */
  async sendAtOnce(row: NodeRunRow): Promise<boolean> {
    if (this.order.length > 0 || Date.now() < this.fullUntil) return false; // tasks are queued
    const id = await this.bus.dispatch(entryOf(row, this.timings), routeOf(row), 0).catch(() => undefined);
    if (id === undefined) {
      this.fullUntil = Date.now() + FULL_MS;
      return false;
    }
    crashPoint("afterSend");
    const isCurrent = await this.record.queue.markSent(row);
    if (!isCurrent) await this.bus.done(taskName(row.id, row.fence), routeOf(row)); // cancelled, or even over, meanwhile
    return true;
  }

  /** Sends what is due and has room. Returns how many rows it settled. @throws on an outage; the rows stay for the next call */
  async drain(): Promise<number> {
    if (this.order.length === 0 || performance.now() > this.orderedUntil) {
      const asked = performance.now();
      this.order = await this.record.queue.due(AHEAD_MOST);
      const now = performance.now();
      this.orderedUntil = now + Math.min(ORDER_MOST_MS, ORDER_STANDS * (now - asked));
    }
    const chosen = new Set(await this.withRoom(this.order));
    if (chosen.size === 0) return 0;
    this.order = this.order.filter((task) => !chosen.has(task));
    return this.send([...chosen].map(({ outbox }) => outbox));
  }

  private send(tasks: readonly string[]): Promise<number> {
    return this.record.queue.send(tasks, async (rows) => {
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
        const ms = took.get(`${list[0].service}\n${list[0].engine}`);
        const ahead = ms === undefined ? AHEAD_UNKNOWN : Math.max(1, Math.min(AHEAD_MOST, Math.floor(AHEAD_MS / Math.max(1, ms))));
        return this.fairShare.pick(key, list, ahead - (await this.bus.waiting(routeOf(list[0]))));
      }),
    );
    return chosen.flat();
  }
}

function entryOf(row: NodeRunRow, timings: Timings) {
  const hex = row.id.replaceAll("-", "");
  return {
    v: 1 as const,
    task: taskName(row.id, row.fence),
    nodeRun: row.id,
    run: row.run_id,
    attempt: row.attempt,
    fence: row.fence,
    capability: `${row.service}@${row.version}`,
    engine: row.engine,
    inputSha256: createHash("sha256").update(inputText(row)).digest("hex"),
    leaseMs: timings.leaseMs,
    beatMs: timings.beatMs,
    stallMs: row.stall_seconds * 1000,
    timeoutMs: row.timeout_seconds * 1000,
    traceparent: `00-${row.run_id.replaceAll("-", "")}-${hex.slice(0, 16)}-01`,
  };
}

const REMEMBERED_MS = 5000;

/** How long tasks take is asked with every dispatch: it is known well enough for a while. What is not known yet is asked for again each time. */
function remembered<Kind extends { service: string; engine: string }>(
  ask: (of: readonly Kind[]) => Promise<ReadonlyMap<string, number>>,
): (of: readonly Kind[]) => Promise<ReadonlyMap<string, number>> {
  let known = new Map<string, number>();
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
