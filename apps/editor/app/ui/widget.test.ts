import { expect, test } from "vitest";
import { optionNamed } from "./widget.tsx";

test("what is chosen from a list is what stands in it, numbers and truth values too", () => {
  const options = [8, "16", true, "a"];
  expect(["8", "16", "true", "a"].map((text) => optionNamed(options, text))).toEqual(options);
  expect([optionNamed(options, ""), optionNamed(options, "9")]).toEqual([undefined, undefined]);
});
