// One run in this process. Settling is single-flight per path and the only place where anything happens; whoever asks first
// (LangGraph, or the look-ahead when a predecessor is decided) starts it, and the record decides what it means.
import { AsyncResource } from "node:async_hooks";
import { itemNodes, LIMITS, type Region, type Resolved } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { AnyChange, NodeMove } from "../record/changes.ts";
import type { ChangedRow, FrozenNode, NewNodeRun, RunRow } from "../record/types.ts";
import { patient } from "../store/patient.ts";
import { compile, type Driven } from "./compile.ts";
import { asRegion } from "./freeze.ts";
import { GroupStep } from "./group-step.ts";
import { goesRound } from "./judge.ts";
import { Cancelled } from "./node-plane.ts";
import { NodeStep } from "./node-step.ts";
import { Pace } from "./pace.ts";
import { Reuse } from "./reuse.ts";
import { type ExecutionParts, Parked, type Running, RunTooLarge } from "./running.ts";
import { type DecidedRow, Scope } from "./scope.ts";

const CANCELS_AT_ONCE = 16;

const COMFY = "comfy";

export class RunExecution implements Running, Driven {
  readonly reuse: Reuse;
  readonly root: Scope;
  private readonly steps: NodeStep = new NodeStep(this);
  private readonly groups: GroupStep = new GroupStep(this, this.steps);
  private readonly rows: Map<string, DecidedRow>;
  /** How many rows the run has, those that are forgotten here among them. */
  private count: number;
  private readonly pace = new Pace();
  private readonly outside = new AsyncResource("run"); // a node must not inherit the async context of the one before it
  /** Ends what runs in this process: the run is cancelled, or no longer this runtime's. */
  private readonly abort = new AbortController();
  /** Ends the waiting for people likewise. */
  private readonly parking = new AbortController();
  /** Ends the waiting for workers, who go on: only when the run is no longer this runtime's. */
  private readonly closing = new AbortController();
  private busy = 0;
  private people = 0;
  private closedBy: Error | undefined;
  cancelled = false;
  /** Every node is decided; only the run's own end is still to be written. */
  finishing = false;

  constructor(
    readonly parts: ExecutionParts,
    readonly run: RunRow,
    readonly resolved: Resolved,
    rows: readonly DecidedRow[],
    /** False only in tests: then LangGraph alone starts nodes. */
    private readonly lookAhead = true,
  ) {
    this.reuse = new Reuse(parts.record, run, resolved.root.plan);
    this.root = Scope.ofLevel(resolved.root, "", run.inputs, 0);
    this.rows = new Map(rows.map((row) => [row.path, row]));
    this.count = rows.length;
  }

  /** Runs the graph to its end. @throws Parked, or the reason of `close` */
  async drive(): Promise<void> {
    if (this.run.cancel_requested) await this.cancel(); // asked while another runtime owned it: its workers may not know
    await this.enter(this.root);
    await this.walkByLangGraph(this.root);
  }

  /** Everything in a level that a node calls; its nodes begin by the look-ahead, at less than a hundredth of what a graph of LangGraph costs. */
  async walk(scope: Scope): Promise<void> {
    await this.enter(scope);
    if (this.lookAhead) await Promise.all(scope.region.items.map((item) => this.settle(scope, item)));
    else await this.walkByLangGraph(scope);
  }

  private async walkByLangGraph(scope: Scope): Promise<void> {
    try {
      await compile(scope.level).drive(this, scope);
    } catch (error) {
      throw this.closedBy ?? error;
    }
  }

  /** No more work is begun: the run belongs to another runtime, rests, or this runtime stops. */
  close(reason: Error): void {
    this.closedBy ??= reason;
    this.abort.abort(reason);
    this.parking.abort(reason);
    this.closing.abort(reason);
  }

  get closed(): boolean {
    return this.closedBy !== undefined;
  }

  get parked(): boolean {
    return this.closedBy instanceof Parked;
  }

