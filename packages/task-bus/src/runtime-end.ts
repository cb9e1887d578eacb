// The runtime's end of the bus: dispatch, results, progress, cancel. It never decides what a task means.
import { BUS, type TaskEntry, type TaskProgress, type TaskResult, validateTaskProgress, validateTaskResult } from "@spindle/schemas";
import type { Redis } from "ioredis";
import { names, type Route } from "./names.ts";
import { signEntry } from "./sign.ts";

export type Whereabouts = "leased" | "taken" | "queued" | "lost";

export interface RuntimeEnd {
  /**
   * Idempotent by task. @throws RangeError if the entry is over 1 kB
   * @param before how many may wait before it; undefined comes back where more do
   */
  dispatch(entry: Omit<TaskEntry, "sig">, route: Route, before?: number): Promise<string | undefined>;
  /** How many tasks of a route are on the bus that no worker has taken yet. */
  waiting(route: Route): Promise<number>;
  whereabouts(task: string, route: Route): Promise<Whereabouts>;
  /** `stale` tells a worker that the task is no longer its own. */
  cancel(task: string, plane: string, mark?: "1" | "stale"): Promise<void>;
  /** Takes a task off the bus once its fate is committed. */
  done(task: string, route: Route): Promise<void>;
  /** Results that wait, oldest first; a malformed one comes as `{id, bad}`. */
  results(): Promise<({ id: string; result: TaskResult } | { id: string; bad: string })[]>;
  acknowledge(id: string): Promise<void>;
  /** Progress after `since` ("$" for from now on). Blocks for at most a second. */
  progress(blocking: Redis, since: string): Promise<{ last: string; items: TaskProgress[] }>;
}

/** Takes a task off the bus that no worker has; it may be dispatched again. False if a worker has it, or it is not there. */
export async function takeBack(redis: Redis, task: string, route: Route): Promise<boolean> {
  const keys = [names.dispatched(task), names.queue(route), names.lease(task)];
  return (await redis.call("FCALL", "spindle_take_back", keys.length, ...keys)) === 1;
}

export function runtimeEnd(redis: Redis, workerKey: string): RuntimeEnd {
  const call = (name: string, keys: string[], ...args: (string | number)[]) => redis.call("FCALL", name, keys.length, ...keys, ...args);
  return {
    async dispatch(entry, route, before) {
      const text = JSON.stringify(signEntry(entry, workerKey));
      if (text.length > BUS.entryMaxBytes) throw new RangeError(`A task entry of ${text.length} bytes; the limit is ${BUS.entryMaxBytes}.`);
      const keys = [names.dispatched(entry.task), names.queue(route)];
      const limit = before === undefined ? [] : [before];
      const id = await call("spindle_dispatch", keys, text, BUS.markTtlMs, names.doorbell(route.plane), ...limit);
      return (id as string | null) ?? undefined;
    },
    async waiting(route) {
      return Number(await call("spindle_waiting", [names.queue(route)]));
    },
    async whereabouts(task, route) {
      return (await call("spindle_where", [names.dispatched(task), names.queue(route), names.lease(task)])) as Whereabouts;
    },
    async cancel(task, plane, mark = "1") {
      await call("spindle_cancel", [names.cancel(task)], mark, BUS.markTtlMs, names.doorbell(plane), task);
    },
    async done(task, route) {
      await call("spindle_done", [names.dispatched(task), names.queue(route), names.lease(task)]);
    },
    async results() {
      const rows = await redis.xrange(names.results, "-", "+", "COUNT", 100);
      return rows.map(([id, fields]) => readResult(id, fields[1] ?? ""));
    },
    async acknowledge(id) {
      await redis.xdel(names.results, id);
    },
    async progress(blocking, since) {
      const reply = await blocking.xread("COUNT", 500, "BLOCK", 1000, "STREAMS", names.progress, since);
      const rows = reply?.[0]?.[1] ?? [];
      const items = rows.map(([, fields]) => parse(fields[1] ?? "")).filter((one) => validateTaskProgress(one));
      return { last: rows.at(-1)?.[0] ?? since, items };
    },
  };
}

function readResult(id: string, text: string): { id: string; result: TaskResult } | { id: string; bad: string } {
  const result = text.length <= BUS.outputMaxBytes * 2 ? parse(text) : undefined;
  if (validateTaskResult(result)) return { id, result };
  return { id, bad: validateTaskResult.errors?.[0]?.message ?? "not JSON, or too large" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
