import { celEnv, parse } from "@bufbuild/cel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConditionError, type ConditionScope, holds as isTrue, withOneBudget } from "./cel.ts";
import { Condition, type Expr, FUNCTIONS, nestingOf } from "./condition.ts";

const holds = (text: string, scope: ConditionScope): boolean => isTrue(new Condition(text), scope);
const scope = (output: Record<string, unknown>, error = {}) => ({ output, error, context: { lang: "en" }, inputs: { n: 3 } });

const IN_TOKYO = 'output.l.all(x, timestamp(int(x)).getHours("Asia/Tokyo") >= 0)';

describe("[E4, RC3] a condition", () => {
  test.each<[string, Record<string, unknown>, boolean]>([
    ["output.score > 0.5", { score: 0.7 }, true],
    ["output.score > 0.5", { score: 0.2 }, false],
    ["output.n == 3 && inputs.n == 3", { n: 3 }, true],
    ["context.lang == 'en' ? output.ok : false", { ok: true }, true],
    ["output.tags.exists(t, t == 'x')", { tags: ["a", "x"] }, true],
    ["size(output.list) == 0", { list: [] }, true],
    ["has(output.other)", {}, false],
    ["output.text.matches('^h.*o$')", { text: "hello" }, true],
    ["output.deep[0].name.startsWith('a')", { deep: [{ name: "abc" }] }, true],
  ])("%s of %j is %s", (text, output, expected) => {
    expect(new Condition(text).fault).toBeUndefined();
    expect(holds(text, scope(output))).toBe(expected);
  });

  test.each([
    ["output.score >", /not CEL/],
    ["outputs.score > 1", /no outputs/],
    ["process.exit()", /no process|no function/],
    ["frobnicate(output.x)", /no function frobnicate/],
    ["output.l.map(a, output.l.map(b, b))[0] == 1", /too slow/],
    [`output.x == "${"x".repeat(1000)}"`, /limit is 1,000/],
    ["", /CEL expression/],
    [`[[1]]${".map(x, x + x)".repeat(60)}[0].all(y, y == 1)`, /at most 3 loops/i],
    ["output.l.filter(a, a > 1).map(a, a + 1).filter(a, a < 9).all(a, a > 2)", /at most 3 loops/i],
    [Array(6).fill("output.l.all(a, a > 1)").join(" && "), /at most 5 loops/],
    ["output.l.all(a, [a].exists(b, b == 1))", /too slow/],
    ["output.l.exists_one(a, output.l.filter(b, b == a).size() > 0)", /too slow/],
    [`${"(".repeat(51)}true${")".repeat(51)}`, /more than 50 brackets/],
    ["a raw text that ends in a backslash", /more than 50 brackets/, `r"\\" == ${"(".repeat(51)}"x"${")".repeat(51)}`],
    ["a map in a map", /more than 50 brackets/, `${"{1: ".repeat(51)}1${"}".repeat(51)} == 1`],
    ["raw bytes that end in a backslash", /more than 50 brackets/, `br"\\" == ${"(".repeat(51)}b"x"${")".repeat(51)}`],
    ["a quote in a comment", /more than 50 brackets/, `1 == // "\n${"(".repeat(51)}1${")".repeat(51)} // "`],
    [`${"[".repeat(480)}1${"]".repeat(480)} == 1`, /more than 50 brackets/],
  ] as [string, RegExp, string?][])("%s is refused before it runs", (title, why, text = title) =>
    expect(new Condition(text).fault).toMatch(why),
  );

  test.each([
    ["output.missing == 1", /missing/],
    ["output.text", /gives a string/],
    ["output.text > 1", /./],
  ])("%s cannot be answered, and says why", (text, why) => {
    expect(new Condition(text).fault).toBeUndefined();
    expect(() => holds(text, scope({ text: "hello" }))).toThrow(ConditionError);
    expect(() => holds(text, scope({ text: "hello" }))).toThrow(why);
  });

  test.each<[string, Record<string, unknown>]>([
    ["each element compared with all of them", { text: "output.l.all(x, output.l == output.l)", l: Array(3000).fill(1) }],
    ["a list that is copied for each element", { text: "output.l.map(x, x).size() > 1", l: Array(20_000).fill(1) }],
    [
      "a text that grows sixtyfold each time",
      { text: `[output.t]${`.map(x, ${Array(60).fill("x").join("+")})`.repeat(3)}.size() == 1`, t: "a".repeat(1000) },
    ],
    [
      "one that is searched for each element",
      { text: "output.l.exists(x, output.t.contains(string(x)))", l: Array(5000).fill(1), t: "a".repeat(100_000) },
    ],
    [
      "a long text that nearly fits everywhere in a longer one",
      { text: "output.a.contains(output.b)", a: "a".repeat(400_000), b: `ab${"a".repeat(40_000)}` },
    ],
    ["a pattern that is large and a text that is long", { text: "output.t.matches('(a{1,50}){1,20}b')", t: "a".repeat(50_000) }],
    [
      "a pattern that repeats a fixed number of times",
      { text: "output.l.all(x, x.matches('([ab]{50}){18}[cd]') || true)", l: Array(200).fill("ab".repeat(500)) },
    ],
    ["a number of very many digits", { text: "int(output.t) == 3", t: "9".repeat(100_000) }],
    ["a time of day in another zone, for which a formatter is made each time", { text: IN_TOKYO, l: Array(3000).fill(1) }],
    [
      "elements of a list that are looked for in another",
      { text: "output.l.all(x, !(x in output.m))", l: Array(20_000).fill(7), m: Array(20_000).fill(1) },
    ],
    ["an answer that does not hang on it", { text: "output.l.all(x, output.l == output.l) || true", l: Array(3000).fill(1) }],
  ])("ends, with the same verdict each time, on %s", (_, { text, ...output }) => {
    expect(new Condition(text).fault).toBeUndefined();
    for (let time = 0; time < 2; time++)
      expect(() => holds(text as string, scope(output))).toThrow(/^The condition is too much work for the values it was given/);
  });
  test.each<[string, Record<string, unknown>]>([
    ["output.l.all(x, x == 1)", { l: Array(20_000).fill(1) }],
    ["output.l.filter(x, x > 0).map(x, x + 1.0).exists(x, x == 2)", { l: Array(500).fill(1) }],
    ["output.t.contains('b') == false", { t: "a".repeat(1_000_000) }],
    ["output.t.matches('night|day') == false", { t: "a".repeat(100_000) }],
    [`output.t != '${"(".repeat(90)}'`, { t: "a" }],
    [IN_TOKYO, { l: Array(300).fill(1) }],
  ])("%s is not too much", (text, output) => expect(holds(text, scope(output))).toBe(true));

  test("an evaluation ends where its budget does, and does not go over what is left", () => {
    let reads = 0;
    const l = new Proxy(Array(400_000).fill([]), {
      get: (target, key, receiver) => {
        if (typeof key === "string" && /^\d/.test(key)) reads++;
        return Reflect.get(target, key, receiver);
      },
    });
    const text = Array(50).fill("output == output").join(" && ");
    expect(() => holds(text, scope({ l }))).toThrow(/too much work/);
    expect(reads).toBeLessThan(2_000_000);
  });

  test("conditions that are judged together have one budget", () => {
    const [text, values] = ["output.l.all(x, x == 1)", scope({ l: Array(20_000).fill(1) })];
    const judged = withOneBudget(() =>
      Array.from({ length: 20 }, () => {
        try {
          return holds(text, values);
        } catch (error) {
          return (error as Error).message;
        }
      }),
    );
    expect(judged[0]).toBe(true);
    expect(judged.at(-1)).toMatch(/too much work for the values it was given, alone or with those judged before it for the same node/);
    expect(holds(text, values)).toBe(true);
  });

  test("a regular expression that hangs others is answered in linear time", () => {
    expect(holds("output.text.matches('^(a+)+$')", scope({ text: `${"a".repeat(5000)}!` }))).toBe(false);
  });
});

