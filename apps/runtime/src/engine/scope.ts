// Where a node run lies: the visit of a region, with what was decided in it (SPEC RP).
import type { Level, Region } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/types.ts";

export type DecidedRow = NodeRunRow & { output?: Record<string, unknown> | null };

/** A row that was decided, and the visit in which. */
export interface Decided {
  row: DecidedRow;
  scope: Scope;
}

/**
 * One visit of a region: the whole graph once, a loop's body once per iteration, a definition once per call. There is one object
 * per visit, and what is known of the visit is freed with it.
 */
export class Scope {
  /** Settling is single-flight: what has begun here, by item. */
  readonly flights = new Map<string, Promise<unknown>>();
  /** Items that are over: nodes, groups and loops. */
  readonly over = new Set<string>();
  /** Its rows are there, or come to be. */
  begun = false;
  /** Of its level, all visits together, in the order in which they were decided; by path. */
  readonly decided: Map<string, Decided>;
  /** Of its level likewise: every row that came to be. */
  readonly paths: string[];
  private readonly visits = new Map<string, Scope[]>();
  private readonly last = new Map<string, Scope>();

  private constructor(
    /** Before every node id of this visit in its path. */
    readonly prefix: string,
    readonly level: Level,
    readonly region: Region,
    /** What the level was given: the run's inputs, or a call's. */
    readonly inputs: Record<string, unknown>,
    /** How many calls lie around it. */
    readonly depth: number,
    /** The visit around it, in the same level. */
    readonly outer: Scope | undefined,
    /** 0 for the first iteration of a loop. */
    readonly visit: number,
    /** Everything in it runs, whatever the cache has: the call was asked to run again. */
    readonly isForced: boolean,
  ) {
    this.decided = outer?.decided ?? new Map();
    this.paths = outer?.paths ?? [];
  }

  /** The one visit of a whole level: of the graph, or of what a node calls. */
  static ofLevel(level: Level, prefix: string, inputs: Record<string, unknown>, depth: number, isForced = false): Scope {
    return new Scope(prefix, level, level.plan.root, inputs, depth, undefined, 0, isForced);
  }

  /** A visit of a loop in this one. */
  visitOf(loop: Region, index: number): Scope {
    const visits = this.visits.get(loop.id) ?? [];
    this.visits.set(loop.id, visits);
    visits[index] ??= new Scope(
      `${this.prefix}${loop.id}[${index}]/`,
      this.level,
      loop,
      this.inputs,
      this.depth,
      this,
      index,
      this.isForced,
    );
    return visits[index];
  }

  hasBegun(loop: Region, index: number): boolean {
    return this.visits.get(loop.id)?.[index]?.begun === true;
  }

  /** The visit after which a loop is over. */
  endLoop(loop: Region, last: number): void {
    this.last.set(loop.id, this.visitOf(loop, last));
  }

  keep(row: DecidedRow): void {
    this.decided.set(row.path, { row, scope: this });
  }

  /** The row of a node of the level as seen from here; undefined while it is undecided. */
  lookup(id: string): DecidedRow | undefined {
    const inward: Region[] = [];
    for (let region = this.level.plan.home.get(id); region; region = region.parent) inward.unshift(region);
    let scope: Scope | undefined = this;
    while (scope && !inward.includes(scope.region)) scope = scope.outer;
    if (!scope) return undefined;
    for (const region of inward.slice(inward.indexOf(scope.region) + 1)) {
      scope = scope.last.get(region.id);
      if (!scope) return undefined;
    }
    return scope.decided.get(scope.prefix + id)?.row;
  }
}
