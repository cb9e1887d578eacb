import { defineNode } from "./capability.ts";

export default defineNode({
  id: "json.merge",
  label: "Merge JSON",
  description: "Puts two objects together; on equal names the second wins.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["combine", "join", "object"],
  idempotent: true,
  instant: true,
  portable: true,
  input: {
    type: "object",
    required: ["first"],
    properties: { first: { type: "object", title: "First" }, second: { type: "object", title: "Second" } },
  },
  output: { type: "object", required: ["merged"], properties: { merged: { type: "object", title: "Merged" } } },
  async run({ input }) {
    return { merged: { ...input.first, ...input.second } };
  },
});
