// A node run's task, from its dispatch to the commit of its result (DESIGN W2, W6, A5): whatever becomes of the task but a cancel, its row is
// changed here. The row changes first and the bus follows: should this process die in between, the outbox sends what was not sent, and the bus
// gives the result again.
import { OUTPUT_DEPTH, whyTooLarge } from "@spindle/graph-model";
import { type ArtifactRef, isEndedNodeState, type RegionInput, type TaskResult, validateArtifactRef } from "@spindle/schemas";
import { crashPoint, names, type RuntimeEnd } from "@spindle/task-bus";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Timings } from "../config.ts";
import { metrics } from "../metrics.ts";
import type { NodeMove } from "../record/changes.ts";
import { type ChangedRow, changedRow, ImpossibleNodeRun, type NodeRunRow, type TaskRow } from "../record/node-run.ts";
import type { NodeRunRecord, TaskQueue } from "../record/record.ts";
import { patient } from "../store/patient.ts";
import { CANCELLED, type Cancels } from "./cancels.ts";
import type { Decisions } from "./decisions.ts";
import { leaving, type ResultObject, references, unusable } from "./left-out.ts";
import type { LiveBoard } from "./live.ts";
import { delayOfReturned, type TaskError, verdict } from "./retry.ts";
import type { ServerFailures } from "./server-failures.ts";
import { entryOf, objectKey, parseTask, routeOf, type TaskName, taskName } from "./task-name.ts";

export interface WorkerTasksParts {
  nodes: Pick<NodeRunRecord, "change" | "find" | "findAll" | "log" | "stale">;
  queue: Pick<TaskQueue, "markSent">;
  bus: Pick<RuntimeEnd, "acknowledge" | "bury" | "cancel" | "dispatch" | "done" | "hold" | "results">;
  cancels: Pick<Cancels, "end" | "isCancelling">;
  decisions: Pick<Decisions, "announce">;
  artifacts: Artifacts;
  live: Pick<LiveBoard, "reset">;
  failures: Pick<ServerFailures, "count">;
  timings: Timings;
  /** Why a run that is driven here may not store an output of one of its node runs. */
  whyTooMuch: (row: TaskRow, output: Record<string, unknown>) => TaskError | undefined;
  onError: (where: string, error: unknown) => void;
}

/** The outbox, behind which a task may have to be queued. */
export interface Outbox {
  /** Whether tasks are queued there, or it holds this one back. */
  isQueueing(row: TaskRow): boolean;
  /** Lets the outbox be drained, now. */
  drain(): void;
}

/** For so long after a task was queued all tasks are queued, without asking the bus for room. */
const FULL_MS = 50;

const MAX_BEGUN = 10_000;

type Values = Record<string, unknown>;
type Settled = "committed" | "again" | "stale";

/** What a result came to, with the row as it is now where the result was committed. */
interface Answer {
  settled: Settled;
  row?: NodeRunRow;
}

type Taken = Awaited<ReturnType<RuntimeEnd["results"]>>[number];

type Ending =
  | { change: "succeed"; output: Record<string, unknown>; artifacts: ResultObject[] }
  | { change: "fail" | "die" | "cancel"; error: TaskError };

/** An output whose references say what their bytes say, and which files were left out of it, as sentences; or why there is none. */
type Examined = { error: TaskError } | { output: Values; artifacts: ResultObject[]; leftOut: string[] };

export class WorkerTasks {
  /** The rows of tasks that workers have begun, by the task's name. */
  private readonly begun = new Map<string, TaskRow>();
  private fullUntil = 0;
  private closed = false;

  constructor(
    private readonly parts: WorkerTasksParts,
    private readonly outbox: Outbox,
  ) {}

  /** Dispatches a node run; undefined if the row is no longer what it was. */
  async dispatch(
    row: NodeRunRow,
    input: Record<string, unknown>,
    about: Pick<NodeMove, "cacheKey" | "why" | "route" | "choice"> = {},
  ): Promise<ChangedRow | undefined> {
    const { nodes } = this.parts;
    const body = { engine: row.engine, draft: row.draft };
    const moved = await patient(
      () => nodes.change({ run: row.run_id, nodeRun: row.id, fence: row.fence, change: "dispatch", input, dispatchIn: 0, ...about, body }),
      () => this.closed,
    );
    crashPoint("afterDispatch");
    if (moved) void this.send(changedRow(row, moved, { input }));
    return moved;
  }

