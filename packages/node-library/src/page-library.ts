// The library as a page has it: whole but for ComfyUI's classes, of which it has an index, and the definitions that its graph needs.
import type { Library, NodeDefinition } from "@spindle/graph-model";
import type { Capability, CombinedManifest } from "@spindle/schemas";
import { define } from "./definition.ts";
import { inOrder, shareSearch } from "./library.ts";
import { type LibraryIndex, readIndex } from "./library-index.ts";

type Engines = NonNullable<Capability["engines"]>;

/** Where a class can run now. */
interface Offer {
  live: boolean;
  engines: Engines;
}

/** What of the library changes while servers come and go: it is small, and everything else stays where it is. */
export interface LibraryCore {
  /** Of the other planes. The workflows that engines are stay with the runtime. */
  capabilities: Capability[];
  /** What keeps ComfyUI away. */
  trouble?: string;
  /** By the ids of the servers that have a class, as `serversOf` gives them: what is so of most such classes. */
  servers: Record<string, Offer>;
  /** By class, where it is another. */
  exceptions: Record<string, Offer>;
}

const serversOf = ({ engines = [] }: Capability): string => engines.map(({ id }) => id).join("\n");

export function makeCore({ capabilities, sources }: CombinedManifest): LibraryCore {
  const offers = new Map<string, Map<string, string[]>>();
  for (const capability of capabilities) {
    if (capability.plane !== "comfy") continue;
    const servers = serversOf(capability);
    const known = offers.get(servers) ?? new Map<string, string[]>();
    offers.set(servers, known);
    const offer = JSON.stringify({ live: capability.live === true, engines: capability.engines ?? [] } satisfies Offer);
    const classes = known.get(offer);
    if (classes) classes.push(capability.id);
    else known.set(offer, [capability.id]);
  }
  const core: LibraryCore = {
    capabilities: capabilities.filter(({ plane }) => plane !== "comfy").map(withoutWorkflows),
    servers: {},
    exceptions: {},
    ...(sources.comfy?.reason ? { trouble: sources.comfy.reason } : {}),
  };
  for (const [servers, known] of offers) {
    const [most, ...others] = [...known].sort(([, a], [, b]) => b.length - a.length);
    if (most) core.servers[servers] = JSON.parse(most[0]) as Offer;
    for (const [offer, classes] of others) for (const id of classes) core.exceptions[id] = JSON.parse(offer) as Offer;
  }
  return core;
}

const withoutWorkflows = (capability: Capability): Capability =>
  capability.engines ? { ...capability, engines: capability.engines.map(({ blueprint: _, ...engine }) => engine) } : capability;

/** What a page asks for of a class: all but where it can run, which changes more often. */
export const withoutOffer = ({ engines: _, live: __, ...definition }: Capability): Capability => definition;

/** @returns what makes the library of the definitions that have come; what is without one is as the index has it */
export function pageLibrary(core: LibraryCore, index: LibraryIndex | undefined): (definitions: Iterable<Capability>) => Library {
  const offered = (capability: Capability): NodeDefinition => {
    const offer = core.exceptions[capability.id] ?? core.servers[serversOf(capability)];
    return define({ ...capability, live: false, ...offer });
  };
  const others = inOrder(core.capabilities.map(define));
  const classes = index ? classesOf(index) : [];
  const list = [...others, ...classes.map(offered)];
  const placeOf = new Map(list.map(({ plane, service }, at) => [`${plane}\n${service}`, at]));
  return (definitions) => {
    const all = [...list];
    for (const capability of definitions) {
      const at = placeOf.get(`comfy\n${capability.id}`);
      if (at === undefined) continue;
      const { engines = [] } = classes[at - others.length] ?? {};
      all[at] = offered({ ...capability, engines });
    }
    const library: Library = {
      find: (plane, service) => all[placeOf.get(`${plane}\n${service}`) ?? -1],
      all: () => all,
    };
    if (index) shareSearch(library, index, core.capabilities);
    return library;
  };
}

const read = new WeakMap<LibraryIndex, Capability[]>();

/** In the order in which the library lists them, which is worked out once. */
function classesOf(index: LibraryIndex): Capability[] {
  const known = read.get(index);
  if (known) return known;
  const found = inOrder(readIndex(index));
  read.set(index, found);
  return found;
}

/** Where a page finds the documents of the library. */
export const LIBRARY_ADDRESS = "/api/library";

/** How many classes are asked for at once: their names are in the address, by which the browser keeps the answer. */
export const MOST_DEFINITIONS = 64;
