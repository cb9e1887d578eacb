// The workers that are there, by what they last said on the bus, and how one of them is asked to end (DESIGN W10).
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { Refused } from "../refused.ts";

/** A worker looks each second whether it is to end. */
const DRAIN_MS = 60_000;
const PLANES = ["python", "comfy"];

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
