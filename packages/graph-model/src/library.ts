// The validator's view of the node library: what it must know of a capability, and nothing of where that came from.
import type { Blueprint } from "@spindle/schemas";
import type { Graph, Plane } from "./graph.ts";
import type { Port } from "./ports.ts";

export interface LibraryEngine {
  id: string;
  label: string;
  description?: string;
  plane: Plane;
  draft: boolean;
  /** Whether the engine was reported as able to run within the last minute. */
  live: boolean;
  reason?: string;
  /** Of its weights. */
  licence?: string;
  /** Whether that allows commercial use; it does where nothing is said. */
  commercial?: boolean;
  /** False: `auto` leaves it out. */
  auto?: boolean;
  /** The ComfyUI workflow that the engine is. */
  blueprint?: Blueprint;
}

export interface Parameter {
  name: string;
  /** JSON Schema of the value. */
  schema: Record<string, unknown>;
  required: boolean;
  description?: string;
}

/** By the names of inputs and parameters, and of outputs. */
export interface Example {
  input: Readonly<Record<string, unknown>>;
  output?: Readonly<Record<string, unknown>>;
}

export interface SharedDefinition {
  /** The id by which copies know it. */
  definition: string;
  version: string;
  document: Graph;
}

export interface NodeDefinition {
  plane: Plane;
  service: string;
  version: string;
  label: string;
  description: string;
  category: string;
  keywords: string[];
  /** Markdown. */
  docs: string;
  /** Values that the node can be tried with, and what it gives for them. */
  examples?: readonly Example[];
  inputs: Port[];
  outputs: Port[];
  parameters: Parameter[];
  engines: LibraryEngine[];
  /** Whether a worker that offers the capability answers now. Its engines stay live for a minute without one: a worker may restart. */
  live: boolean;
  idempotent: boolean;
  /** The node takes no time worth saving: it always runs, and its outputs are not cached. */
  instant?: true;
  /** A person gives the outputs, not a process (DESIGN E7). */
  human?: true;
  /** The name of the definition that gives the outputs, if a subgraph does. */
  calls?: string;
  /** The entry is a subgraph that is shared with every graph; a node of it calls a copy (DESIGN G5). */
  shared?: SharedDefinition;
  timeoutSeconds: number;
  /** How long nothing may move before a worker ends the work. */
  stallSeconds?: number;
  /** Its tasks are queued for a GPU. */
  gpu?: true;
  mark?: "deprecated" | "experimental";
}

export interface Library {
  find(plane: string, service: string): NodeDefinition | undefined;
  all(): readonly NodeDefinition[];
  /** The node packs that have a class which no ComfyUI server has, as a server's Manager knows; "or" between several. */
  packOf?(service: string): string | undefined;
}

/** The engine that `auto` means now: the first live one that is not left out. None that is not live ever stands in for it. */
export function autoEngine(definition: { readonly engines: readonly LibraryEngine[] }): LibraryEngine | undefined {
  return definition.engines.find((engine) => engine.live && engine.auto !== false);
}

/** To so many characters earlier releases cut ids of engines; of a longer id of a server the end is a hash now. */
const CUT = 64;
const KEPT = 55;

/**
 * The engine of that id, or the only one that can be meant by an id which an earlier release cut.
 * @param id what a setting or a run of any release names
 */
export function engineNamed(engines: readonly LibraryEngine[], id: string | undefined): LibraryEngine | undefined {
  const exact = engines.find((engine) => engine.id === id);
  if (exact || id?.length !== CUT) return exact;
  const [first, ...others] = engines.filter((engine) => engine.id.length >= CUT && engine.id.startsWith(id.slice(0, KEPT)));
  return others.length === 0 ? first : undefined;
}

/** The engine that a node's setting means now: the named one, live or not, else what `auto` means. */
export function chosenEngine(definition: NodeDefinition, setting: string | undefined): LibraryEngine | undefined {
  const named = setting === undefined ? undefined : engineNamed(definition.engines, setting);
  return named ?? autoEngine(definition);
}
