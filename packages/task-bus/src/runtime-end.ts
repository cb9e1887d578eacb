// The runtime's end of the bus: dispatch, results, progress, cancel. It never decides what a task means.
import {
  BUS,
  type TaskEntry,
  type TaskProgress,
  type TaskResult,
  validateTaskEntry,
  validateTaskProgress,
  validateTaskResult,
} from "@spindle/schemas";
import type { Redis } from "ioredis";
import { parseJson } from "./json.ts";
import { names, type Route } from "./names.ts";
import { isResultSigned, isSigned, signEntry } from "./sign.ts";

/** Letters of what was no message that are kept of each. */
const LETTER_MOST = 4096;

export type Whereabouts = "leased" | "taken" | "queued" | "lost";

/** What is on the stream of results and is none. */
export interface Junk {
  id: string;
  why: string;
  /** What it says, or what the entry says that a worker refused. */
  text: string;
  /** An entry of a queue that this runtime did not write. */
  entry?: { stream: string; id: string };
}

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
  /** Keeps the lease of a task whose worker has answered, while the answer is looked into. */
  hold(task: string, leaseMs: number): Promise<void>;
  /** Takes a task off the bus once its fate is committed. */
  done(task: string, route: Route): Promise<void>;
  /** Results that wait, oldest first, and what is none. */
  results(): Promise<({ id: string; result: TaskResult } | { id: string; junk: Junk })[]>;
  /** Takes what is no message off its stream, and keeps it with the dead letters. */
  bury(junk: Junk): Promise<void>;
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
  async function read(id: string, fields: readonly string[]) {
    const [kind, text = "", , sig] = fields;
    if (kind === "refused") return { id, junk: await readRefusal(id, text) };
    const junk = (why: string) => ({ id, junk: { id, why, text: kind === "result" ? text : fields.join(" ") } });
    if (kind !== "result" || text.length > BUS.outputMaxBytes * 2) return junk("This is no result, or one that is too large.");
    const result = parseJson(text);
    if (!validateTaskResult(result)) return junk(`This is no result: ${validateTaskResult.errors?.[0]?.message ?? "it is no JSON"}.`);
    if (!isResultSigned(text, sig, workerKey)) return junk("This result is not signed with the worker key.");
    return { id, result };
  }

  /** A refusal is looked into, because anybody could write one. */
  async function readRefusal(id: string, text: string): Promise<Junk> {
    const [stream, at] = parseRefusal(text);
    if (stream === undefined || at === undefined) return { id, why: "This is no refusal of an entry.", text };
    const [[, fields] = []] = await redis.xrange(stream, at, at);
    if (!fields) return { id, why: "A worker refused an entry that is not there any more.", text };
    const entry = parseJson(fields[1] ?? "");
    if (!validateTaskEntry(entry) || !isSigned(entry, workerKey))
      return {
        id,
        why: "A worker refused this entry, which no runtime with this worker key wrote.",
        text: fields.join(" "),
        entry: { stream, id: at },
      };
    return { id, why: "A worker refused an entry of this runtime: does it have another SPINDLE_WORKER_KEY, or another release?", text };
  }

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
    async hold(task, leaseMs) {
      await redis.set(names.lease(task), "runtime", "PX", leaseMs);
    },
    async done(task, route) {
      await call("spindle_done", [names.dispatched(task), names.queue(route), names.lease(task)]);
    },
    async results() {
      const rows = await redis.xrange(names.results, "-", "+", "COUNT", 100);
      return Promise.all(rows.map(([id, fields]) => read(id, fields)));
    },
    async bury({ id, why, text, entry }) {
      const keys = [names.deadLetters, names.results, ...(entry ? [entry.stream] : [])];
      await call("spindle_bury", keys, why, text.slice(0, LETTER_MOST), BUS.deadLettersKept, id, ...(entry ? [entry.id] : []));
    },
    async acknowledge(id) {
      await redis.xdel(names.results, id);
    },
    async progress(blocking, since) {
      const reply = await blocking.xread("COUNT", 500, "BLOCK", 1000, "STREAMS", names.progress, since);
      const rows = reply?.[0]?.[1] ?? [];
      const items = rows.map(([, fields]) => parseJson(fields[1] ?? "")).filter((one) => validateTaskProgress(one));
      return { last: rows.at(-1)?.[0] ?? since, items };
    },
  };
}

const QUEUES = names.queue({ plane: "", service: "", version: "", engine: "" }).split(":", 2).join(":");

/** Stream and id of the entry, where it could be one of a queue. */
function parseRefusal(text: string): [stream?: string, id?: string] {
  const said = parseJson(text);
  const [stream, id] = Array.isArray(said) ? said : [];
  const fits = typeof stream === "string" && stream.startsWith(`${QUEUES}:`) && typeof id === "string" && /^\d{1,19}-\d{1,19}$/.test(id);
  return fits ? [stream, id] : [];
}
