import { expect, test } from "vitest";
import { mergedText, placeAfter, textChange } from "./text-change.ts";

test.each([
  ["one two", "one two three", "zero one two", "zero one two three"],
  ["one two", "two", "one two three", "two three"],
  ["one two", "one 2", "1 two", "1 2"],
  ["abc", "axc", "ayc", "axyc"],
  ["abcdef", "af", "abXdef", "aXf"],
  ["same", "same", "other", "other"],
  ["", "mine", "theirs", "minetheirs"],
])("%j, typed as %j while another made %j, becomes %j", (base, mine, theirs, both) => expect(mergedText(base, mine, theirs)).toBe(both));

test.each([
  ["a😀", "a😃"],
  ["a😀b", "a🤀b"],
  ["😀", "😀😀"],
  ["a😀", "a"],
  ["", "😀"],
])("no character is cut in two between %j and %j", (from, to) => {
  const { at, removed, added } = textChange(from, to);
  const parts = [from.slice(0, at), from.slice(at, at + removed), added, from.slice(at + removed)];
  expect(parts.some((part) => /\p{Surrogate}/u.test(part))).toBe(false);
  expect(parts[0] + added + parts[3]).toBe(to);
});

test.each([
  [2, "abcdef", "XXabcdef", 4],
  [2, "abcdef", "abcdefXX", 2],
  [4, "abcdef", "aXf", 2],
  [2, "abcdef", "abXcdef", 2],
])("the place %i of %j lies, in %j, at %i", (place, from, to, now) => expect(placeAfter(place, from, to)).toBe(now));
