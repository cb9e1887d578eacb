// A Spindle whose one worker is the test: it takes tasks, and answers as it likes.
import { committedManifests } from "@spindle/node-library/manifests";
import type { Capability, TaskEntry } from "@spindle/schemas";
import { names, openRedis, type Route, type WorkerEnd, workerEnd } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { StackOptions } from "../../infra/launch/stack.ts";
import { FaultProxy, type Weather } from "./fault-proxy.ts";
import { health, type Spindle, startSpindle, until } from "./spindle.ts";

export class WorkerHand {
  /** What the worker reports of its engines; nothing is reported while it is absent, as of a worker that is gone. */
  engines: { live: boolean; reason?: string } | undefined = { live: true };
  /** What it offers in place of a capability; undefined: nothing. */
  offers: (capability: Capability) => Capability | undefined = (capability) => capability;

  private constructor(
    readonly spindle: Spindle,
    readonly redis: Redis,
    readonly worker: WorkerEnd,
    private readonly proxy: FaultProxy | undefined,
  ) {}

  /** @param options `proxied`: the runtime reaches Redis through `weather`; `away`: nothing is reported until `engines` is set */
  static async start({
    proxied = false,
    away = false,
    ...options
  }: Pick<StackOptions, "env" | "route"> & { proxied?: boolean; away?: boolean } = {}): Promise<WorkerHand> {
    let proxy: FaultProxy | undefined;
    const route = async (env: Readonly<Record<string, string>>) => {
      proxy = await FaultProxy.start(env.REDIS_URL as string);
      return { runtime: { REDIS_URL: proxy.url } };
    };
    const spindle = await startSpindle({ worker: false, ...options, ...(proxied ? { route } : {}) });
    const redis = openRedis(spindle.env.REDIS_URL as string);
    const worker = workerEnd(redis, "test-worker", spindle.env.SPINDLE_WORKER_KEY as string);
    const hand = new WorkerHand(spindle, redis, worker, proxy);
    if (away) hand.engines = undefined;
    await hand.report();
    hand.reporting = setInterval(() => void hand.report().catch(() => {}), 1000);
    if (away) return hand;
    await until(async () => (await health(spindle.url)).parts.python === "up", 10_000, "the manifest is seen");
    return hand;
  }

  private reporting: NodeJS.Timeout | undefined;

  /** Says now what its engines are, or that it is gone. */
  async report(): Promise<void> {
    const { python } = committedManifests;
    if (!this.engines) return void (await this.redis.del(names.workerManifest("python", "hand")));
    const offered = python.capabilities.flatMap((capability) => this.offers(capability) ?? []);
    const capabilities = offered.map((capability) => ({
      ...capability,
      engines: capability.engines?.map(({ reason: _, ...engine }) => ({ ...engine, ...this.engines })),
    }));
    await this.redis.set(names.workerManifest("python", "hand"), JSON.stringify({ ...python, capabilities }), "PX", 5000);
    await this.redis.sadd(names.workers("python"), "hand");
  }

  /** The network between the runtime and Redis. */
  weather(weather: Weather): void {
    this.proxy?.set(weather);
  }

  claim(routes: readonly Route[] = [WAIT_ROUTE]): Promise<TaskEntry> {
    return until(async () => this.worker.claim(routes), 10_000, "a task comes");
  }

  done(entry: TaskEntry, value: unknown, more = {}): Promise<void> {
    return this.worker.settle({ v: 1, task: entry.task, outcome: "succeeded", output: { value, waited: 0 }, ...more });
  }

  /** Keeps the lease of a task, as a worker does. Returns how to end that; it ends by itself once the task is cancelled. */
  async hold(entry: TaskEntry): Promise<{ cancelled: Promise<void>; end(): void }> {
    await this.worker.beat(entry);
    let beating: NodeJS.Timeout;
    const cancelled = new Promise<void>((resolve) => {
      beating = setInterval(async () => {
        if ((await this.worker.beat(entry).catch(() => undefined)) !== "cancel") return;
        clearInterval(beating);
        resolve();
      }, 300);
    });
    return { cancelled, end: () => clearInterval(beating) };
  }

  /** How many tasks are on the bus. */
  async queued(): Promise<number> {
    const streams = await this.redis.keys(names.queue({ plane: "python", service: "*", version: "*", engine: "*" }));
    return (await Promise.all(streams.map((one) => this.redis.xlen(one)))).reduce((sum, one) => sum + one, 0);
  }

  async stop(): Promise<void> {
    clearInterval(this.reporting);
    this.redis.disconnect();
    await this.spindle.stop();
    await this.proxy?.stop();
  }
}

/** The route of a capability of the Python plane, of the version that this repository has. */
export function pythonRoute(service: string, engine = "default"): Route {
  const version = committedManifests.python.capabilities.find(({ id }) => id === service)?.version ?? "";
  return { plane: "python", service, version, engine };
}

export const WAIT_ROUTE: Route = pythonRoute("dummy.dummy_task");
