// DESIGN E3: the one place that says whether a node runs. Pure, so that every driver gives the same answer.
import type { EdgeKind } from "./graph.ts";

/** How a node run ended, as far as its successors are concerned. `broken`: skipped because a failure was not handled. */
export type Outcome = { status: "completed" } | { status: "failed" } | { status: "skipped"; broken: boolean };

export type EdgeDecision = "taken" | "not" | "broken";

/**
 * What one edge says once its source is decided.
 * @param holds whether its condition does; true without one
 * @param failureHandled whether some on_failure edge of the same source is taken
 */
export function decideEdge(kind: EdgeKind, source: Outcome, holds: boolean, failureHandled: boolean): EdgeDecision {
  if (source.status === "completed") return kind !== "on_failure" && holds ? "taken" : "not";
  if (source.status === "skipped") return source.broken ? "broken" : "not";
  if (kind === "on_failure") return holds ? "taken" : "not";
  return failureHandled ? "not" : "broken";
}

export type Decision = { do: "wait" } | { do: "run" } | { do: "skip"; broken: boolean };

/**
 * @param edges one entry for each incoming edge; undefined while its source is undecided
 * @param fed whether every required port gets a value
 */
export function decide(edges: readonly (EdgeDecision | undefined)[], fed: boolean): Decision {
  if (edges.some((edge) => edge === undefined)) return { do: "wait" };
  if (edges.length === 0) return { do: "run" };
  if (edges.includes("broken")) return { do: "skip", broken: true };
  if (!edges.includes("taken") || !fed) return { do: "skip", broken: false };
  return { do: "run" };
}
