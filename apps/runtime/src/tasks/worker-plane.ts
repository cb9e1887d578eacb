// What stands between the record and the workers: the connections to Redis, and the loops that drain the outbox, take results and
// progress, and expire leases.
import { EventEmitter } from "node:events";
import type { ArtifactRef } from "@spindle/schemas";
import { loadFunctions, names, openRedis, type RuntimeEnd, runtimeEnd } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { Artifacts } from "../artifacts/artifacts.ts";
import { whyNotMedia } from "../artifacts/probe.ts";
import type { Timings } from "../config.ts";
import { metrics } from "../metrics.ts";
import type { TaskRow } from "../record/node-run.ts";
import type { RunRecord } from "../record/record.ts";
import { isFunctionMissing, isOutage, patient, persistent } from "../store/patient.ts";
import { Cancels, type CancelsParts } from "./cancels.ts";
import type { Decisions } from "./decisions.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type LiveBoard, PREVIEWS_KEPT } from "./live.ts";
import type { Pauses } from "./pauses.ts";
import { Reaper } from "./reaper.ts";
import { objectKey, parseTask, type TaskName } from "./task-name.ts";
import { WorkerTasks, type WorkerTasksParts } from "./worker-tasks.ts";

/** Bytes of a preview that goes with the news of it; ComfyUI's have some 20 kB. */
const MOST_OF_A_FRAME = 128 * 1024;
/** By so many bytes a file's type is known. */
const HEAD = 64;
const NO_BYTES = Buffer.alloc(0);

export interface WorkerPlaneOptions {
  redisUrl: string;
  workerKey: string;
  timings: Timings;
  record: Pick<RunRecord, "nodes" | "queue" | "runs">;
  pauses: Pauses;
  decisions: Decisions;
  artifacts: Artifacts;
  live: LiveBoard;
  failures: WorkerTasksParts["failures"];
  isCancelled: CancelsParts["isCancelled"];
  whyTooMuch: WorkerTasksParts["whyTooMuch"];
  onError: (where: string, error: unknown) => void;
}

const CANCELS_MS = 1000;
/** How late another runtime than the one that was asked holds back what waits for a device that was paused. */
const PAUSES_MS = 500;

export class WorkerPlane {
  readonly redis: Redis;
  readonly bus: RuntimeEnd;
  private readonly blocking: Redis;
  private readonly bells: Redis;
  readonly tasks: WorkerTasks;
  readonly cancels: Cancels;
  readonly reaper: Reaper;
  private readonly dispatcher: Dispatcher;
  private readonly wake = new EventEmitter().setMaxListeners(0);
  private readonly loops: Promise<void>[] = [];
  private closed = false;

