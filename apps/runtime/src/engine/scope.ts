// Where a node run lies: the visit of a body, with what was decided in it (SPEC RP).
import type { Level, PlanBody } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";

/** A decided row, and the visit in which it was decided. */
export interface Decided {
  row: NodeRunRow;
  scope: Scope;
}

/** One way through a level: the run's through the graph, or a call's through what it calls. All visits in it share these. */
export class LevelRun {
  /** The rows that were decided in it, in the order in which they were; by path. */
  readonly decided = new Map<string, Decided>();
  /** The path of every row that came to be in it. */
  readonly paths: string[] = [];

  constructor(
    readonly level: Level,
    /** What the level was given: the run's inputs, or the call's. */
    readonly inputs: Record<string, unknown>,
    /** How many calls lie around it. */
    readonly depth: number,
    /** Whether everything in it runs, whatever the cache has, because the call was asked to run again. */
    readonly isForced = false,
  ) {}
}

/**
 * One visit of a body: the whole level once, or a loop's body once per iteration. There is one object per visit, and what is known of
 * the visit is freed with it.
 */
export class Scope {
  /** Whether its rows are there, or are being made. */
  hasBegun = false;
  private readonly visits = new Map<string, Scope[]>();
  private readonly last = new Map<string, Scope>();

  constructor(
    readonly within: LevelRun,
    /** What stands before every node id of this visit in its path. */
    readonly prefix: string,
    readonly body: PlanBody = within.level.plan.root,
    /** The visit around it, in the same level. */
    readonly outer?: Scope,
    /** The iteration of its loop, from 0. */
    readonly visit = 0,
  ) {}

  get level(): Level {
    return this.within.level;
  }

  /** A visit of a loop in this one. */
  visitOf(loop: PlanBody, index: number): Scope {
    const visits = this.visits.get(loop.id) ?? [];
    this.visits.set(loop.id, visits);
    visits[index] ??= new Scope(this.within, `${this.prefix}${loop.id}[${index}]/`, loop, this, index);
    return visits[index];
  }

  /** Notes after which visit a loop was over. */
  endLoop(loop: PlanBody, last: number): void {
    this.last.set(loop.id, this.visitOf(loop, last));
  }

  /** Keeps a decided row for those that look it up. */
  keep(row: NodeRunRow): void {
    this.within.decided.set(row.path, { row, scope: this });
  }

  /** The row of a node of the level as seen from here; undefined while it is undecided. */
  lookup(id: string): NodeRunRow | undefined {
    const inward: PlanBody[] = [];
    for (let body = this.level.plan.home.get(id); body; body = body.parent) inward.unshift(body);
    let scope: Scope | undefined = this;
    while (scope && !inward.includes(scope.body)) scope = scope.outer;
    if (!scope) return undefined;
    for (const body of inward.slice(inward.indexOf(scope.body) + 1)) {
      scope = scope.last.get(body.id);
      if (!scope) return undefined;
    }
    return scope.within.decided.get(scope.prefix + id)?.row;
  }
}
