// Accepts runs, owns them by a lease, drives them, and takes over those whose runtime is gone (DESIGN E9).
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Graph, Resolved } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import { crashPoint } from "@spindle/task-bus";
import pLimit from "p-limit";
import type { Timings } from "../config.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { MAX_OUTPUT, whyOutputTooLarge } from "../record/output-limit.ts";
import { type LeasedRun, MOST_DEATHS, type RunRecord, trialLeases } from "../record/record.ts";
import type { KeyedRequest, OpenNodeRun, RecordedOptions, RunRow } from "../record/types.ts";
import type { Database } from "../store/database.ts";
import { isOutage, patient } from "../store/patient.ts";
import type { Decisions } from "../tasks/decisions.ts";
import type { LiveBoard } from "../tasks/live.ts";
import { isAnyCancelled, scopeOutputs, unhandled } from "./call.ts";
import { Parked, RunExecution } from "./execution.ts";
import { freezeNodes, rootNodes } from "./freeze.ts";
import { FrozenGraphs } from "./frozen-graphs.ts";
import type { NodePlane } from "./node-plane.ts";
import type { EngineReports } from "./open-engines.ts";
import { isInPrompt } from "./region-step.ts";
import { RunTooLarge } from "./row-cache.ts";
import type { ExecutionParts } from "./run-context.ts";

export interface RunDriverOptions {
  db: Database;
  owner: string;
  timings: Timings;
  live: LiveBoard;
  parts: Omit<ExecutionParts, "nodes" | "results" | "runs" | "frozen" | "decisions" | "reports"> & { nodePlane: Pick<NodePlane, "cancel"> };
  record: Pick<RunRecord, "nodes" | "runs" | "frozen" | "leases" | "results">;
  decisions: Decisions;
  reports: EngineReports;
  onError: (where: string, error: unknown) => void;
}

export interface RunRequest {
  revision: string;
  graph: Graph;
  graphId?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
  options?: RecordedOptions;
  submitter?: string;
  request?: KeyedRequest;
}

/** How long after an outage in the middle of a run the run is driven again, from its rows. */
const OUTAGE_MS = 500;
/** How long after a run could not be put to rest, because a person answered, the run is driven again. */
const PARK_MS = 100;
const CANCELS_AT_ONCE = 16;

class DiedTooOften extends Error {}

/** The error with which a run ends that could not be driven, for the person whose run it was. */
function whyEnded(error: unknown): { code: string; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RunTooLarge) return { code: "run.too_large", message };
  return error instanceof DiedTooOften ? { code: "run.crashed", message } : { code: "internal", message: `The runtime failed: ${message}` };
}

export class RunDriver {
  private readonly executions = new Map<string, RunExecution>();
  private readonly graphs: FrozenGraphs;
  private readonly drives = new Set<Promise<void>>();
  /** Since when the runs are driven here, by their id. */
  private readonly begun = new Map<string, number>();
  /** Since when the runs have been idle that belong to this runtime and that nothing here drives, by their id. */
  private readonly idleSince = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** The last renewal of the lease, with the claim that follows it. */
  private renewal: Promise<void> = Promise.resolve();

  constructor(private readonly options: RunDriverOptions) {
    const { db, record, reports } = options;
    this.graphs = new FrozenGraphs({ db, frozen: record.frozen, runs: record.runs, library: () => reports.library() });
  }

  start(): void {
    const tick = async () => {
      await this.tryRenewal();
      if (!this.stopped) this.timer = setTimeout(tick, this.options.timings.runLeaseMs / 4);
    };
    void tick();
  }

  /**
   * Freezes what the run will be made of, with the engine of each node that has a live one (DESIGN M4), and accepts it. The graph has been
   * validated.
   */
  async accept(request: RunRequest): Promise<string> {
    const id = randomUUID();
    const library = this.options.reports.library();
    const { revision, graphId = null, title, template, inputs, options = {}, submitter = "", request: keyed } = request;
    const engines = freezeNodes(request.graph, library, this.options.reports.burden);
    const definitions = await this.graphs.freeze(revision, request.graph, library, engines);
    // The run is this runtime's own from the start: no claim has to find it first.
    const owner = this.stopped ? undefined : this.options.owner;
    const rows = await this.options.record.runs.create({
      id,
      revision,
      ...(graphId ? { graph: graphId } : {}),
      title,
      ...(template ? { template } : {}),
      inputs,
      engines,
      definitions,
      options,
      submitter,
      ...(owner ? { owner } : {}),
      ...(keyed ? { request: keyed } : {}),
      nodes: rootNodes(request.graph, library, engines),
    });
    crashPoint("afterAccept");
    if (!owner) return id;
    const about = { id, revision_id: revision, graph_id: graphId, inputs, engines, definitions, options };
    this.begin({ ...about, state: "running", owner, fence: 1, cancel_requested: false }, rows);
    return id;
  }

