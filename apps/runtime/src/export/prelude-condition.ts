// Conditions in CEL (https://cel.dev), for exported programs that have some, with the limits of a run.
import { Condition, holds, withOneBudget } from "@spindle/graph-model";
import { budget, type Values } from "./prelude.ts";

budget.share = withOneBudget;

function cel(text: string, context: Values) {
  const condition = new Condition(text);
  return (about: { output: Values; error: Values; inputs: Values }): boolean => holds(condition, { ...about, context });
}

// ---

/** For the sources of this file alone. */
export const used = { cel };
