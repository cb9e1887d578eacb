// Outputs of which a node may give several: the first of them leaves it, or all as a list (docs/decisions/0058).
import type { NodeSettings } from "./graph.ts";
import type { NodeDefinition } from "./library.ts";
import { type Port, portType } from "./ports.ts";

export type Leaving = "first" | "all";

/** What leaves of an output; undefined where there is never more than one. */
export function leavesOf({ schema }: Pick<Port, "schema">): Leaving | undefined {
  const leaves = schema["x-many"];
  return leaves === "first" || leaves === "all" ? leaves : undefined;
}

/** What is said of the output itself, and not of each value. */
const OF_THE_OUTPUT = new Set(["title", "description", "x-comfy-type", "x-slot", "x-pick", "x-many"]);

/** An output as it is with a choice. */
export function portLeaving(port: Port, leaving: unknown): Port {
  const now = leavesOf(port);
  if (now === undefined || leaving === now || (leaving !== "first" && leaving !== "all")) return port;
  const entries = Object.entries(port.schema);
  const own = Object.fromEntries(entries.filter(([name]) => OF_THE_OUTPUT.has(name)));
  const value = Object.fromEntries(entries.filter(([name]) => !OF_THE_OUTPUT.has(name)));
  const changed = leaving === "all" ? { type: "array", items: value } : Object(value.items);
  const schema = { ...own, ...changed, "x-many": leaving };
  return { ...port, schema, type: portType(schema) };
}

/** As an output is where nothing of it can be chosen any more: it leaves as it was chosen. */
export function settled(port: Port): Port {
  if (leavesOf(port) === undefined) return port;
  const { "x-many": _, ...schema } = port.schema;
  return { ...port, schema };
}

const known = new WeakMap<NodeDefinition, Map<string, NodeDefinition>>();

/** What a capability is for a node with these choices. The same choices give the same object. */
export function definitionLeaving(definition: NodeDefinition, choices: NodeSettings["outputs"]): NodeDefinition {
  if (choices === undefined || choices === null || typeof choices !== "object") return definition;
  const outputs = definition.outputs.map((port) => portLeaving(port, Object.hasOwn(choices, port.name) ? choices[port.name] : undefined));
  if (outputs.every((port, at) => port === definition.outputs[at])) return definition;
  const key = outputs.map(leavesOf).join();
  const made = known.get(definition) ?? new Map<string, NodeDefinition>();
  known.set(definition, made);
  const found = made.get(key) ?? { ...definition, outputs };
  made.set(key, found);
  return found;
}
