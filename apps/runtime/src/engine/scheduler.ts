// What begins when. Settling is single-flight per item of a visit and the only place where anything begins; whoever asks first
// (LangGraph, or the look-ahead when a predecessor is over) begins it, and the record decides what it means.
import { AsyncResource } from "node:async_hooks";
import { itemNodes, type Region } from "@spindle/graph-model";
import { compile, type Driven } from "./compile.ts";
import { newNodeRun } from "./freeze.ts";
import { GroupStep } from "./group-step.ts";
import { goesRound, inTurn } from "./judge.ts";
import { NodeStep } from "./node-step.ts";
import type { Pace } from "./pace.ts";
import type { RunContext, Walker } from "./run-context.ts";
import type { Scope } from "./scope.ts";

export class Scheduler implements Driven, Walker {
  private readonly steps: NodeStep;
  private readonly groups: GroupStep;
  private readonly outside = new AsyncResource("run"); // a node must not inherit the async context of the one before it

  constructor(
    private readonly context: RunContext,
    private readonly pace: Pace,
    /** False only in tests: then LangGraph alone begins nodes. */
    private readonly lookAhead: boolean,
  ) {
    this.steps = new NodeStep(context, this);
    this.groups = new GroupStep(context, this.steps);
  }

  /** Runs a whole level, as LangGraph drives it. */
  async drive(scope: Scope): Promise<void> {
    await this.enter(scope);
    try {
      await compile(scope.level).drive(this, scope);
    } catch (error) {
      throw this.context.life.closedBy ?? error;
    }
  }

  /** By the look-ahead, at less than a hundredth of what a graph of LangGraph costs. */
  async walk(scope: Scope): Promise<void> {
    if (!this.lookAhead) return this.drive(scope);
    await this.enter(scope);
    await Promise.all(scope.region.items.map((item) => this.settle(scope, item)));
  }

  async begin(scope: Scope, id: string, isElement = false): Promise<void> {
    const node = scope.level.node(id);
    const makesMore = (!isElement && node?.mapped !== undefined) || node?.element?.calls !== undefined;
    const turn = this.pace.begin(makesMore ? scope.depth : undefined);
    const { life } = this.context;
    if (turn) await life.work(() => turn);
    if (life.closedBy) throw life.closedBy;
  }

  /** Makes the rows of a visit and begins what waits for nothing. */
  enter(scope: Scope): Promise<void> {
    return this.once(scope, "|enter", async () => {
      scope.begun = true;
      const { run, rows } = this.context;
      const ids = scope.region.items.flatMap((item) => itemNodes(scope.level.plan, item));
      await rows.add(
        scope,
        ids.map((id) => newNodeRun(run.engines, scope.level, id, scope.prefix + id)),
      );
      if (this.lookAhead)
        for (const item of scope.region.items) if (scope.region.predecessors.get(item)?.size === 0) void this.settle(scope, item);
    });
  }

  settle(scope: Scope, item: string): Promise<unknown> {
    const { regions, groups } = scope.level.plan;
    const [loop, group] = [regions.get(item), groups.get(item)];
    return this.once(scope, item, async () => {
      await this.enter(scope);
      if (!this.lookAhead) this.assertReady(scope, item);
      await Promise.all([...(scope.region.predecessors.get(item) ?? [])].map((before) => this.settle(scope, before)));
      if (loop) await this.goRound(scope, loop);
      else {
        await this.begin(scope, item);
        await (group ? this.groups.run(scope, group) : this.steps.run(scope, item));
      }
      scope.over.add(item);
      if (this.lookAhead) this.beginSuccessors(scope, item);
    });
  }

  visit(scope: Scope, loop: Region, index: number): Promise<boolean> {
    const inner = scope.visitOf(loop, index);
    return this.once(inner, "|visit", async () => {
      await this.enter(inner);
      await this.settle(inner, loop.items.at(-1) as string); // every other item leads there
      const { life, run, rows, parts } = this.context;
      const again = !life.isCancelled && (await inTurn(() => goesRound(inner)));
      if (!again || index + 1 < loop.maxIterations) return again;
      const path = `${scope.prefix}${loop.id}`;
      await rows.request(() =>
        parts.record.note(run.id, { type: "loop.limit", node: loop.tail, path, body: { maxIterations: loop.maxIterations } }),
      );
      return false;
    });
  }

  private async goRound(scope: Scope, loop: Region): Promise<void> {
    let index = 0;
    while (await this.visit(scope, loop, index)) index++;
    scope.endLoop(loop, index);
  }

  /** SPEC RE3: alone, LangGraph must come in order; waiting for what is missing would hide a mistake of `compile`. */
  private assertReady(scope: Scope, item: string): void {
    const missing = [...(scope.region.predecessors.get(item) ?? [])].find((before) => !scope.over.has(before));
    if (missing !== undefined) throw new Error(`${scope.prefix}${item} was asked for before ${missing} was over.`);
  }

  /** DESIGN E8: what waited only for this item begins now, without a barrier. */
  private beginSuccessors(scope: Scope, item: string): void {
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
}
