// A name that is not in a list, and the one that was probably meant: the same file elsewhere, one slip of the pen, or a like name.

/** Folders are written with either slash, and files are moved between folders. */
const plain = (name: string): string => name.toLowerCase().replaceAll("\\", "/");
const file = (name: string): string => plain(name).split("/").at(-1) ?? "";

/** A longer value is no slip of the pen, and comparing it takes as long as it is. */
const LONGEST = 200;

/** A list of names as it is compared with, and what was found in it: a list of files is long, and asked about for each node again. */
interface Names {
  texts: { readonly text: string; readonly plain: string; readonly file: string; pairs?: readonly string[] }[];
  byPlain: ReadonlyMap<string, string>;
  byFile: ReadonlyMap<string, string>;
  found: Map<string, string | undefined>;
}

const lists = new WeakMap<readonly unknown[], Names>();
/** Answers kept of one list. */
const MOST_KEPT = 1000;

function namesOf(choices: readonly unknown[]): Names {
  const known = lists.get(choices);
  if (known) return known;
  const texts = choices.flatMap((text) => (typeof text === "string" ? [{ text, plain: plain(text), file: file(text) }] : []));
  const first = (key: "plain" | "file") => new Map([...texts].reverse().map((name) => [name[key], name.text]));
  const made: Names = { texts, byPlain: first("plain"), byFile: first("file"), found: new Map() };
  lists.set(choices, made);
  return made;
}

/** The first of the choices that differs in nothing but case and the kind of slash. */
export const sameName = (value: string, choices: readonly unknown[]): string | undefined => namesOf(choices).byPlain.get(plain(value));

export function nearest(value: string, choices: readonly unknown[]): string | undefined {
  if (value.length > LONGEST) return undefined;
  const names = namesOf(choices);
  if (names.found.has(value)) return names.found.get(value);
  const own = plain(value);
  const answer =
    names.byPlain.get(own) ??
    names.byFile.get(file(value)) ??
    names.texts.find((name) => isOneSlip(name.plain, own))?.text ??
    likest(names, file(value));
  if (names.found.size >= MOST_KEPT) names.found.clear();
  names.found.set(value, answer);
  return answer;
}

function likest({ texts }: Names, own: string): string | undefined {
  let best: { text: string; score: number } | undefined;
  const mine = new Map<string, number>();
  const all = pairsOf(own);
  for (const pair of all) mine.set(pair, (mine.get(pair) ?? 0) + 1);
  for (const name of texts) {
    name.pairs ??= pairsOf(name.file);
    const score = likeness(mine, all.length, name.pairs);
    if (score >= 0.5 && score > (best?.score ?? 0)) best = { text: name.text, score };
  }
  return best?.text;
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

const pairsOf = (text: string): string[] =>
  Array.from({ length: Math.max(0, text.length - 1) }, (_, index) => text.slice(index, index + 2));

/** Shared pairs of letters (Dice's coefficient), 0 to 1. */
function likeness(mine: ReadonlyMap<string, number>, count: number, theirs: readonly string[]): number {
  const taken = new Map<string, number>();
  let shared = 0;
  for (const pair of theirs) {
    const times = taken.get(pair) ?? 0;
    if (times >= (mine.get(pair) ?? 0)) continue;
    taken.set(pair, times + 1);
    shared++;
  }
  return count + theirs.length === 0 ? 0 : (2 * shared) / (count + theirs.length);
}
