// The workers that are there, by what they last said on the bus, how one of them is asked to end (DESIGN W10), and which of them has gone silent.
import { validateWorkerReport, type WorkerReport } from "@spindle/schemas";
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { Refused } from "../refused.ts";

/** A worker looks each second whether it is to end. */
const DRAIN_MS = 60_000;
const PLANES = ["python", "comfy"];
const EVERY_MS = 2000;
/** For so long somebody may want to know that a worker has gone silent. */
const REMEMBERED_MS = 3_600_000;
const MOST_REMEMBERED = 200;

/** By plane and name. @throws Error while Redis is away */
export async function presentWorkers(redis: Redis): Promise<{ plane: string; worker: string }[]> {
  const named = await Promise.all(PLANES.map(async (plane) => (await redis.smembers(names.workers(plane))).sort()));
  const all = PLANES.flatMap((plane, index) => (named[index] ?? []).map((worker) => ({ plane, worker })));
  const present = await Promise.all(all.map(({ plane, worker }) => redis.exists(names.workerManifest(plane, worker))));
  return all.filter((_, index) => present[index] === 1);
}

/**
 * Lets a worker take no more and end once it has done what it has; without a name every worker that is there now.
 * @returns their names. @throws Refused 404
 */
export async function drainWorkers(redis: Redis, worker?: string): Promise<string[]> {
  const present = (await presentWorkers(redis)).map((each) => each.worker);
  const chosen = present.filter((name) => worker === undefined || name === worker);
  if (worker !== undefined && chosen.length === 0)
    throw new Refused(404, "worker.not_found", `There is no worker ${worker.slice(0, 200)}. GET /api/workers names those that are there.`);
  await Promise.all(chosen.map((name) => redis.set(names.drain(name), "1", "PX", DRAIN_MS)));
  return chosen;
}

export interface KnownWorker {
  plane: string;
  worker: string;
  state: "live" | "draining" | "silent";
  /** When it was heard of last. */
  heardAt: Date;
  /** What it said last of itself; absent of one that says nothing, as those of an earlier release. */
  report: WorkerReport | undefined;
}

/** Remembers workers that were there, so that one which vanishes is silent, and not forgotten. */
export class WorkerRoster {
  private known = new Map<string, KnownWorker>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly redis: Redis) {}

  start(): void {
    const follow = async () => {
      await this.refresh().catch(() => {}); // while Redis is away nothing is known of them
      this.timer = setTimeout(follow, EVERY_MS);
    };
    this.timer = setTimeout(follow, 0);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Those that are there before those that are silent, by plane and name. */
  get all(): readonly KnownWorker[] {
    const order = ({ plane, worker, state }: KnownWorker) => `${state === "silent" ? 1 : 0} ${plane === "comfy" ? 1 : 0} ${worker}`;
    return [...this.known.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** @throws Error while Redis is away */
  async refresh(now = new Date()): Promise<void> {
    const present = new Set((await presentWorkers(this.redis)).map(({ plane, worker }) => `${plane} ${worker}`));
    const asked = [...new Set([...present, ...this.known.keys()])].map((key) => {
      const [plane = "", worker = ""] = splitOnce(key);
      return { key, plane, worker };
    });
    if (asked.length === 0) return;
    const texts = await this.redis.mget(asked.map(({ plane, worker }) => names.workerReport(plane, worker)));
    const drains = await this.redis.mget(asked.map(({ worker }) => names.drain(worker)));
    const next = new Map<string, KnownWorker>();
    for (const [index, { key, plane, worker }] of asked.entries()) {
      const before = this.known.get(key);
      const report = read(texts[index]);
      if (report?.ended) continue;
      if (report || present.has(key))
        next.set(key, {
          plane,
          worker,
          state: report?.draining || drains[index] ? "draining" : "live",
          heardAt: now,
          report: report ?? before?.report,
        });
      // One that said nothing of itself may have ended as well as gone silent.
      else if (before?.report && Number(now) - Number(before.heardAt) < REMEMBERED_MS) next.set(key, { ...before, state: "silent" });
    }
    const newest = [...next].sort(([, a], [, b]) => Number(b.heardAt) - Number(a.heardAt));
    this.known = new Map(newest.slice(0, MOST_REMEMBERED));
  }
}

function splitOnce(key: string): [string, string] {
  const at = key.indexOf(" ");
  return [key.slice(0, at), key.slice(at + 1)];
}

function read(text: string | null | undefined): WorkerReport | undefined {
  try {
    const found: unknown = JSON.parse(text ?? "");
    return validateWorkerReport(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
