// A value that is not in a list any more, and the one that was probably meant: the same file elsewhere, or under a like name.

/** Folders are written both ways, and files are moved between them. */
const plain = (name: string): string => name.toLowerCase().replaceAll("\\", "/");
const file = (name: string): string => plain(name).split("/").at(-1) ?? "";

/** A longer value is no slip of the pen, and comparing it takes as long as it is. */
const LONGEST = 200;

export function nearest(value: string, choices: readonly unknown[]): string | undefined {
  if (value.length > LONGEST) return undefined;
  const texts = choices.filter((one): one is string => typeof one === "string");
  const found = texts.find((one) => plain(one) === plain(value)) ?? texts.find((one) => file(one) === file(value));
  if (found !== undefined) return found;
  const scored = texts.map((one) => ({ one, score: likeness(file(one), file(value)) })).sort((a, b) => b.score - a.score);
  return scored[0] && scored[0].score >= 0.5 ? scored[0].one : undefined;
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
