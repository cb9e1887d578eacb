// How much one output may hold, whoever gives it: a node, a map, a call, or the run. (What workers give is bounded by the bus.)
import { jsonBytes } from "@spindle/graph-model";

/** Bytes, as JSON. A statement that writes so much is over long before PostgreSQL ends it, and others wait behind it. */
export const MAX_OUTPUT = 16 * 1024 * 1024;

/** Why an output is not kept; undefined if it is. */
export function whyOutputTooLarge(output: Record<string, unknown>): { class: "user"; code: string; message: string } | undefined {
  if (jsonBytes(output, MAX_OUTPUT) <= MAX_OUTPUT) return undefined;
  return {
    class: "user",
    code: "output.too_large",
    message: `The output makes more than ${MAX_OUTPUT / 1024 / 1024} MiB as JSON, which is the limit. Pass a large value on as a file or another artifact, or give less at once.`,
  };
}
