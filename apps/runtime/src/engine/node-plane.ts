// Runs the node plane's capabilities in this process, under the same record and the same rules for another try.
import { setTimeout as sleep } from "node:timers/promises";
import { OUTPUT_DEPTH, whyTooLarge } from "@spindle/graph-model";
import type { CombinedManifest } from "@spindle/schemas";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Config, Timings } from "../config.ts";
import { UserError } from "../nodes/capability.ts";
import type { NodeRegistry } from "../nodes/registry.ts";
import type { NodeChange, NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { whyOutputTooLarge } from "../record/output-limit.ts";
import type { NodeRunRecord } from "../record/record.ts";
import { patient } from "../store/patient.ts";
import type { LiveBoard } from "../tasks/live.ts";
import { type TaskError, verdict } from "../tasks/retry.ts";

export interface NodePlaneParts {
  nodes: Pick<NodeRunRecord, "log">;
  registry: NodeRegistry;
  artifacts: Artifacts;
  live: LiveBoard;
  models: Config["models"];
  timings: Timings;
  manifest: () => CombinedManifest;
}

export class NodePlane {
  constructor(private readonly parts: NodePlaneParts) {}

  /**
   * Runs a node until it is decided. A node that is idempotent and over at once changes its row once, when it is over: should this
   * process die before, the node runs again, as it would have anyway.
   * @returns false if the row is no longer what it was: the caller reads it again
   */
  async run(row: NodeRunRow, task: NodeTask, { signal: whole, change }: InRun): Promise<boolean> {
    const own = new AbortController();
    const follow = () => own.abort(whole.reason);
    if (whole.aborted) follow();
    whole.addEventListener("abort", follow, { once: true });
    this.running.set(row.id, own);
    try {
      return await this.attempts(row, task, { own, change });
    } finally {
      this.running.delete(row.id);
      whole.removeEventListener("abort", follow);
    }
  }

  private async attempts(
    row: NodeRunRow,
    task: NodeTask,
    { own, change }: Pick<InRun, "change"> & { own: AbortController },
  ): Promise<boolean> {
    const { input, idempotent } = task;
    const { signal } = own;
    const onLost = () => own.abort(new Error("The node run is no longer this try's."));
    const attempt = new Attempt({ change, onLost, log: (...about) => this.parts.nodes.log(...about) }, row, task);
    if (row.state === "running") await attempt.begin("takeOver");
    else if (!idempotent) await attempt.begin("begin");
    else attempt.beginLater();
    while (!attempt.lost) {
      try {
        const output = await this.call(attempt.row, input, signal, (line) => attempt.log(line));
        const tooDeep = whyTooLarge(output, { depth: OUTPUT_DEPTH });
        if (tooDeep) throw new UserError(tooDeep);
        const error = whyOutputTooLarge(output);
        if (error) return await attempt.end({ change: "fail", error });
        return await attempt.end({ change: "succeed", output, body: { engine: row.engine, draft: row.draft } });
      } catch (cause) {
        const error = describe(cause);
        if (error.code === "node.exception" && cause instanceof Error && cause.stack) attempt.log(cause.stack);
        if (signal.aborted && !(signal.reason instanceof Cancelled)) return false; // this runtime stops, and another one runs it again, or it is decided
        if (signal.aborted)
          return await attempt.end({ change: "cancel", error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." } });
        const next = verdict(error, attempt.tries, 0, this.parts.timings);
        if (!next.again) return await attempt.end({ change: "fail", error });
        await attempt.again(error, next.delayMs);
        this.parts.live.reset(row.run_id, row.node_id);
        await sleep(next.delayMs, undefined, { signal }).catch(() => {});
      }
    }
    return false;
  }

  /** Ends a node run that this process runs; false if it runs none of that id. */
  cancel(nodeRun: string): boolean {
    const own = this.running.get(nodeRun);
    own?.abort(new Cancelled("Cancelled."));
    return own !== undefined;
  }

  /** Ends each node run alone. */
  private readonly running = new Map<string, AbortController>();

  private async call(
    row: NodeRunRow,
    input: Record<string, unknown>,
    cancelled: AbortSignal,
    log: (line: string) => void,
  ): Promise<Record<string, unknown>> {
    const { registry, artifacts, live, models, manifest } = this.parts;
    const capability = registry.find(row.service);
    if (!capability?.run) throw new Error(`The node plane has no ${row.service}.`);
    // Not AbortSignal.timeout and any: what they make lives until the time is up, long after the node is over.
    const stop = new AbortController();
    const stopped = new Promise<never>((_, reject) =>
      stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true }),
    );
    stopped.catch(() => {});
    const onCancel = () => stop.abort(cancelled.reason);
    if (cancelled.aborted) onCancel();
    cancelled.addEventListener("abort", onCancel, { once: true });
    const timer = setTimeout(() => stop.abort(new TimedOut(row.timeout_seconds)), Math.max(1, row.timeout_seconds || 86_400) * 1000);
    const work = capability.run({
      input,
      engine: row.engine,
      signal: stop.signal,
      models,
      progress: (news) => live.update(row.run_id, row.node_id, news),
      log,
      read: (ref) => artifacts.read(ref),
      write: (bytes, file) => artifacts.write(bytes, file),
      manifest,
    });
    return Promise.race([work, stopped]).finally(() => {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", onCancel);
    });
  }
}

/** The reason of a signal that cancels a node run. Every other reason leaves the node run to the next owner of the run. */
export class Cancelled extends Error {}

/** The run that a node run is part of. */
export interface InRun {
  signal: AbortSignal;
  /** Makes a change in the record; the row as it is then, or undefined if it is no longer what it was. */
  change: (change: NodeChange) => Promise<NodeRunRow | undefined>;
}

/** How long a node runs before its row says that it does: most are over by then. */
const UNRECORDED_MS = 50;
/** Characters of a try's log. */
const LOG_KEPT = 16_000;

export interface NodeTask {
  input: Record<string, unknown>;
  idempotent: boolean;
  cacheKey?: string;
  why?: string;
  route?: NodeMove["route"];
  choice?: NodeMove["choice"];
}

type Ending = Extract<NodeMove, { change: "succeed" | "fail" | "cancel" }>;

/** The changes of one row while its node runs in this process. */
class Attempt {
  private timer: NodeJS.Timeout | undefined;
  private begun: Promise<void> | undefined;
  private readonly started = performance.now();
  lost = false;
  private text = "";

  constructor(
    private readonly record: Pick<InRun, "change"> & Pick<NodeRunRecord, "log"> & { onLost(): void },
    public row: NodeRunRow,
    private readonly task: NodeTask,
  ) {}

  get tries(): number {
    return Math.max(1, this.row.attempt);
  }

  beginLater(): void {
    this.timer = setTimeout(() => void this.begin("begin"), UNRECORDED_MS);
  }

  begin(change: "begin" | "takeOver"): Promise<void> {
    this.begun ??= this.change({ change, ...this.first(), body: { engine: this.row.engine, draft: this.row.draft } }).then(() => undefined);
    return this.begun;
  }

  async again(error: TaskError, delayMs: number): Promise<void> {
    await this.settleBegin();
    await this.begin("begin");
    await this.keepLog();
    await this.change({ change: "retryHere", error, body: { delayMs, here: true } });
  }

  log(line: string): void {
    this.text = `${this.text}${line}\n`.slice(-LOG_KEPT);
  }

  /** Called before the try ends, so that the log is there once the end is known. */
  private async keepLog(): Promise<void> {
    const { text } = this;
    this.text = "";
    if (text) await this.record.log(this.row.id, this.tries, text).catch(() => {});
  }

  /** @returns false if the row is no longer what it was */
  async end(ending: Ending): Promise<boolean> {
    await this.settleBegin();
    await this.keepLog();
    const first = this.begun ? {} : { ...this.first(), tookMs: Math.round(performance.now() - this.started) };
    return !this.lost && this.change({ ...(this.begun ? ending : atOnce(ending)), ...first });
  }

  /** What the first change of the row writes besides the change itself. */
  private first(): Omit<NodeTask, "idempotent"> {
    const { idempotent: _, ...first } = this.task;
    return first;
  }

  private async settleBegin(): Promise<void> {
    clearTimeout(this.timer);
    await this.begun;
  }

  private async change(move: NodeMove): Promise<boolean> {
    const row = await patient(() => this.record.change({ ...move, nodeRun: this.row.id, fence: this.row.fence }));
    this.lost = row === undefined;
    if (this.lost) this.record.onLost(); // what still runs for it is for nothing
    this.row = row ?? this.row;
    return !this.lost;
  }
}

/** The change that ends a node run whose row does not say yet that it runs. */
function atOnce(ending: Ending): NodeMove {
  if (ending.change === "succeed") return { ...ending, change: "succeedHere" };
  return ending.change === "fail" ? { ...ending, change: "failHere" } : ending;
}

class TimedOut extends Error {
  constructor(seconds: number) {
    super(`The node took longer than its time-out of ${seconds} s.`);
  }
}

function describe(cause: unknown): TaskError {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const message = error.message.slice(0, 4000);
  if (error instanceof TimedOut) return { class: "user", code: "task.timeout", message };
  if (error.name === "TransientError") return { class: "transient", code: "node.exception", message };
  return { class: "user", code: error.name === "UserError" ? "node.user_error" : "node.exception", message };
}
