import { expect, test } from "vitest";
import { REMOVED, reconnects, TOO_LARGE } from "./closing";

test.each([
  [1006, true],
  [1011, true],
  [1012, true],
  [TOO_LARGE, false],
  [4400, false],
  [REMOVED, false],
])("[C5] a connection that was closed with %i is opened again: %s", (code, again) => expect(reconnects({ code })).toBe(again));
