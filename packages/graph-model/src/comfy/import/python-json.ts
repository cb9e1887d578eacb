// JSON as Python writes it: a number may be NaN or Infinity there, which no JSON has. Many nodes of ComfyUI have NaN in a prompt: it is how
// they say that they always run anew.

/** Stands for a number that is none; the value is how Python writes it. */
const MARK = "__no_number__";

/** The text as JSON, with objects in place of such numbers; the text itself where it has none. */
export function jsonOfPython(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    const quote = text.indexOf('"', from);
    const end = quote < 0 ? text.length : quote;
    parts.push(text.slice(from, end).replaceAll(/-?\bInfinity\b|\bNaN\b/g, `{"${MARK}":"$&"}`));
    from = quote < 0 ? end : stringEnd(text, quote);
    parts.push(text.slice(end, from));
  }
  return parts.join("");
}

function stringEnd(text: string, quote: number): number {
  let at = quote + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** How Python wrote a number that is none; undefined for any other value. */
export function noNumber(value: unknown): string | undefined {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, MARK)) return undefined;
  return String((value as Record<string, unknown>)[MARK]).slice(0, 20);
}
