import { describe, expect, test, vi } from "vitest";
import { parsePython, parsePythonObject } from "./python-json.ts";

describe("JSON as Python writes it", () => {
  test.each<[string, unknown]>([
    ['{"a": [NaN, Infinity, -Infinity, 1]}', { a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1] }],
    ["NaN", Number.NaN],
    ['{"NaN": "NaN, Infinity", "b": NaN}', { NaN: "NaN, Infinity", b: Number.NaN }],
    ['{"a": "\\"NaN", "b": "\\\\", "c": -Infinity, "d": "\\\\\\"Infinity"}', { a: '"NaN', b: "\\", c: -Infinity, d: '\\"Infinity' }],
    ['{"a": 1}', { a: 1 }],
  ])("%s is read", (text, value) => {
    expect(parsePython(text)).toEqual(value);
  });
  test.each([
    '{"a": NaNa}',
    '{"a": +Infinity}',
    '{"a": "NaN}',
    "{NaN: 1}",
    "<html>NaN",
    "",
    '{"a": NaN',
    "[-NaN]",
    "[1.NaN]",
    "[NaN.5]",
    "[1.Infinity]",
    "[--Infinity]",
    "[1e-Infinity]",
  ])("%s is none", (text) => {
    expect(() => parsePython(text)).toThrow(SyntaxError);
    expect(parsePythonObject(text)).toBeUndefined();
  });
  test("is read in one pass, however many strings and marks it has", () => {
    const many = `[${Array.from({ length: 200_000 }, () => '"\\\\\\"NaN", NaN').join(",")}]`;
    expect(parsePython(many)).toHaveLength(400_000);
    const long = "\\\\".repeat(2_000_000);
    expect(parsePython(`["${long}", NaN]`)).toEqual(["\\".repeat(2_000_000), Number.NaN]);
  });
  test("costs no object and no call for each number that JSON lacks", () => {
    const parse = vi.spyOn(JSON, "parse");
    try {
      expect(parsePython(`[${"NaN, Infinity, -Infinity, ".repeat(1000)}1]`)).toHaveLength(3001);
      for (const [text, reviver] of parse.mock.calls) {
        expect(text).not.toContain("{");
        expect(reviver).toBeUndefined();
      }
    } finally {
      parse.mockRestore();
    }
  });
  test("is read at any depth at which JSON is", () => {
    const depth = 100_000;
    let value = parsePython(`${'{"a":['.repeat(depth)}NaN${"]}".repeat(depth)}`);
    for (let level = 0; level < depth; level++) value = (value as { a: unknown[] }).a[0];
    expect(value).toBeNaN();
  });
  test("keeps the numbers beside those that JSON lacks, and a key named __proto__", () => {
    expect(parsePython("[NaN, -0.0, 0, 5e-324, 1e308, null]")).toEqual([Number.NaN, -0, 0, 5e-324, 1e308, null]);
    const odd = parsePython('{"__proto__": NaN, "b": {"__proto__": {"c": NaN}}}') as Record<string, unknown>;
    expect(Object.entries(odd)[0]).toEqual(["__proto__", Number.NaN]);
    expect(Object.getPrototypeOf(odd)).toBe(Object.prototype);
  });
  test("is an object or none where one is asked for", () => {
    expect(parsePythonObject('{"a": NaN}')).toEqual({ a: Number.NaN });
    expect([parsePythonObject("[1]"), parsePythonObject("null"), parsePythonObject("NaN")]).toEqual([undefined, undefined, undefined]);
  });
});
