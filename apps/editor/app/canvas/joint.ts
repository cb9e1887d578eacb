// How a node would be wired where it is put: which of its ports fit what is there, asked of every entry of the library.
import {
  edgeId,
  edgeMetadata,
  type Graph,
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

/** How much of what a node is wired to would stay if it became another one. */
export function replaceable(graph: Graph, library: Library, id: string): Joinable {
  const level = resolve(graph, library).root;
  const wires = graph.edges.flatMap((edge) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const other = level.node(edge.to === id ? edge.from : edge.to)?.definition;
    if ((edge.from !== id && edge.to !== id) || !sourcePort || !targetPort) return [];
    const output = edge.to === id ? other?.outputs.find(({ name }) => name === sourcePort) : undefined;
    const input = edge.from === id ? other?.inputs.find(({ name }) => name === targetPort) : undefined;
    return [{ sourcePort, targetPort, output, input }];
  });
  return (definition) => {
    const kept = wires.filter(({ sourcePort, targetPort, output, input }) => {
      const taken = definition.inputs.find(({ name }) => name === targetPort);
      const given = definition.outputs.find(({ name }) => name === sourcePort);
      return (output && taken && wayOf(output, taken)) || (input && given && wayOf(given, input));
    });
    if (wires.length > 0 && kept.length === 0) return { why: "Has no port for any of the wires." };
    return { score: kept.length };
  };
}
