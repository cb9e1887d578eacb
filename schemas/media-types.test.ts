import { expect, test } from "vitest";
import { MEDIA_TYPES, PORT_TYPES } from "./generated/index.ts";

test("a file name's end stands for one media type", () => {
  const ends = Object.values(MEDIA_TYPES).flatMap(({ extensions }) => extensions);
  expect(ends).toEqual([...new Set(ends)]);
});

test("what an artifact usually is has a file name's end, and it is said whether pages show it", () => {
  for (const [type, { usual }] of Object.entries(PORT_TYPES))
    if (usual && usual !== "application/octet-stream") expect(MEDIA_TYPES[usual]?.inline, `${type}: ${usual}`).toBeDefined();
});
