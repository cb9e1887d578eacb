// Decides when an item is ready: a node, a region or a loop. An item of a visit is settled once, however often it is asked for, and nothing
// begins elsewhere. LangGraph asks for it, or the look-ahead when its last predecessor is over; the first of the two begins it, and the
// record decides what its result means.
import { AsyncResource } from "node:async_hooks";
import { itemNodes, type PlanBody } from "@spindle/graph-model";
import { compile, type Driven } from "./compile.ts";
import { goesRound, inTurn } from "./edges.ts";
import { newNodeRun } from "./freeze.ts";
import { NodeStep } from "./node-step.ts";
import { RegionStep } from "./region-step.ts";
import type { RunContext } from "./run-context.ts";
import type { Scope } from "./scope.ts";

/** How far a visit has come. */
interface Progress {
  /** What has begun in it, by item. */
  flights: Map<string, Promise<unknown>>;
  /** The nodes, regions and loops that are over. */
  over: Set<string>;
}

export class Scheduler implements Driven {
  private readonly steps: NodeStep;
  private readonly regions: RegionStep;
  private readonly outside = new AsyncResource("run"); // a node must not inherit the async context of the one before it
  private readonly progress = new WeakMap<Scope, Progress>();

  constructor(private readonly context: RunContext) {
    this.steps = new NodeStep(context, (scope) => this.walk(scope));
    this.regions = new RegionStep(context, this.steps);
  }

  /** Runs the whole graph, as LangGraph drives it. */
  async drive(scope: Scope): Promise<void> {
    await this.enter(scope);
    try {
      await compile(scope.level).drive(this, scope);
    } catch (error) {
      throw this.context.life.closedBy ?? error;
    }
  }

  /** Runs a level that a node calls by the look-ahead alone, at less than a hundredth of what a graph of LangGraph costs. */
  private async walk(scope: Scope): Promise<void> {
    await this.enter(scope);
    await Promise.all(scope.body.items.map((item) => this.settle(scope, item)));
  }

  /** Makes the rows of a visit, and begins the items without predecessors. */
  enter(scope: Scope): Promise<void> {
    return this.once(scope, "|enter", async () => {
      scope.hasBegun = true;
      const { run, rows } = this.context;
      const ids = scope.body.items.flatMap((item) => itemNodes(scope.level.plan, item));
      await rows.add(
        scope,
        ids.map((id) => newNodeRun(run.engines, scope.level, id, scope.prefix + id)),
      );
      for (const item of scope.body.items) if (scope.body.predecessors.get(item)?.size === 0) void this.settle(scope, item);
    });
  }

  settle(scope: Scope, item: string): Promise<unknown> {
    const { loops, regions } = scope.level.plan;
    const [loop, region] = [loops.get(item), regions.get(item)];
    return this.once(scope, item, async () => {
      await this.enter(scope);
      await Promise.all([...(scope.body.predecessors.get(item) ?? [])].map((before) => this.settle(scope, before)));
      if (loop) await this.goRound(scope, loop);
      else await (region ? this.regions.run(scope, region) : this.steps.run(scope, item));
      this.progressOf(scope).over.add(item);
      this.beginSuccessors(scope, item);
    });
  }

  visit(scope: Scope, loop: PlanBody, index: number): Promise<boolean> {
    const inner = scope.visitOf(loop, index);
    return this.once(inner, "|visit", async () => {
      await this.enter(inner);
      await this.settle(inner, loop.items.at(-1) as string); // every other item leads there
      const { life, run, rows, parts } = this.context;
      const again = !life.isCancelled && (await inTurn(() => goesRound(inner)));
      if (!again || index + 1 < loop.maxIterations) return again;
      const path = `${scope.prefix}${loop.id}`;
      await rows.request(() =>
        parts.nodes.note(run.id, { type: "loop.limit", node: loop.tail, path, body: { maxIterations: loop.maxIterations } }),
      );
      return false;
    });
  }

  private async goRound(scope: Scope, loop: PlanBody): Promise<void> {
    let index = 0;
    while (await this.visit(scope, loop, index)) index++;
    scope.endLoop(loop, index);
  }

  /** Begins what waited only for this item, without waiting for the rest of its layer (DESIGN E8). */
  private beginSuccessors(scope: Scope, item: string): void {
    const { over } = this.progressOf(scope);
    for (const next of scope.body.successors.get(item) ?? [])
      if ([...(scope.body.predecessors.get(next) ?? [])].every((before) => over.has(before))) void this.settle(scope, next);
  }

  private once<T>(scope: Scope, what: string, work: () => Promise<T>): Promise<T> {
    const { flights } = this.progressOf(scope);
    const known = flights.get(what) as Promise<T> | undefined;
    if (known) return known;
    const flight = this.outside.runInAsyncScope(work);
    flight.catch(() => {}); // nothing may be waiting for it yet
    flights.set(what, flight);
    return flight;
  }

  private progressOf(scope: Scope): Progress {
    const known = this.progress.get(scope) ?? { flights: new Map(), over: new Set() };
    this.progress.set(scope, known);
    return known;
  }
}
