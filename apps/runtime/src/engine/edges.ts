// How edges are decided in one visit (SPEC RC, RL), by conditions, branches, and failures that were taken care of. Reads rows and changes
// none. Whatever may answer a condition is called through `inTurn`.
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  ConditionError,
  decideEdge,
  type EdgeDecision,
  edgeMetadata,
  type GraphEdge,
  holds as isTrue,
  nodeTitle,
  type Outcome,
  unitsSpent,
  withOneBudget,
} from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";
import type { Scope } from "./scope.ts";

/** A condition that could not be answered; the node it leads to fails with it. */
export class BadCondition extends Error {}

/** Units that conditions may spend in one turn of the event loop: some thousandths of a second. */
const UNITS_A_TURN = 100_000;
/** The units that were spent when the turn began. */
let spentBefore = unitsSpent();
let judging: Promise<unknown> = Promise.resolve();

/**
 * Answers conditions, and lets the event loop serve other requests once they have spent much time on its thread. The calls of all runs
 * come one after the other, because each has to know what those before it have spent. All conditions of one call share one budget
 * (cel.ts), so that at most that budget and UNITS_A_TURN are spent in one turn.
 */
export function inTurn<T>(judge: () => T): Promise<T> {
  const judged = judging.then(async () => {
    if (unitsSpent() - spentBefore >= UNITS_A_TURN) {
      await nextTurn();
      spentBefore = unitsSpent();
    }
    return withOneBudget(judge);
  });
  judging = judged.catch(() => {});
  return judged;
}

/** How a decided row ended, for its successors (DESIGN E3). */
export function outcomeOf(row: Pick<NodeRunRow, "state" | "broken">): Outcome {
  if (row.state === "succeeded") return { status: "completed" };
  if (row.state === "skipped") return { status: "skipped", broken: row.broken };
  return { status: "failed" };
}

/**
 * How the edges that lead to a node are decided, one that loops back among them; undefined for an edge whose source is undecided.
 * @param together nodes that run in one go with this one: what comes from them is taken
 * @throws BadCondition
 */
export function edgesTo(scope: Scope, id: string, together?: ReadonlyMap<string, unknown>): (EdgeDecision | undefined)[] {
  const edges: (EdgeDecision | undefined)[] = (scope.level.plan.shape.incoming.get(id) ?? []).map((edge) =>
    together?.has(edge.from) ? "taken" : edgeFrom(scope, edge),
  );
  if (backEdge(scope, id)) edges.push("taken");
  return edges;
}

/** @throws BadCondition */
function edgeFrom(scope: Scope, edge: GraphEdge): EdgeDecision | undefined {
  const source = scope.lookup(edge.from);
  return source && decideFrom(scope, edge, source);
}

function decideFrom(scope: Scope, edge: GraphEdge, source: NodeRunRow): EdgeDecision {
  const outcome = outcomeOf(source);
  const kind = edge.kind ?? "normal";
  const matters = outcome.status === (kind === "on_failure" ? "failed" : "completed");
  return decideEdge(kind, outcome, !matters || holds(scope, edge, source), outcome.status === "failed" && isHandled(scope, source));
}

function holds(scope: Scope, edge: GraphEdge, source: NodeRunRow): boolean {
  const { sourcePort } = edgeMetadata(edge);
  const output = source.output ?? {};
  if (scope.level.branches.has(edge) && source.state === "succeeded" && !Object.hasOwn(output, sourcePort ?? "")) return false;
  const condition = scope.level.condition(edge);
  if (!condition) return true;
  try {
    return isTrue(condition, { output, error: { ...source.error }, context: scope.level.graph.context ?? {}, inputs: scope.within.inputs });
  } catch (cause) {
    if (!(cause instanceof ConditionError)) throw cause;
    const from = scope.level.node(edge.from)?.node;
    throw new BadCondition(`The condition on the edge from ${from ? nodeTitle(from) : edge.from} cannot be answered. ${cause.message}`);
  }
}

/** DESIGN E5: whether some on_failure edge of the failed row was taken, a loop's to its next visit among them. */
export function isHandled(scope: Scope, row: NodeRunRow): boolean {
  const taken = (scope.level.plan.shape.outgoing.get(row.node_id) ?? []).some((edge) => {
    if (edge.kind !== "on_failure") return false;
    try {
      return holds(scope, edge, row);
    } catch {
      return false; // its target fails with it
    }
  });
  if (taken) return true;
  for (let at = scope; at.outer && at.body.tail === row.node_id; at = at.outer)
    if (at.body.edge?.kind === "on_failure" && at.outer.visitOf(at.body, at.visit + 1).hasBegun) return true;
  return false;
}

/** Whether a loop goes round again after a visit that is over. */
export function goesRound(visit: Scope): boolean {
  const { edge, tail } = visit.body;
  const row = visit.lookup(tail);
  if (!edge || !row) return false;
  try {
    return decideFrom(visit, edge, row) === "taken";
  } catch {
    return true; // the next visit's head fails with it, which says where
  }
}

/**
 * The loop edge by which a head was reached, with the row it comes from; undefined on a first visit.
 * @throws BadCondition if the edge was followed only to say that its condition cannot be answered
 */
export function backEdge(scope: Scope, id: string): { edge: GraphEdge; row: NodeRunRow } | undefined {
  for (let at: Scope | undefined = scope; at?.outer && at.body.head === id; at = at.outer) {
    if (at.visit === 0 || !at.body.edge) continue;
    const before = at.outer.visitOf(at.body, at.visit - 1);
    const row = before.lookup(at.body.tail);
    if (!row) return undefined;
    decideFrom(before, at.body.edge, row);
    return { edge: at.body.edge, row };
  }
  return undefined;
}
