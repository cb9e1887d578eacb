import { expect, test } from "vitest";
import { solidPng } from "../../test/fake/png.ts";
import { imageSize, TextFinder, without, withoutText } from "./png.ts";

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
test("piece by piece it loses the same, wherever the pieces are cut", async () => {
  const whole = solidPng(5, 4, 0xff, '{"1":{}}');
  async function* inPieces(length: number) {
    for (let at = 0; at < whole.length; at += length) yield whole.subarray(at, at + length);
  }
  for (let length = 1; length <= whole.length; length++) {
    const finder = new TextFinder();
    for await (const piece of inPieces(length)) finder.add(piece);
    const kept: Uint8Array[] = [];
    for await (const piece of without(finder.spans, inPieces(length))) kept.push(piece);
    expect(Buffer.concat(kept).equals(solidPng(5, 4, 0xff)), `pieces of ${length}`).toBe(true);
  }
});
