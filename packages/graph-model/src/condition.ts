// DESIGN E4: `when` on an edge is CEL (https://cel.dev) over what its source gave; no other code of a graph is evaluated.
import { celEnv, isCelError, parse, plan } from "@bufbuild/cel";

export const CONDITION_LIMIT = 1000;
const VARIABLES = ["output", "error", "context", "inputs"] as const;

/** What a condition sees. */
export interface ConditionScope {
  /** The source's outputs by port; empty if it failed. */
  output: Readonly<Record<string, unknown>>;
  /** `class`, `code` and `message` of the source's failure; empty if it completed. */
  error: Readonly<Record<string, unknown>>;
  /** The graph's context. */
  context: Readonly<Record<string, unknown>>;
  /** The run's inputs. */
  inputs: Readonly<Record<string, unknown>>;
}

/** A condition that could not be decided: a value it names is not there, or it is not true or false. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
}

const env = celEnv();
const functions = new Set([...env.funcs].map((one) => one.name));
type Plan = ReturnType<typeof plan>;
type Compiled = { plan: Plan } | { bad: string };
const compiled = new Map<string, Compiled>();
const KEPT = 1000;

/** Why a text is no condition, as a sentence; undefined if it is one. */
export function whyNoCondition(text: unknown): string | undefined {
  if (typeof text !== "string" || !text.trim()) return "A condition is a CEL expression, such as output.score > 0.5.";
  const found = compile(text);
  return "bad" in found ? found.bad : undefined;
}

/** @throws ConditionError if the values do not allow an answer */
export function holds(text: string, scope: ConditionScope): boolean {
  const found = compile(text);
  if ("bad" in found) throw new ConditionError(found.bad);
  const value = found.plan(scope as never);
  if (isCelError(value)) throw new ConditionError(`${sentence(value.message)} (in ${text})`);
  if (typeof value !== "boolean") throw new ConditionError(`The condition gives ${typeName(value)}, not true or false (in ${text}).`);
  return value;
}

function compile(text: string): Compiled {
  const known = compiled.get(text);
  if (known) return known;
  if (compiled.size >= KEPT) compiled.clear();
  const made = read(text);
  compiled.set(text, made);
  return made;
}

function read(text: string): Compiled {
  if (text.length > CONDITION_LIMIT)
    return { bad: `The condition has ${text.length} characters; the limit is ${CONDITION_LIMIT.toLocaleString("en")}.` };
  try {
    const parsed = parse(text);
    const bad = whyRefused(parsed.expr, new Set<string>(VARIABLES), 0);
    return bad ? { bad } : { plan: plan(env, parsed) };
  } catch (error) {
    return { bad: `This is not CEL: ${(error as Error).message.replace(/^.*<input>:1:/, "at character ")}.` };
  }
}

type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;

/**
 * Names and functions that do not exist, and comprehensions inside comprehensions: with those left out the time is linear in
 * the data (regular expressions are RE2's), so that a condition cannot hold up the runtime.
 */
function whyRefused(expr: Expr | undefined, names: ReadonlySet<string>, depth: number): string | undefined {
  const kind = expr?.exprKind;
  const all = (list: readonly (Expr | undefined)[]) => list.map((one) => whyRefused(one, names, depth)).find((one) => one !== undefined);
  switch (kind?.case) {
    case "identExpr":
      return names.has(kind.value.name) ? undefined : `There is no ${kind.value.name}; a condition knows ${VARIABLES.join(", ")}.`;
    case "selectExpr":
      return all([kind.value.operand]);
    case "callExpr":
      if (!functions.has(kind.value.function) && !/^[_@?!-]/.test(kind.value.function))
        return `CEL has no function ${kind.value.function}.`;
      return all([kind.value.target, ...kind.value.args]);
    case "listExpr":
      return all(kind.value.elements);
    case "structExpr":
      return all(kind.value.entries.flatMap((one) => [one.keyKind.case === "mapKey" ? one.keyKind.value : undefined, one.value]));
    case "comprehensionExpr": {
      if (depth > 0) return "A loop over a list inside another one is too slow for a condition.";
      const { iterVar, iterVar2, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
      const inner = new Set([...names, iterVar, iterVar2, accuVar]);
      return (
        whyRefused(iterRange, names, depth) ??
        [accuInit, loopCondition, loopStep, result].map((one) => whyRefused(one, inner, depth + 1)).find((one) => one !== undefined)
      );
    }
    default:
      return undefined;
  }
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const typeName = (value: unknown): string =>
  value === null ? "null" : typeof value === "object" ? "a list or an object" : `a ${typeof value}`;

/**
 * What an expression over `inputs` gives: a number, a text or a truth value.
 * @throws ConditionError if it is no expression, or names what is not there
 */
export function calculate(text: string, inputs: Readonly<Record<string, unknown>>): unknown {
  const found = compile(text);
  if ("bad" in found) throw new ConditionError(found.bad);
  const value: unknown = found.plan({ inputs, output: {}, error: {}, context: {} } as never);
  if (isCelError(value)) throw new ConditionError(`${sentence(value.message)} (in ${text})`);
  return typeof value === "bigint" ? Number(value) : value;
}
