import { describe, expect, test } from "vitest";
import { ConditionError, holds, whyNoCondition } from "./condition.ts";

const scope = (output: Record<string, unknown>, error = {}) => ({ output, error, context: { lang: "en" }, inputs: { n: 3 } });

describe("a condition", () => {
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
    expect(whyNoCondition(text)).toBeUndefined();
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
  ])("%s is refused before it runs", (text, why) => expect(whyNoCondition(text)).toMatch(why));

  test.each([
    ["output.missing == 1", /missing/],
    ["output.text", /gives a string/],
    ["output.text > 1", /./],
  ])("%s cannot be answered, and says why", (text, why) => {
    expect(whyNoCondition(text)).toBeUndefined();
    expect(() => holds(text, scope({ text: "hello" }))).toThrow(ConditionError);
    expect(() => holds(text, scope({ text: "hello" }))).toThrow(why);
  });

  test("a regular expression that hangs others is answered in linear time", () => {
    expect(holds("output.text.matches('^(a+)+$')", scope({ text: `${"a".repeat(5000)}!` }))).toBe(false);
  });
});
