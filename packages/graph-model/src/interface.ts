// DESIGN G4: the graph's public inputs and outputs, from which form, REST call and command line are made.
import type { InterfaceInput, InterfaceOutput, PortAddress } from "@spindle/schemas";
import type { Graph } from "./graph.ts";

export type { PortAddress };

/** A public input as it is read: shown by its name where it has no label. */
export type DeclaredInput = InterfaceInput & Required<Pick<InterfaceInput, "label" | "to">>;
export type DeclaredOutput = InterfaceOutput & Required<Pick<InterfaceOutput, "label">>;

/** A public input with what its port says of it. */
export interface RunInput extends DeclaredInput {
  type: string;
  required: boolean;
  schema: Record<string, unknown>;
  description?: string;
}

const list = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((one) => one !== null && typeof one === "object") : [];
const text = (value: unknown, otherwise: string): string => (typeof value === "string" ? value : otherwise);
const address = (value: unknown): PortAddress | undefined => {
  const { node, port } = (value ?? {}) as Record<string, unknown>;
  return typeof node === "string" && typeof port === "string" ? { node, port } : undefined;
};

const NOTHING_DECLARED = { inputs: [], outputs: [] };

/** The declared interface; parts of it that make no sense are left out here and are issues in `validate`. */
export function declaredInterface(graph: Graph): { inputs: readonly DeclaredInput[]; outputs: readonly DeclaredOutput[] } {
  if (graph.metadata?.interface === undefined) return NOTHING_DECLARED;
  const raw = (graph.metadata?.interface ?? {}) as Record<string, unknown>;
  const inputs = list(raw.inputs).flatMap((entry): DeclaredInput[] => {
    if (typeof entry.name !== "string" || !entry.name) return [];
    const to = (Array.isArray(entry.to) ? entry.to : []).map(address).filter((a): a is PortAddress => a !== undefined);
    const widget = typeof entry.widget === "string" ? { widget: entry.widget } : {};
    return [
      { name: entry.name, label: text(entry.label, entry.name), to, ...widget, ...("default" in entry ? { default: entry.default } : {}) },
    ];
  });
  const outputs = list(raw.outputs).flatMap((entry): DeclaredOutput[] => {
    const from = address(entry.from);
    return typeof entry.name === "string" && from ? [{ name: entry.name, label: text(entry.label, entry.name), from }] : [];
  });
  return { inputs, outputs };
}