  isCancelled(run: string): boolean {
    return this.executions.get(run)?.life.isCancelled ?? false;
  }

  /** Why a run may not store an output that a worker has given; undefined, too, for a run that another runtime drives. */
  whyTooMuch({ run_id, path }: Pick<NodeRunRow, "run_id" | "path">, output: Record<string, unknown>) {
    return this.executions.get(run_id)?.values.whyTooMuch(path, { output });
  }

  /** Claims the runs that may be claimed, without waiting for the next tick. */
  claimNow(): void {
    void this.tryRenewal();
  }

  /**
   * Once the record says so, the run ends, whatever becomes of this process and of Redis: whoever drives it sees it with each tick.
   * False if the run has ended.
   */
  async cancel(run: string): Promise<boolean> {
    const isCancelling = await this.options.record.runs.requestCancel(run);
    const execution = this.executions.get(run);
    if (isCancelling && execution) this.cancelHere(execution);
    this.claimNow();
    return isCancelling;
  }

  /** Nothing waits for it: where Redis does not answer, it takes seconds. */
  private cancelHere(execution: RunExecution): void {
    execution.cancel().catch((error) => this.options.onError(`run ${execution.run.id}`, error));
  }

  /**
   * Cancels one node run, with what runs inside it, or with the prompt of ComfyUI that it is part of; for the rest of the run it counts as failed (DESIGN E13). Once the record says so, it
   * ends, whatever becomes of this process. If another runtime runs it on the node plane, it ends in that process when the node is over.
   */
  async cancelNode(row: NodeRunRow): Promise<void> {
    const { record } = this.options;
    const rows = await record.nodes.ofRun(row.run_id);
    const inside = rows.filter(({ path }) => path.startsWith(`${row.path}#`) || path.startsWith(`${row.path}/`));
    const region = rows.find((other) => isAtWorker(other) && isInPrompt(row, other));
    const open = (inside.length > 0 ? inside : [region ?? row]).filter(({ state }) => !isEndedNodeState(state));
    const ids = open.map(({ id }) => id);
    await record.runs.requestNodeCancels(row.run_id, ids);
    this.endNodes(open).catch((error) => this.options.onError(`run ${row.run_id}`, error));
    this.claimNow();
  }

  private async endNodes(open: readonly OpenNodeRun[]): Promise<void> {
    for (const row of open)
      if (isAtWorker(row)) await this.options.parts.cancels.cancel(row);
      else await this.endNode(row);
  }

  /** Ends a node run that no worker has. One that runs in this process ends when it is over. */
  private async endNode({ id, run_id, fence }: OpenNodeRun): Promise<void> {
    const { record, decisions, parts } = this.options;
    if (parts.nodePlane.cancel(id)) return;
    const error = { class: "cancelled" as const, code: "node.cancelled", message: "Cancelled." };
    const moved = await record.nodes.change({ nodeRun: id, fence, change: "cancel", error });
    if (moved) this.executions.get(run_id)?.rows.follow(moved, {});
    parts.nodePlane.cancel(id); // it may have begun meanwhile
    decisions.announce(id);
  }

