import { defineNode } from "./capability.ts";

const value = { type: "object", "x-artifact": "text" } as const;

export default defineNode({
  id: "constant.text",
  label: "Text file",
  description: "A text file, uploaded here or asked of the run.",
  version: "1.0.0",
  category: "Constants",
  keywords: ["value", "input", "constant"],
  idempotent: true,
  instant: true,
  portable: true,
  input: { type: "object", required: ["value"], properties: { value: { title: "Value", "x-by-name": false, ...value } } },
  output: { type: "object", required: ["value"], properties: { value: { title: "Value", ...value } } },
  run: async ({ input }) => ({ value: input.value }),
});
