// Runs the node plane's capabilities in this process, under the same record and the same rules for another try.
import { setTimeout as sleep } from "node:timers/promises";
import type { CombinedManifest } from "@spindle/schemas";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Config, Timings } from "../config.ts";
import type { NodeRegistry } from "../nodes/registry.ts";
import type { NodeRunRow, RunRecord } from "../record/record.ts";
import { patient } from "../store/patient.ts";
import type { LiveBoard } from "../tasks/live.ts";
import { type TaskError, verdict } from "../tasks/retry.ts";

export interface NodePlaneParts {
  record: RunRecord;
  registry: NodeRegistry;
  artifacts: Artifacts;
  live: LiveBoard;
  models: Config["models"];
  timings: Timings;
  manifest: () => CombinedManifest;
}

export class NodePlane {
  constructor(private readonly parts: NodePlaneParts) {}

  /** Runs a node until it is decided. Returns without a word if the row is no longer what it was: the caller reads it again. */
  async run(row: NodeRunRow, first: "begin" | "takeOver", input: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    const change = (one: Parameters<RunRecord["change"]>[0]) =>
      patient(
        () => this.parts.record.change(one),
        () => signal.aborted && first === "takeOver",
      );
    const body = { engine: row.engine, draft: row.draft };
    let current = await change({ nodeRun: row.id, fence: row.fence, change: first, input, body });
    while (current) {
      const at = { nodeRun: current.id, fence: current.fence };
      try {
        const output = await this.call(current, input, signal);
        await change({ ...at, change: "succeed", output, body: { ...body, output } });
        return;
      } catch (cause) {
        if (signal.aborted)
          return void (await change({
            ...at,
            change: "cancel",
            error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." },
          }));
        const error = describe(cause);
        const next = verdict(error, current.attempt, 0, this.parts.timings);
        if (!next.again) return void (await change({ ...at, change: "fail", error: { ...error }, body: { error } }));
        current = await change({ ...at, change: "retryHere", body: { error, delayMs: next.delayMs } });
        this.parts.live.reset(row.run_id, row.node_id);
        await sleep(next.delayMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  private async call(row: NodeRunRow, input: Record<string, unknown>, cancelled: AbortSignal): Promise<Record<string, unknown>> {
    const { registry, artifacts, live, models, manifest } = this.parts;
    const capability = registry.find(row.service);
    if (!capability) throw new Error(`The node plane has no ${row.service}.`);
    const late = AbortSignal.timeout(Math.max(1, row.timeout_seconds || 86_400) * 1000);
    const signal = AbortSignal.any([cancelled, late]);
    const stopped = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    stopped.catch(() => {});
    const work = capability.run({
      input,
      engine: row.engine,
      signal,
      models,
      progress: (news) => live.update(row.run_id, row.node_id, news),
      read: (ref) => artifacts.read(ref),
      write: (bytes, file) => artifacts.write(bytes, file),
      manifest,
    });
    return Promise.race([work, stopped]).catch((error) => {
      throw late.aborted ? new TimedOut(row.timeout_seconds) : error;
    });
  }
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
