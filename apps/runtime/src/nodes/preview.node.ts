import { defineNode } from "./capability.ts";

export default defineNode({
  id: "output.preview",
  label: "Show result",
  description: "Shows whatever comes in, on the node and among the run's results.",
  version: "1.0.0",
  category: "Output",
  keywords: ["output", "preview", "view", "result", "end"],
  idempotent: true,
  instant: true,
  input: { type: "object", required: ["value"], properties: { value: { title: "Value" } } },
  output: { type: "object", properties: { value: { title: "Value" } } },
  run: async ({ input }) => ({ value: input.value }),
});
