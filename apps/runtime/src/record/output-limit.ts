// How much one output may hold, be it a node's, a map's, a call's or the run's, and how much all that a run stores. The bus bounds the
// outputs of workers.
import { jsonBytes, whyTooLarge } from "@spindle/graph-model";

/** Bytes, as JSON. An output of this size takes PostgreSQL a second or two, for which all other changes wait; it ends a statement after ten. */
export const MAX_OUTPUT = 8 * 1024 * 1024;
/** How many values an output may hold: small values take PostgreSQL many times as long as the same bytes of text. */
const MAX_VALUES = 1_000_000;

/**
 * Bytes, as JSON, of the inputs and outputs of a run's node runs together. A value that many nodes get is stored for each. A runtime that
 * takes the run up reads them again in one statement, and holds them.
 */
export const MAX_STORED = 256 * 1024 * 1024;

interface TooLarge {
  class: "user";
  code: string;
  message: string;
}

/** The error of an input or output of so many bytes that the run would store too much with it. */
export const whyTooMuchStored = (bytes: number): TooLarge => ({
  class: "user",
  code: "run.too_large",
  message: `With the ${Math.ceil(bytes / 1024).toLocaleString("en")} KiB that this node got or gave, the inputs and outputs of the run would make more than ${MAX_STORED / 1024 / 1024} MiB together, which is the limit. Each node that gets a value stores it again: pass a large value on as a file or another artifact, or to fewer nodes.`,
});

/** The error of an output that is too large to be kept; undefined for any other. */
export function whyOutputTooLarge(output: Record<string, unknown>): TooLarge | undefined {
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
