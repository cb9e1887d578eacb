import type { NodeParts } from "./definitions.ts";
import type { Graph } from "./graph.ts";
import type { InputSource } from "./inputs.ts";
import { declaredInterface, type PortAddress, type RunInput } from "./interface.ts";
import type { Port } from "./ports.ts";

interface Level {
  graph: Graph;
  nodes: readonly { sources: readonly InputSource[] }[];
  node(id: string): Pick<NodeParts, "definition"> | undefined;
}

/** What a run is asked for: the declared inputs first, then each input that nothing in the graph gives. */
export function runInputs(level: Level): RunInput[] {
  const found = new Map<string, RunInput>();
  const port = (at: PortAddress): Port | undefined => level.node(at.node)?.definition?.inputs.find((one) => one.name === at.port);
  for (const input of declaredInterface(level.graph).inputs) {
    const target = input.to.map(port).find((one) => one !== undefined);
    found.set(input.name, { ...input, ...shapeOf(target) });
  }
  for (const { sources } of level.nodes)
    for (const { kind, port } of sources)
      if (kind === "run" && !found.has(port.name)) found.set(port.name, { name: port.name, label: port.label, to: [], ...shapeOf(port) });
  return [...found.values()];
}

function shapeOf(port: Port | undefined): Pick<RunInput, "type" | "required" | "schema" | "description"> {
  if (!port) return { type: "any", required: false, schema: {} };
  const description = port.description ? { description: port.description } : {};
  return { type: port.type, required: port.required, schema: port.schema, ...description };
}
