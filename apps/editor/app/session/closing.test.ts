import { expect, test } from "vitest";
import { GONE, goesOn, OTHER_LAYOUT, REFUSED, REMOVED, reconnects, TOO_LARGE, UNFIT } from "./closing";

test.each([
  [1006, true],
  [1011, true],
  [1012, true],
  [TOO_LARGE, false],
  [4400, false],
  [REMOVED, false],
  [GONE, false],
])("[C5] a connection that was closed with %i is opened again: %s", (code, again) => expect(reconnects({ code })).toBe(again));

test.each([
  [REFUSED, 1, true],
  [REFUSED, 2, true],
  [REFUSED, 3, false],
  [TOO_LARGE, 1, true],
  [TOO_LARGE, 3, false],
  [UNFIT, 1, true],
  [UNFIT, 100, true],
  [REMOVED, 1, false],
  [OTHER_LAYOUT, 1, false],
])("[C5] a tab whose connection was closed with %i goes on by itself after %i refusals: %s", (code, refusals, isSo) =>
  expect(goesOn({ code, reason: "" }, refusals)).toBe(isSo),
);
