import type { NodeDefinition } from "@spindle/graph-model";

export { whyUnfit } from "@spindle/graph-model";

/** Adds the parameters with their defaults to the ports' values. */
export function fullInput(
  definition: NodeDefinition,
  params: Record<string, unknown> | null | undefined,
  values: Record<string, unknown>,
): Record<string, unknown> {
  const parameters = definition.parameters.map(({ name, schema }) => [name, params?.[name] ?? schema.default] as const);
  return { ...Object.fromEntries(parameters.filter(([, value]) => value !== undefined)), ...values };
}
