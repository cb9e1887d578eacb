import type { Graph } from "./graph.ts";
import { inputSources } from "./inputs.ts";
import { type DeclaredInput, declaredInterface, type PortAddress } from "./interface.ts";
import type { Define } from "./library.ts";
import type { Port } from "./ports.ts";

/** A public input with what its port says of it. */
export interface RunInput extends DeclaredInput {
  type: string;
  required: boolean;
  schema: Record<string, unknown>;
  description?: string;
}

/** What a run is asked for: the declared inputs first, then each input that nothing in the graph gives. */
export function runInputs(graph: Graph, define: Define): RunInput[] {
  const declared = declaredInterface(graph).inputs;
  const found = new Map<string, RunInput>();
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const port = (at: PortAddress): Port | undefined => {
    const node = nodes.get(at.node);
    return node && define(node)?.inputs.find((one) => one.name === at.port);
  };
  for (const input of declared) {
    const target = input.to.map(port).find((one) => one !== undefined);
    found.set(input.name, { ...input, ...shapeOf(target) });
  }
  for (const source of inputSources(graph, define)) {
    if (source.kind !== "run" || found.has(source.port.name)) continue;
    found.set(source.port.name, { name: source.port.name, label: source.port.label, to: [], ...shapeOf(source.port) });
  }
  return [...found.values()];
}

function shapeOf(port: Port | undefined): Pick<RunInput, "type" | "required" | "schema" | "description"> {
  if (!port) return { type: "any", required: false, schema: {} };
  const description = port.description ? { description: port.description } : {};
  return { type: port.type, required: port.required, schema: port.schema, ...description };
}
