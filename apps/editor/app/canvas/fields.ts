// Which values of a node are set on its card.
import { type InputSource, labelOf, type NodeSettings, portKind, portType, type ResolvedNode } from "@spindle/graph-model";
import { isSeed, SEED_MODES, seedMode } from "./seeds";

/** A value that is edited on the card. */
export interface CardField {
  name: string;
  label: string;
  schema: Record<string, unknown>;
  placeholder?: string;
}

/** A card has few fields, so that its result stays the largest thing on it; the inspector has them all. */
const MOST_FIELDS = 3;

/** Parameters first, then inputs that nothing gives; of both what is needed first. */
export function cardFields({ node, definition, settings, sources }: ResolvedNode): CardField[] {
  if (!definition) return [];
  const isSet = (name: string) => node.params?.[name] !== undefined;
  const isShown = ({ name, schema }: CardField) => isEditable(schema) && (schema["x-advanced"] !== true || isSet(name));
  // A file takes room: only one that is needed, or that is there, has it.
  const isLight = (schema: Record<string, unknown>) => portKind(portType(schema)) !== "artifact";
  const parameters = definition.parameters.map(({ name, schema, required }) => ({
    required,
    field: fieldOf({ name, label: labelOf(name, schema), schema }, settings),
  }));
  const open = sources.filter(
    (source) => isOpen(source) && (source.port.required || isLight(source.port.schema) || isSet(source.port.name)),
  );
  const inputs = open.map(({ port, kind }) => ({
    required: port.required,
    field: { ...fieldOf(port, settings), ...(kind === "run" ? { placeholder: "Asked when it runs" } : {}) },
  }));
  return [...parameters, ...inputs]
    .filter(({ field }) => isShown(field))
    .toSorted((one, other) => Number(other.required) - Number(one.required))
    .slice(0, MOST_FIELDS)
    .map(({ field }) => field);
}

export const fieldOf = ({ name, label, schema }: CardField, settings: NodeSettings): CardField => ({
  name,
  label: isSeed(schema) && seedMode(settings, name) !== "fixed" ? `${label}, ${SEED_MODES[seedMode(settings, name)].toLowerCase()}` : label,
  schema,
});

/** An input that is set by hand unless it is wired has its field in the row of its port. */
const isOpen = ({ kind, port }: InputSource): boolean =>
  port.schema["x-inline"] !== true && (kind === "param" || kind === "run" || kind === "default" || kind === "none");

/** Lists and objects are edited in the inspector, where there is room. */
export function isEditable(schema: Record<string, unknown>): boolean {
  const type = portType(schema);
  if (Array.isArray(schema.enum) || portKind(type) === "artifact") return true;
  return type === "string" || type === "number" || type === "integer" || type === "boolean";
}
