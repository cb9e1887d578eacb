import { MEDIA_TYPES } from "@spindle/schemas";
import { expect, test } from "vitest";
import { extensionOf } from "./run-task.ts";

test("a file is uploaded with the ending that its media type is listed with, and a strange one with a harmless ending", () => {
  for (const [mime, { extensions }] of Object.entries(MEDIA_TYPES)) expect(extensionOf(mime)).toBe(extensions[0]);
  expect([extensionOf("video/x..y"), extensionOf("odd"), extensionOf("toString")]).toEqual(["xy", "bin", "bin"]);
});
