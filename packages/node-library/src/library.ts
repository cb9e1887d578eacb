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

/** Full-text search over label, service, keywords and description; prefix and one typo are forgiven. One index for a library. */
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
  return (text) => (text.trim() ? index.search(text).flatMap(({ id }) => all[id as number] ?? []) : [...all]);
}
