import { expect, test } from "vitest";
import { logOfPrompt, ServerLog } from "./server-log.ts";

const pieces = (...texts: string[]) => texts.map((m, index) => ({ t: `2026-01-01T00:00:0${index}`, m }));
const BEFORE = "2026-01-01T00:00:00";

test("what a prompt wrote is what was written since it was sent, whole lines, without what is written of each prompt", () => {
  const log = pieces("of an earlier one\n", "got prompt\n", "The node says", "\n", "this.\n", "Prompt executed in 0.01 seconds\n");
  expect(logOfPrompt(log, BEFORE)).toBe("The node says\nthis.");
});
test("a bar is its last state", () => {
  expect(logOfPrompt(pieces("", "  0%|   | 0/4\r 50%|## | 2/4\r", "100%|####| 4/4\n"), BEFORE)).toBe("100%|####| 4/4");
});
test("a bar that was cut short is not what is written of each prompt", () => {
  expect(logOfPrompt(pieces("", "\r 50%|##  | 2/4", "Prompt executed in 1.00 seconds\n"), BEFORE)).toBe(" 50%|##  | 2/4");
});
test("what others wrote that waited before is not its own", () => {
  const log = pieces("", "got prompt\n", "theirs\n", "Prompt executed in 3.00 seconds\n", "ours\n", "Prompt executed in 1.00 seconds\n");
  expect(logOfPrompt(log, BEFORE)).toBe("ours");
});
test("of a prompt that wrote nothing there is none", () => {
  expect(logOfPrompt(pieces("old\n", "got prompt\n", "Prompt executed in 1.00 seconds\n"), BEFORE)).toBe("");
  expect(logOfPrompt([], "")).toBe("");
});
test("of a prompt that was ended there is what was read last, and nothing if it never ran", async () => {
  const answers: unknown[] = [{ entries: pieces("old\n") }, { entries: pieces("old\n", "theirs or ours\n") }];
  const log = new ServerLog(async () => answers.shift());
  await log.start();
  await log.read();
  expect(log.linesUntilEnded()).toEqual([]);
  log.watch();
  expect(log.linesUntilEnded()).toEqual(["theirs or ours"]);
  await log.read();
  expect(log.linesUntilEnded()).toEqual([
    "ComfyUI did not answer when the task ended. This is what it had written a moment before:",
    "theirs or ours",
  ]);
  log.stop();
});
test("of a server that never tells its log nothing is said", async () => {
  const log = new ServerLog(async () => undefined);
  await log.start();
  log.watch();
  await log.read();
  expect(log.linesUntilEnded()).toEqual([]);
  log.stop();
});
