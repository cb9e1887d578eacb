// What a node-plane capability is: manifest entry and handler in one file (docs/adding-a-node.md).
import type { ArtifactRef, Capability, CombinedManifest } from "@spindle/schemas";
import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import type { Config } from "../config.ts";

export interface NodeContext<Input = Record<string, unknown>> {
  /** Values of ports and parameters by name, checked against their schemas. */
  input: Input;
  engine: string;
  signal: AbortSignal;
  models: Config["models"];
  /** Progress that the node shows while it runs; it may be lost, and the latest wins. */
  progress(news: { progress?: number; note?: string; text?: string }): void;
  /** Text that is kept with the node run for whoever reads its log; of too much, only the end is kept. */
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

type Parameters = readonly NonNullable<Capability["parameters"]>[number][];

export interface NodeCapability<I extends Schema = Schema, P extends Parameters = Parameters, Input = Record<string, unknown>> {
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
  /** The node takes no time worth saving: it always runs, and its outputs are never cached. */
  instant?: true;
  /** JSON Schema objects; each property is a port. */
  input: I;
  output: Schema;
  parameters?: P;
  engines?: NodeEngine[];
  examples?: unknown[];
  /** `run` needs nothing but its input and what this file imports of packages: an exported program carries the file. */
  portable?: true;
  /** A person gives the outputs; nothing runs. */
  human?: true;
  run?(context: NodeContext<Input>): Promise<Record<string, unknown>>;
}

export type Schema = { type: "object"; required?: readonly string[]; properties: Record<string, Record<string, unknown>> };

/** A failure that another try cannot mend. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** A failure of something outside the node, which may pass. */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** Fields that have a value whatever the graph says: those that are always given, and those whose schema has a default. */
type Sure<Fields, Given> = {
  [Name in keyof Fields]: Name extends Given ? Name : Fields[Name] extends { default: unknown } ? Name : never;
}[keyof Fields];
type Values<Fields, Given> = { [Name in Sure<Fields, Given>]: ValueOf<Fields[Name]> } & {
  [Name in Exclude<keyof Fields, Sure<Fields, Given>>]?: ValueOf<Fields[Name]>;
};
type ValueOf<S> = S extends { readonly "x-artifact": string }
  ? ArtifactRef
  : S extends { readonly type: string }
    ? FromSchema<S extends JSONSchema ? S : never>
    : unknown;
type SchemasOf<P extends Parameters> = { [Each in P[number] as Each["name"]]: Each["schema"] };
type GivenOf<P extends Parameters> = Extract<P[number], { required: true } | { default: unknown }>["name"];
type InputOf<I extends Schema, P extends Parameters> = Values<I["properties"], NonNullable<I["required"]>[number]> &
  Values<SchemasOf<P>, GivenOf<P>>;

/** For inference: the handler's `input` has the types that the schemas of the ports and the parameters say. */
export const defineNode = <const I extends Schema, const P extends Parameters = readonly []>(
  capability: NodeCapability<I, P, InputOf<I, P>>,
): NodeCapability => capability as unknown as NodeCapability;
