// What a node is inside its graph: the library's definition, plus the ports that the graph itself makes (SPEC D1 to D4).
import { type EdgeMetadata, edgeMetadata, type Graph, type GraphEdge, type GraphNode, isMapEdge } from "./graph.ts";
import { declaredInterface } from "./interface.ts";
import type { Define, Library, NodeDefinition } from "./library.ts";
import { type Port, portsOf } from "./ports.ts";
import { runInputs } from "./run-inputs.ts";
import { topology } from "./topology.ts";

/** The one service that every library has: it runs a definition of its graph (DESIGN G5). */
export const CALL = "graph.call";

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export const definitionNames = (graph: Graph): string[] => Object.keys(record(graph.metadata?.definitions));

export const calledName = (node: GraphNode): string | undefined =>
  node.service === CALL && typeof node.params?.definition === "string" ? node.params.definition : undefined;

/** A definition as a graph of its own; it sees the other definitions and, under its own, the context of the whole. */
export function definitionGraph(graph: Graph, name: string): Graph | undefined {
  const definitions = record(graph.metadata?.definitions);
  if (!Object.hasOwn(definitions, name)) return undefined;
  const raw = record(definitions[name]);
  const list = (value: unknown) => (Array.isArray(value) ? value : []);
  return {
    schema: "langgraph.v1",
    workflowId: name,
    context: { ...graph.context, ...record(raw.context) },
    nodes: list(raw.nodes) as Graph["nodes"],
    edges: list(raw.edges) as Graph["edges"],
    metadata: { ...record(raw.metadata), definitions: graph.metadata?.definitions },
  };
}

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

export const definer =
  (graph: Graph, library: Library): Define =>
  (node) =>
    definitionOf(graph, node, library);

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
  if (name === undefined || !definitions) return undefined;
  const byGraph = made.get(library) ?? new WeakMap<object, Map<string, NodeDefinition | undefined>>();
  made.set(library, byGraph);
  const known = byGraph.get(definitions) ?? new Map<string, NodeDefinition | undefined>();
  byGraph.set(definitions, known);
  // One that is being made calls itself: it has no ports, and validation says so.
  if (!known.has(name)) {
    known.set(name, undefined);
    const inner = definitionGraph(graph, name);
    known.set(name, inner && fromGraph(inner, name, library));
  }
  return known.get(name);
}

function fromGraph(graph: Graph, name: string, library: Library): NodeDefinition {
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
    inputs: runInputs(graph, definer(graph, library)).map(({ name: port, label, type, required, schema, description, ...input }) => ({
      name: port,
      label,
      type,
      required: required && !("default" in input),
      schema: "default" in input ? { ...schema, default: input.default } : schema,
      ...(description ? { description } : {}),
    })),
    outputs: callOutputs(graph, library),
    parameters: [{ name: "definition", schema: { type: "string" }, required: true }],
    engines: [{ id: "default", label: "Subgraph", plane: "node", draft: false, live: true }],
    live: true,
    idempotent: true,
    timeoutSeconds: 0,
    calls: name,
  };
}

function callOutputs(graph: Graph, library: Library): Port[] {
  const { outputs } = declaredInterface(graph);
  const port = (node: string, name: string): Port | undefined => {
    const found = graph.nodes.find((one) => one.id === node);
    return found && definitionOf(graph, found, library)?.outputs.find((one) => one.name === name);
  };
  if (outputs.length > 0)
    return outputs.flatMap(({ name, label, from }) => {
      const source = port(from.node, from.port);
      return source ? [{ ...source, name, label }] : [];
    });
  const { successors } = topology(graph);
  const ends = graph.nodes.filter((node) => successors.get(node.id)?.size === 0);
  return ends.length === 1 ? (definitionOf(graph, ends[0] as GraphNode, library)?.outputs ?? []) : [];
}
