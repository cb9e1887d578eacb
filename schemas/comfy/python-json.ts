// JSON as Python writes it: a number may be `NaN`, `Infinity` or `-Infinity` there, which no JSON has. Many nodes of ComfyUI have NaN in a
// prompt: it is how they say that they always run anew.

/** Stands for a number that is none; the value is how Python writes it. */
const MARK = "__no_number__";

/** The text as JSON, with objects in place of such numbers; the text itself where it has none. */
export const jsonOfPython = (text: string): string => jsonWith(text, (number) => `{"${MARK}":"${number}"}`);

/** The text as JSON, with something else in place of each such number. */
function jsonWith(text: string, written: (number: string) => string): string {
  const numbers = /-?\bInfinity\b|\bNaN\b/g;
  const parts: string[] = [];
  let copied = 0;
  let quote = text.indexOf('"');
  for (let found = numbers.exec(text); found; found = numbers.exec(text)) {
    let end = 0;
    while (quote >= 0 && quote < found.index) {
      end = endOfString(text, quote);
      quote = text.indexOf('"', end);
    }
    if (end > found.index) {
      numbers.lastIndex = end; // in a string it is a word
      continue;
    }
    parts.push(text.slice(copied, found.index), written(found[0]));
    copied = numbers.lastIndex;
  }
  return parts.length === 0 ? text : parts.join("") + text.slice(copied);
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

/** Written so, a number is infinite; as a part of another number it is none, for the space. */
const INFINITY = " 1e999";

/**
 * What the text says, with the numbers that JSON lacks. Each is a number for JSON, too, so that many of them cost what other numbers do, and
 * the text may be as deep as any JSON.
 * @throws SyntaxError for anything else that is no JSON
 */
export function parsePython(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Chosen after the text was written: no number of it is this one. It is short, as long ones are slow to read.
    const nan = ` -${between(1e8, 1e9)}e-${between(200, 300)}`;
    const stand = Number(nan);
    const json = jsonWith(text, (number) => (number === "NaN" ? nan : number === "Infinity" ? INFINITY : INFINITY.replace("1", "-1")));
    if (json === text) throw error;
    return withNaN(JSON.parse(json), stand);
  }
}

const between = (least: number, end: number): number => Math.floor(least + Math.random() * (end - least));

/** The value with NaN in place of the number that stands for it. */
function withNaN(value: unknown, stand: number): unknown {
  if (value === stand) return Number.NaN;
  const open: unknown[] = [value];
  for (let held = open.pop(); held !== undefined; held = open.pop()) {
    if (held === null || typeof held !== "object") continue;
    if (Array.isArray(held)) {
      for (let at = 0; at < held.length; at++)
        if (held[at] === stand) held[at] = Number.NaN;
        else if (typeof held[at] === "object") open.push(held[at]);
    } else {
      const object = held as Record<string, unknown>;
      for (const key in object)
        if (object[key] === stand) object[key] = Number.NaN;
        else if (typeof object[key] === "object") open.push(object[key]);
    }
  }
  return value;
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
