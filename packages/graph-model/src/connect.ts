// What may be wired to what, asked while a wire is being dragged.
import { definitionOf } from "./definitions.ts";
import { edgeMetadata, type Graph, isLoopEdge } from "./graph.ts";
import type { PortAddress } from "./interface.ts";
import type { Library } from "./library.ts";
import { typesFit, whyNotFit } from "./ports.ts";
import { topology, upstream } from "./topology.ts";

export type Connectable = { ok: true; replaces?: string } | { ok: false; reason: string };

/** `replaces` is the id of the wire that an occupied input gives up. */
export function canConnect(graph: Graph, library: Library, from: PortAddress, to: PortAddress): Connectable {
  const no = (reason: string): Connectable => ({ ok: false, reason });
  if (from.node === to.node) return no("A node cannot feed itself.");
  const port = (at: PortAddress, side: "inputs" | "outputs") => {
    const node = graph.nodes.find((one) => one.id === at.node);
    return node && definitionOf(graph, node, library)?.[side].find((one) => one.name === at.port);
  };
  const output = port(from, "outputs");
  const input = port(to, "inputs");
  if (!output || !input) return no("The port does not exist.");
  if (!typesFit(output.type, input.type)) return no(whyNotFit(output.type, input.type));
  if (upstream(topology(graph), from.node).has(to.node)) return no("That would close a cycle.");
  const index = graph.edges.findIndex((edge) => edge.to === to.node && !isLoopEdge(edge) && edgeMetadata(edge).targetPort === to.port);
  const old = graph.edges[index];
  return old ? { ok: true, replaces: edgeMetadata(old).id ?? `e${index}` } : { ok: true };
}
