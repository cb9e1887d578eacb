// How a node would be wired where it is put: which of its ports fit what is there, asked of every entry of the library.
import {
  edgeId,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  isLoopEdge,
  type Library,
  type NodeDefinition,
  type Port,
  type PortAddress,
  resolve,
  typesFit,
  wayOf,
  whyPortsNotFit,
} from "@spindle/graph-model";

/** A port of a node that is there; without `port` any of its outputs. */
export interface End {
  node: string;
  port?: string;
}

/** What a new node is wired to. With both ends it is put into the wire between them. */
export interface Joint {
  /** Its output comes into the new node. */
  from?: End;
  /** The new node's output goes into its input. */
  to?: PortAddress;
  /** The id of the wire that the new node is put into. */
  wire?: string;
}

export interface Join {
  in?: { from: PortAddress; input: string };
  out?: { output: string; to: PortAddress };
  /** The higher the better. */
  score: number;
}

export type Joinable = (definition: Pick<NodeDefinition, "inputs" | "outputs">) => Join | { why: string };

/** Works out the ends once; the answer asks one definition after another. */
export function joinable(graph: Graph, library: Library, joint: Joint): Joinable {
  const level = resolve(graph, library).root;
  const outputs = level
    .node(joint.from?.node ?? "")
    ?.definition?.outputs.filter(({ name }) => [undefined, name].includes(joint.from?.port));
  const inputs = level.node(joint.to?.node ?? "")?.definition?.inputs.filter(({ name }) => name === joint.to?.port);
  return (definition) => {
    const join: Join = { score: 0 };
    let isMapped = false;
    if (joint.from) {
      const best = bestPair(outputs ?? [], definition.inputs);
      if (!best) return { why: whyNoInput(outputs ?? [], definition.inputs) };
      isMapped = wayOf(best.output, best.input) === "map";
      join.in = { from: { node: joint.from.node, port: best.output.name }, input: best.input.name };
      join.score += best.score;
    }
    if (joint.to) {
      const given = isMapped ? definition.outputs.map(listOf) : definition.outputs;
      const best = bestPair(given, inputs ?? []);
      if (!best) return { why: whyNoOutput(given, inputs ?? []) };
      join.out = { output: best.output.name, to: joint.to };
      join.score += best.score;
    }
    return join;
  };
}

/** A node that runs once for each element gives a list of each output. */
const listOf = (port: Port): Port => ({ ...port, type: "array", schema: { type: "array", items: port.schema } });

/** The joint that puts a node into the wire; undefined for a wire without ports, or one that leads back. */
export function jointOfWire(graph: Graph, wire: string): Joint | undefined {
  const edge = graph.edges.find((each, index) => edgeId(each, index) === wire);
  if (!edge || isLoopEdge(edge)) return undefined;
  const { sourcePort, targetPort } = edgeMetadata(edge);
  if (!sourcePort || !targetPort) return undefined;
  return { from: { node: edge.from, port: sourcePort }, to: { node: edge.to, port: targetPort }, wire };
}

/** What is left of a joint in the graph as it is by now, since other people edit it too; `gone` is what is not there any more. */
export function presentJoint(graph: Graph, joint: Joint): { joint: Joint; gone?: "wire" | "node" } {
  const ends = [joint.from?.node, joint.to?.node].filter((id) => id !== undefined);
  if (ends.some((id) => !graph.nodes.some((node) => node.id === id))) return { joint: {}, gone: "node" };
  const now = joint.wire === undefined ? undefined : jointOfWire(graph, joint.wire);
  const isThere = joint.wire === undefined || (now?.from?.node === joint.from?.node && now?.to?.node === joint.to?.node);
  return isThere ? { joint: now ?? joint } : { joint: {}, gone: "wire" };
}

interface Pair {
  output: Port;
  input: Port;
  score: number;
}

/** The ports that are meant for each other most: of the same type and name, needed, and not mostly set by hand. */
function bestPair(outputs: readonly Port[], inputs: readonly Port[]): Pair | undefined {
  let best: Pair | undefined;
  for (const output of outputs)
    for (const input of inputs) {
      const way = wayOf(output, input);
      if (!way) continue;
      const score =
        (output.type === input.type && input.type !== "any" ? 16 : 0) +
        (way === "whole" ? 8 : 0) +
        (output.name === input.name ? 4 : 0) +
        (input.required ? 2 : 0) +
        (input.schema["x-inline"] === true || input.schema["x-advanced"] === true ? 0 : 1);
      if (!best || score > best.score) best = { output, input, score };
    }
  return best;
}

const whyNoInput = (outputs: readonly Port[], inputs: readonly Port[]): string =>
  inputs.length === 0 ? "It has no inputs." : (whyChoices(outputs, inputs) ?? `Takes ${typesOf(inputs)}, not ${typesOf(outputs)}.`);
