// JSON as Python writes it: a number may be `NaN`, `Infinity` or `-Infinity` there, which no JSON has. Many nodes of ComfyUI have NaN in a
// prompt: it is how they say that they always run anew.

/** Stands for a number that is none; the value is how Python writes it. */
const MARK = "__no_number__";

/** The text as JSON, with objects in place of such numbers; the text itself where it has none. */
export function jsonOfPython(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const outside = text.slice(at, quote < 0 ? undefined : quote);
    parts.push(outside.replaceAll(/-?\bInfinity\b|\bNaN\b/g, `{"${MARK}":"$&"}`));
    if (quote < 0) break;
    at = endOfString(text, quote);
    parts.push(text.slice(quote, at));
  }
  return parts.join("");
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

/** How Python wrote a number that is none, of a value of `jsonOfPython`; undefined for any other value. */
export function noNumber(value: unknown): string | undefined {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, MARK)) return undefined;
  return String((value as Record<string, unknown>)[MARK]).slice(0, 20);
}

/** What the text says, with the numbers that JSON lacks. @throws SyntaxError for anything else that is no JSON */
export function parsePython(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const json = jsonOfPython(text);
    if (json === text) throw error;
    return JSON.parse(json, (_, value) => {
      const written = noNumber(value);
      return written === undefined ? value : Number(written);
    });
  }
}

/** An object that was written by Python; undefined for any other text. */
export function parsePythonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = parsePython(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
