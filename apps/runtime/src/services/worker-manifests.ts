// What is on the bus of what the workers of a plane offer, each under its own name.
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";

/**
 * What each worker says that is there now, by name. One that is gone is taken out of the plane's set.
 * @param read undefined where a text is nothing that a worker says
 * @throws Error while Redis is away
 */
export async function presentManifests<T>(redis: Redis, plane: string, read: (text: string) => T | undefined): Promise<Map<string, T>> {
  const workers = (await redis.smembers(names.workers(plane))).sort();
  if (workers.length === 0) return new Map();
  const texts = await redis.mget(workers.map((worker) => names.workerManifest(plane, worker)));
  const gone = workers.filter((_, index) => texts[index] === null);
  if (gone.length > 0) await redis.srem(names.workers(plane), gone);
  return new Map(
    workers.flatMap((worker, index) => {
      const text = texts[index];
      const found = typeof text === "string" ? read(text) : undefined;
      return found === undefined ? [] : [[worker, found] as const];
    }),
  );
}