describe("conditions of one form", () => {
  const TOKENS = [
    "output.a",
    "inputs",
    "x",
    "1",
    "23",
    "0x1F",
    "1.5",
    "007",
    "9999999999999999999",
    '"a"',
    "'b'",
    '""',
    'r"c"',
    "b'd'",
    '"\\n"',
    '"""e"""',
    "'",
    '"',
  ];
  const JOINTS = [" ", "", " == ", " + ", ".", "[", "]", "(", ")", ", ", " && ", "-", "// ", "\n"];
  test("are told apart from texts that are none, whatever numbers and texts stand in them", () => {
    const known = new Set<string>();
    let state = 7;
    const next = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const seen = { good: 0, bad: 0 };
    for (let round = 0; round < 4000; round++) {
      const parts = Array.from({ length: 1 + next(4) }, () => `${TOKENS[next(TOKENS.length)]}${JOINTS[next(JOINTS.length)]}`);
      const text = parts.join("") + TOKENS[next(TOKENS.length)];
      const alone = new Condition(text).fault;
      expect(new Condition(text, known).fault, text).toBe(alone);
      seen[alone === undefined ? "good" : "bad"]++;
    }
    expect(Math.min(seen.good, seen.bad), JSON.stringify(seen)).toBeGreaterThan(100);
    expect(known.size).toBeLessThan(seen.good);
  });
  test("are each answered by their own numbers and texts", () => {
    const known = new Set<string>();
    const [first, second] = ["output.n == 1", "output.n == 2"].map((text) => new Condition(text, known));
    expect([first?.fault, second?.fault, known.size]).toEqual([undefined, undefined, 1]);
    expect([first, second].map((one) => isTrue(one as Condition, scope({ n: 2 })))).toEqual([false, true]);
  });
});

