// The worker's end of the bus in TypeScript, as `workers/python-gpu` has it in Python.
import { BUS, type TaskEntry, type TaskProgress, type TaskResult, validateTaskEntry } from "@spindle/schemas";
import type { Redis } from "ioredis";
import { parseJson } from "./json.ts";
import { names, type Route } from "./names.ts";
import { isSigned, signResult } from "./sign.ts";

export interface WorkerEnd {
  /** The next task of these routes, or undefined. @throws Error if an entry is malformed or not signed by the runtime, which is told */
  claim(routes: readonly Route[]): Promise<TaskEntry | undefined>;
  /** Takes or renews the lease; call it at once after `claim` and then every `beatMs`. */
  beat(entry: Pick<TaskEntry, "task" | "leaseMs">): Promise<"ok" | "cancel" | "lost">;
  progress(progress: TaskProgress): Promise<void>;
  /** Idempotent by task; the runtime acknowledges after its commit. */
  settle(result: TaskResult): Promise<void>;
}

export function workerEnd(redis: Redis, worker: string, workerKey: string): WorkerEnd {
  const call = (name: string, keys: string[], ...args: (string | number)[]) => redis.call("FCALL", name, keys.length, ...keys, ...args);
  return {
    async claim(routes) {
      const streams = routes.map(names.queue);
      const reply = (await call("spindle_take", streams, worker)) as [string, string, string] | null;
      if (!reply) return undefined;
      const [stream, id, text] = reply;
      const entry = parseJson(text);
      const shaped = validateTaskEntry(entry);
      if (shaped && isSigned(entry, workerKey)) return entry;
      await call("spindle_refuse", [names.results], JSON.stringify([stream, id]), names.resultsBell);
      throw new Error(shaped ? "The entry is not signed with this worker's key." : "The entry does not have the shape of a task.");
    },
    async beat({ task, leaseMs }) {
      return (await call("spindle_beat", [names.lease(task), names.cancel(task)], worker, leaseMs)) as "ok" | "cancel" | "lost";
    },
    async progress(progress) {
      await redis.xadd(names.progress, "MAXLEN", "~", BUS.progressKept, "*", "progress", JSON.stringify(progress));
    },
    async settle(result) {
      const text = JSON.stringify({ ...result, worker });
      if (text.length > BUS.outputMaxBytes) {
        const [size, limit] = [text.length, BUS.outputMaxBytes].map((bytes) => `${Math.ceil(bytes / 1024).toLocaleString("en")} KiB`);
        throw new RangeError(`The output has ${size}; the limit is ${limit}. Save a long text or list as a file, or give less at once.`);
      }
      const sig = signResult(text, workerKey);
      await call("spindle_settle", [names.settled(result.task), names.results], text, BUS.markTtlMs, names.resultsBell, sig);
    },
  };
}
