// The libraries of all connected servers as one: each node lists the servers that have it as its engines.
import type { Capability } from "@spindle/schemas";
import { type NodeInfo, toCapability } from "./capability.ts";

export interface ServerLibrary {
  /** Which stream its tasks go by; also the engine's id. */
  id: string;
  url: string;
  nodes: ReadonlyMap<string, Capability>;
  live: boolean;
  reason?: string;
}

export type Engine = NonNullable<Capability["engines"]>[number];

/** @throws SyntaxError if it is not JSON */
export function readObjectInfo(text: string): Map<string, Capability> {
  const nodes = new Map<string, Capability>();
  for (const [name, info] of Object.entries(JSON.parse(text) as Record<string, NodeInfo>))
    if (info && typeof info === "object") nodes.set(name, toCapability(name, info));
  return nodes;
}

export function mergeLibraries(servers: readonly ServerLibrary[]): Capability[] {
  const names = new Set(servers.flatMap((one) => [...one.nodes.keys()]));
  return [...names].map((name) => {
    const having = servers.filter((one) => one.nodes.has(name));
    const [first, ...others] = having.map((one) => one.nodes.get(name) as Capability);
    const input = others.reduce((merged, one) => mergeChoices(merged, one.io.input), (first as Capability).io.input);
    return { ...(first as Capability), io: { ...(first as Capability).io, input }, engines: having.map(engineOf) };
  });
}

function engineOf({ id, url, live, reason }: ServerLibrary): Engine {
  const host = new URL(url).host;
  return {
    id,
    label: `ComfyUI at ${host}`,
    plane: "comfy",
    draft: false,
    live,
    ...(live ? {} : { reason: reason ?? `${host} does not answer.` }),
  };
}

type Schema = Record<string, unknown>;

/** A list of files is what any of the servers has. */
function mergeChoices(one: Schema, other: Schema): Schema {
  const [mine, theirs] = [one.properties, other.properties] as Record<string, Schema>[];
  const properties = Object.fromEntries(
    Object.entries(mine ?? {}).map(([name, schema]) => {
      const more = theirs?.[name]?.enum;
      if (!Array.isArray(schema.enum) || !Array.isArray(more)) return [name, schema];
      return [name, { ...schema, enum: [...new Set([...schema.enum, ...more])] }];
    }),
  );
  return { ...one, properties };
}