  get waitingFor(): number {
    return this.people;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  get closeSignal(): AbortSignal {
    return this.closing.signal;
  }

  async cancel(): Promise<void> {
    if (this.cancelled) return;
    this.cancelled = true;
    this.abort.abort(new Cancelled("Cancelled."));
    this.parking.abort(new Cancelled("Cancelled."));
    const out = [...this.rows.values()].filter(({ plane, state }) => plane !== "node" && (state === "dispatched" || state === "running"));
    await pLimit(CANCELS_AT_ONCE).map(out, async ({ id }) => {
      const row = await this.parts.record.nodeRun(id); // its fence may have risen since: another try, another worker
      if (row && !isEndedNodeState(row.state)) await this.parts.workers.cancel(row);
    });
  }

  row(path: string): DecidedRow {
    return this.rows.get(path) as DecidedRow;
  }

  /** Makes the rows of a visit and starts what waits for nothing. */
  enter(scope: Scope): Promise<void> {
    return this.once(scope, "|enter", async () => {
      scope.begun = true;
      const { plan } = scope.level;
      const ids = scope.region.items.flatMap((item) => itemNodes(plan, item));
      await this.ensure(
        scope,
        ids.map((id) => this.fresh(scope, id, scope.prefix + id)),
      );
      if (this.lookAhead)
        for (const item of scope.region.items) if (scope.region.predecessors.get(item)?.size === 0) void this.settle(scope, item);
    });
  }

  /** The row that is to be made for a node at a path; `asOne` for a node that only gathers what its elements or its subgraph give. */
  fresh(scope: Scope, id: string, path: string, element = false): NewNodeRun {
    const frozen = this.run.engines[scope.level.name]?.[id] as FrozenNode;
    const node = scope.level.node(id);
    const gathers = (node?.mapped !== undefined && !element) || node?.element?.calls !== undefined;
    const own = element && frozen.plane === COMFY ? asRegion(frozen) : frozen;
    return { ...own, ...(gathers ? { plane: "node", timeoutSeconds: 0 } : {}), nodeId: id, path };
  }

  /** @throws RunTooLarge */
  async ensure(scope: Scope, nodes: NewNodeRun[]): Promise<void> {
    for (const { path } of nodes) scope.paths.push(path);
    const missing = nodes.filter(({ path }) => !this.rows.has(path));
    if (missing.length === 0) return;
    if (this.count + missing.length > LIMITS.nodeRuns)
      throw new RunTooLarge(`The run would have more than ${LIMITS.nodeRuns.toLocaleString("en")} node runs.`);
    this.count += missing.length;
    for (const row of await this.request(() => this.parts.record.add(this.run.id, missing))) this.rows.set(row.path, row);
  }

  /** A call is over: what ran inside it is asked for by nobody any more. */
  forget(scope: Scope): void {
    for (const path of scope.paths) this.rows.delete(path);
  }

  // Settling

  settle(scope: Scope, item: string): Promise<unknown> {
    const { regions, groups } = scope.level.plan;
    const [loop, group] = [regions.get(item), groups.get(item)];
    return this.once(scope, item, async () => {
      await this.enter(scope);
      if (!this.lookAhead) this.assertReady(scope, item);
      await Promise.all([...(scope.region.predecessors.get(item) ?? [])].map((before) => this.settle(scope, before)));
      if (loop) await this.loop(scope, loop);
      else await (group ? this.groups.take(scope, group) : this.node(scope, item));
      scope.over.add(item);
      if (this.lookAhead) this.ahead(scope, item);
    });
  }

  /** SPEC RE3: alone, LangGraph must come in order; waiting for what is missing would hide a mistake of `compile`. */
  private assertReady(scope: Scope, item: string): void {
    const missing = [...(scope.region.predecessors.get(item) ?? [])].find((before) => !scope.over.has(before));
    if (missing !== undefined) throw new Error(`${scope.prefix}${item} was asked for before ${missing} was over.`);
  }

  visit(scope: Scope, loop: Region, index: number): Promise<boolean> {
    const inner = scope.visitOf(loop, index);
    return this.once(inner, "|visit", async () => {
      await this.enter(inner);
      await this.settle(inner, loop.items.at(-1) as string); // every other item leads there
      const again = !this.cancelled && goesRound(inner);
      if (!again || index + 1 < loop.maxIterations) return again;
      const at = `${scope.prefix}${loop.id}`;
      await this.request(() =>
        this.parts.record.note(this.run.id, { type: "loop.limit", node: loop.tail, path: at, body: { maxIterations: loop.maxIterations } }),
      );
      return false;
    });
  }

  private async loop(scope: Scope, loop: Region): Promise<void> {
    let index = 0;
    while (await this.visit(scope, loop, index)) index++;
    scope.endLoop(loop, index);
  }

  private async node(scope: Scope, id: string): Promise<void> {
    const path = scope.prefix + id;
    await this.begin(scope, id);
    await this.untilDecided(path, (row) => this.steps.take(scope, id, row));
    await this.conclude(scope, id);
  }

  async conclude(scope: Scope, id: string): Promise<void> {
    const path = scope.prefix + id;
    const row = this.rows.get(path) as DecidedRow;
    if (scope.level.node(id)?.settings.breakpoint === "after" && row.state === "succeeded" && !row.passed && !this.cancelled)
      await this.steps.holdAfter(row);
    scope.keep(this.row(path));
  }

  /**
   * Resolves when a node may begin (docs/decisions/0024).
   * @param id of a node that makes more node runs by itself if it is a call or a map
   */
  async begin(scope: Scope, id: string, element = false): Promise<void> {
    const node = scope.level.node(id);
    const makesMore = (!element && node?.mapped !== undefined) || node?.element?.calls !== undefined;
    const turn = this.pace.begin(makesMore ? scope.depth : undefined);
    if (turn) await this.work(() => turn);
    if (this.closedBy) throw this.closedBy;
  }

  /** Steps until the row is decided; each step changes it or waits for it to change. */
  async untilDecided(path: string, step: (row: DecidedRow) => Promise<void>): Promise<DecidedRow> {
    for (;;) {
      const row = this.row(path);
      if (isEndedNodeState(row.state)) return row;
      if (this.closedBy) throw this.closedBy;
      await step(row);
    }
  }

  /** DESIGN E8: what waited only for this item starts now, without a barrier. */
  private ahead(scope: Scope, item: string): void {
    for (const next of scope.region.successors.get(item) ?? [])
      if ([...(scope.region.predecessors.get(next) ?? [])].every((before) => scope.over.has(before))) void this.settle(scope, next);
  }

  private once<T>(scope: Scope, what: string, work: () => Promise<T>): Promise<T> {
    const known = scope.flights.get(what) as Promise<T> | undefined;
    if (known) return known;
    const flight = this.outside.runInAsyncScope(work);
    flight.catch(() => {}); // nobody may be waiting for it yet
    scope.flights.set(what, flight);
    return flight;
  }

  // Rows

  /** Changes a row; one that somebody else changed meanwhile is read again. */
  async change(row: DecidedRow, move: NodeMove): Promise<DecidedRow> {
    const { input, output, reusedFrom }: Omit<AnyChange, "nodeRun" | "fence"> = move;
    const moved = await this.request(() =>
      patient(
        () => this.parts.record.change({ ...move, nodeRun: row.id, fence: row.fence }),
        () => this.closed,
      ),
    );
    return moved
      ? this.note(moved, {
          ...(input ? { input } : {}),
          ...(output ? { output } : {}),
          ...(reusedFrom ? { reused_from: reusedFrom } : {}),
        })
      : this.reload(row);
  }

  note(moved: ChangedRow, more: Partial<DecidedRow>): DecidedRow {
    const known = this.rows.get(moved.path) as DecidedRow;
    const row = { ...known, ...moved, ...more };
    this.rows.set(moved.path, row);
    return row;
  }

  async reload(row: DecidedRow): Promise<DecidedRow> {
    const fresh = await this.request(() =>
      patient(
        () => this.parts.record.nodeRun(row.id),
        () => this.closed,
      ),
    );
    if (fresh) this.rows.set(fresh.path, fresh);
    return fresh ?? row;
  }

  /** Asks the record for something that ends by itself. */
  request<T>(asking: () => Promise<T>): Promise<T> {
    return this.work(() => this.pace.request(asking));
  }

  /** Anything that keeps the run from resting. */
  async work<T>(doing: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await doing();
    } finally {
      this.busy--;
      this.restIfIdle();
    }
  }

  /** Waits for a person; rejects when the run is put to rest meanwhile. */
  async person(row: DecidedRow, isOver: (row: DecidedRow) => boolean): Promise<void> {
    this.people++;
    this.restIfIdle();
    try {
      const fresh = await this.parts.decisions.wait(row.id, isOver, this.parking.signal);
      this.rows.set(fresh.path, fresh);
    } catch (error) {
      if (!this.cancelled) throw this.closedBy ?? error;
    } finally {
      if (!this.closedBy) this.people--;
    }
  }

  private restIfIdle(): void {
    if (this.people === 0 || this.busy > 0) return;
    setImmediate(() => {
      if (this.people > 0 && this.busy === 0 && !this.closed && !this.cancelled) this.close(new Parked("Waiting for a person."));
    });
  }
}
