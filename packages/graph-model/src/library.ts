// The validator's view of the node library: what it must know of a capability, and nothing of where that came from.
import type { Blueprint } from "@spindle/schemas";
import type { Plane } from "./graph.ts";
import type { Port } from "./ports.ts";

export interface LibraryEngine {
  id: string;
  label: string;
  description?: string;
  plane: Plane;
  draft: boolean;
  /** It was reported as able to run, within the last minute. */
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

export interface NodeDefinition {
  plane: Plane;
  service: string;
  version: string;
  label: string;
  description: string;
  category: string;
  keywords: string[];
  docs: string;
  inputs: Port[];
  outputs: Port[];
  parameters: Parameter[];
  engines: LibraryEngine[];
  /** Somebody who offers it answers now. Its engines stay live for a while when nobody does: a worker may restart. */
  live: boolean;
  idempotent: boolean;
  /** Takes no time worth saving: it always runs, and nothing is kept for later. */
  instant?: true;
  /** A person gives the outputs, not a process (DESIGN E7). */
  human?: true;
  /** A subgraph gives them: the definition's name. */
  calls?: string;
  timeoutSeconds: number;
  /** How long nothing may move before a worker ends the work. */
  stallSeconds?: number;
  /** It waits for a GPU, behind everything else that does. */
  gpu?: true;
  mark?: "deprecated" | "experimental";
}

export interface Library {
  find(plane: string, service: string): NodeDefinition | undefined;
  all(): readonly NodeDefinition[];
}

/** The engine that `auto` means now: the first live one that is not left out. None that is not live ever stands in for it. */
export function autoEngine(definition: NodeDefinition): LibraryEngine | undefined {
  return definition.engines.find((engine) => engine.live && engine.auto !== false);
}

/** The engine that a node's setting means now: the named one, live or not, else what `auto` means. */
export function chosenEngine(definition: NodeDefinition, setting: string | undefined): LibraryEngine | undefined {
  return definition.engines.find((engine) => engine.id === setting) ?? autoEngine(definition);
}