  /** Sends a task past the outbox if no other task is queued; else, or if the bus is away, the outbox sends it, to the same entry. */
  private async send(row: TaskRow): Promise<void> {
    const wasSent = await this.sendAtOnce(row).catch(() => false);
    if (!wasSent) this.outbox.drain();
  }

  private async sendAtOnce(row: TaskRow): Promise<boolean> {
    const { bus, queue, timings } = this.parts;
    if (this.outbox.isQueueing(row) || Date.now() < this.fullUntil) return false;
    const id = await bus.dispatch(entryOf(row, timings), routeOf(row), 0).catch(() => undefined);
    if (id === undefined) {
      this.fullUntil = Date.now() + FULL_MS;
      return false;
    }
    crashPoint("afterSend");
    const isCurrent = await queue.markSent(row);
    if (!isCurrent) await bus.done(taskName(row.id, row.fence), routeOf(row)); // cancelled, or even over, meanwhile
    return true;
  }

  /** Marks the row behind a task that a worker holds as running, and returns it; undefined if the task is not its current try. */
  async begin({ nodeRun, fence }: TaskName): Promise<TaskRow | undefined> {
    const { nodes } = this.parts;
    const task = taskName(nodeRun, fence);
    const known = this.begun.get(task);
    if (known) return known;
    const row = await nodes.find(nodeRun);
    if (row?.fence !== fence || (row.state !== "dispatched" && row.state !== "running")) return undefined;
    if (row.state === "dispatched") await nodes.change({ nodeRun, fence, change: "start", body: { engine: row.engine, draft: row.draft } });
    if (this.begun.size >= MAX_BEGUN) this.begun.clear();
    this.begun.set(task, row);
    return row;
  }

  /** Forgets the rows of all tasks but these. */
  forget(current: ReadonlySet<string>): void {
    for (const task of this.begun.keys()) if (!current.has(task)) this.begun.delete(task);
  }

  /** Sends a task again that the bus has lost before a worker began it; that is no failed try. */
  async sendAgain(row: TaskRow): Promise<void> {
    const body = { engine: row.engine, draft: row.draft, lost: true } as const;
    await this.parts.nodes.change({ nodeRun: row.id, fence: row.fence, change: "redispatch", dispatchIn: 0, body });
  }

  /** Ends the try of a task whose worker has gone silent. */
  async giveUp(row: TaskRow): Promise<void> {
    const { bus, decisions } = this.parts;
    await bus.cancel(taskName(row.id, row.fence), row.plane, "stale");
    const message = "The worker went silent; another try takes over.";
    const { settled } = await this.failTry(row, { class: "infra", code: "task.lease_lost", message });
    if (settled !== "again") decisions.announce(row.id);
  }

  /** Takes what workers have answered, until there is no more. */
  async takeResults(): Promise<void> {
    const { bus } = this.parts;
    for (let taken = await bus.results(); taken.length > 0; taken = await bus.results()) await this.takeBatch(taken);
  }

  /** The rows of a batch are read at once; each result commits under its own fence, so that a row that changed meanwhile is found stale. */
  private async takeBatch(taken: readonly Taken[]): Promise<void> {
    const ids = taken.flatMap((entry) => ("result" in entry ? (parseTask(entry.result.task)?.nodeRun ?? []) : []));
    const rows = new Map<string, NodeRunRow>();
    for (const row of await this.parts.nodes.findAll(ids))
      if (row instanceof ImpossibleNodeRun) this.parts.onError("results", row);
      else rows.set(row.id, row);
    await Promise.all(taken.map((entry) => this.takeResult(entry, rows)));
  }

  private async takeResult(entry: Taken, rows: ReadonlyMap<string, NodeRunRow>): Promise<void> {
    const { bus, cancels, decisions, onError } = this.parts;
    // broken-build: acknowledged before it is committed (moved up to this line)
    if ("junk" in entry) {
      const { why, entry: queued } = entry.junk;
      metrics.deadLetters.inc({ kind: queued ? "entry" : "result" });
      onError("results", new Error(`A dead letter (see ${names.deadLetters} in Redis): ${why}`));
      return bus.bury(entry.junk);
    }
    const { settled, row } = await this.settle(entry.result, rows);
    const task = parseTask(entry.result.task);
    this.outbox.drain(); // there is room on the bus now, and may be another try
    if (settled !== "again" && task) {
      cancels.end(task.nodeRun);
      decisions.announce(task.nodeRun, row);
    }
    crashPoint("afterCommit");
    // broken-build: acknowledged before it is committed
    await bus.acknowledge(entry.id);
    crashPoint("afterAcknowledge");
  }

