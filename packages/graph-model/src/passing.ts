// What a bypassed node passes on: each output gives what an input takes, by ComfyUI's rule (docs/decisions/0025).
import type { NodeDefinition } from "./library.ts";
import type { Passes } from "./passed-on.ts";
import { comfyType, type Port, portsFit } from "./ports.ts";

const known = new WeakMap<NodeDefinition, Passes>();

/**
 * The input that stands in for each output: the one at its place if it is of its type, else the first of its type, else the first that
 * fits. None stands in for a choice. The same capability gives the same object.
 */
export function passesOf(definition: NodeDefinition): Passes {
  const found = known.get(definition);
  if (found) return found;
  const { inputs } = definition;
  const made = new Map<string, string>();
  for (const [at, output] of definition.outputs.entries()) {
    if (output.branch) continue;
    const there = inputs[at];
    const input =
      there && isAlike(there, output) ? there : (inputs.find((one) => isAlike(one, output)) ?? inputs.find((one) => portsFit(one, output)));
    if (input) made.set(output.name, input.name);
  }
  known.set(definition, made);
  return made;
}

const typeOf = ({ type, schema }: Port): string => comfyType(schema) ?? type;
const isAlike = (input: Port, output: Port): boolean => typeOf(input) === typeOf(output) && portsFit(input, output);
