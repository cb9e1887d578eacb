// The library of this page: an index of ComfyUI's classes, and the definitions of those that are used. All of it has addresses by which the
// browser keeps it; what there is now comes over the socket.
import { type Library, type ReadResult, readAnyText } from "@spindle/graph-model";
import { LIBRARY_ADDRESS, type LibraryCore, type LibraryIndex, MOST_DEFINITIONS, makeLibrary, pageLibrary } from "@spindle/node-library";
import type { AppRouter } from "@spindle/runtime/router";
import type { Capability } from "@spindle/schemas";
import type { inferRouterOutputs } from "@trpc/server";
import { create } from "zustand";

type Head = inferRouterOutputs<AppRouter>["library"]["watch"] extends AsyncIterable<infer T> ? T : never;

interface LibraryState {
  library: Library;
  /** Everything is found and can be added; what is used may still be without its definition. */
  isListed: boolean;
  /** Classes of ComfyUI whose definition is there. */
  defined: ReadonlySet<string>;
  /** What keeps ComfyUI away, or the library itself. */
  trouble: string | undefined;
}

export const useLibraryState = create<LibraryState>(() => ({
  library: makeLibrary([]),
  isListed: false,
  defined: new Set(),
  trouble: undefined,
}));

const RETRY_MS = 1000;

let head: Head | undefined;
let core: { hash: string; value: LibraryCore } | undefined;
let index: { hash: string | undefined; value: LibraryIndex | undefined } | undefined;
let make: ReturnType<typeof pageLibrary> = () => useLibraryState.getState().library;
/** By class, of the library with that hash. */
let definitions = { hash: "", of: new Map<string, Capability>() };
let wanted: readonly string[] = [];

export function followLibrary(next: Head): void {
  head = next;
  void settle();
}

/** The classes that the graph of this page has. */
export function wantDefinitions(classes: readonly string[]): void {
  wanted = classes;
  void settle();
}

/** A graph or a workflow as text. The definitions that a workflow is read with are loaded first. @throws Error if they cannot be */
export async function readWithDefinitions(text: string): Promise<ReadResult> {
  const asked = new Set<string>();
  const { library } = useLibraryState.getState();
  const find: Library["find"] = (plane, service) => {
    if (plane === "comfy") asked.add(service);
    return library.find(plane, service);
  };
  const found = readAnyText(text, { ...library, find });
  const missing = missingOf([...asked]);
  if (missing.length === 0) return found;
  await load(missing);
  publish();
  return readAnyText(text, useLibraryState.getState().library);
}

let isSettling = false;

/** Loads what there is now and is not here, until everything is. */
async function settle(): Promise<void> {
  if (isSettling) return;
  isSettling = true;
  for (let now = head; now && !isSettled(now); now = head) {
    const asked = wanted;
    try {
      await follow(now);
    } catch (error) {
      useLibraryState.setState({ trouble: `The node library could not be loaded, and is asked for again. ${(error as Error).message}` });
    }
    // Whatever the server says, it is not asked without a pause.
    if (now === head && asked === wanted && !isSettled(now)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  isSettling = false;
}

const isSettled = (now: Head): boolean =>
  core?.hash === now.core && index !== undefined && index.hash === now.index && !isStale(now) && missingOf(wanted).length === 0;

/** The definitions that are here are of a former library. */
const isStale = ({ definitions: hash = "" }: Head): boolean => definitions.hash !== hash;

const missingOf = (classes: readonly string[]): string[] => {
  const { library } = useLibraryState.getState();
  return classes.filter((id) => !definitions.of.has(id) && library.find("comfy", id));
};

async function follow(now: Head): Promise<void> {
  if (core?.hash !== now.core || index?.hash !== now.index) {
    const [nextCore, nextIndex] = await Promise.all([
      core?.hash === now.core ? core.value : get<LibraryCore>(now.core),
      index?.hash === now.index ? index?.value : now.index === undefined ? undefined : get<LibraryIndex>(now.index),
    ]);
    core = { hash: now.core, value: nextCore };
    index = { hash: now.index, value: nextIndex };
    make = pageLibrary(nextCore, nextIndex);
    publish();
  }
  if (isStale(now)) {
    const known = wanted.filter((id) => useLibraryState.getState().library.find("comfy", id));
    const found = known.length > 0 ? await fetched(now, known) : [];
    definitions = { hash: now.definitions ?? "", of: new Map(found.map((capability) => [capability.id, capability])) };
  } else await load(missingOf(wanted));
  publish();
}

async function load(classes: readonly string[]): Promise<void> {
  if (!head || classes.length === 0) return;
  for (const capability of await fetched(head, classes)) definitions.of.set(capability.id, capability);
}

/** In the order of their names, so that the same classes have the same address. */
async function fetched({ definitions: hash }: Head, classes: readonly string[]): Promise<Capability[]> {
  const sorted = [...new Set(classes)].sort();
  const parts: string[][] = [];
  while (sorted.length > 0) parts.push(sorted.splice(0, MOST_DEFINITIONS));
  const found = await Promise.all(
    parts.map((part) => get<Capability[]>(`${hash}/definitions?${new URLSearchParams(part.map((id) => ["of", id]))}`)),
  );
  return found.flat();
}

async function get<T>(address: string): Promise<T> {
  const answer = await fetch(`${LIBRARY_ADDRESS}/${address}`);
  if (!answer.ok) throw new Error(answer.status === 404 ? "It is changing." : `The server answered ${answer.status}.`);
  return answer.json();
}

function publish(): void {
  useLibraryState.setState({
    library: make(definitions.of.values()),
    isListed: true,
    defined: new Set(definitions.of.keys()),
    trouble: core?.value.trouble,
  });
}
