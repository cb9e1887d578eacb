// How much one output may hold, be it a node's, a map's, a call's or the run's. The bus bounds the outputs of workers.
import { jsonBytes, whyTooLarge } from "@spindle/graph-model";

/** Bytes, as JSON. An output of this size takes PostgreSQL a second or two, for which all other changes wait; it ends a statement after ten. */
export const MAX_OUTPUT = 8 * 1024 * 1024;
/** How many values an output may hold: small values take PostgreSQL many times as long as the same bytes of text. */
const MAX_VALUES = 1_000_000;

/** The error of an output that is too large to be kept; undefined for any other. */
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
