import { type NodeDefinition, type Port, whyInvalid, whyValueUnfit } from "@spindle/graph-model";

/** Adds the parameters with their defaults to the ports' values. */
export function fullInput(
  definition: NodeDefinition,
  params: Record<string, unknown> | null | undefined,
  values: Record<string, unknown>,
): Record<string, unknown> {
  const parameters = definition.parameters.map(({ name, schema }) => [name, params?.[name] ?? schema.default] as const);
  return { ...Object.fromEntries(parameters.filter(([, value]) => value !== undefined)), ...values };
}

/** The first value that does not fit its port, as a sentence. */
export function whyUnfit(ports: readonly Port[], values: Record<string, unknown>): string | undefined {
  for (const port of ports) {
    const value = values[port.name];
    if (value === undefined) {
      if (port.required) return `${port.label} has no value.`;
      continue;
    }
    // A port for a file that the worker has may be given by its name as well.
    const byName = typeof value === "string" && Array.isArray(port.schema.anyOf);
    const why = byName ? whyInvalid(value, port.schema) : whyValueUnfit(value, port);
    if (why) return `${port.label}: ${why}`;
  }
  return undefined;
}
