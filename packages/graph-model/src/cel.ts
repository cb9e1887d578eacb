// CEL with a budget. An evaluation spends units for each turn of a loop and each call, by the size of what they work on, and
// one that has spent them all is over at once. Units and not time, so that every machine, and every replay, gives the same verdict.
import { type CelFunc, CelScalar, celEnv, celError, celFunc, isCelList, isCelMap, parse, plan } from "@bufbuild/cel";

export type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;

/** What an evaluation may spend: about what asking one question of each of 50,000 elements costs, some tenths of a second. */
const UNITS = 1_000_000;
const TURN = "@turn";

/** The evaluation, or those that share a budget, spent all their units. */
export class TooMuchWork extends Error {}

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
          if (price) spend(price(values));
          const result = func.call(id, target, args);
          if (!price && result !== undefined) spend(shallow(values));
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
  if (value instanceof Uint8Array) return value.length >> 4;
  return isCelList(value) ? value.size : 0;
}

/** Comparisons go all the way down; so does this, as far as the units that are left. */
function deep(values: readonly unknown[]): number {
  let units = 1;
  const open: unknown[] = [...values];
  while (open.length > 0) {
    const value = open.pop();
    units += 1 + (isCelList(value) || isCelMap(value) ? value.size : sizeOf(value));
    if (units > left) break;
    if (isCelList(value)) for (const element of value) open.push(element);
    else if (isCelMap(value)) for (const [, entry] of value) open.push(entry);
  }
  return units;
}

/** A pattern costs its size once, and again for each few characters of the text; `{n}` makes it n times as large. */
function matching([text, pattern]: readonly unknown[]): number {
  if (typeof text !== "string" || typeof pattern !== "string") return 1;
  const repeated = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].reduce(
    (product, [, least, most]) => product * Math.max(1, Number(least), Number(most ?? 0)),
    1,
  );
  const program = pattern.length * repeated;
  return 1 + 16 * program + (text.length * (16 + program)) / 16;
}

/** Reading a number takes longer the more digits there are before it. */
const digits = ([text]: readonly unknown[]): number => 1 + (typeof text === "string" ? text.length ** 2 / 256 : 0);

/** With a time zone, the library makes a formatter for each call. */
const inZone = (values: readonly unknown[]): number => (values.length > 1 ? 500 : 1) + shallow(values);
const OF_TIME = ["FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "Hours", "Minutes", "Seconds", "Milliseconds"];

/** A text that is looked for may nearly fit at each place of the other, and is compared there letter by letter. */
const within = ([text, part]: readonly unknown[]): number =>
  1 + (typeof text === "string" && typeof part === "string" ? (text.length * (16 + part.length)) / 256 : 0);

const PRICES: Readonly<Record<string, (values: readonly unknown[]) => number>> = {
  ...Object.fromEntries(OF_TIME.map((part) => [`get${part}`, inZone])),
  "_==_": deep,
  "_!=_": deep,
  "@in": deep,
  matches: matching,
  contains: within,
  int: digits,
  uint: digits,
};

const turn: CelFunc = Object.create(
  celFunc(TURN, [CelScalar.INT, CelScalar.DYN], CelScalar.DYN, () => null),
  {
    call: {
      value: (_id: number, _target: undefined, [units, again]: [bigint, never]) => {
        spend(Number(units));
        return again;
      },
    },
  },
);
const standard = [...celEnv().funcs];
const environment = celEnv({ funcs: [...standard.map(paid), turn] });
export const FUNCTIONS: ReadonlySet<string> = new Set(standard.map(({ name }) => name));

/** @returns a function that evaluates, and throws TooMuchWork once the units are spent */
export function planWithBudget(parsed: ReturnType<typeof parse>): (scope: object) => unknown {
  payTurns(parsed.expr);
  const evaluate = plan(environment, parsed);
  return (scope) =>
    withOneBudget(() => {
      if (left < 0) throw new TooMuchWork();
      const value = evaluate(scope as never);
      // The planner makes an error of CEL of all that is thrown.
      if (left < 0) throw new TooMuchWork();
      return value;
    });
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
      if (loopCondition) kind.value.loopCondition = turnOf(body, loopCondition);
      return body + sum([iterRange, accuInit, result]);
    }
    default:
      return 1;
  }
}

function turnOf(units: number, condition: Expr): Expr {
  const made = parse(`turn(${units}, true)`).expr as Expr;
  if (made.exprKind.case === "callExpr") {
    made.exprKind.value.function = TURN;
    made.exprKind.value.args[1] = condition;
  }
  return made;
}
