import { expect, test } from "vitest";
import { solidPng } from "../../test/fake/png.ts";
import { imageSize, withoutText } from "./png.ts";

test("a PNG loses what it tells of the workflow and nothing else", () => {
  expect(withoutText(solidPng(5, 4, 0xff, '{"1":{}}')).equals(solidPng(5, 4, 0xff))).toBe(true);
  expect(imageSize(solidPng(5, 4, 0xff))).toEqual({ width: 5, height: 4 });
});
test("what is no PNG, or half of one, stays as it is", () => {
  const whole = solidPng(5, 4, 0xff, "x");
  for (const bytes of [Buffer.from("hello"), Buffer.alloc(0), whole.subarray(0, whole.length - 3), whole.subarray(0, 20)])
    expect(withoutText(bytes)).toEqual(bytes);
  expect(imageSize(Buffer.from("hello"))).toBeUndefined();
});
