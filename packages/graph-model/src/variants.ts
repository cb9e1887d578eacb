// Inputs that a node has only under certain values of its parameters, or that are something else then.
import type { NodeDefinition } from "./library.ts";
import { type Port, portType } from "./ports.ts";

/** What an input is where each of the named parameters has one of the listed values. */
export interface Variant {
  when: Readonly<Record<string, readonly unknown[]>>;
  required: boolean;
  schema: Record<string, unknown>;
}

/** Whether other inputs depend on this one's value. */
export const isChooser = ({ schema }: Pick<Port, "schema">): boolean => schema["x-chooses"] === true;

/** Whether the input only says which others there are, and is not sent to ComfyUI. */
export const isUnsent = ({ schema }: Pick<Port, "schema">): boolean => schema["x-unsent"] === true;

/** Whether a value that the capability has no input for is one of a choice that was not made; any other reaches ComfyUI as it is. */
export const isOfOtherChoice = ({ inputs }: NodeDefinition, name: string): boolean =>
  inputs.some((port) => isChooser(port) && name.startsWith(`${port.name}.`));

const variantsOf = ({ schema }: Pick<Port, "schema">): readonly Variant[] | undefined => schema["x-variants"] as Variant[] | undefined;

/** The input as it is with these values of the choosers; undefined if the node does not have it then. */
export function portWith(port: Port, choice: (chooser: string) => unknown): Port | undefined {
  const variants = variantsOf(port);
  if (!variants) return port;
  const found = variants.find(({ when }) => Object.entries(when).every(([chooser, values]) => values.includes(choice(chooser))));
  return found && { ...port, schema: found.schema, type: portType(found.schema), required: found.required };
}

const known = new WeakMap<NodeDefinition, Map<string, NodeDefinition>>();
/** Choices kept of one capability: several counts of rows multiply. */
const MOST_KEPT = 200;

/** What a capability is for a node with these parameters. The same choices give the same object. */
export function definitionWith(definition: NodeDefinition, params: Readonly<Record<string, unknown>> | null | undefined): NodeDefinition {
  const choosers = definition.inputs.filter(isChooser);
  if (choosers.length === 0) return definition;
  const values = new Map(choosers.map((port) => [port.name, choiceOf(port, params?.[port.name])]));
  const key = JSON.stringify([...values]);
  const made = known.get(definition) ?? new Map<string, NodeDefinition>();
  known.set(definition, made);
  const found = made.get(key);
  if (found) return found;
  const chosen = { ...definition, inputs: definition.inputs.flatMap((port) => portWith(port, (name) => values.get(name)) ?? []) };
  if (made.size >= MOST_KEPT) made.clear();
  made.set(key, chosen);
  return chosen;
}

/** A value that the chooser does not offer chooses what is there by default: the validator says that it is none. */
function choiceOf({ schema }: Port, value: unknown): unknown {
  const offered = Array.isArray(schema.enum)
    ? schema.enum.includes(value)
    : Number.isInteger(value) && Number(value) >= Number(schema.minimum) && Number(value) <= Number(schema.maximum);
  return offered ? value : schema.default;
}
