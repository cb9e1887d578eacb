import { setTimeout as sleep } from "node:timers/promises";
import { defineNode } from "./capability.ts";

const STEP_MS = 500;

export default defineNode({
  id: "control.delay",
  label: "Delay",
  description: "Waits for a while and hands on what it got.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["wait", "sleep", "pause", "time"],
  timeoutSeconds: 3700,
  idempotent: true,
  input: { type: "object", properties: { value: { title: "Value" } } },
  output: { type: "object", properties: { value: { title: "Value" } } },
  parameters: [
    {
      name: "milliseconds",
      type: "integer",
      description: "How long, in milliseconds.",
      default: 1000,
      schema: { type: "integer", minimum: 0, maximum: 3_600_000, "x-unit": "ms" },
    },
  ],
  async run({ input, signal, progress }) {
    const { milliseconds } = input;
    const end = performance.now() + milliseconds;
    for (let left = milliseconds; left > 0; left = end - performance.now()) {
      if (milliseconds > STEP_MS) progress({ progress: 1 - left / milliseconds });
      await sleep(Math.min(left, STEP_MS), undefined, { signal });
    }
    return { value: input.value };
  },
});
