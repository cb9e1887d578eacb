// What edges say in one visit (SPEC RC, RL): conditions, branches, failures that were taken care of. Reads rows, changes nothing.
// What may answer a condition is called through `inTurn`.
import { setImmediate as others } from "node:timers/promises";
import {
  ConditionError,
  type Decision,
  decide,
  decideEdge,
  type EdgeDecision,
  edgeMetadata,
  type GraphEdge,
  nodeTitle,
  type Outcome,
  unitsSpent,
  withOneBudget,
} from "@spindle/graph-model";
import type { DecidedRow, Scope } from "./scope.ts";

/** A condition that could not be answered; the node it leads to fails with it. */
export class BadCondition extends Error {}

/** Units of conditions, after which whoever else waits has a turn of the event loop: some thousandths of a second. */
const UNITS_A_TURN = 100_000;
let given = unitsSpent();
let judging: Promise<unknown> = Promise.resolve();

/**
 * Whatever answers conditions runs through here: it does so on the thread that serves everybody. One after the other, for all runs
 * together, or none would see what the others spent. All that one call judges has one budget (cel.ts): between two turns lie at most that
 * and UNITS_A_TURN.
 */
export function inTurn<T>(judge: () => T): Promise<T> {
  const judged = judging.then(async () => {
    if (unitsSpent() - given >= UNITS_A_TURN) {
      await others();
      given = unitsSpent();
    }
    return withOneBudget(judge);
  });
  judging = judged.catch(() => {});
  return judged;
}

/** How a decided row ended, for its successors (DESIGN E3). */
export function outcomeOf(row: Pick<DecidedRow, "state" | "broken">): Outcome {
  if (row.state === "succeeded") return { status: "completed" };
  if (row.state === "skipped") return { status: "skipped", broken: row.broken };
  return { status: "failed" };
}

/**
 * @param together nodes that run in one go with this one: what comes from them is taken
 * @throws BadCondition
 */
export function judgeNode(scope: Scope, id: string, fed: boolean, together?: ReadonlyMap<string, unknown>): Decision {
  const edges: (EdgeDecision | undefined)[] = (scope.level.plan.shape.incoming.get(id) ?? []).map((edge) =>
    together?.has(edge.from) ? "taken" : judgeEdge(scope, edge),
  );
  if (backEdge(scope, id)) edges.push("taken");
  return decide(edges, fed);
}

/** @throws BadCondition */
function judgeEdge(scope: Scope, edge: GraphEdge): EdgeDecision | undefined {
  const source = scope.lookup(edge.from);
  return source && decideFrom(scope, edge, source);
}

function decideFrom(scope: Scope, edge: GraphEdge, source: DecidedRow): EdgeDecision {
  const outcome = outcomeOf(source);
  const kind = edge.kind ?? "normal";
  const matters = outcome.status === (kind === "on_failure" ? "failed" : "completed");
  return decideEdge(kind, outcome, !matters || holds(scope, edge, source), outcome.status === "failed" && isHandled(scope, source));
}

function holds(scope: Scope, edge: GraphEdge, source: DecidedRow): boolean {
  const { sourcePort } = edgeMetadata(edge);
  const output = source.output ?? {};
  if (scope.level.branches.has(edge) && source.state === "succeeded" && !Object.hasOwn(output, sourcePort ?? "")) return false;
  const condition = scope.level.condition(edge);
  if (!condition) return true;
  try {
    return condition.holds({ output, error: { ...source.error }, context: scope.level.graph.context ?? {}, inputs: scope.inputs });
  } catch (cause) {
    if (!(cause instanceof ConditionError)) throw cause;
    const from = scope.level.node(edge.from)?.node;
    throw new BadCondition(`The condition on the edge from ${from ? nodeTitle(from) : edge.from} cannot be answered. ${cause.message}`);
  }
}

/** DESIGN E5: whether some on_failure edge of the failed row was taken, a loop's to its next visit among them. */
export function isHandled(scope: Scope, row: DecidedRow): boolean {
  const taken = (scope.level.plan.shape.outgoing.get(row.node_id) ?? []).some((edge) => {
    if (edge.kind !== "on_failure") return false;
    try {
      return holds(scope, edge, row);
    } catch {
      return false; // its target fails with it
    }
  });
  if (taken) return true;
  for (let at = scope; at.outer && at.region.tail === row.node_id; at = at.outer)
    if (at.region.edge?.kind === "on_failure" && at.outer.hasBegun(at.region, at.visit + 1)) return true;
  return false;
}

/** Whether a loop goes round again after a visit that is over. */
export function goesRound(visit: Scope): boolean {
  const { edge, tail } = visit.region;
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
export function backEdge(scope: Scope, id: string): { edge: GraphEdge; row: DecidedRow } | undefined {
  for (let at: Scope | undefined = scope; at?.outer && at.region.head === id; at = at.outer) {
    if (at.visit === 0 || !at.region.edge) continue;
    const before = at.outer.visitOf(at.region, at.visit - 1);
    const row = before.lookup(at.region.tail);
    if (!row) return undefined;
    decideFrom(before, at.region.edge, row);
    return { edge: at.region.edge, row };
  }
  return undefined;
}
