// What may be wired to what, asked while a wire is being dragged.
import { edgeMetadata, type Graph, type GraphEdge, isLoopEdge, isMapEdge, isObject, nodeTitle } from "./graph.ts";
import type { PortAddress } from "./interface.ts";
import type { Level, ResolvedNode } from "./level.ts";
import type { Library } from "./library.ts";
import { leavesOf, portLeaving } from "./one-of-many.ts";
import { comfyType, type Port, portsFit, portType, typesFit, whyPortsNotFit } from "./ports.ts";
import { resolve } from "./resolve.ts";
import { CALL } from "./subgraphs.ts";
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

/**
 * As `wayOf`, for a wire that is there: between two ComfyUI nodes of one prompt ComfyUI hands on a list one by one; a list that leaves
 * the prompt is one value.
 */
export function wayAlong(level: Level, edge: GraphEdge, output: Port, input: Port): "whole" | "map" | undefined {
  const way = wayOf(output, input);
  return way === "whole" && !isWithinRegion(level, edge) && isListForOne(output, input) ? "map" : way;
}

function isWithinRegion(level: Level, edge: GraphEdge): boolean {
  const region = level.node(edge.from)?.region;
  return region !== undefined && region === level.node(edge.to)?.region && !isLoopEdge(edge);
}

/** Whether only ComfyUI's own types let them fit. */
function isListForOne(output: Port, input: Port): boolean {
  if (output.type !== "array" || comfyType(input.schema) === undefined) return false;
  return !typesFit(output.type, input.type) || (input.type !== "array" && "x-artifact" in Object(output.schema.items));
}

/** What can be done about a list for an input that takes one of its values; undefined where it takes none of them. */
export function nextForList(source: ResolvedNode, output: Port, to: ResolvedNode, input: Port): string | undefined {
  if (!elementsFit(output, input)) return undefined;
  if (leavesOf(output) !== undefined) return `Choose at ${nodeTitle(source.node)} what leaves: the first, or all, each by itself.`;
  const choice = source.node.service === CALL ? "Choose inside the subgraph what leaves, or let" : "Let";
  return `${choice} ${nodeTitle(to.node)} run for each element: the wire's settings have that.`;
}

/** The wires of an output that could bring its values one by one, as maps do, to inputs that take one and not a list. */
export function wiresForEach(level: Level, id: string, name: string): { edge: GraphEdge; isMap: boolean }[] {
  const output = level.node(id)?.element?.outputs.find((port) => port.name === name);
  if (!output) return [];
  const list = portLeaving(output, "all");
  return (level.shape.outgoing.get(id) ?? []).flatMap((edge) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const input = level.node(edge.to)?.element?.inputs.find((port) => port.name === targetPort);
    const takesEach = sourcePort === name && input !== undefined && !isLoopEdge(edge) && wayAlong(level, edge, list, input) === "map";
    return takesEach ? [{ edge, isMap: isMapEdge(edge) }] : [];
  });
}
