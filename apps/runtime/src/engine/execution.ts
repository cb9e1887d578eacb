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
import { Judge, type Visits } from "./judge.ts";
import { Cancelled } from "./node-plane.ts";
import { NodeStep } from "./node-step.ts";
import { Reuse } from "./reuse.ts";
import { type ExecutionParts, Parked, type Running, RunTooLarge } from "./running.ts";
import { type Decided, type DecidedRow, rootScope, type Scope, visitScope } from "./scope.ts";

const CANCELS_AT_ONCE = 16;

const COMFY = "comfy";

export class RunExecution implements Running, Driven, Visits {
  readonly reuse: Reuse;
  readonly root: Scope;
  readonly judge: Judge = new Judge(this);
  private readonly steps: NodeStep = new NodeStep(this);
  private readonly groups: GroupStep = new GroupStep(this, this.steps);
  private readonly rows: Map<string, DecidedRow>;
  private readonly flights = new Map<string, Promise<unknown>>();
  private readonly decided = new Map<string, Decided>();
  /** Items that are over: nodes and loops, by path. */
  private readonly over = new Set<string>();
  private readonly begunVisits = new Set<string>();
  private readonly lastVisit = new Map<string, number>();
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
    this.root = rootScope(resolved.root, "", run.inputs);
    this.rows = new Map(rows.map((row) => [row.path, row]));
  }

  /** Runs the graph to its end. @throws Parked, or the reason of `close` */
  async drive(): Promise<void> {
    if (this.run.cancel_requested) await this.cancel(); // asked while another runtime owned it: its workers may not know
    await this.enter(this.root);
    await this.driveScope(this.root);
  }

  async driveScope(scope: Scope): Promise<void> {
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

  /** Every decided row of the level that a scope belongs to, with its visit; elements of maps are their node's affair. */
  results(within: Scope): Decided[] {
    return [...this.decided.values()].filter(({ row, scope }) => {
      if (row.path.includes("#", scope.prefix.length)) return false;
      let at: Scope = scope;
      while (at.outer) at = at.outer;
      return at.prefix === within.prefix && at.level === within.level;
    });
  }

  row(path: string): DecidedRow {
    return this.rows.get(path) as DecidedRow;
  }

  // Visits

  lookup(scope: Scope, id: string): DecidedRow | undefined {
    const regions: Region[] = [];
    for (let region = scope.level.plan.home.get(id); region; region = region.parent) regions.push(region);
    let at: Scope | undefined = scope;
    while (at && !regions.includes(at.region)) at = at.outer;
    if (!at) return undefined;
    for (const region of regions.slice(0, regions.indexOf(at.region)).reverse()) {
      const last = this.lastVisit.get(at.prefix + region.id);
      if (last === undefined) return undefined;
      at = visitScope(at, region, last);
    }
    return this.decided.get(at.prefix + id)?.row;
  }

  begun(scope: Scope): boolean {
    return this.begunVisits.has(scope.prefix);
  }

  /** Makes the rows of a visit and starts what waits for nothing. */
  enter(scope: Scope): Promise<void> {
    return this.once(`${scope.prefix}|enter`, async () => {
      this.begunVisits.add(scope.prefix);
      const { plan } = scope.level;
      const ids = scope.region.items.flatMap((item) => itemNodes(plan, item));
      await this.ensure(ids.map((id) => this.fresh(scope, id, scope.prefix + id)));
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
  async ensure(nodes: NewNodeRun[]): Promise<void> {
    const missing = nodes.filter((one) => !this.rows.has(one.path));
    if (missing.length === 0) return;
    if (this.rows.size + missing.length > LIMITS.nodeRuns)
      throw new RunTooLarge(`The run would have more than ${LIMITS.nodeRuns.toLocaleString("en")} node runs.`);
    for (const row of await this.work(() => this.parts.record.add(this.run.id, missing))) this.rows.set(row.path, row);
  }

  // Settling

  settle(scope: Scope, item: string): Promise<unknown> {
    const { regions, groups } = scope.level.plan;
    const [loop, group] = [regions.get(item), groups.get(item)];
    return this.once(scope.prefix + item, async () => {
      await this.enter(scope);
      if (!this.lookAhead) this.assertReady(scope, item);
      await Promise.all([...(scope.region.predecessors.get(item) ?? [])].map((before) => this.settle(scope, before)));
      if (loop) await this.loop(scope, loop);
      else await (group ? this.groups.take(scope, group) : this.node(scope, item));
      this.over.add(scope.prefix + item);
      if (this.lookAhead) this.ahead(scope, item);
    });
  }

  /** SPEC RE3: alone, LangGraph must come in order; waiting for what is missing would hide a mistake of `compile`. */
  private assertReady(scope: Scope, item: string): void {
    const missing = [...(scope.region.predecessors.get(item) ?? [])].find((before) => !this.over.has(scope.prefix + before));
    if (missing !== undefined) throw new Error(`${scope.prefix}${item} was asked for before ${missing} was over.`);
  }

  visit(scope: Scope, loop: Region, index: number): Promise<boolean> {
    const inner = visitScope(scope, loop, index);
    return this.once(`${inner.prefix}|visit`, async () => {
      await this.enter(inner);
      await this.settle(inner, loop.items.at(-1) as string); // every other item leads there
      const again = !this.cancelled && this.judge.again(inner);
      if (!again || index + 1 < loop.maxIterations) return again;
      const at = `${scope.prefix}${loop.id}`;
      await this.work(() =>
        this.parts.record.note(this.run.id, { type: "loop.limit", node: loop.tail, path: at, body: { maxIterations: loop.maxIterations } }),
      );
      return false;
    });
  }

  private async loop(scope: Scope, loop: Region): Promise<void> {
    let index = 0;
    while (await this.visit(scope, loop, index)) index++;
    this.lastVisit.set(scope.prefix + loop.id, index);
  }

  private async node(scope: Scope, id: string): Promise<void> {
    const path = scope.prefix + id;
    await this.untilDecided(path, (one) => this.steps.take(scope, id, one));
    await this.conclude(scope, id);
  }

  async conclude(scope: Scope, id: string): Promise<void> {
    const path = scope.prefix + id;
    const row = this.rows.get(path) as DecidedRow;
    if (scope.level.node(id)?.settings.breakpoint === "after" && row.state === "succeeded" && !row.passed && !this.cancelled)
      await this.steps.holdAfter(row);
    this.keep(scope, path);
  }

  /** Steps until the row is decided; each step changes it or waits for it to change. */
  async untilDecided(path: string, step: (row: DecidedRow) => Promise<void>): Promise<DecidedRow> {
    for (;;) {
      const row = this.rows.get(path) as DecidedRow;
      if (isEndedNodeState(row.state)) return row;
      if (this.closedBy) throw this.closedBy;
      await step(row);
    }
  }

  keep(scope: Scope, path: string): DecidedRow {
    const row = this.rows.get(path) as DecidedRow;
    this.decided.set(path, { row, scope });
    return row;
  }

  /** DESIGN E8: what waited only for this item starts now, without a barrier. */
  private ahead(scope: Scope, item: string): void {
    for (const next of scope.region.successors.get(item) ?? [])
      if ([...(scope.region.predecessors.get(next) ?? [])].every((before) => this.over.has(scope.prefix + before)))
        void this.settle(scope, next);
  }

  private once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.flights.get(key) as Promise<T> | undefined;
    if (known) return known;
    const flight = this.outside.runInAsyncScope(work);
    flight.catch(() => {}); // nobody may be waiting for it yet
    this.flights.set(key, flight);
    return flight;
  }

  // Rows

  /** Changes a row; one that somebody else changed meanwhile is read again. */
  async change(row: DecidedRow, move: NodeMove): Promise<DecidedRow> {
    const { input, output, reusedFrom }: Omit<AnyChange, "nodeRun" | "fence"> = move;
    const moved = await this.work(() =>
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
    const fresh = await this.work(() =>
      patient(
        () => this.parts.record.nodeRun(row.id),
        () => this.closed,
      ),
    );
    if (fresh) this.rows.set(fresh.path, fresh);
    return fresh ?? row;
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
