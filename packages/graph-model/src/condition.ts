// DESIGN E4: `when` on an edge is CEL (https://cel.dev) over what its source gave; no other code of a graph is evaluated. Whether a text is
// a condition is found by the parser alone, which a page can load; cel.ts evaluates, with eight times as much code.
import { parse } from "@bufbuild/cel";

export type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;

export const CONDITION_LIMIT = 1000;
/** Brackets inside brackets: the parser goes deeper with each, and reads the innermost several times. */
const NESTING = 50;
/** Loops (`map`, `filter`, `all`, `exists`, `exists_one`) of one condition, and how many may each go over what the last one made. */
const LOOPS = 5;
const CHAINED = 3;
const VARIABLES = ["output", "error", "context", "inputs"] as const;

/** The functions of CEL by name; its operators have names that begin with a sign. */
export const FUNCTIONS: ReadonlySet<string> = new Set([
  ...["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"],
  ...["contains", "endsWith", "matches", "size", "startsWith"],
  ...["getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes"],
  ...["getMonth", "getSeconds"],
]);

export type Parsed = { expression: ReturnType<typeof parse> } | { bad: string };

/** The condition of an edge, parsed when that is first needed. The level of the resolved graph holds it (level.ts). */
export class Condition {
  private made: Parsed | undefined;

  /**
   * @param text what stands in the document; anything but a text is a fault
   * @param known forms of texts that are conditions, and those that are found here
   */
  constructor(
    readonly text: unknown,
    private readonly known: Set<string> = new Set(),
  ) {}

  /** Why the text is no condition, as a sentence; undefined if it is one. */
  get fault(): string | undefined {
    if (typeof this.text !== "string" || !this.text.trim()) return "A condition is a CEL expression, such as output.score > 0.5.";
    const form = formOf(this.text);
    if (form !== undefined && this.known.has(form)) return undefined;
    if ("bad" in this.parsed) return this.parsed.bad;
    if (form !== undefined) this.known.add(form);
    return undefined;
  }

  /** Its expression, or why it has none. */
  get parsed(): Parsed {
    this.made ??= read(String(this.text));
    return this.made;
  }
}

/**
 * A text without its numbers and plain texts, which decide nothing about whether it is a condition: most conditions of a graph
 * differ in these alone, and the parser takes a tenth of a millisecond for each. Undefined where it is not plain what is one.
 */
function formOf(text: string): string | undefined {
  if (text.length > CONDITION_LIMIT || !/^[\x20-\x7e]*$/.test(text) || /\\|\/\/|"""|'''/.test(text)) return undefined;
  let isPlain = true;
  const form = text.replaceAll(/[A-Za-z_]\w*["']?|\d[\w.]*|"[^"]*"|'[^']*'|["']/g, (token) => {
    const [first = ""] = token;
    if (/["']/.test(first)) {
      isPlain &&= token.length > 1;
      return '""';
    }
    isPlain &&= !/["']$/.test(token); // a prefix, such as that of a raw text
    return /^(?:0|[1-9]\d{0,8})$/.test(token) ? "0" : token;
  });
  return isPlain ? form : undefined;
}

function read(text: string): Parsed {
  if (text.length > CONDITION_LIMIT)
    return { bad: `The condition has ${text.length} characters; the limit is ${CONDITION_LIMIT.toLocaleString("en")}.` };
  if (nestingOf(text) > NESTING) return { bad: `The condition has more than ${NESTING} brackets inside one another.` };
  try {
    const parsed = parse(text);
    const bad = new Reading().whyRefused(parsed.expr, new Set<string>(VARIABLES), { inLoop: false, chained: 0 });
    return bad ? { bad } : { expression: parsed };
  } catch (error) {
    return { bad: `This is not CEL: ${(error as Error).message.replace(/^.*<input>:1:/, "at character ")}.` };
  }
}

/**
 * Comments, raw texts (in which a backslash is one) and texts, in the order in which CEL tells them apart. A line ends where it ends for
 * the parser, at a carriage return, too: what is taken for a comment or a text here and not there would be brackets that nobody counts.
 */
const UNREAD =
  /\/\/[^\r\n]*|\b[bB]?[rR][bB]?(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\r\n]*"|'[^'\r\n]*')|"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'/g;

/** How many brackets stand inside one another: found without the parser, which is what deep nesting would hurt. */
export function nestingOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const character of text.replaceAll(UNREAD, "")) {
    if ("([{".includes(character)) deepest = Math.max(deepest, ++depth);
    else if (")]}".includes(character)) depth--;
  }
  return deepest;
}

interface Around {
  inLoop: boolean;
  /** Loops that go over what this expression makes. */
  chained: number;
}

/**
 * Names and functions that do not exist, and loops that multiply: one inside another, and more than a few over each other's
 * lists, which may double each time. The units of an evaluation bound the rest (cel.ts).
 */
class Reading {
  private loops = 0;

  whyRefused(expr: Expr | undefined, names: ReadonlySet<string>, around: Around): string | undefined {
    const kind = expr?.exprKind;
    const all = (list: readonly (Expr | undefined)[], known = names, at = around): string | undefined => {
      for (const part of list) {
        const why = this.whyRefused(part, known, at);
        if (why !== undefined) return why;
      }
      return undefined;
    };
    switch (kind?.case) {
      case "identExpr":
        return names.has(kind.value.name) ? undefined : `There is no ${kind.value.name}; a condition knows ${VARIABLES.join(", ")}.`;
      case "selectExpr":
        return all([kind.value.operand]);
      case "callExpr":
        if (!FUNCTIONS.has(kind.value.function) && !/^[_@?!-]/.test(kind.value.function))
          return `CEL has no function ${kind.value.function}.`;
        return all([kind.value.target, ...kind.value.args]);
      case "listExpr":
        return all(kind.value.elements);
      case "structExpr":
        return all(kind.value.entries.flatMap((entry) => [entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined, entry.value]));
      case "comprehensionExpr": {
        if (around.inLoop) return "A loop over a list inside another one is too slow for a condition.";
        if (++this.loops > LOOPS) return `A condition has at most ${LOOPS} loops over lists.`;
        if (around.chained >= CHAINED) return `At most ${CHAINED} loops of a condition go over each other's lists.`;
        const { iterVar, iterVar2, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
        const inner = new Set([...names, iterVar, iterVar2, accuVar]);
        return (
          all([iterRange], names, { ...around, chained: around.chained + 1 }) ??
          all([accuInit, loopCondition, loopStep, result], inner, { ...around, inLoop: true })
        );
      }
      default:
        return undefined;
    }
  }
}
