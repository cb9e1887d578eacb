// What may be wired to what, asked while a wire is being dragged.
import { edgeMetadata, type Graph, type GraphEdge, isLoopEdge, isMapEdge, isObject } from "./graph.ts";
import type { PortAddress } from "./interface.ts";
import type { Level } from "./level.ts";
import type { Library } from "./library.ts";
import { portLeaving } from "./one-of-many.ts";
import { type Port, portsFit, portType, whyPortsNotFit } from "./ports.ts";
import { resolve } from "./resolve.ts";
import { upstream } from "./topology.ts";

export type Connectable = { ok: true; replaces?: string; as?: "loop" | "map" } | { ok: false; reason: string };

/**
 * `replaces` is the id of the wire that an occupied input gives up. `as` says what the wire becomes: a loop where it leads
 * back, a map where it brings a list to an input that takes its elements.
 */
export function canConnect(graph: Graph, library: Library, from: PortAddress, to: PortAddress): Connectable {
  const level = resolve(graph, library).root;
  const no = (reason: string): Connectable => ({ ok: false, reason });
  const port = (at: PortAddress, side: "inputs" | "outputs") => {
    const ports = level.node(at.node)?.definition?.[side];
    return ports?.find((one) => one.name === at.port);
  };
  const output = port(from, "outputs");
  const input = port(to, "inputs");
  if (!output || !input) return no("The port does not exist.");
  const loops = from.node === to.node || upstream(level.shape, from.node).has(to.node);
  const index = graph.edges.findIndex(
    (edge) => edge.to === to.node && isLoopEdge(edge) === loops && edgeMetadata(edge).targetPort === to.port,
  );
  const old = graph.edges[index];
  const way = wayOf(output, input);
  const maps = !loops && (old ? isMapEdge(old) : way === "map");
  if (!maps && way !== "whole") return no(whyPortsNotFit(output, input));
  return {
    ok: true,
    ...(old ? { replaces: edgeMetadata(old).id ?? `e${index}` } : {}),
    ...(loops ? { as: "loop" as const } : maps ? { as: "map" as const } : {}),
  };
}

/** How the value of an output goes into an input: whole, or element by element; undefined if it does not fit. */
export function wayOf(output: Port, input: Port): "whole" | "map" | undefined {
  if (portsFit(output, input)) return "whole";
  return elementsFit(output, input) ? "map" : undefined;
}

function elementsFit(output: Port, input: Port): boolean {
  if (output.type !== "array") return false;
  const { items } = output.schema;
  const schema = isObject(items) ? items : {};
  return portsFit({ type: isObject(items) ? portType(items) : "any", schema }, input);
}

/** The wires of an output that could bring its values one by one, as maps do, to inputs that take one and not a list. */
export function wiresForEach(level: Level, id: string, name: string): { edge: GraphEdge; isMap: boolean }[] {
  const output = level.node(id)?.element?.outputs.find((port) => port.name === name);
  if (!output) return [];
  const list = portLeaving(output, "all");
  return (level.shape.outgoing.get(id) ?? []).flatMap((edge) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const input = level.node(edge.to)?.element?.inputs.find((port) => port.name === targetPort);
    const takesEach = sourcePort === name && input !== undefined && !isLoopEdge(edge) && wayOf(list, input) === "map";
    return takesEach ? [{ edge, isMap: isMapEdge(edge) }] : [];
  });
}
