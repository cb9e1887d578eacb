/** What JSON says, or undefined where it is none: what comes over the bus may be anything. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
