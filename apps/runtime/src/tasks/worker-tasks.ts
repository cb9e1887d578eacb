// A node run's task, from its dispatch to the commit of its result (DESIGN W2, W6, A5): whatever happens to the task, its row is changed
// here. The row changes first and the bus follows: should this process die in between, the outbox sends what was not sent, and the bus
// gives the result again.
import { isEndedNodeState, type TaskResult } from "@spindle/schemas";
import { crashPoint, names, type RuntimeEnd } from "@spindle/task-bus";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Timings } from "../config.ts";
import { metrics } from "../metrics.ts";
import type { NodeMove } from "../record/changes.ts";
import { type ChangedRow, changedRow, ImpossibleNodeRun, type NodeRunRow, type TaskRow } from "../record/node-run.ts";
import type { NodeRunRecord, Runs, TaskQueue } from "../record/record.ts";
import type { OpenNodeRun, RecalledTask } from "../record/types.ts";
import { isOutage, patient } from "../store/patient.ts";
import type { Decisions } from "./decisions.ts";
import { examine, type ResultObject } from "./examine.ts";
import type { LiveBoard } from "./live.ts";
import { delayOfReturned, type TaskError, verdict } from "./retry.ts";
import type { ServerFailures } from "./server-failures.ts";
import { entryOf, objectKey, parseTask, routeOf, type TaskName, taskName } from "./task-name.ts";

export interface WorkerTasksParts {
  nodes: Pick<NodeRunRecord, "change" | "find" | "findAll" | "log" | "stale">;
  runs: Pick<Runs, "toCancel">;
  queue: Pick<TaskQueue, "forget" | "markSent" | "recalled">;
  bus: RuntimeEnd;
  decisions: Pick<Decisions, "announce">;
  artifacts: Artifacts;
  live: Pick<LiveBoard, "reset">;
  failures: Pick<ServerFailures, "count">;
  timings: Timings;
  /** Whether the run is being cancelled. */
  isCancelled: (run: string) => boolean;
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

/** For so long after Redis did not answer it is not asked where tasks are: of a large run each would wait as long. */
const DEAF_MS = 1000;
/** How long a cancel waits for the worker that has the task. One that lives ends it within two seconds; one that was killed never does. */
const UNHEARD_MS = 5000;
const MAX_BEGUN = 10_000;

const CANCELLED = { class: "cancelled", code: "run.cancelled" } as const;

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

export class WorkerTasks {
  /** Node runs that are being cancelled, and since when: a try that fails meanwhile is the last. */
  private readonly cancelling = new Map<string, number>();
  /** The rows of tasks that workers have begun, by the task's name. */
  private readonly begun = new Map<string, TaskRow>();
  private fullUntil = 0;
  private deafUntil = 0;
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
    const { bus, decisions, onError } = this.parts;
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
      this.cancelling.delete(task.nodeRun);
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

  private async decide(row: NodeRunRow, task: TaskName, result: TaskResult): Promise<Answer> {
    const examined = result.outcome === "succeeded" ? await examine(this.parts.artifacts, row, task, result) : undefined;
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
    const { nodes, bus, live, timings } = this.parts;
    if (this.isCancelling(row)) return this.commit(row, { change: "cancel", error: { ...CANCELLED, message: "Cancelled." } });
    const dispatchIn = delayOfReturned(Math.max(0, row.fence - row.attempt), timings);
    const body = { engine: row.engine, draft: row.draft, returned };
    const moved = await nodes.change({ run: row.run_id, nodeRun: row.id, fence: row.fence, change: "redispatch", dispatchIn, body });
    live.reset(row.run_id, row.node_id);
    await bus.done(taskName(row.id, row.fence), routeOf(row));
    return { settled: moved ? "again" : "stale" };
  }

  private isCancelling(row: TaskRow): boolean {
    return this.parts.isCancelled(row.run_id) || row.cancel_requested === true || this.cancelling.has(row.id);
  }

  /** Ends a try that failed: another one follows, or the node run ends with the error. */
  private async failTry(row: TaskRow, error: TaskError): Promise<Answer> {
    const { nodes, bus, live, timings } = this.parts;
    if (this.isCancelling(row)) return this.commit(row, { change: "cancel", error: { ...error, ...CANCELLED } });
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

  /**
   * Ends what the worker does, or takes the task back if no worker has it yet. Where Redis does not answer, or the worker does not end it,
   * the node run ends in the record, and `recall` tells Redis later.
   */
  async cancel(row: OpenNodeRun): Promise<void> {
    const since = this.cancelling.get(row.id) ?? Date.now();
    this.cancelling.set(row.id, since);
    if ((await this.tellWorker(row)) && Date.now() - since < UNHEARD_MS) return;
    const { nodes, decisions } = this.parts;
    const error = { ...CANCELLED, message: "Cancelled before a worker ended it." };
    const moved = await nodes.change({ nodeRun: row.id, fence: row.fence, change: "cancel", error });
    if (moved) this.cancelling.delete(row.id); // else another try has begun, or it has ended: `cancelAgain` looks
    decisions.announce(row.id);
    if (moved) await this.withdraw(row).catch(() => {}); // else `recall` does it
  }

  /** Tells the worker that has a task to end it; false if none has it, or Redis does not answer. */
  private async tellWorker(row: OpenNodeRun): Promise<boolean> {
    if (Date.now() < this.deafUntil) return false;
    const { bus } = this.parts;
    const task = taskName(row.id, row.fence);
    try {
      const where = await bus.whereabouts(task, routeOf(row));
      if (where !== "leased" && where !== "taken") return false;
      await bus.cancel(task, row.plane);
      return true;
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.deafUntil = Date.now() + DEAF_MS;
      return false;
    }
  }

  /** Takes a task off the bus that is nobody's any more; a worker that has it hears that. */
  private async withdraw(row: RecalledTask): Promise<void> {
    const { bus } = this.parts;
    const task = taskName(row.id, row.fence);
    await bus.cancel(task, row.plane, "stale");
    await bus.done(task, routeOf(row));
  }

  /** Cancels once more what is being cancelled and has not ended: Redis may have lost the mark, and a failed try may have been repeated. */
  async cancelAgain(): Promise<void> {
    for (const { id, plane, state } of await this.parts.runs.toCancel())
      if (plane !== "node" && state !== "queued" && state !== "waiting" && !this.cancelling.has(id)) this.cancelling.set(id, Date.now());
    if (this.cancelling.size === 0) return;
    const rows = await this.parts.nodes.findAll([...this.cancelling.keys()]);
    const open = rows.flatMap((row) => (row instanceof ImpossibleNodeRun || isEndedNodeState(row.state) ? [] : [row]));
    // A row that cannot be ends with its lease, and has no other try.
    const ids = new Set(
      rows.flatMap((row) => (row instanceof ImpossibleNodeRun ? row.nodeRun : isEndedNodeState(row.state) ? [] : row.id)),
    );
    for (const id of this.cancelling.keys()) if (!ids.has(id)) this.cancelling.delete(id);
    for (const row of open) await this.cancel(row);
  }

  /** Tells Redis of the tasks that were cancelled in the record alone. */
  async recall(): Promise<void> {
    const { queue } = this.parts;
    for (let tasks = await queue.recalled(); tasks.length > 0; tasks = await queue.recalled()) {
      await Promise.all(tasks.map((task) => this.withdraw(task)));
      await queue.forget(tasks);
    }
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