  /** Ends the node runs that the record says are to be cancelled, in runs of this runtime: who was asked to may have died. */
  private async endCancelled(): Promise<void> {
    const { record, owner } = this.options;
    for (const row of await record.runs.toCancel()) if (row.owner === owner && !isAtWorker(row)) await this.endNode(row);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const execution of this.executions.values()) execution.life.close(new Error("The runtime stops."));
    await Promise.allSettled(this.drives);
    await this.options.record.leases.leave(this.options.owner).catch(() => {});
  }

  /** Renewals follow one another: the answer of one must not be compared with runs that were claimed while it was under way. */
  private async tryRenewal(): Promise<void> {
    this.renewal = this.renewal.catch(() => {}).then(() => this.renewAndClaim());
    try {
      await this.renewal;
    } catch (error) {
      if (!isOutage(error)) this.options.onError("engine", error);
    }
  }

  private async renewAndClaim(): Promise<void> {
    const { record, owner, timings } = this.options;
    const held = [...this.executions.values()];
    const mine = await record.leases.renew(owner, timings.runLeaseMs);
    for (const execution of held) await this.compare(execution, mine.get(execution.run.id));
    if (this.stopped) return;
    await this.takeUp(mine);
    await this.timeOut();
    await this.endCancelled();
    const isTrying = await this.tryOn(mine);
    const others = await record.leases.claim(owner);
    for (const run of others) this.begin(run);
    if (!isTrying && !others.some(({ deaths = 0 }) => deaths > 0))
      for (const run of await record.leases.claim(owner, true)) this.begin(run);
  }

  /**
   * Clears the runs that have survived their trial. Returns whether one is still on trial here: a runtime died under it, and until a node
   * run of it ends, or its trial is over, it may be why.
   */
  private async tryOn(mine: ReadonlyMap<string, LeasedRun>): Promise<boolean> {
    const { record, owner, timings } = this.options;
    const tried = [...mine].flatMap(([id, { deaths }]) => {
      const since = this.begun.get(id);
      return deaths > 0 && since !== undefined ? [{ id, until: since + timings.runLeaseMs * trialLeases(deaths) }] : [];
    });
    const survivors = tried.filter(({ until }) => Date.now() >= until).map(({ id }) => id);
    if (survivors.length > 0) await record.leases.clear(owner, survivors);
    return survivors.length < tried.length;
  }

  private begin(run: RunRow, rows?: NodeRunRow[]): void {
    this.begun.set(run.id, Date.now());
    const drive = this.drive(run, rows).catch((error) => this.options.onError(`run ${run.id}`, error));
    this.drives.add(drive);
    void drive.finally(() => {
      this.drives.delete(drive);
      this.begun.delete(run.id);
    });
  }

  /** Drives the runs again that belong to this runtime and whose first step failed: no other runtime would take them over. */
  private async takeUp(mine: ReadonlyMap<string, LeasedRun>): Promise<void> {
    const { record, owner, timings } = this.options;
    for (const id of this.idleSince.keys()) if (!mine.has(id) || this.begun.has(id)) this.idleSince.delete(id);
    const idle = [...mine.keys()].filter((id) => !this.begun.has(id));
    for (const id of idle) if (!this.idleSince.has(id)) this.idleSince.set(id, Date.now());
    const due = idle.filter((id) => Date.now() - (this.idleSince.get(id) ?? 0) > timings.runLeaseMs / 2);
    if (due.length > 0) for (const run of await record.leases.own(owner, due)) this.begin(run);
  }

  /** Follows what another runtime did to a run of this one: took it over, or requested its cancellation. */
  private async compare(execution: RunExecution, mine: LeasedRun | undefined): Promise<void> {
    const { run, life } = execution;
    if (!mine || mine.fence !== run.fence) {
      const isDriven = life.phase === "driving" || life.phase === "cancelling";
      if (!isDriven || this.executions.get(run.id) !== execution) return;
      life.close(new Error("Another runtime owns the run."));
      await this.options.record.leases.lives(run);
    } else if (mine.cancelRequested) this.cancelHere(execution);
  }

  /** Lets the nodes whose question was not answered in time succeed with their time-out port. */
  private async timeOut(): Promise<void> {
    const { record, decisions } = this.options;
    for (const row of await record.nodes.overdue()) {
      const output = { timed_out: true };
      await record.nodes.change({ nodeRun: row.id, fence: row.fence, change: "answer", output, body: { timedOut: true } });
      await record.runs.wake(row.run_id);
      decisions.announce(row.id);
    }
  }

  /** @param rows its node runs, where they are known */
  private async drive(run: RunRow, rows?: NodeRunRow[]): Promise<void> {
    const { record, live } = this.options;
    try {
      if ((run.deaths ?? 0) >= MOST_DEATHS)
        throw new DiedTooOften(
          `The runtime died ${MOST_DEATHS} times under this run, and no node of it ended in between, so it is not taken up again: the run may be why. What is done is kept. If you know another reason, such as a machine that was switched off, run the graph again; else let it handle less at once, or give large values as files.`,
        );
      const resolved = await patient(() => this.graphs.of(run));
      if (run.state === "queued") await patient(() => record.runs.change(run, "start"));
      run.state = "running";
      let again = await this.driveOnce(run, resolved, rows);
      while (again && !this.stopped) again = await this.driveOnce(run, resolved);
    } catch (error) {
      if (isOutage(error)) throw error; // the run is driven again by takeUp
      await this.abandon(run, error);
    }
    setTimeout(() => live.forget(run.id), 5000).unref();
  }

  /** What a run's graph means, as it is asked by who does not drive it. */
  resolvedFor(run: Pick<RunRow, "id" | "revision_id">): Promise<Resolved> {
    return this.graphs.ofRun(run);
  }

  /** True if the run is to be driven again, because of an outage or because a person answered when it was about to rest. */
  private async driveOnce(run: RunRow, resolved: Resolved, known?: NodeRunRow[]): Promise<boolean> {
    const { parts, record, decisions } = this.options;
    const rows = known ?? (await patient(() => record.nodes.ofRun(run.id)));
    if (this.stopped) return false;
    const { nodes, results, runs, frozen } = record;
    const execution = new RunExecution(
      { ...parts, nodes, results, runs, frozen, decisions, reports: this.options.reports },
      run,
      resolved,
      rows,
    );
    this.executions.set(run.id, execution);
    try {
      await execution.drive();
      // The last answer may have come when the run was about to rest. Every node is decided then, and the run can end.
      if (execution.life.phase !== "closed") await this.finish(execution);
    } catch (error) {
      if (error instanceof Parked) return !(await patient(() => record.runs.park(run, error.waitingFor))) && sleep(PARK_MS, true);
      if (execution.life.phase === "closed") return false;
      execution.life.close(error as Error);
      if (isOutage(error)) return sleep(OUTAGE_MS, true);
      throw error;
    } finally {
      // A run that rests may be claimed at once, even by this runtime.
      if (this.executions.get(run.id) === execution) this.executions.delete(run.id);
    }
    return false;
  }

  /** Fails a run that cannot be driven, by a mistake of this runtime or because it has too many node runs, and cancels its open node runs. */
  private async abandon(run: RunRow, error: unknown): Promise<void> {
    const { record, parts, decisions } = this.options;
    this.options.onError(`run ${run.id}`, error);
    record.nodes.drop(run.id);
    const open = await patient(() => record.nodes.openOf(run.id));
    const ids = open.map(({ id }) => id);
    await patient(() => record.runs.requestNodeCancels(run.id, ids)); // no other try follows, whichever runtime sees the next one fail
    await pLimit(CANCELS_AT_ONCE).map(open, async (row) => {
      if (row.plane !== "node" && row.state !== "queued" && (await isDone(parts.cancels.cancel(row)))) return;
      const cancelled = { class: "cancelled" as const, code: "run.cancelled" as const, message: "The run failed before this was over." };
      await patient(() => record.nodes.change({ nodeRun: row.id, fence: row.fence, change: "cancel", error: cancelled }));
      decisions.announce(row.id);
    });
    await patient(() => record.runs.change(run, "fail", { error: whyEnded(error) }));
  }

  /** Ends the run by its rows; what LangGraph returned says nothing about it. */
  private async finish(execution: RunExecution): Promise<void> {
    const { record } = this.options;
    const { run } = execution;
    const { root } = execution;
    if (execution.life.end() && isAnyCancelled(root))
      return void (await patient(() =>
        record.runs.change(run, "cancel", { error: { code: "run.cancelled", message: "The run was cancelled." } }),
      ));
    const { value: failed } = await unhandled(root).next();
    const outputs = scopeOutputs(root);
    const tooLarge = whyOutputTooLarge(outputs);
    if (failed) {
      const error = {
        ...(failed.row.error ?? { code: "internal", message: "The node failed without a reason." }),
        node: failed.row.node_id,
      };
      return void (await patient(() => record.runs.change(run, "fail", { error, ...(tooLarge ? {} : { outputs }) })));
    }
    if (tooLarge) {
      const message = `The nodes at the ends gave more than ${MAX_OUTPUT / 1024 / 1024} MiB together, which is the limit for the outputs of a run. They are there, node by node; declare fewer as outputs, or give files.`;
      return void (await patient(() => record.runs.change(run, "fail", { error: { ...tooLarge, message } })));
    }
    await patient(() => record.runs.change(run, "succeed", { outputs }));
  }
}

const isAtWorker = ({ plane, state }: OpenNodeRun): boolean => plane !== "node" && (state === "dispatched" || state === "running");

/** Whether a call succeeded: a bus that cannot be reached takes no cancellation. */
const isDone = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );
