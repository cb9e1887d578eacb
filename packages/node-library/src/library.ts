import type { Library, NodeDefinition } from "@spindle/graph-model";
import type { Capability } from "@spindle/schemas";
import MiniSearch from "minisearch";
import { define } from "./definition.ts";

const order = new Intl.Collator();

export function makeLibrary(capabilities: readonly Capability[]): Library {
  const byKey = new Map(capabilities.map((capability) => [`${capability.plane}\n${capability.id}`, define(capability)]));
  // ComfyUI's capabilities come last: they are so many that the others would be lost among them.
  const last = (definition: NodeDefinition) => Number(definition.plane === "comfy");
  const list = [...byKey.values()].sort(
    (a, b) => last(a) - last(b) || order.compare(a.category, b.category) || order.compare(a.label, b.label),
  );
  return { find: (plane, service) => byKey.get(`${plane}\n${service}`), all: () => list };
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

function makeSearch(library: Library): LibrarySearch {
  const index = new MiniSearch({
    fields: ["label", "service", "keywords", "category", "description"],
    searchOptions: { prefix: true, fuzzy: 0.2, boost: { label: 4, keywords: 2 } },
  });
  const all = library.all();
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
  return (text) => {
    const asked = text.trim().toLowerCase();
    if (asked === "") return [...all];
    const found = index.search(asked).map(({ id, score }) => ({ definition: all[id as number] as NodeDefinition, score }));
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
