import { Refused } from "../refused.ts";

const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** JSON text that PostgreSQL takes: it knows neither U+0000 nor half of a surrogate pair. */
export const storableText = (json: string): string => json.replaceAll(UNSTORABLE, "$1\\ufffd");

/** @throws Refused 422 if the value is nested so deep that it cannot be written */
export function storable(value: unknown): string {
  try {
    return storableText(JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refused(422, "request.invalid", "A value is nested too deep, or is too large, to be stored.");
  }
}

/** A short text for a column of its own. */
export const storableName = (name: string): string => name.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "\ufffd");
