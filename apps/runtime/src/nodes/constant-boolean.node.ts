import { defineNode } from "./capability.ts";

const value = { type: "boolean", default: false } as const;

export default defineNode({
  id: "constant.boolean",
  label: "Yes or no",
  description: "A yes or a no, set here or asked of the run.",
  version: "1.0.0",
  category: "Constants",
  keywords: ["value", "input", "constant"],
  idempotent: true,
  instant: true,
  input: { type: "object", required: ["value"], properties: { value: { title: "Value", ...value } } },
  output: { type: "object", required: ["value"], properties: { value: { title: "Value", ...value } } },
  run: async ({ input }) => ({ value: input.value }),
});
