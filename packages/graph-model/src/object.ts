/** One object for all that is not there, so that the settings of a node without any stay the same object, too. */
const NOTHING: Record<string, unknown> = Object.freeze({});
export const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** An object as it is written; a frozen empty one where something else stands. */
export const record = (value: unknown): Readonly<Record<string, unknown>> => (isObject(value) ? value : NOTHING);
