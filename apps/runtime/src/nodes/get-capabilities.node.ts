import { defineNode } from "./capability.ts";

export default defineNode({
  id: "info.get_capabilities",
  label: "List capabilities",
  description: "Merges what the Python plane reported with what this plane offers.",
  version: "2025.02.0",
  category: "Info",
  keywords: ["manifest", "library", "workers"],
  idempotent: false,
  input: {
    type: "object",
    properties: {
      capabilities: { type: "array", title: "Worker capabilities", description: "What the Python plane answered." },
      includeSchema: { type: "boolean", title: "With schemas", default: true },
    },
  },
  output: {
    type: "object",
    properties: {
      plane: { type: "string" },
      generatedAt: { type: "string", format: "date-time" },
      capabilities: { type: "array", title: "Capabilities" },
    },
  },
  async run({ input, manifest }) {
    const worker = (input.capabilities as { id: string; plane: string }[] | undefined) ?? [];
    const { generatedAt, capabilities } = manifest();
    const own = capabilities.filter(
      (capability) => !worker.some((other) => other.id === capability.id && other.plane === capability.plane),
    );
    const all = [...own, ...worker] as Record<string, unknown>[];
    const list = input.includeSchema === false ? all.map(({ io: _, parameters: __, ...rest }) => rest) : all;
    return { plane: "node", generatedAt, capabilities: list };
  },
});
