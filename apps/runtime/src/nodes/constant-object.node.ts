import { defineNode } from "./capability.ts";

const value = { type: "object" } as const;

export default defineNode({
  id: "constant.object",
  label: "JSON",
  description: "A JSON object, typed in here or asked of the run.",
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
