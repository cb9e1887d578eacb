// CEL with a budget. An evaluation spends units for each turn of a loop and each call, by the size of what they work on, and
// one that has spent them all is over at once. Units and not time, so that every machine, and every replay, gives the same verdict.
// One unit is what a step of the plainest loop takes; cel.test.ts holds what calls were measured to take beside that.
import { type CelFunc, CelScalar, celEnv, celError, celFunc, isCelError, isCelList, isCelMap, parse, plan } from "@bufbuild/cel";
import { celOf } from "./cel-values.ts";
import { Condition, type Expr } from "./condition.ts";

/** What an evaluation may spend: about what asking one question of each of 50,000 elements costs, some hundredths of a second. */
const UNITS = 1_000_000;
const TURN = "@turn";
const RANGE = "@range";

/** The evaluation, or those that share a budget, spent all their units. */
class TooMuchWork extends Error {}

let left = 0;
/** How many units were spent since the process began; a driver gives way to others by it. */
let spent = 0;
export const unitsSpent = (): number => spent;

/** Past the bound no error of CEL would do: the other side of an || may answer one, and the work would go on. */
function spend(units: number): void {
  left -= units;
  spent += Math.min(units, UNITS);
  if (left < 0) throw new TooMuchWork();
}

let shared = false;
/** All evaluations in here have one budget together. */
export function withOneBudget<T>(work: () => T): T {
  if (shared) return work();
  shared = true;
  left = UNITS;
  try {
    return work();
  } finally {
    shared = false;
  }
}

/** To find that an overload is not the one. */
const MISS = 2;

/** Wraps a function of the library so that a call is paid for: before it where its price is known, else afterwards by its arguments. */
function paid(func: CelFunc): CelFunc {
  const price = PRICES[func.name];
  return Object.create(func, {
    call: {
      value: (id: number, target: never, args: never[]) => {
        if (left < 0) throw new TooMuchWork();
        if (args.length !== func.arguments.length) return undefined; // another overload is tried
        const values = target === undefined ? args : [target, ...args];
        try {
          const units = price?.(values) ?? 0;
          spend(units);
          const result = func.call(id, target, args);
          if (result === undefined) spend(MISS - units);
          else if (!price) spend(shallow(values));
          return result;
        } catch (error) {
          if (error instanceof TooMuchWork) throw error;
          return celError(error, id);
        }
      },
    },
  }) as CelFunc;
}

const shallow = (values: readonly unknown[]): number => values.reduce<number>((sum, value) => sum + sizeOf(value), 1);

function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length >> 4; // engines go over 16 characters about as fast as one call is made
  if (value instanceof Uint8Array) return value.length >> 3;
  if (isCelList(value)) return value.size;
  return typeof value === "object" && value !== null && !isCelMap(value) ? OBJECT : 0;
}
/** A time or a duration is a message, which is made anew by each call. */
const OBJECT = 50;

/** Comparisons go all the way down; so does this, as far as the units that are left. */
function deep(values: readonly unknown[]): number {
  let units = 1;
  const open: unknown[] = [...values];
  while (open.length > 0) {
    const value = open.pop();
    units += isCelMap(value) ? ENTRY * (1 + value.size) : 1 + sizeOf(value);
    if (units > left) break;
    if (isCelList(value)) for (const element of value) open.push(element);
    else if (isCelMap(value)) for (const [, entry] of value) open.push(entry);
  }
  return units;
}
/** To list an entry of a map, and to look it up in another one. */
const ENTRY = 4;
/** To list an entry of a map that nothing else is asked of. */
const LISTED = 10;

/** A map is looked into, a list is compared element by element. */
const membership = ([value, container]: readonly unknown[]): number => (isCelMap(container) ? 1 + sizeOf(value) : deep([value, container]));

/** The characters of a text are counted one by one, the keys of a map are listed. */
const counting = ([value]: readonly unknown[]): number => {
  if (typeof value === "string") return 1 + value.length / 2;
  return isCelMap(value) ? 1 + LISTED * value.size : 1;
};

/** A pattern is compiled by each call. What is more than plain words goes over a text with all of the pattern at each character. */
function matching([text, pattern]: readonly unknown[]): number {
  if (typeof text !== "string" || typeof pattern !== "string") return 1;
  const program = programOf(pattern);
  const isPlain = !/[^\w\s|,;:!"'<>=@#%&~`/-]/.test(pattern);
  return 250 + 16 * program + text.length * (isPlain ? 1 : 0.75 * (16 + program));
}

/** An escaped character, a class, a count of repetitions, or a character. No choice in it may go over a long text again. */
const INSTRUCTION = /\\(?:[pPx]\{[^}]{0,40}\}|[\s\S])|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]?|\{(\d{1,9})(?:,(\d{0,9}))?\}|[\s\S]/g;

/** About how many instructions a pattern is compiled to: `{n}` repeats all that it stands behind. */
function programOf(pattern: string): number {
  const groups = [0];
  let last = 0;
  const add = (size: number) => {
    last = size;
    groups[groups.length - 1] = (groups.at(-1) ?? 0) + size;
  };
  for (const [token, least, most] of pattern.matchAll(INSTRUCTION)) {
    const times = Math.max(Number(least ?? 1), Number(most ?? 0), 1);
    if (least !== undefined) add(last * (times - 1) + times);
    else if (token === "(") groups.push(0);
    else if (token === ")" && groups.length > 1) add(1 + (groups.pop() ?? 0));
    else add(1);
  }
  return groups.reduce((sum, size) => sum + size);
}

/** Reading a number takes longer the more digits there are before it. */
const digits = ([text]: readonly unknown[]): number => 20 + (typeof text === "string" ? text.length ** 2 / 256 : 0);

