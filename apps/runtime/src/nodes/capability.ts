// What a node-plane capability is: manifest entry and handler in one file (docs/adding-a-node.md).
import type { ArtifactRef, Capability, CombinedManifest } from "@spindle/schemas";
import type { Config } from "../config.ts";

export interface NodeContext {
  /** Values of ports and parameters by name, checked against their schemas. */
  input: Record<string, unknown>;
  engine: string;
  signal: AbortSignal;
  models: Config["models"];
  /** Shows up on the node while it runs; lossy, latest wins. */
  progress(news: { progress?: number; note?: string; text?: string }): void;
  /** Kept with the node run, for those who look into it later; of much, the end. */
  log(line: string): void;
  read(ref: ArtifactRef): Promise<Buffer>;
  write(bytes: Uint8Array, file: { mime: string; name?: string }): Promise<ArtifactRef>;
  manifest(): CombinedManifest;
}

export interface NodeEngine {
  id: string;
  label: string;
  description?: string;
  draft: boolean;
  /** Why the engine cannot run now; undefined if it can. Absent: it always can. */
  whyNot?(models: Config["models"]): Promise<string | undefined>;
}

export interface NodeCapability {
  id: string;
  label: string;
  description: string;
  version: string;
  category: string;
  keywords?: string[];
  docs?: string;
  timeoutSeconds?: number;
  idempotent: boolean;
  sideEffects?: string;
  /** Takes no time worth saving: always runs, never cached. */
  instant?: true;
  /** JSON Schema objects; each property is a port. */
  input: Schema;
  output: Schema;
  parameters?: NonNullable<Capability["parameters"]>;
  engines?: NodeEngine[];
  examples?: unknown[];
  /** A person gives the outputs; nothing runs. */
  human?: true;
  run?(context: NodeContext): Promise<Record<string, unknown>>;
}

export type Schema = { type: "object"; required?: string[]; properties: Record<string, Record<string, unknown>> };

/** The failure of a node that another try cannot mend. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The failure of something outside that may pass. */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** Only for inference: a node's file ends with `export default defineNode({...})`. */
export const defineNode = (capability: NodeCapability): NodeCapability => capability;
