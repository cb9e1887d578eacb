// What a person typed into a text, told from the text before and after; several of them at once, in DESIGN C2.

/** `removed` characters at `at` are replaced by `added`. */
export interface TextChange {
  at: number;
  removed: number;
  added: string;
}

const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** What lies between the longest beginning and the longest end that both share; no character is cut in two. */
export function textChange(from: string, to: string): TextChange {
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
export function mergedText(base: string, mine: string, theirs: string): string {
  const [own, other] = [textChange(base, mine), textChange(base, theirs)];
  const [first, second] = own.at <= other.at ? [own, other] : [other, own];
  const between = base.slice(first.at + first.removed, Math.max(second.at, first.at + first.removed));
  const end = Math.max(first.at + first.removed, second.at + second.removed);
  return base.slice(0, first.at) + first.added + between + second.added + base.slice(end);
}

/** Where a place in `from` lies once it reads `to`. */
export function placeAfter(place: number, from: string, to: string): number {
  const { at, removed, added } = textChange(from, to);
  if (place <= at) return place;
  return place < at + removed ? at + added.length : place + added.length - removed;
}
