// One run in this process. `settle` is single-flight per node and the only place where anything happens; whoever asks
// first (LangGraph, or the look-ahead when a predecessor is decided) starts it, and the record decides what it means.
import { AsyncResource } from "node:async_hooks";
import {
  type Graph,
  type InputSource,
  inputSources,
  type Library,
  nodeTitle,
  type Outcome,
  resolveInputs,
  type Topology,
  topology,
} from "@spindle/graph-model";
import type { NodeRunRow, RunRecord, RunRow } from "../record/record.ts";
import { isTerminal } from "../record/states.ts";
import { patient } from "../store/patient.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import { fullInput, whyUnfit } from "./check-input.ts";
import type { NodePlane } from "./node-plane.ts";
import { decideNode, isHandled, outcomeOf } from "./outcome.ts";

export type DecidedRow = NodeRunRow & { output?: Record<string, unknown> | null };

export interface ExecutionParts {
  record: RunRecord;
  workers: WorkerPlane;
  nodePlane: NodePlane;
  library: Library;
}

export class RunExecution {
  readonly shape: Topology;
  private readonly sources = new Map<string, InputSource[]>();
  private readonly flights = new Map<string, Promise<DecidedRow>>();
  private readonly decided = new Map<string, DecidedRow>();
  private readonly outside = new AsyncResource("run"); // a node must not inherit the async context of the one before it
  private readonly abort = new AbortController();
  private closedBy: Error | undefined;
  cancelled: boolean;
  /** Every node is decided; only the run's own end is still to be written. */
  finishing = false;

  constructor(
    private readonly parts: ExecutionParts,
    readonly run: RunRow,
    readonly graph: Graph,
    rows: readonly DecidedRow[],
    private readonly lookAhead = true,
  ) {
    this.shape = topology(graph);
    this.cancelled = run.cancel_requested;
    for (const source of inputSources(graph, parts.library, this.shape))
      this.sources.set(source.node.id, [...(this.sources.get(source.node.id) ?? []), source]);
    this.rows = new Map(rows.map((row) => [row.node_id, row]));
  }

  private readonly rows: Map<string, DecidedRow>;

  /** Starts every node that waits for nothing. */
  begin(): void {
    if (this.lookAhead) for (const id of this.shape.order) if (this.shape.predecessors.get(id)?.size === 0) void this.settle(id);
  }

  settle(id: string): Promise<DecidedRow> {
    const known = this.flights.get(id);
    if (known) return known;
    const flight = this.outside.runInAsyncScope(() => this.decide(id));
    flight.catch(() => {}); // nobody may be waiting for it yet
    this.flights.set(id, flight);
    return flight;
  }

  /** No more work is begun: the run belongs to another runtime, or this one stops. */
  close(reason: Error): void {
    this.closedBy ??= reason;
    this.abort.abort(reason);
  }

  get closed(): boolean {
    return this.closedBy !== undefined;
  }

  async cancel(): Promise<void> {
    this.cancelled = true;
    this.abort.abort(new Error("Cancelled."));
    for (const row of await this.parts.record.nodeRuns(this.run.id)) {
      const current = this.rows.get(row.node_id);
      if (current && row.plane !== "node" && (row.state === "dispatched" || row.state === "running")) await this.parts.workers.cancel(row);
    }
  }

  /** Every row, once each is decided. */
  results(): DecidedRow[] {
    return [...this.decided.values()];
  }

  private async decide(id: string): Promise<DecidedRow> {
    await Promise.all([...(this.shape.predecessors.get(id) ?? [])].map((before) => this.settle(before)));
    let row = this.rows.get(id) as DecidedRow;
    for (; !isTerminal(row.state); row = await this.reload(row)) {
      if (this.closedBy) throw this.closedBy;
      await this.step(id, row);
    }
    this.rows.set(id, row);
    this.decided.set(id, row);
    if (this.lookAhead) this.ahead(id);
    return row;
  }

  private async reload(row: DecidedRow): Promise<DecidedRow> {
    return (
      (await patient(
        () => this.parts.record.nodeRun(row.id),
        () => this.closed,
      )) ?? row
    );
  }

  private async step(id: string, row: DecidedRow): Promise<void> {
    const change = (one: Parameters<RunRecord["change"]>[0]) =>
      patient(
        () => this.parts.record.change(one),
        () => this.closed,
      );
    const at = { nodeRun: row.id, fence: row.fence };
    if (row.state !== "queued") {
      if (row.plane !== "node") await this.parts.workers.decision(row.id);
      else if (this.cancelled)
        await change({ ...at, change: "cancel", error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." } });
      else await this.parts.nodePlane.run(row, "takeOver", row.input ?? {}, this.abort.signal);
      return;
    }
    if (this.cancelled)
      return void (await change({
        ...at,
        change: "cancel",
        error: { class: "cancelled", code: "run.cancelled", message: "Cancelled before it ran." },
      }));
    const node = this.shape.node.get(id);
    const definition = node && this.parts.library.find(node.plane, node.service);
    if (!node || !definition)
      return void (await change({
        ...at,
        change: "fail",
        error: { class: "user", code: "node.unknown_capability", message: `${row.service} is not in the library any more.` },
      }));
    const sources = this.sources.get(id) ?? [];
    const values = resolveInputs(sources, (from) => this.decided.get(from)?.output ?? undefined, this.run.inputs, this.graph.context ?? {});
    const decision = decideNode(this.shape, id, (from) => this.outcome(from), sources, values);
    if (decision.do === "skip") {
      const error = { code: "node.skipped", message: this.whySkipped(id, decision.broken) };
      return void (await change({ ...at, change: "skip", broken: decision.broken, error, body: { error } }));
    }
    const unfit = whyUnfit(sources, values);
    if (unfit)
      return void (await change({
        ...at,
        change: "fail",
        input: values,
        error: { class: "user", code: "node.user_error", message: unfit },
      }));
    const input = fullInput(definition, node.params, values);
    if (row.plane === "node") await this.parts.nodePlane.run(row, "begin", input, this.abort.signal);
    else await this.parts.workers.dispatch(row, input);
  }

  private outcome(id: string): Outcome | undefined {
    const row = this.decided.get(id);
    return row && outcomeOf(row);
  }

  private whySkipped(id: string, broken: boolean): string {
    const before = [...(this.shape.predecessors.get(id) ?? [])].map((one) => this.decided.get(one)).filter((one) => one !== undefined);
    const cause = before.find((one) => one.state !== "succeeded");
    const title = cause && nodeTitle(this.shape.node.get(cause.node_id) as never);
    if (!cause) return "Nothing leads here, or an input it needs has no value.";
    return broken
      ? `${title} ${cause.state === "skipped" ? "was skipped" : cause.state}.`
      : `${title} was ${cause.state}, and no edge leads here from that.`;
  }

  /** DESIGN E8: what waited only for this node starts now, without a barrier. */
  private ahead(id: string): void {
    for (const next of this.shape.successors.get(id) ?? [])
      if ([...(this.shape.predecessors.get(next) ?? [])].every((before) => this.decided.has(before))) void this.settle(next);
  }

  /** DESIGN E5. The failed rows that no on_failure edge took care of. */
  unhandled(): DecidedRow[] {
    return this.results().filter((row) => ["failed", "dead", "unknown"].includes(row.state) && !isHandled(this.shape, row.node_id));
  }
}
