import type { Library, NodeDefinition } from "@spindle/graph-model";
import type { Capability } from "@spindle/schemas";
import MiniSearch from "minisearch";
import { define } from "./definition.ts";

const order = new Intl.Collator();

export function makeLibrary(capabilities: readonly Capability[]): Library {
  const byKey = new Map(capabilities.map((capability) => [`${capability.plane}\n${capability.id}`, define(capability)]));
  const list = inOrder([...byKey.values()]);
  return { find: (plane, service) => byKey.get(`${plane}\n${service}`), all: () => list };
}

/** By category and label. ComfyUI's capabilities come last: they are so many that the others would be lost among them. */
export function inOrder<T extends { plane: string; category?: string; label: string }>(list: readonly T[]): T[] {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const key = `${Number(item.plane === "comfy")}${item.category ?? ""}`;
    const known = groups.get(key);
    if (known) known.push(item);
    else groups.set(key, [item]);
  }
  // Categories are few, and comparing texts is what takes the time.
  return [...groups]
    .sort(([a], [b]) => a.charCodeAt(0) - b.charCodeAt(0) || order.compare(a.slice(1), b.slice(1)))
    .flatMap(([, items]) => items.sort((a, b) => order.compare(a.label, b.label)));
}

export type LibrarySearch = (text: string) => NodeDefinition[];

const searches = new WeakMap<Library, LibrarySearch>();

/**
 * Full-text search over label, service, keywords and description; prefix and one typo are forgiven. What is called so comes first, then
 * what begins so, then what has such a word in its name. One index for a library.
 */
export function searchOf(library: Library): LibrarySearch {
  const found = searches.get(library) ?? makeSearch(library);
  searches.set(library, found);
  return found;
}

type Words = () => MiniSearch;

const wordsOf = new WeakMap<Library, Words>();
const shared = new WeakMap<object, { rest: string; words: Words }>();

/** The library with more entries, which come first and are looked for beside the others. */
export function withEntries(library: Library, entries: readonly NodeDefinition[]): Library {
  if (entries.length === 0) return library;
  const all = [...entries, ...library.all()];
  const made: Library = { find: library.find, all: () => all };
  const [own, others] = [makeSearch({ find: library.find, all: () => entries }), searchOf(library)];
  searches.set(made, (text) => (text.trim() === "" ? all : [...own(text), ...others(text)]));
  return made;
}

/** Libraries with the same classes list the same words in the same order, wherever these can run: they are indexed once. */
export function shareSearch(library: Library, classes: object, others: readonly Capability[]): void {
  const rest = JSON.stringify(others.map(({ id, label, keywords, category, description }) => [id, label, keywords, category, description]));
  const known = shared.get(classes);
  const words = known?.rest === rest ? known.words : once(library);
  shared.set(classes, { rest, words });
  wordsOf.set(library, words);
}

/** Thousands of entries take a while to be indexed: that is done when something is looked for. */
function once(library: Library): Words {
  let made: MiniSearch | undefined;
  return () => {
    made ??= indexWords(library.all());
    return made;
  };
}

function indexWords(all: readonly NodeDefinition[]): MiniSearch {
  const index = new MiniSearch({
    fields: ["label", "service", "keywords", "category", "description"],
    searchOptions: { prefix: true, fuzzy: 0.2, boost: { label: 4, keywords: 2 } },
  });
  index.addAll(
    all.map((definition, id) => ({
      id,
      label: definition.label,
      service: definition.service.replaceAll(/[._]/g, " "),
      keywords: definition.keywords.join(" "),
      category: definition.category,
      description: definition.description,
    })),
  );
  return index;
}

function makeSearch(library: Library): LibrarySearch {
  const words = wordsOf.get(library) ?? once(library);
  const all = library.all();
  return (text) => {
    const asked = text.trim().toLowerCase();
    if (asked === "") return [...all];
    const found = words()
      .search(asked)
      .map(({ id, score }) => ({ definition: all[id as number] as NodeDefinition, score }));
    const ranked = found.map((one) => ({ ...one, rank: nameRank(one.definition, asked) }));
    return ranked.sort((a, b) => a.rank - b.rank || b.score - a.score).map(({ definition }) => definition);
  };
}

/** How well the name answers what was asked; 0 is best. What is old comes after what is not. */
function nameRank({ label, mark }: NodeDefinition, asked: string): number {
  const name = label.toLowerCase();
  const isWord = name.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(asked));
  return (name === asked ? 0 : name.startsWith(asked) ? 2 : isWord ? 4 : 6) + (mark === "deprecated" ? 1 : 0);
}
