import { expect, test } from "vitest";
import { logOfPrompt } from "./server-log.ts";

const pieces = (...texts: string[]) => texts.map((m, index) => ({ t: `2026-01-01T00:00:0${index}`, m }));
const BEFORE = "2026-01-01T00:00:00";

test("what a prompt wrote is what was written since it was sent, whole lines, without what is written of each prompt", () => {
  const log = pieces("of an earlier one\n", "got prompt\n", "The node says", "\n", "this.\n", "Prompt executed in 0.01 seconds\n");
  expect(logOfPrompt(log, BEFORE)).toBe("The node says\nthis.");
});
test("a bar is its last state", () => {
  expect(logOfPrompt(pieces("", "  0%|   | 0/4\r 50%|## | 2/4\r", "100%|####| 4/4\n"), BEFORE)).toBe("100%|####| 4/4");
});
test("what others wrote that waited before is not its own", () => {
  const log = pieces("", "got prompt\n", "theirs\n", "Prompt executed in 3.00 seconds\n", "ours\n", "Prompt executed in 1.00 seconds\n");
  expect(logOfPrompt(log, BEFORE)).toBe("ours");
});
test("of a prompt that wrote nothing there is none", () => {
  expect(logOfPrompt(pieces("old\n", "got prompt\n", "Prompt executed in 1.00 seconds\n"), BEFORE)).toBe("");
  expect(logOfPrompt([], "")).toBe("");
});
