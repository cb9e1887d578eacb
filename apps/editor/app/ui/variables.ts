// {{names}} in a text: which of them nothing gives, and which may follow where the caret is.

export interface Variables {
  names: readonly string[];
  /** A run may give more names than can be told before it. */
  isOpen: boolean;
}

/** A tag, with its sign: `#` and `^` open a section, `/` closes it, `!` is a comment. */
const TAG = /\{\{\{?\s*([#^/!>&=]?)\s*([^{}]*?)\s*\}?\}\}/g;

export interface Use {
  name: string;
  /** Where the tag begins in the text, and where it ends. */
  from: number;
  to: number;
}

/** The names that are used and that nothing gives. What stands in a section may be of the section's value, and is left out. */
export function unknownIn(text: string, known: Variables): Use[] {
  if (known.isOpen) return [];
  const names = new Set(known.names);
  const found: Use[] = [];
  let depth = 0;
  for (const { 0: tag, 1: sign, 2: name = "", index } of text.matchAll(TAG)) {
    if (sign === "/") depth = Math.max(0, depth - 1);
    const [first = ""] = name.split(".");
    const isUse = sign !== "/" && sign !== "!" && sign !== ">" && sign !== "=" && depth === 0 && first !== "";
    if (isUse && !names.has(first)) found.push({ name, from: index, to: index + tag.length });
    if (sign === "#" || sign === "^") depth++;
  }
  return found;
}

/** What is being written at the caret after `{{`, and where it begins; undefined if no name is. */
export function beginningAt(text: string, caret: number): { typed: string; from: number } | undefined {
  const [, typed] = /\{\{\{?[#^/&]?([\p{L}\p{N}_-]*)$/u.exec(text.slice(0, caret)) ?? [];
  return typed === undefined ? undefined : { typed, from: caret - typed.length };
}

/** The names that begin so. */
export const namesFor = (typed: string, names: readonly string[]): string[] =>
  names.filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()));

/** The text with the name in the place of what was typed, closed if it is not, and where the caret goes. */
export function completed(text: string, caret: number, from: number, name: string): { text: string; caret: number } {
  const rest = text.slice(caret);
  const close = /^\s*\}\}/.test(rest) ? "" : "}}";
  return { text: `${text.slice(0, from)}${name}${close}${rest}`, caret: from + name.length + 2 };
}
