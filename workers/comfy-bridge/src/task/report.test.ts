import { afterEach, expect, test, vi } from "vitest";
import type { Message } from "../comfy/messages.ts";
import { Report } from "./report.ts";

const PROMPT = { big: { class_type: "ImageUpscaleWithModel", inputs: {} }, save: { class_type: "SaveVideo", inputs: {} } };

afterEach(() => vi.useRealTimers());

/** What a report of a node that works in windows shows after each news of its steps. */
async function progressOf(count: number, steps: readonly [value: number, max: number][]): Promise<number[]> {
  vi.useFakeTimers();
  const shown: number[] = [];
  const send = async ({ progress }: { progress?: number }) => void (progress !== undefined && shown.push(progress));
  const report = new Report({ prompt: PROMPT, only: "n", windows: { node: "big", count }, store: async () => undefined, send });
  for (const [value, max] of steps) {
    report.hear({ type: "progress", node: "big", value, max } as Message);
    await vi.runAllTimersAsync();
  }
  return shown;
}

test.each([
  ["as many windows as were thought", 2],
  ["more windows than were thought, as of a video with more frames in a second", 1],
])("[E16] the progress of %s never goes back", async (_, count) => {
  const shown = await progressOf(count, [
    [1, 2],
    [2, 2],
    [1, 2],
    [2, 2],
  ]);
  expect(shown).toHaveLength(4);
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
});
