import { expect, test } from "vitest";
import { jsonBytes } from "./limits.ts";

const VALUES = [null, true, 0, -1.5e-7, "", "plain", 'a "quoted" \\ one\n', "é€😀", [], [1, [2]], {}, { a: [], ü: { b: null } }];

test.each(VALUES)("the bytes of %j are those of its text", (value) => {
  expect(jsonBytes(value, 1000)).toBe(Buffer.byteLength(JSON.stringify(value)));
});
test("what is undefined in an object is not counted", () => {
  expect(jsonBytes({ a: 1, b: undefined }, 1000)).toBe(7);
});
test("a count goes no further than it has to", () => {
  let read = 0;
  const list = Array.from({ length: 100 }, () => Object.defineProperty({}, "a", { enumerable: true, get: () => `${++read}`.repeat(50) }));
  expect(jsonBytes(list, 1000)).toBeGreaterThan(1000);
  expect(read).toBeLessThan(30);
});
