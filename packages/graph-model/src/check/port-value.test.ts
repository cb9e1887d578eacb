import { expect, test } from "vitest";
import { whyValueUnfit } from "./port-value.ts";

const image = { artifact: "a".repeat(8), sha256: "0".repeat(64), size: 1, mime: "image/png" };

test("a value is checked by the schema of its port, and an artifact by its media type", () => {
  expect(whyValueUnfit(3, { type: "number", schema: { type: "number" } })).toBeUndefined();
  expect(whyValueUnfit("3", { type: "number", schema: { type: "number" } })).toBeDefined();
  expect(whyValueUnfit("image.png", { type: "image", schema: {} })).toBe("a reference to image is needed.");
  expect(whyValueUnfit({ ...image, mime: "audio/wav" }, { type: "image", schema: {} })).toMatch(/image/);
});