const whyNoOutput = (outputs: readonly Port[], inputs: readonly Port[]): string =>
  outputs.length === 0 ? "It has no outputs." : (whyChoices(outputs, inputs) ?? `Gives ${typesOf(outputs)}, not ${typesOf(inputs)}.`);

/** Two ports of fitting types that do not fit: one of them lists its choices. */
function whyChoices(outputs: readonly Port[], inputs: readonly Port[]): string | undefined {
  for (const output of outputs) for (const input of inputs) if (typesFit(output.type, input.type)) return whyPortsNotFit(output, input);
  return undefined;
}

const MOST_TYPES = 3;

function typesOf(ports: readonly Port[]): string {
  const types = [...new Set(ports.map(({ type }) => type))];
  if (types.length > MOST_TYPES) return `${types.slice(0, MOST_TYPES).join(", ")} and others`;
  return [types.slice(0, -1).join(", "), types.at(-1) ?? ""].filter(Boolean).join(" or ");
}

/** A wire of a node that becomes another one, with its ports from then on. */
export interface KeptWire {
  edge: GraphEdge;
  /** The id of the wire. */
  id: string;
  /** Undefined for a wire that does not fit. A wire without ports only orders two nodes, and stays as it is. */
  ports: { sourcePort?: string; targetPort?: string } | undefined;
}

/**
 * What becomes of each wire of a node if it becomes another one: it goes to the port of the same name where that fits, or else to the one
 * port that fits and that no other wire has.
 */
export function keptWires(
  graph: Graph,
  library: Library,
  id: string,
): (definition: Pick<NodeDefinition, "inputs" | "outputs">) => KeptWire[] {
  const level = resolve(graph, library).root;
  const wires = graph.edges.flatMap((edge, index) => {
    if (edge.from !== id && edge.to !== id) return [];
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const isInto = edge.to === id;
    const own = isInto ? targetPort : sourcePort;
    const others = level.node(isInto ? edge.from : edge.to)?.definition;
    const other = isInto ? others?.outputs.find(({ name }) => name === sourcePort) : others?.inputs.find(({ name }) => name === targetPort);
    return [{ edge, id: edgeId(edge, index), isInto, own, other, isData: Boolean(sourcePort && targetPort) && edge.from !== edge.to }];
  });
  return (definition) => {
    const fits = (isInto: boolean, other: Port | undefined) => (port: Port) =>
      other !== undefined && wayOf(...(isInto ? ([other, port] as const) : ([port, other] as const))) !== undefined;
    const taken = new Set<string>();
    const portsOf = (isInto: boolean) => (isInto ? definition.inputs : definition.outputs);
    const byName = wires.map(({ isInto, own, other }) => {
      const port = portsOf(isInto).find(({ name }) => name === own);
      if (port && isInto && fits(isInto, other)(port)) taken.add(port.name);
      return port && fits(isInto, other)(port) ? port : undefined;
    });
    return wires.map(({ edge, id, isInto, other, isData }, index) => {
      if (!isData) return { edge, id, ports: edge.from === edge.to ? undefined : {} };
      let port = byName[index];
      if (!port) {
        const free = portsOf(isInto).filter((one) => !(isInto && taken.has(one.name)) && fits(isInto, other)(one));
        port = free.length === 1 ? free[0] : undefined;
        if (port && isInto) taken.add(port.name);
      }
      const { sourcePort = "", targetPort = "" } = edgeMetadata(edge);
      const ports = port && (isInto ? { sourcePort, targetPort: port.name } : { sourcePort: port.name, targetPort });
      return { edge, id, ports };
    });
  };
}

/** How much of what a node is wired to would stay if it became another one. */
export function replaceable(graph: Graph, library: Library, id: string): Joinable {
  const keep = keptWires(graph, library, id);
  return (definition) => {
    const wires = keep(definition).filter(({ edge }) => edgeMetadata(edge).sourcePort);
    const kept = wires.filter(({ ports }) => ports !== undefined);
    if (wires.length > 0 && kept.length === 0) return { why: "Has no port for any of the wires." };
    return { score: kept.length };
  };
}

/** The nodes that by themselves make what an input takes of what an output gives: they need nothing else, and pass nothing on as it came. */
export function converter(graph: Graph, library: Library, joint: Required<Pick<Joint, "from" | "to">>): Joinable {
  const ask = joinable(graph, library, joint);
  return (definition) => {
    const join = ask(definition);
    if ("why" in join) return join;
    const input = definition.inputs.find(({ name }) => name === join.in?.input);
    const output = definition.outputs.find(({ name }) => name === join.out?.output);
    const needsMore = definition.inputs.some(({ name, required }) => required && name !== input?.name);
    const isTyped = input && output && input.type !== "any" && output.type !== "any";
    return isTyped && !needsMore ? join : { why: "Needs more than what the wire brings." };
  };
}