  constructor(private readonly options: WorkerPlaneOptions) {
    this.redis = openRedis(options.redisUrl, { commandTimeout: 5000 });
    this.blocking = openRedis(options.redisUrl);
    this.bells = openRedis(options.redisUrl);
    this.bus = runtimeEnd(this.redis, options.workerKey);
    const { nodes, queue, runs } = options.record;
    const { pauses } = options;
    const parts = { ...options, nodes, queue, runs, bus: this.bus };
    this.dispatcher = new Dispatcher(queue, this.bus, options.timings, pauses);
    this.cancels = new Cancels(parts);
    this.tasks = new WorkerTasks(
      { ...parts, cancels: this.cancels },
      {
        isQueueing: (row) => this.dispatcher.isQueueing || pauses.isHeld(row),
        drain: () => void this.wake.emit("outbox"),
      },
    );
    this.reaper = new Reaper(parts, this.tasks);
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
    await patient(
      () => this.options.pauses.refresh(),
      () => this.closed,
    );
    this.loops.push(
      this.loop("outbox", 500, () => this.dispatcher.drain()),
      this.loop("results", 500, () => this.tasks.takeResults()),
      this.loop("leases", Math.max(100, this.options.timings.beatMs / 2), () => this.reaper.expire()),
      this.loop("cancels", CANCELS_MS, () => this.followCancels()),
      this.loop("pauses", PAUSES_MS, () => this.followPauses()),
      this.progressLoop().catch(() => {}), // the connection was closed
    );
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.tasks.close();
    for (const bell of ["outbox", "results", "leases", "cancels", "pauses"]) this.wake.emit(bell);
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

  /** Does now what the pauses of devices ask for. @throws on an outage; it is done again within PAUSES_MS */
  async followPauses(): Promise<void> {
    const { pauses, record } = this.options;
    const wasAny = pauses.isAny;
    await pauses.refresh();
    if (pauses.isAny) await pauses.takeBack(this.redis, await record.queue.sent());
    if (wasAny) this.wake.emit("outbox");
  }

  private async followCancels(): Promise<void> {
    await this.cancels.cancelAgain();
    await this.cancels.recall();
  }

  private async recover(name: string, error: unknown): Promise<void> {
    if (this.closed) return;
    if (isFunctionMissing(error)) {
      this.options.onError(name, new Error("Redis has lost the bus' functions, as FUNCTION FLUSH does; they are loaded again."));
      await loadFunctions(this.redis).catch(() => {}); // an outage: the next round finds them missing again
    } else if (!isOutage(error)) this.options.onError(name, error);
  }

  private async progressLoop(): Promise<void> {
    for (let since = "$"; !this.closed; ) {
      const read = () => this.bus.progress(this.blocking, since);
      const { last, items } = await persistent(
        read,
        () => this.closed,
        (error) => this.options.onError("progress", error),
      );
      since = last;
      if (items.length > 0) metrics.progressDelay.observe(Math.max(0, Date.now() - Number.parseInt(last, 10)) / 1000);
      for (const { task, node, preview, v: _, ...news } of items)
        await this.takeProgress(task, node, { ...news, ...(preview ? { preview } : {}) }).catch((error) => this.recover("progress", error));
    }
  }

  /** @param node the node of a region that reports; absent where the task is of one node */
  private async takeProgress(task: string, node: string | undefined, news: Parameters<LiveBoard["update"]>[2]): Promise<void> {
    const name = parseTask(task);
    const row = name && (await this.tasks.begin(name));
    if (!name || !row) return;
    const { preview: claimed, ...rest } = news;
    const preview = claimed && (await this.takePreview(name, row, claimed));
    const inRegion = node === undefined ? {} : { inRegion: true as const };
    this.options.live.update(row.run_id, node ?? row.node_id, { ...rest, ...inRegion, ...preview });
    if (preview) metrics.previews.inc();
    if (preview) void this.dropOldPreviews(`${row.id} ${node ?? ""}`, preview.preview.artifact);
  }

  /** Undefined for a preview whose bytes are not what its worker says they are; such a preview is shown to nobody. */
  private async takePreview(
    name: TaskName,
    row: Pick<TaskRow, "id" | "run_id" | "node_id">,
    preview: ArtifactRef,
  ): Promise<{ preview: ArtifactRef; frame?: string } | undefined> {
    const { artifacts } = this.options;
    const key = objectKey("preview", row.run_id, name, preview.artifact);
    const isFrame = preview.mime.startsWith("image/") && preview.size > 0 && preview.size <= MOST_OF_A_FRAME;
    const end = isFrame ? preview.size : HEAD;
    try {
      const bytes =
        preview.size > 0 ? Buffer.concat(await (await artifacts.store.get(key, { start: 0, end: end - 1 })).toArray()) : NO_BYTES;
      const why = whyNotMedia(preview.mime, bytes.subarray(0, HEAD));
      if (why) throw new Error(why);
      const stored = artifacts.insert(key, preview, "preview", row.id).catch(() => {});
      if (isFrame) return { preview, frame: bytes.toString("base64") };
      await stored; // pages ask for it by its id
      return { preview };
    } catch (error) {
      metrics.previewsDropped.inc();
      this.options.onError("previews", new Error(`A preview of ${row.node_id} was dropped: ${(error as Error).message}.`));
      return undefined;
    }
  }

  /** Called once the newest preview is shown, so that nobody waits for the deletion. */
  private async dropOldPreviews(shown: string, newest: string): Promise<void> {
    const old = this.previews.get(shown) ?? [];
    this.previews.set(shown, [...old.slice(1 - PREVIEWS_KEPT), newest]);
    if (old.length >= PREVIEWS_KEPT) await this.options.artifacts.forget(old[0] as string).catch(() => {});
  }

  private readonly previews = new Map<string, string[]>();
}
