// What a worker's answer does to the record (DESIGN W6): checked, committed, and only then acknowledged.
import { OUTPUT_DEPTH, whyTooLarge } from "@spindle/graph-model";
import { type ArtifactRef, isEndedNodeState, type TaskResult, validateArtifactRef } from "@spindle/schemas";
import { crashPoint, type RuntimeEnd } from "@spindle/task-bus";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Timings } from "../config.ts";
import type { NodeMove } from "../record/changes.ts";
import type { RunRecord } from "../record/record.ts";
import type { NodeRunRow, StoredRow } from "../record/types.ts";
import { routeOf } from "./dispatcher.ts";
import type { LiveBoard } from "./live.ts";
import { type TaskError, verdict } from "./retry.ts";
import { objectKey, parseTask, type TaskName, taskName } from "./task-name.ts";

export interface SettleContext {
  record: RunRecord;
  artifacts: Artifacts;
  bus: RuntimeEnd;
  live: LiveBoard;
  timings: Timings;
  isCancelled: (row: Pick<NodeRunRow, "id" | "run_id">) => boolean;
}

export type Settled = "committed" | "again" | "stale";

/** What a result came to, with the row as it is now where it was committed. */
export interface Answer {
  settled: Settled;
  row?: StoredRow;
}

/** @param rows by id, as they were when the result was taken */
export async function settle(context: SettleContext, result: TaskResult, rows: ReadonlyMap<string, StoredRow>): Promise<Answer> {
  const task = parseTask(result.task);
  const row = task && rows.get(task.nodeRun);
  // broken-build: a result is taken under any fence
  const overtaken = row?.fence !== task?.fence;
  if (!task || !row || overtaken || isEndedNodeState(row.state)) {
    context.record.stale++;
    if (task && row) await discard(context, row.run_id, task, result);
    return { settled: "stale" };
  }
  const logged = result.log ? context.record.log(row.id, row.attempt, result.log).catch(() => {}) : undefined; // it means nothing to the run
  const answer = await decide(context, row, task, result);
  await logged;
  return answer;
}

async function decide(context: SettleContext, row: StoredRow, task: TaskName, result: TaskResult): Promise<Answer> {
  if (result.outcome === "cancelled")
    return finish(context, row, { change: "cancel", error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." } });
  if (result.outcome === "failed") {
    const unsaid: TaskError = { class: "infra", code: "task.bad_result", message: "The worker failed without saying why." };
    return { settled: await fail(context, row, result.error ?? unsaid) };
  }
  const examined = await examine(context, row, task, result);
  if ("error" in examined) return { settled: await fail(context, row, examined.error) };
  return finish(context, row, { change: "succeed", ...examined });
}

/** A try that failed: another one, or the end. */
export async function fail(context: SettleContext, row: NodeRunRow, error: TaskError): Promise<Settled> {
  if (context.isCancelled(row))
    return (await finish(context, row, { change: "cancel", error: { ...error, class: "cancelled", code: "run.cancelled" } })).settled;
  const next = verdict(error, row.attempt, row.crashes, context.timings);
  if (!next.again) return (await finish(context, row, { change: next.as, error })).settled;
  const moved = await context.record.change({
    nodeRun: row.id,
    fence: row.fence,
    change: error.crashed ? "retryAfterCrash" : "retry",
    dispatchIn: next.delayMs,
    error,
    body: { delayMs: next.delayMs },
  });
  context.live.reset(row.run_id, row.node_id);
  await context.bus.done(taskName(row.id, row.fence), routeOf(row));
  return moved ? "again" : "stale";
}

type Ending =
  | { change: "succeed"; output: Record<string, unknown>; artifacts: { key: string; ref: ArtifactRef }[] }
  | { change: "fail" | "die" | "cancel"; error: TaskError };

async function finish(context: SettleContext, row: NodeRunRow, ending: Ending): Promise<Answer> {
  const move: NodeMove = ending.change === "succeed" ? { ...ending, body: { engine: row.engine, draft: row.draft } } : ending;
  crashPoint("beforeCommit");
  const moved = await context.record.change({ nodeRun: row.id, fence: row.fence, ...move });
  await context.bus.done(taskName(row.id, row.fence), routeOf(row));
  if (!moved) return { settled: "stale" };
  if (ending.change === "succeed") await dropDoubles(context.artifacts, ending.artifacts);
  return { settled: "committed", row: { ...row, ...moved, output: ending.change === "succeed" ? ending.output : null } };
}

/** DESIGN A5: bytes that were known already keep their first object. */
async function dropDoubles(artifacts: Artifacts, objects: { key: string; ref: ArtifactRef }[]): Promise<void> {
  for (const { key, ref } of objects) {
    const kept = await artifacts.find(ref.artifact);
    if (kept && kept.key !== key) await artifacts.store.remove(key);
  }
}

async function discard(context: SettleContext, run: string, task: TaskName, result: TaskResult): Promise<void> {
  const known = new Set(
    await Promise.all((result.objects ?? []).map(async ({ ref }) => (await context.artifacts.find(ref.artifact))?.key)),
  );
  for (const { key, ref } of result.objects ?? [])
    if (key === objectKey("output", run, task, ref.artifact) && !known.has(key)) await context.artifacts.store.remove(key);
}

type Examined = { error: TaskError } | { output: Record<string, unknown>; artifacts: { key: string; ref: ArtifactRef }[] };

/** A result as it is committed: its references say what their bytes say. */
async function examine(context: SettleContext, row: NodeRunRow, task: TaskName, result: TaskResult): Promise<Examined> {
  const bad = (message: string) => ({ error: { class: "infra" as const, code: "task.bad_result", message } });
  const tooDeep = whyTooLarge(result.output ?? {}, { depth: OUTPUT_DEPTH });
  if (tooDeep) return bad(`The result is refused. ${tooDeep}`);
  const stored = new Map<string, ArtifactRef>();
  const artifacts: { key: string; ref: ArtifactRef }[] = [];
  for (const { key, ref } of result.objects ?? []) {
    if (key !== objectKey("output", row.run_id, task, ref.artifact))
      return bad(`The object ${key.slice(0, 100)} does not belong to this task.`);
    const found = await context.artifacts.examine(key, ref);
    if ("why" in found) return bad(`The result is refused: ${found.why}.`);
    stored.set(ref.artifact, found.ref);
    artifacts.push({ key, ref: found.ref });
  }
  for (const value of references(result.output ?? {})) {
    if (!stored.has(value.artifact) && !(await context.artifacts.find(value.artifact)))
      return bad(`The output names the artifact ${value.artifact}, which was not stored.`);
  }
  return { output: completed(result.output ?? {}, stored) as Record<string, unknown>, artifacts };
}

/** The value with what is known of its artifacts. What the worker said of one stays. */
function completed(value: unknown, known: ReadonlyMap<string, ArtifactRef>): unknown {
  if (Array.isArray(value)) return value.map((element) => completed(element, known));
  if (value === null || typeof value !== "object") return value;
  if (validateArtifactRef(value)) return { ...known.get(value.artifact), ...value };
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, completed(part, known)]));
}

/** Every artifact that a value names, at any depth. */
function references(value: unknown): ArtifactRef[] {
  if (validateArtifactRef(value)) return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(references) : [];
}
