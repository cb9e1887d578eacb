// A name that is not in a list, and the one that was probably meant: the same file elsewhere, one slip of the pen, or a like name.

/** Folders are written with either slash, and files are moved between folders. */
const plain = (name: string): string => name.toLowerCase().replaceAll("\\", "/");
const file = (name: string): string => plain(name).split("/").at(-1) ?? "";

/** A longer value is no slip of the pen, and comparing it takes as long as it is. */
const LONGEST = 200;

export function nearest(value: string, choices: readonly unknown[]): string | undefined {
  if (value.length > LONGEST) return undefined;
  const texts = choices.filter((choice): choice is string => typeof choice === "string");
  const found =
    texts.find((text) => plain(text) === plain(value)) ??
    texts.find((text) => file(text) === file(value)) ??
    texts.find((text) => isOneSlip(plain(text), plain(value)));
  if (found !== undefined) return found;
  const scored = texts.map((text) => ({ text, score: likeness(file(text), file(value)) })).sort((a, b) => b.score - a.score);
  return scored[0] && scored[0].score >= 0.5 ? scored[0].text : undefined;
}

/** One letter too many, too few or wrong, or two neighbours swapped; in a name of three letters or more. */
function isOneSlip(a: string, b: string): boolean {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start] === b[start]) start++;
  let end = 0;
  while (end < least - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [mine, theirs] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (least < 3) return false;
  return (
    (mine.length <= 1 && theirs.length <= 1) || (mine.length === 2 && mine[0] === theirs[1] && mine[1] === theirs[0] && theirs.length === 2)
  );
}

/** Shared pairs of letters (Dice's coefficient), 0 to 1. */
function likeness(a: string, b: string): number {
  const pairs = (text: string) => Array.from({ length: Math.max(0, text.length - 1) }, (_, index) => text.slice(index, index + 2));
  const [mine, theirs] = [pairs(a), pairs(b)];
  if (mine.length + theirs.length === 0) return 0;
  const left = [...theirs];
  const shared = mine.filter((pair) => {
    const at = left.indexOf(pair);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
  return (2 * shared.length) / (mine.length + theirs.length);
}
