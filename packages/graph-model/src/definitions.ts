// What a node is inside its graph: the library's definition, plus the ports that the graph itself makes (SPEC RD1 to RD4).
import { LIMITS } from "./check/limits.ts";
import { type EdgeMetadata, edgeMetadata, type Graph, type GraphEdge, type GraphNode, isMapEdge } from "./graph.ts";
import { declaredInterface } from "./interface.ts";
import type { Define, Library, NodeDefinition } from "./library.ts";
import { type Port, portsOf } from "./ports.ts";
import { runInputs } from "./run-inputs.ts";
import { CALL, callDepth, calledName, definitionGraph, hasDefinition } from "./subgraphs.ts";
import { topology } from "./topology.ts";

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const mapEdges = new WeakMap<Graph["edges"], { length: number; byTarget: Map<string, GraphEdge> }>();

/** The wire that makes a node run once per element of a list. */
export function mapEdge(graph: Graph, id: string): GraphEdge | undefined {
  const { edges } = graph;
  let known = mapEdges.get(edges);
  if (known?.length !== edges.length) {
    const found = edges.filter(isMapEdge).map((edge) => [edge.to, edge] as const);
    known = { length: edges.length, byTarget: new Map(found.reverse()) }; // the first one counts
    mapEdges.set(edges, known);
  }
  return known.byTarget.get(id);
}

/** As the node runs: for a mapped one, what each element sees. */
export function elementDefinition(graph: Graph, node: GraphNode, library: Library): NodeDefinition | undefined {
  if (node.service === CALL) return callDefinition(graph, node, library);
  const found = library.find(node.plane, node.service);
  const made = found?.parameters.flatMap((parameter) =>
    madePorts(parameter.schema, node.params?.[parameter.name] ?? parameter.schema.default),
  );
  return found && made && made.length > 0 ? { ...found, outputs: [...found.outputs, ...made] } : found;
}

/** As the graph sees the node: a mapped one takes a list and gives lists. */
export function definitionOf(graph: Graph, node: GraphNode, library: Library): NodeDefinition | undefined {
  const found = elementDefinition(graph, node, library);
  const edge = found && mapEdge(graph, node.id);
  if (!found || !edge) return found;
  const { targetPort }: EdgeMetadata = edgeMetadata(edge);
  return {
    ...found,
    inputs: found.inputs.map((port) => (port.name === targetPort ? listOf(port) : port)),
    outputs: found.outputs.map(listOf),
  };
}

/** Works out each node once. */
export function definer(graph: Graph, library: Library): Define {
  const known = new Map<GraphNode, NodeDefinition | undefined>();
  return (node) => {
    if (!known.has(node)) known.set(node, definitionOf(graph, node, library));
    return known.get(node);
  };
}

const listOf = ({ branch: _, ...port }: Port): Port => ({ ...port, type: "array", schema: { type: "array", items: port.schema } });

/** `x-ports: outputs` makes a port of each property of the parameter's value; `x-branches` a branch of each of its texts. */
function madePorts(schema: Record<string, unknown>, value: unknown): Port[] {
  if (schema["x-ports"] === "outputs") return portsOf(record(value));
  if (schema["x-branches"] !== true || !Array.isArray(value)) return [];
  return value
    .filter((one): one is string => typeof one === "string" && one !== "")
    .map((name) => ({ name, label: name, type: "boolean", required: false, schema: { type: "boolean" }, branch: true as const }));
}

const made = new WeakMap<Library, WeakMap<object, Map<string, NodeDefinition | undefined>>>();

function callDefinition(graph: Graph, node: GraphNode, library: Library): NodeDefinition | undefined {
  const name = calledName(node);
  const definitions = graph.metadata?.definitions as object | undefined;
  // One that contains itself, or calls too deep, has no ports, and validation says so.
  if (name === undefined || !definitions || !hasDefinition(graph, name) || callDepth(graph, name) > LIMITS.depth) return undefined;
  const byGraph = made.get(library) ?? new WeakMap<object, Map<string, NodeDefinition | undefined>>();
  made.set(library, byGraph);
  const known = byGraph.get(definitions) ?? new Map<string, NodeDefinition | undefined>();
  byGraph.set(definitions, known);
  if (!known.has(name)) {
    const inner = definitionGraph(graph, name);
    known.set(name, inner && fromGraph(inner, name, library));
  }
  return known.get(name);
}

function fromGraph(graph: Graph, name: string, library: Library): NodeDefinition {
  const define = definer(graph, library);
  const label = typeof graph.metadata?.label === "string" ? graph.metadata.label : name;
  const description = typeof graph.metadata?.description === "string" ? graph.metadata.description : "A subgraph of this graph.";
  return {
    plane: "node",
    service: CALL,
    version: "1",
    label,
    description,
    category: "Subgraphs",
    keywords: [],
    docs: description,
    inputs: runInputs(graph, define).map(({ name: port, label, type, required, schema, description, ...input }) => ({
      name: port,
      label,
      type,
      required: required && !("default" in input),
      schema: "default" in input ? { ...schema, default: input.default } : schema,
      ...(description ? { description } : {}),
    })),
    outputs: callOutputs(graph, define),
    parameters: [{ name: "definition", schema: { type: "string" }, required: true }],
    engines: [{ id: "default", label: "Subgraph", plane: "node", draft: false, live: true }],
    live: true,
    idempotent: true,
    timeoutSeconds: 0,
    calls: name,
  };
}

function callOutputs(graph: Graph, define: Define): Port[] {
  const { outputs } = declaredInterface(graph);
  const { node, successors } = topology(graph);
  const outputsOf = (id: string): readonly Port[] => {
    const found = node.get(id);
    return (found && define(found)?.outputs) ?? [];
  };
  if (outputs.length > 0)
    return outputs.flatMap(({ name, label, from }) => {
      const source = outputsOf(from.node).find((one) => one.name === from.port);
      return source ? [{ ...source, name, label }] : [];
    });
  const [end, ...others] = graph.nodes.filter(({ id }) => successors.get(id)?.size === 0);
  return end && others.length === 0 ? [...outputsOf(end.id)] : [];
}
