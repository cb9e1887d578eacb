// Everything between the record and the workers: loops that dispatch, take results and progress, and expire leases.
import { EventEmitter } from "node:events";
import type { ArtifactRef } from "@spindle/schemas";
import { crashPoint, loadFunctions, names, openRedis, type RuntimeEnd, runtimeEnd } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Timings } from "../config.ts";
import type { RunRecord } from "../record/record.ts";
import type { ChangedRow, NodeRunRow, StoredRow } from "../record/types.ts";
import { isFunctionMissing, isOutage, patient } from "../store/patient.ts";
import type { Decisions } from "./decisions.ts";
import { Dispatcher, routeOf } from "./dispatcher.ts";
import type { LiveBoard } from "./live.ts";
import { Reaper } from "./reaper.ts";
import { type SettleContext, settle } from "./settle.ts";
import { objectKey, parseTask, type TaskName, taskName } from "./task-name.ts";

export interface WorkerPlaneOptions {
  redisUrl: string;
  workerKey: string;
  timings: Timings;
  record: RunRecord;
  decisions: Decisions;
  artifacts: Artifacts;
  live: LiveBoard;
  isCancelled: (run: string) => boolean;
  onError: (where: string, error: unknown) => void;
}

/** How many previews of a node run stay: what a browser may still be loading. */
const PREVIEWS_KEPT = 8;

export class WorkerPlane {
  readonly redis: Redis;
  readonly bus: RuntimeEnd;
  private readonly blocking: Redis;
  private readonly bells: Redis;
  private readonly context: SettleContext;
  private readonly reaper: Reaper;
  private readonly dispatcher: Dispatcher;
  private readonly wake = new EventEmitter().setMaxListeners(0);
  /** Node runs that are being ended: what fails meanwhile is not tried again. */
  private readonly cancelling = new Set<string>();
  private readonly loops: Promise<void>[] = [];
  private closed = false;

  constructor(private readonly options: WorkerPlaneOptions) {
    this.redis = openRedis(options.redisUrl, { commandTimeout: 5000 });
    this.blocking = openRedis(options.redisUrl);
    this.bells = openRedis(options.redisUrl);
    this.bus = runtimeEnd(this.redis, options.workerKey);
    this.context = { ...options, bus: this.bus, isCancelled: (row) => options.isCancelled(row.run_id) || this.cancelling.has(row.id) };
    this.dispatcher = new Dispatcher(options.record, this.bus, options.timings);
    this.reaper = new Reaper(this.context, (row) => options.decisions.announce(row.id));
  }

  async start(): Promise<void> {
    await loadFunctions(this.redis);
    this.redis.on("ready", () => {
      this.reaper.amnesty();
      loadFunctions(this.redis).catch((error) => this.options.onError("functions", error));
    });
    await this.bells.subscribe(names.resultsBell, names.decidedBell);
    this.bells.on("message", (channel, text) => {
      if (channel === names.decidedBell) this.options.decisions.hear(text);
      else this.wake.emit("results");
    });
    this.options.decisions.onAnnounce((nodeRun) => void this.redis.publish(names.decidedBell, nodeRun).catch(() => {}));
    this.loops.push(
      this.loop("outbox", 500, () => this.dispatcher.drain()),
      this.loop("results", 500, () => this.takeResults()),
      this.loop("leases", Math.max(100, this.options.timings.beatMs / 2), () => this.reaper.expire()),
      this.progressLoop(),
    );
  }

  /** Sends a node run to its worker; undefined if the row is no longer what it was. */
  async dispatch(
    row: NodeRunRow,
    input: Record<string, unknown>,
    about: { cacheKey?: string; why?: string } = {},
  ): Promise<ChangedRow | undefined> {
    const moved = await patient(
      () =>
        this.context.record.change({
          nodeRun: row.id,
          fence: row.fence,
          change: "dispatch",
          input,
          dispatchIn: 0,
          ...about,
          body: { engine: row.engine, draft: row.draft },
        }),
      () => this.closed,
    );
    crashPoint("afterDispatch");
    if (moved) void this.sendAtOnce({ ...row, ...moved, input });
    return moved;
  }

  private async sendAtOnce(row: NodeRunRow): Promise<void> {
    const went = await this.dispatcher.sendAtOnce(row).catch(() => false);
    if (!went) this.wake.emit("outbox");
  }

  /** Ends what the worker does, or takes the task back if none has it yet. */
  async cancel(row: NodeRunRow): Promise<void> {
    this.cancelling.add(row.id);
    const task = taskName(row.id, row.fence);
    const where = await this.bus.whereabouts(task, routeOf(row));
    if (where === "leased" || where === "taken") return this.bus.cancel(task, row.plane);
    await this.context.record.change({
      nodeRun: row.id,
      fence: row.fence,
      change: "cancel",
      error: { class: "cancelled", code: "run.cancelled", message: "Cancelled before a worker took it." },
    });
    await this.bus.cancel(task, row.plane, "stale"); // for a worker that takes it at this very moment
    await this.bus.done(task, routeOf(row));
    this.cancelling.delete(row.id);
    this.options.decisions.announce(row.id);
  }

