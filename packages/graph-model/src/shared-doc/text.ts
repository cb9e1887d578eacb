// Texts that several people type into at once (docs/decisions/0020): Y.Text where letters merge, and how a field's whole text becomes
// the letters that were typed.
import * as Y from "yjs";

/** No name is longer: ids end at 64 characters (DESIGN G7). */
const NAME = 64;

/** Whether a string is prose, whoever stores it. Of names, choices and addresses the last writer's is taken whole. */
export const isProse = (text: string): boolean => text.length > NAME || text.includes("\n");

export const isText = (value: unknown): value is Y.Text => value instanceof Y.Text && value.constructor === Y.Text;

/** `from` with `removed` characters at `at` replaced by `added`. */
interface Change {
  at: number;
  removed: number;
  added: string;
}

const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** What lies between the longest beginning and the longest end that both share; no character is cut in two. */
function change(from: string, to: string): Change {
  const shorter = Math.min(from.length, to.length);
  let at = 0;
  while (at < shorter && from[at] === to[at]) at++;
  if (at > 0 && (isLow(from.charCodeAt(at)) || isLow(to.charCodeAt(at)))) at--;
  let end = 0;
  while (end < shorter - at && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  if (end > 0 && isLow(from.charCodeAt(from.length - end))) end--;
  return { at, removed: from.length - end - at, added: to.slice(at, to.length - end) };
}

/** `mine`, typed while others made `theirs` of the same `base`: what either added stays, what either removed goes. */
export function merged(base: string, mine: string, theirs: string): string {
  const [own, other] = [change(base, mine), change(base, theirs)];
  const [first, second] = own.at <= other.at ? [own, other] : [other, own];
  const between = base.slice(first.at + first.removed, Math.max(second.at, first.at + first.removed));
  const end = Math.max(first.at + first.removed, second.at + second.removed);
  return base.slice(0, first.at) + first.added + between + second.added + base.slice(end);
}

/** Makes `text` read `next` by the one change between them. */
export function retype(text: Y.Text, next: string): void {
  const { at, removed, added } = change(text.toString(), next);
  if (removed > 0) text.delete(at, removed);
  if (added) text.insert(at, added);
}
