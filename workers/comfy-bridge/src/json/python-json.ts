// JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand where a number may.

/** What JSON has instead: a number too large is read as infinite; nothing else is read as NaN. */
const NAN_KEY = "\0NaN";
const NAN = JSON.stringify({ [NAN_KEY]: 0 });
const INFINITE = "1e999";

/** @throws SyntaxError for anything else that is no JSON */
export function parsePython(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { json, hasNaN } = asJson(text);
    if (json === text) throw error;
    return hasNaN ? JSON.parse(json, (_, value) => (isNaNMark(value) ? Number.NaN : value)) : JSON.parse(json);
  }
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = parsePython(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const isNaNMark = (value: unknown): boolean => value !== null && typeof value === "object" && NAN_KEY in value;

/** The words outside of strings replaced. */
function asJson(text: string): { json: string; hasNaN: boolean } {
  const parts: string[] = [];
  let hasNaN = false;
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const outside = text.slice(at, quote < 0 ? undefined : quote);
    const replaced = outside.replaceAll(/\bNaN\b/g, NAN).replaceAll(/\bInfinity\b/g, INFINITE);
    hasNaN ||= replaced.includes(NAN);
    parts.push(replaced);
    if (quote < 0) break;
    at = endOfString(text, quote);
    parts.push(text.slice(quote, at));
  }
  return { json: parts.join(""), hasNaN };
}

/** The place behind the quote that ends a string. @param quote the place of the one that begins it */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text[end - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
  return text.length;
}