/** A number, a time or a duration is written out, or read. */
const converting = (values: readonly unknown[]): number => 50 + shallow(values);

/** With a time zone, the library makes a formatter for each call. */
const inZone = (values: readonly unknown[]): number => (values.length > 1 ? 2500 : 1) + shallow(values);
const OF_TIME = ["FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "Hours", "Minutes", "Seconds", "Milliseconds"];

/** A text that is looked for may nearly fit at each place of the other, and is compared there letter by letter. */
const within = ([text, part]: readonly unknown[]): number =>
  1 + (typeof text === "string" && typeof part === "string" ? (text.length * (16 + part.length)) / 64 : 0);

const PRICES: Readonly<Record<string, (values: readonly unknown[]) => number>> = {
  ...Object.fromEntries(OF_TIME.map((part) => [`get${part}`, inZone])),
  "_==_": deep,
  "_!=_": deep,
  "@in": membership,
  size: counting,
  matches: matching,
  contains: within,
  int: digits,
  uint: digits,
  string: converting,
  timestamp: converting,
  duration: converting,
};

/** A function that the planner calls with units to spend, and that gives its last argument. */
const costing = (name: string, units: (values: readonly never[]) => number): CelFunc =>
  Object.create(
    celFunc(name, [CelScalar.INT, CelScalar.DYN], CelScalar.DYN, () => null),
    {
      call: {
        value: (_id: number, _target: undefined, values: never[]) => {
          spend(units(values));
          return values[1];
        },
      },
    },
  );
const turn = costing(TURN, ([units]) => Number(units));
/** Before its first turn, a loop lists all that it will go over. */
const range = costing(RANGE, ([, over]) => (isCelList(over) || isCelMap(over) ? (over as { size: number }).size : 0));
const standard = [...celEnv().funcs];
const environment = celEnv({ funcs: [...standard.map(paid), turn, range] });

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

type Evaluate = (scope: Readonly<Record<string, unknown>>) => unknown;
/** Planned when that is first needed, and once: planning writes what turns cost into the parsed expression. */
const plans = new WeakMap<Condition, Evaluate>();

/** @throws ConditionError if the values do not allow an answer */
export function holds(condition: Condition, scope: ConditionScope): boolean {
  const value = answerOf(condition, scope);
  if (typeof value !== "boolean")
    throw new ConditionError(`The condition gives ${typeName(value)}, not true or false (in ${condition.text}).`);
  return value;
}

/**
 * What an expression over `inputs` gives: a number, a text or a truth value.
 * @throws ConditionError if it is no expression, or names what is not there
 */
export function calculate(text: string, inputs: Readonly<Record<string, unknown>>): unknown {
  const value = answerOf(new Condition(text), { inputs, output: {}, error: {}, context: {} });
  return typeof value === "bigint" ? Number(value) : value;
}

function answerOf(condition: Condition, scope: ConditionScope): unknown {
  const { parsed, text } = condition;
  if ("bad" in parsed) throw new ConditionError(parsed.bad);
  const evaluate = plans.get(condition) ?? planWithBudget(parsed.expression);
  plans.set(condition, evaluate);
  try {
    const value = evaluate({ ...scope });
    if (isCelError(value)) throw new ConditionError(`${sentence(value.message)} (in ${text})`);
    return value;
  } catch (error) {
    if (error instanceof TooMuchWork)
      throw new ConditionError(
        `The condition is too much work for the values it was given, alone or with those judged before it for the same node (in ${text}).`,
      );
    throw error;
  }
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const typeName = (value: unknown): string =>
  value === null ? "null" : typeof value === "object" ? "a list or an object" : `a ${typeof value}`;

/** @returns a function that evaluates, and throws TooMuchWork once the units are spent */
export function planWithBudget(parsed: ReturnType<typeof parse>): Evaluate {
  const size = payTurns(parsed.expr);
  const evaluate = plan(environment, parsed);
  return (scope) =>
    withOneBudget(() => {
      spend(size);
      const value = withoutStacks(() => evaluate(valuesOf(scope) as never));
      // The planner makes an error of CEL of all that is thrown.
      if (left < 0) throw new TooMuchWork();
      return value;
    });
}

const valuesOf = (scope: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(scope).map(([name, value]) => [name, celOf(value)]));

/** An error of CEL is a value like others, of which a loop may make one in each turn; its stack would cost 500 times a step. */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Each turn of a loop pays for all that stands in its body. Returns how much stands in the expression. */
function payTurns(expr: Expr | undefined): number {
  const kind = expr?.exprKind;
  const sum = (list: readonly (Expr | undefined)[]): number => list.reduce((total, one) => total + payTurns(one), 1);
  switch (kind?.case) {
    case "selectExpr":
      return sum([kind.value.operand]);
    case "callExpr":
      return sum([kind.value.target, ...kind.value.args]);
    case "listExpr":
      return sum(kind.value.elements);
    case "structExpr":
      return sum(kind.value.entries.flatMap((entry) => [entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined, entry.value]));
    case "comprehensionExpr": {
      const { iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
      const body = sum([loopCondition, loopStep]);
      const units = body + sum([iterRange, accuInit, result]);
      if (loopCondition) kind.value.loopCondition = costingCall(TURN, body, loopCondition);
      if (iterRange) kind.value.iterRange = costingCall(RANGE, 0, iterRange);
      return units;
    }
    default:
      return 1;
  }
}

function costingCall(name: string, units: number, of: Expr): Expr {
  const made = parse(`call(${units}, true)`).expr as Expr;
  if (made.exprKind.case === "callExpr") {
    made.exprKind.value.function = name;
    made.exprKind.value.args[1] = of;
  }
  return made;
}
