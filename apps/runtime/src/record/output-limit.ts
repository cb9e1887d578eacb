// How much one output may hold, whoever gives it: a node, a map, a call, or the run. (What workers give is bounded by the bus.)
import { jsonBytes, whyTooLarge } from "@spindle/graph-model";

/** Bytes, as JSON. Everybody's changes wait while such a one is written: a second or two, and PostgreSQL ends a statement after ten. */
export const MAX_OUTPUT = 8 * 1024 * 1024;
/** Values in it: small ones take PostgreSQL many times as long as the same bytes of text. */
const MAX_VALUES = 1_000_000;

/** Why an output is not kept; undefined if it is. */
export function whyOutputTooLarge(output: Record<string, unknown>): { class: "user"; code: string; message: string } | undefined {
  const what =
    jsonBytes(output, MAX_OUTPUT) > MAX_OUTPUT
      ? `makes more than ${MAX_OUTPUT / 1024 / 1024} MiB as JSON`
      : whyTooLarge(output, { depth: Number.POSITIVE_INFINITY, values: MAX_VALUES }) &&
        `has more than ${MAX_VALUES.toLocaleString("en")} values in it`;
  if (!what) return undefined;
  return {
    class: "user",
    code: "output.too_large",
    message: `The output ${what}, which is the limit. Pass a large value on as a file or another artifact, or give less at once.`,
  };
}
