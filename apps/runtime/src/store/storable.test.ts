import { expect, test } from "vitest";
import { Refused } from "../refused.ts";
import { storable } from "./storable.ts";

test("a value nested so deep that it cannot be written is refused, not a crash", () => {
  let deep: unknown[] = [];
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  expect(() => storable(deep)).toThrow(Refused);
  expect(() => storable(deep)).toThrow(/nested too deep/);
});
test("what PostgreSQL does not know is replaced", () => {
  expect(storable(["a\0b", "\ud800", "\\u0000"])).toBe(JSON.stringify(["a\ufffdb", "\ufffd", "\\u0000"]).replaceAll("\ufffd", "\\ufffd"));
});