  async stop(): Promise<void> {
    this.closed = true;
    for (const bell of ["outbox", "results", "leases"]) this.wake.emit(bell);
    for (const redis of [this.blocking, this.bells, this.redis]) redis.disconnect();
    await Promise.allSettled(this.loops);
  }

  private async loop(name: string, everyMs: number, step: () => Promise<unknown>): Promise<void> {
    while (!this.closed) {
      let woken: () => void = () => {};
      const bell = new Promise<void>((resolve) => {
        woken = resolve;
        this.wake.once(name, resolve);
      });
      await step().catch((error) => this.recover(name, error));
      const timer = setTimeout(woken, everyMs);
      if (!this.closed) await bell;
      clearTimeout(timer);
      this.wake.off(name, woken);
    }
  }

  private async recover(name: string, error: unknown): Promise<void> {
    if (this.closed) return;
    if (isFunctionMissing(error)) {
      this.options.onError(name, new Error("Redis has lost the bus' functions, as FUNCTION FLUSH does; they are loaded again."));
      await loadFunctions(this.redis).catch(() => {}); // an outage: the next round finds them missing again
    } else if (!isOutage(error)) this.options.onError(name, error);
  }

  private async takeResults(): Promise<void> {
    for (let taken = await this.bus.results(); taken.length > 0; taken = await this.bus.results()) await this.takeBatch(taken);
  }

  /** Their rows are read at once; each commits under its own fence, so that one that changed meanwhile is found stale. */
  private async takeBatch(taken: readonly Taken[]): Promise<void> {
    const ids = taken.flatMap((entry) => ("result" in entry ? (parseTask(entry.result.task)?.nodeRun ?? []) : []));
    const rows = new Map((await this.context.record.nodeRunsById(ids)).map((row) => [row.id, row]));
    await Promise.all(taken.map((entry) => this.takeResult(entry, rows)));
  }

  private async takeResult(entry: Taken, rows: ReadonlyMap<string, StoredRow>): Promise<void> {
    // broken-build: acknowledged before it is committed (moved up to this line)
    if ("bad" in entry) this.options.onError("results", new Error(`A malformed result was dropped: ${entry.bad}`));
    else {
      const { settled, row } = await settle(this.context, entry.result, rows);
      const task = parseTask(entry.result.task);
      this.wake.emit("outbox"); // there is room on the bus now, and may be another try
      if (settled !== "again" && task) {
        this.cancelling.delete(task.nodeRun);
        this.options.decisions.announce(task.nodeRun, row);
      }
    }
    crashPoint("afterCommit");
    // broken-build: acknowledged before it is committed
    await this.bus.acknowledge(entry.id);
    crashPoint("afterAcknowledge");
  }

  private async progressLoop(): Promise<void> {
    for (let since = "$"; !this.closed; ) {
      try {
        const { last, items } = await this.bus.progress(this.blocking, since);
        since = last;
        for (const { task, node, preview, v: _, ...news } of items)
          await this.takeProgress(task, node, { ...news, ...(preview ? { preview } : {}) });
      } catch (error) {
        if (this.closed) return;
        if (!isOutage(error)) this.options.onError("progress", error);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  }

  /** @param node one of a region's; the task's own where absent */
  private async takeProgress(task: string, node: string | undefined, news: Parameters<LiveBoard["update"]>[2]): Promise<void> {
    const name = parseTask(task);
    const row = name && (await this.reaper.known(name));
    if (!name || !row) return;
    const { preview: claimed, ...rest } = news;
    const preview = claimed && (await this.takePreview(name, row, claimed)) ? claimed : undefined;
    const inGroup = node === undefined ? {} : { inGroup: true as const };
    this.context.live.update(row.run_id, node ?? row.node_id, { ...rest, ...inGroup, ...(preview ? { preview } : {}) });
    if (preview) void this.dropOldPreviews(`${row.id} ${node ?? ""}`, preview.artifact);
  }

  /** False for one that is not what its worker says: it is shown to nobody. */
  private async takePreview(name: TaskName, row: Pick<NodeRunRow, "id" | "run_id" | "node_id">, preview: ArtifactRef): Promise<boolean> {
    const { artifacts } = this.context;
    const key = objectKey("preview", row.run_id, name, preview.artifact);
    const why = await artifacts.whyNotMedia(key, preview).catch((error: Error) => error.message);
    if (why) this.options.onError("previews", new Error(`A preview of ${row.node_id} was dropped: ${why}.`));
    else await artifacts.insert(key, preview, "preview", row.id).catch(() => {});
    return why === undefined;
  }

  /** After the newest was shown, for nobody waits for it. */
  private async dropOldPreviews(shown: string, newest: string): Promise<void> {
    const old = this.previews.get(shown) ?? [];
    this.previews.set(shown, [...old.slice(1 - PREVIEWS_KEPT), newest]);
    if (old.length >= PREVIEWS_KEPT) await this.context.artifacts.forget(old[0] as string).catch(() => {});
  }

  private readonly previews = new Map<string, string[]>();
}

type Taken = Awaited<ReturnType<RuntimeEnd["results"]>>[number];
