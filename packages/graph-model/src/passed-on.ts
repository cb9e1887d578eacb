// What a bypassed node gives. An exported program carries this text (docs/decisions/0051).

/** By output, the input whose value it gives. An output that no input can stand in for is not there. */
export type Passes = ReadonlyMap<string, string>;

/**
 * What a bypassed node gives for these values of its inputs.
 * @param mapped the input that takes a list, if the node would run once for each of its elements
 */
export function passedOn(passes: Passes, values: Readonly<Record<string, unknown>>, mapped?: string): Record<string, unknown> {
  const list = mapped === undefined ? undefined : values[mapped];
  const given: Record<string, unknown> = {};
  for (const [output, input] of passes) {
    const value = values[input];
    if (value === undefined) continue;
    given[output] = Array.isArray(list) && input !== mapped ? list.map(() => value) : value;
  }
  return given;
}