  /** @param rows by id, as they were when the result was taken */
  private async settle(result: TaskResult, rows: ReadonlyMap<string, NodeRunRow>): Promise<Answer> {
    const { nodes, artifacts } = this.parts;
    const task = parseTask(result.task);
    const row = task && rows.get(task.nodeRun);
    // broken-build: a result is taken under any fence
    const overtaken = row?.fence !== task?.fence;
    if (!task || !row || overtaken || isEndedNodeState(row.state)) {
      nodes.stale++;
      if (task && row) await discard(artifacts, row.run_id, task, result);
      return { settled: "stale" };
    }
    this.parts.failures.count(row, result);
    return this.decide(row, task, result);
  }

  /**
   * Does what may outlast a lease, as reading a file of gigabytes does: the worker has ended, and renews it no more. Neither do those whose
   * results wait meanwhile.
   */
  private async held<Result>(row: TaskRow, work: () => Promise<Result>): Promise<Result> {
    const { bus, timings } = this.parts;
    const hold = async () => {
      const waiting = (await bus.results()).flatMap((entry) => ("result" in entry ? entry.result.task : []));
      await Promise.all([...new Set([taskName(row.id, row.fence), ...waiting])].map((task) => bus.hold(task, timings.leaseMs)));
    };
    const timer = setInterval(() => void hold().catch(() => {}), timings.leaseMs / 3); // an outage is no end of a lease
    return work().finally(() => clearInterval(timer));
  }

  private async decide(row: NodeRunRow, task: TaskName, result: TaskResult): Promise<Answer> {
    const examined =
      result.outcome === "succeeded" ? await this.held(row, () => examine(this.parts.artifacts, row, task, result)) : undefined;
    const lines = [...(examined && "leftOut" in examined ? examined.leftOut : []), ...(result.log ? [result.log] : [])];
    // Before the end is committed: whoever sees the end finds the log. A log that cannot be kept means nothing to the run.
    if (lines.length > 0) await this.parts.nodes.log(row.id, row.attempt, lines.join("\n")).catch(() => {});
    if (result.outcome === "cancelled") return this.commit(row, { change: "cancel", error: { ...CANCELLED, message: "Cancelled." } });
    if (result.outcome === "returned") return this.sendElsewhere(row, result.error?.code ?? "task.handed_back");
    if (!examined) {
      const unsaid: TaskError = { class: "infra", code: "task.bad_result", message: "The worker failed without saying why." };
      return this.failTry(row, result.error ?? unsaid);
    }
    if ("error" in examined) return this.failTry(row, examined.error);
    const { output, artifacts } = examined;
    const tooMuch = this.parts.whyTooMuch(row, output);
    if (!tooMuch) return this.commit(row, { change: "succeed", output, artifacts });
    await discard(this.parts.artifacts, row.run_id, task, result);
    return this.failTry(row, tooMuch);
  }

  /** Sends a task again that a worker handed back undone (DESIGN W5): no try is counted. */
  private async sendElsewhere(row: TaskRow, returned: string): Promise<Answer> {
    const { nodes, bus, live, timings, cancels } = this.parts;
    if (cancels.isCancelling(row)) return this.commit(row, { change: "cancel", error: { ...CANCELLED, message: "Cancelled." } });
    const dispatchIn = delayOfReturned(Math.max(0, row.fence - row.attempt), timings);
    const body = { engine: row.engine, draft: row.draft, returned };
    const moved = await nodes.change({ run: row.run_id, nodeRun: row.id, fence: row.fence, change: "redispatch", dispatchIn, body });
    live.reset(row.run_id, row.node_id);
    await bus.done(taskName(row.id, row.fence), routeOf(row));
    return { settled: moved ? "again" : "stale" };
  }

  /** Ends a try that failed: another one follows, or the node run ends with the error. */
  private async failTry(row: TaskRow, error: TaskError): Promise<Answer> {
    const { nodes, bus, live, timings, cancels } = this.parts;
    if (cancels.isCancelling(row)) return this.commit(row, { change: "cancel", error: { ...error, ...CANCELLED } });
    const next = verdict(error, row.attempt, row.crashes, timings);
    if (!next.again) return this.commit(row, { change: next.as, error });
    const change = error.crashed ? "retryAfterCrash" : "retry";
    const { run_id: run, id: nodeRun, fence } = row;
    const moved = await nodes.change({ run, nodeRun, fence, change, dispatchIn: next.delayMs, error, body: { delayMs: next.delayMs } });
    live.reset(row.run_id, row.node_id);
    await bus.done(taskName(row.id, row.fence), routeOf(row));
    return { settled: moved ? "again" : "stale" };
  }

