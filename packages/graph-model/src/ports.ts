import { PORT_TYPES } from "@spindle/schemas";
import { isObject } from "./graph.ts";

export type PortKind = "json" | "artifact" | "opaque";

/** A named, typed input or output of a node, made from a property of the capability's JSON Schema. */
export interface Port {
  name: string;
  label: string;
  type: string;
  required: boolean;
  schema: Record<string, unknown>;
  description?: string;
  /** An output that is a choice: an edge from it is taken only if the node gave it (SPEC RC4). */
  branch?: true;
}

const object = (value: unknown): Record<string, Record<string, unknown>> =>
  isObject(value) ? (value as Record<string, Record<string, unknown>>) : {};

/** One port for each property of a JSON Schema object. */
export function portsOf(schema: Record<string, unknown>): Port[] {
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  return Object.entries(object(schema.properties)).map(([name, raw]) => {
    const property = object(raw) as Record<string, unknown>;
    return {
      name,
      label: labelOf(name, property),
      type: portType(property),
      required: required.has(name),
      schema: property,
      ...(typeof property.description === "string" ? { description: property.description } : {}),
      ...(property["x-branch"] === true ? { branch: true as const } : {}),
    };
  });
}

/** What a value is called where a person reads it. */
export const labelOf = (name: string, schema: Record<string, unknown>): string =>
  typeof schema.title === "string" ? schema.title : words(name);

/** `voiceSample` -> "Voice sample". */
export function words(name: string): string {
  const spaced = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1).toLowerCase();
}

export function portKind(type: string): PortKind {
  return PORT_TYPES[type]?.kind ?? "opaque";
}

/** The port type of a JSON Schema fragment: `x-artifact`, its JSON type, or an opaque `x-comfy-type`. */
export function portType(schema: Record<string, unknown>): string {
  if (typeof schema["x-artifact"] === "string") return schema["x-artifact"];
  const comfy = comfyType(schema);
  if (comfy !== undefined && comfy !== ANY_COMFY && schema.type === undefined) return comfy;
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((type) => type !== "null");
  const [only] = types;
  return types.length === 1 && typeof only === "string" && Object.hasOwn(PORT_TYPES, only) ? only : "any";
}

const ANY_COMFY = "*";

/** ComfyUI's own name for the type of a port of its plane; `A,B` where it takes several, `*` where it takes any. */
export const comfyType = (schema: Record<string, unknown>): string | undefined =>
  typeof schema["x-comfy-type"] === "string" ? schema["x-comfy-type"] : undefined;

/** Whether an output may be wired into an input. Inside ComfyUI its own types decide, as there. */
export function portsFit(from: Pick<Port, "type" | "schema">, to: Pick<Port, "type" | "schema">): boolean {
  const [given, taken] = [comfyType(from.schema), comfyType(to.schema)];
  if (given === undefined || taken === undefined) return typesFit(from.type, to.type) && foreignChoices(from, to) === undefined;
  if (given === ANY_COMFY || taken === ANY_COMFY) return true;
  return given.split(",").some((one) => taken.split(",").includes(one));
}

export function whyPortsNotFit(from: Pick<Port, "type" | "schema">, to: Pick<Port, "type" | "schema">): string {
  const [given, taken] = [comfyType(from.schema), comfyType(to.schema)];
  if (given === undefined || taken === undefined) {
    const foreign = typesFit(from.type, to.type) ? foreignChoices(from, to) : undefined;
    return foreign ? whyNotChosen(from.type, foreign, choicesOf(to.schema) ?? []) : whyNotFit(from.type, to.type);
  }
  return `This input takes ${taken.replaceAll(",", " or ")}, and the output gives ${given}.`;
}

const choicesOf = ({ enum: choices }: Record<string, unknown>): readonly unknown[] | undefined =>
  Array.isArray(choices) ? choices : undefined;

/** What the output may give besides the choices of the input: "any" if it has no choices of its own; undefined if there is nothing. */
function foreignChoices(from: Pick<Port, "type" | "schema">, to: Pick<Port, "schema">): "any" | readonly unknown[] | undefined {
  const taken = choicesOf(to.schema);
  // An output of any type says nothing of its values: the run looks at them.
  if (!taken || from.type === "any") return undefined;
  const given = choicesOf(from.schema);
  if (!given) return "any";
  const foreign = given.filter((value) => !taken.includes(value));
  return foreign.length > 0 ? foreign : undefined;
}

const MOST_CHOICES = 4;

function whyNotChosen(type: string, foreign: "any" | readonly unknown[], taken: readonly unknown[]): string {
  const gives = foreign === "any" ? `gives any ${type}` : `may give ${someOf(foreign)}`;
  return `This input takes only ${someOf(taken)}, and the output ${gives}.`;
}

function someOf(values: readonly unknown[]): string {
  const words = values.slice(0, MOST_CHOICES).map((value) => String(value).slice(0, 40));
  if (values.length > MOST_CHOICES) return `${words.join(", ")} or ${values.length - MOST_CHOICES} more`;
  return [words.slice(0, -1).join(", "), words.at(-1) ?? ""].filter(Boolean).join(" or ");
}

/** Whether a value of type `from` may be wired into a port of type `to` (schemas/port-types.json). */
export function typesFit(from: string, to: string): boolean {
  if (from === to) return true;
  if (portKind(from) === "opaque" || portKind(to) === "opaque") return false;
  if (from === "any") return true;
  const accepts = PORT_TYPES[to]?.accepts ?? [];
  return accepts.includes("*") || accepts.includes(from);
}

/** A sentence for the person who tried it. */
function whyNotFit(from: string, to: string): string {
  if (portKind(from) === "opaque" || portKind(to) === "opaque")
    return `${from} and ${to} are different types, and at least one exists only inside ComfyUI.`;
  return `This input takes ${article(to)}, and the output gives ${article(from)}.`;
}

export const article = (type: string): string => `${/^[aeiou]/i.test(type) ? "an" : "a"} ${type}`;