test("every function of CEL is known by name", () => {
  const named = [...celEnv().funcs].map(({ name }) => name).filter((name) => /^[a-z]/i.test(name));
  expect([...FUNCTIONS].toSorted()).toEqual([...new Set(named)].toSorted());
});

describe("brackets inside brackets", () => {
  test.each(["//0\r", "//0\n", "//\r\n", "1 //\r//\n+ "])("are counted after %j", (before) => {
    expect(new Condition(`${before}${"(".repeat(300)}1${")".repeat(300)} == 1`).fault).toMatch(/brackets inside one another/);
  });

  test("are as many as the parser finds, whatever comments and texts stand between them", () => {
    const depthOf = (expr: Expr | undefined): number => {
      const kind = expr?.exprKind;
      if (kind?.case === "listExpr") return 1 + Math.max(0, ...kind.value.elements.map(depthOf));
      if (kind?.case !== "callExpr") return 0;
      const [of, at] = kind.value.args.map(depthOf);
      return Math.max(of ?? 0, (at ?? 0) + (kind.value.function === "_[_]" ? 1 : 0));
    };
    const space = fc.constantFrom("", " ", "\n", "\r", "\t", "\f", "//[[\n", '//"[\r', "//'\r\n", "// ]]\n ");
    const quoted = ['"["', "'[['", 'r"\\["', '"\\"["', '"""[\r["\n]"""', "'''[\\'['''", 'b"["', "rb'['", '"\\\\"', '"//["', "'//['"];
    const word = fc.constantFrom("1", ...quoted);
    const { list } = fc.letrec<{ list: string; part: string }>((tie) => ({
      list: fc
        .tuple(space, fc.array(tie("part"), { maxLength: 3 }), space)
        .map(([before, parts, after]) => `${before}[${parts.join(",")}]${after}`),
      part: fc.oneof(
        { maxDepth: 8 },
        fc.tuple(space, word, space).map((texts) => texts.join("")),
        tie("list"),
      ),
    }));
    const damage = fc.option(fc.tuple(fc.nat(), fc.constantFrom("\r", "\n", '"', "'", "\\", "/", "//", "[", "]", "r")), { freq: 2 });
    let parsed = 0;
    const check = fc.property(list, damage, (whole, put) => {
      const at = put ? put[0] % (whole.length + 1) : 0;
      const text = put ? `${whole.slice(0, at)}${put[1]}${whole.slice(at)}` : whole;
      let found: Expr | undefined;
      try {
        found = parse(text).expr;
      } catch {
        return;
      }
      parsed++;
      expect(nestingOf(text), JSON.stringify(text)).toBe(depthOf(found));
    });
    fc.assert(check, { numRuns: 3000, seed: 1 });
    expect(parsed).toBeGreaterThan(300);
  });
});