  private async commit(row: TaskRow, ending: Ending): Promise<Answer> {
    const { nodes, bus, artifacts } = this.parts;
    const move: NodeMove = ending.change === "succeed" ? { ...ending, body: { engine: row.engine, draft: row.draft } } : ending;
    crashPoint("beforeCommit");
    const moved = await nodes.change({ run: row.run_id, nodeRun: row.id, fence: row.fence, ...move });
    await bus.done(taskName(row.id, row.fence), routeOf(row));
    if (!moved) return { settled: "stale" };
    if (ending.change === "succeed") await dropDoubles(artifacts, ending.artifacts);
    return { settled: "committed", row: changedRow(row, moved, ending.change === "succeed" ? { output: ending.output } : {}) };
  }

  /** Gives up what waits for PostgreSQL to come back. */
  close(): void {
    this.closed = true;
  }
}

/** DESIGN A5: bytes that were known already keep their first object. */
async function dropDoubles(artifacts: Artifacts, objects: readonly ResultObject[]): Promise<void> {
  for (const { key, ref } of objects) {
    const kept = await artifacts.find(ref.artifact);
    if (kept && kept.key !== key) await artifacts.store.remove(key);
  }
}

/** Removes what a result has stored that is not committed. */
async function discard(artifacts: Artifacts, run: string, task: TaskName, result: TaskResult): Promise<void> {
  const known = new Set(await Promise.all((result.objects ?? []).map(async ({ ref }) => (await artifacts.find(ref.artifact))?.key)));
  for (const { key, ref } of result.objects ?? [])
    if (key === objectKey("output", run, task, ref.artifact) && !known.has(key)) await artifacts.store.remove(key);
}

/**
 * What a worker says that came of a task, before it is committed (DESIGN A5): every artifact that the output names is there, and is what is said
 * of it.
 */
export async function examine(
  artifacts: Artifacts,
  { run_id: run, plane, input }: Pick<TaskRow, "run_id" | "plane" | "input">,
  task: TaskName,
  { output = {}, objects = [] }: TaskResult,
): Promise<Examined> {
  const bad = (message: string, node?: string) => ({
    error: { class: "infra" as const, code: "task.bad_result", message, ...(node === undefined ? {} : { details: { node } }) },
  });
  const tooDeep = whyTooLarge(output, { depth: OUTPUT_DEPTH });
  if (tooDeep) return bad(`The result is refused. ${tooDeep}`);
  const stored = new Map<string, ArtifactRef>();
  const kept: ResultObject[] = [];
  const refused = new Map<string, ResultObject & { why: string }>();
  for (const { key, ref } of objects) {
    if (key !== objectKey("output", run, task, ref.artifact)) return bad(`The object ${key.slice(0, 100)} does not belong to this task.`);
    const found = await artifacts.examine(key, ref);
    if ("why" in found) {
      refused.set(ref.artifact, { key, ref, why: `${ref.name ? `${ref.name}: ` : ""}${found.why}` });
      continue;
    }
    stored.set(ref.artifact, found.ref);
    kept.push({ key, ref: found.ref });
  }
  const [first] = refused.values();
  const region = plane === "comfy" ? (input as Partial<RegionInput> | null) : undefined;
  const rest = first ? leaving(output, new Set(refused.keys()), objects, region) : { left: output };
  if ("needed" in rest) return bad(`The result is refused: ${(refused.get(rest.needed.artifact ?? "") ?? first)?.why}.`, rest.needed.node);
  const { left } = rest;
  for (const value of references(left)) {
    if (!stored.has(value.artifact) && !(await artifacts.find(value.artifact)))
      return bad(`The output names the artifact ${value.artifact}, which was not stored.`);
  }
  for (const { key, ref } of refused.values()) if ((await artifacts.find(ref.artifact))?.key !== key) await artifacts.store.remove(key);
  return {
    output: completed(left, stored) as Values,
    artifacts: kept,
    leftOut: [...Array.from(refused.values(), ({ why }) => `A file was left out: ${why}.`), ...unusable(left, kept, region)],
  };
}

/** The value with what is known of its artifacts added. What the worker said about an artifact stays. */
function completed(value: unknown, known: ReadonlyMap<string, ArtifactRef>): unknown {
  if (Array.isArray(value)) return value.map((element) => completed(element, known));
  if (value === null || typeof value !== "object") return value;
  if (validateArtifactRef(value)) return { ...known.get(value.artifact), ...value };
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, completed(part, known)]));
}
