// The names that a text may use as {{name}}, where its schema says what gives them: `x-variables` lists inputs of the node, and as `input.*` the
// keys of an object that an input takes.
import { isObject, type Level, type ResolvedNode } from "@spindle/graph-model";
import type { Variables } from "../ui/variables";

const KEYS = ".*";

/** Undefined for a text without variables. */
export function variablesOf(level: Level, { node, sources }: ResolvedNode, schema: Record<string, unknown>): Variables | undefined {
  const hint = schema["x-variables"];
  if (!Array.isArray(hint)) return undefined;
  const names = new Set<string>();
  let isOpen = false;
  for (const entry of hint.filter((one) => typeof one === "string")) {
    if (!entry.endsWith(KEYS)) {
      names.add(entry);
      continue;
    }
    const name = entry.slice(0, -KEYS.length);
    const source = sources.find(({ port }) => port.name === name);
    const keys = source && keysOf(level, node.params?.[name], source);
    if (keys === undefined) isOpen ||= source !== undefined && source.kind !== "none";
    for (const key of keys ?? []) names.add(key);
  }
  return { names: [...names], isOpen };
}

/** The keys of the object that an input takes; undefined if only the run knows them. */
function keysOf(level: Level, own: unknown, source: ResolvedNode["sources"][number]): string[] | undefined {
  if (source.kind === "param") return isObject(own) ? Object.keys(own) : undefined;
  if (source.kind === "default") return isObject(source.port.schema.default) ? Object.keys(source.port.schema.default) : undefined;
  if (source.kind !== "wire" && source.kind !== "upstream") return undefined;
  const output = level.node(source.from)?.definition?.outputs.find(({ name }) => name === source.output);
  const properties = output?.schema.properties;
  return isObject(properties) && Object.keys(properties).length > 0 ? Object.keys(properties) : undefined;
}
