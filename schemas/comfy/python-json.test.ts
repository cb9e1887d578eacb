import { describe, expect, test } from "vitest";
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
  test.each(['{"a": NaNa}', '{"a": +Infinity}', '{"a": "NaN}', "{NaN: 1}", "<html>NaN", "", '{"a": NaN'])("%s is none", (text) => {
    expect(() => parsePython(text)).toThrow(SyntaxError);
    expect(parsePythonObject(text)).toBeUndefined();
  });
  test("is read in one pass, however many strings and marks it has", () => {
    const many = `[${Array.from({ length: 200_000 }, () => '"\\\\\\"NaN", NaN').join(",")}]`;
    expect(parsePython(many)).toHaveLength(400_000);
    const long = "\\\\".repeat(2_000_000);
    expect(parsePython(`["${long}", NaN]`)).toEqual(["\\".repeat(2_000_000), Number.NaN]);
  });
  test("is an object or none where one is asked for", () => {
    expect(parsePythonObject('{"a": NaN}')).toEqual({ a: Number.NaN });
    expect([parsePythonObject("[1]"), parsePythonObject("null"), parsePythonObject("NaN")]).toEqual([undefined, undefined, undefined]);
  });
});
