import type { Level, Region } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/types.ts";

export type DecidedRow = NodeRunRow & { output?: Record<string, unknown> | null };

/** One visit of a region: the whole graph once, a loop's body once per iteration, a definition once per call. */
export interface Scope {
  /** Before every node id of this visit in its path (SPEC RP). */
  prefix: string;
  level: Level;
  region: Region;
  /** 0 for the first iteration of a loop. */
  visit: number;
  /** The visit around it, in the same level. */
  outer?: Scope;
  /** What the level was given: the run's inputs, or a call's. */
  inputs: Record<string, unknown>;
}

/** A row that was decided, and the visit in which. */
export interface Decided {
  row: DecidedRow;
  scope: Scope;
}

export const rootScope = (level: Level, prefix: string, inputs: Record<string, unknown>): Scope => ({
  prefix,
  level,
  region: level.plan.root,
  visit: 0,
  inputs,
});

export const visitScope = (outer: Scope, region: Region, visit: number): Scope => ({
  prefix: `${outer.prefix}${region.id}[${visit}]/`,
  level: outer.level,
  region,
  visit,
  outer,
  inputs: outer.inputs,
});
