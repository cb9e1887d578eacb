// A manifest entry (DESIGN M1) -> the definition that canvas, inspector and validator read.
import type { NodeDefinition, Parameter, Plane, Port } from "@spindle/graph-model";
import { portType } from "@spindle/graph-model";
import type { Capability } from "@spindle/schemas";

type Schema = Record<string, unknown>;
const record = (value: unknown): Record<string, Schema> =>
  value !== null && typeof value === "object" ? (value as Record<string, Schema>) : {};

export function define(capability: Capability): NodeDefinition {
  const plane = capability.plane as Plane;
  const live = capability.live !== false;
  const inputs = ports(capability.io.input);
  return {
    plane,
    service: capability.id,
    version: capability.version,
    label: capability.label,
    description: capability.description,
    category: capability.category ?? "Other",
    keywords: capability.keywords ?? [],
    docs: capability.docs ?? capability.description,
    inputs,
    outputs: ports(capability.io.output),
    parameters: (capability.parameters ?? []).filter((one) => !inputs.some((port) => port.name === one.name)).map(parameter),
    engines: (capability.engines ?? [{ id: "default", label: "Default", plane, draft: false, live: true }]).map((engine) => ({
      ...engine,
      plane: engine.plane as Plane,
      live: engine.live && live,
    })),
    live,
    idempotent: capability.contracts?.idempotent === true,
    timeoutSeconds: capability.runtime.timeoutSeconds ?? 0,
  };
}

function ports(schema: Schema): Port[] {
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  return Object.entries(record(schema.properties)).map(([name, one]) => ({
    name,
    label: typeof one.title === "string" ? one.title : words(name),
    type: portType(one),
    required: required.has(name),
    schema: one,
    ...(typeof one.description === "string" ? { description: one.description } : {}),
  }));
}

function parameter(raw: NonNullable<Capability["parameters"]>[number]): Parameter {
  const schema: Schema = { type: raw.type, ...raw.schema, ...(raw.default !== undefined ? { default: raw.default } : {}) };
  return { name: raw.name, schema, required: raw.required === true, ...(raw.description ? { description: raw.description } : {}) };
}

/** `voiceSample` -> "Voice sample". */
export function words(name: string): string {
  const spaced = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1).toLowerCase();
}
