// What a node is inside its graph: the library's definition, plus the ports that the graph itself makes (SPEC RD1 to RD4).

import { edgeMetadata, type Graph, type GraphEdge, type GraphNode, isMapEdge, type NodeSettings, record } from "./graph.ts";
import type { RunInput } from "./interface.ts";
import { chosenEngine, engineNamed, type Library, type LibraryEngine, type NodeDefinition } from "./library.ts";
import { LIMITS } from "./limits.ts";
import { definitionLeaving } from "./one-of-many.ts";
import type { Passes } from "./passed-on.ts";
import { passesOf } from "./passing.ts";
import { type Port, portsOf } from "./ports.ts";
import { placeValues, WIDGET_VALUES } from "./stored-values.ts";
import { CALL, calledName } from "./subgraphs.ts";
import { definitionWith } from "./variants.ts";

/** What is known of a node without looking at its neighbours. Never changes: an edited node is another object. */
export interface NodeParts {
  /** As the graph has it, but that values which were stored by position stand under their names. */
  readonly node: GraphNode;
  readonly settings: NodeSettings;
  /** The wire that makes the node run once per element of a list. */
  readonly mapped: GraphEdge | undefined;
  /** As the node runs: for a mapped one, what each element sees. Undefined if no plane has it, or the call cannot be followed. */
  readonly element: NodeDefinition | undefined;
  /** As the graph sees the node: a mapped one takes a list and gives lists. */
  readonly definition: NodeDefinition | undefined;
  /** The engine that the node's setting means now: the named one, live or not, else the first live one. */
  readonly engine: LibraryEngine | undefined;
  /** What it passes on instead of running; undefined if it is not bypassed, or off anyway. */
  readonly passes: Passes | undefined;
  /** It is skipped: switched off, or bypassed with outputs and nothing to give at any of them. */
  readonly isOff: boolean;
  /** It calls a definition that the graph does not have. */
  readonly isLostCall: boolean;
}

/** The wire that maps each node over a list, by the node; of several the first counts. */
export function mapEdges(edges: readonly GraphEdge[]): ReadonlyMap<string, GraphEdge> {
  let found: Map<string, GraphEdge> | undefined;
  for (const edge of edges) {
    if (!isMapEdge(edge) || found?.has(edge.to)) continue;
    found ??= new Map();
    found.set(edge.to, edge);
  }
  return found ?? NOT_MAPPED;
}
const NOT_MAPPED: ReadonlyMap<string, GraphEdge> = new Map();

/**
 * What a node that calls a definition is: null if the definition cannot be called (it contains itself, or calls too deep),
 * undefined if there is none of that name.
 */
export type Called = (name: string) => NodeDefinition | null | undefined;

export interface Around {
  settings: NodeSettings;
  mapped: GraphEdge | undefined;
  called: Called;
  library: Library;
}

export function partsOf(given: GraphNode, { settings: written, mapped, called, library }: Around): NodeParts {
  const general = given.service === CALL ? undefined : library.find(given.plane, given.service);
  const node = general ? placed(given, general) : given;
  const name = calledName(node);
  const call = name === undefined ? undefined : called(name);
  const element = node.service === CALL ? (call ?? undefined) : general && definitionLeaving(capability(node, general), written.outputs);
  const definition = element && mapped ? mappedOver(element, mapped) : element;
  const named = definition && engineNamed(definition.engines, written.engine);
  const settings = named && named.id !== written.engine ? { ...written, engine: named.id } : written;
  const engine = definition && chosenEngine(definition, settings.engine);
  const isSwitchedOff = settings.disabled === true;
  const passes = settings.bypassed === true && !isSwitchedOff && element ? passesOf(element) : undefined;
  const isOff = isSwitchedOff || (passes?.size === 0 && element?.outputs.length !== 0);
  const isLostCall = node.service === CALL && call === undefined;
  return { node, settings, mapped, element, definition, engine, passes, isOff, isLostCall };
}

/** Whether a run would run it, if its edges say so. */
export const executes = ({ settings, passes, isOff }: Pick<NodeParts, "settings" | "passes" | "isOff">): boolean =>
  !isOff && !passes && !settings.pinned;

/** Nodes whose values were stored by position before their class was known, with the values by name; by what they were read from. */
const placedNodes = new WeakMap<GraphNode, { general: NodeDefinition; node: GraphNode }>();

function placed(node: GraphNode, general: NodeDefinition): GraphNode {
  if (!node.params || !Object.hasOwn(node.params, WIDGET_VALUES)) return node;
  const known = placedNodes.get(node);
  if (known?.general === general) return known.node;
  const values = placeValues(node.params, general);
  const made = values ? { ...node, params: values.params as NonNullable<GraphNode["params"]> } : node;
  placedNodes.set(node, { general, node: made });
  return made;
}

function capability(node: GraphNode, general: NodeDefinition): NodeDefinition {
  const found = definitionWith(general, node.params);
  let outputs = found.outputs;
  for (const { name, schema } of found.parameters) {
    const made = madePorts(schema, node.params?.[name] ?? schema.default);
    if (made.length > 0) outputs = [...outputs, ...made];
  }
  return outputs === found.outputs ? found : { ...found, outputs };
}

function mappedOver(definition: NodeDefinition, edge: GraphEdge): NodeDefinition {
  const { targetPort } = edgeMetadata(edge);
  return {
    ...definition,
    inputs: definition.inputs.map((port) => (port.name === targetPort ? listOf(port) : port)),
    outputs: definition.outputs.map(listOf),
  };
}

const listOf = ({ branch: _, ...port }: Port): Port => ({ ...port, type: "array", schema: { type: "array", items: port.schema } });

const NO_PORTS: readonly Port[] = [];

/** `x-ports: outputs` makes a port of each property of the parameter's value; `x-branches` a branch of each of its texts. */
function madePorts(schema: Record<string, unknown>, value: unknown): readonly Port[] {
  if (schema["x-ports"] === "outputs") return portsOf(record(value)).slice(0, LIMITS.fields);
  if (schema["x-branches"] !== true || !Array.isArray(value)) return NO_PORTS;
  return value
    .filter((one): one is string => typeof one === "string" && one !== "")
    .map((name) => ({ name, label: name, type: "boolean", required: false, schema: { type: "boolean" }, branch: true as const }));
}

/** What a node that calls a definition is, as a capability. */
export function callOf(name: string, graph: Graph, inputs: readonly RunInput[], outputs: Port[]): NodeDefinition {
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
    inputs: inputs.map(({ name: port, label, type, required, schema, description, ...input }) => ({
      name: port,
      label,
      type,
      required: required && !("default" in input),
      schema: "default" in input ? { ...schema, default: input.default } : schema,
      ...(description ? { description } : {}),
    })),
    outputs,
    parameters: [{ name: "definition", schema: { type: "string" }, required: true }],
    engines: [{ id: "default", label: "Subgraph", plane: "node", draft: false, live: true }],
    live: true,
    idempotent: true,
    timeoutSeconds: 0,
    calls: name,
  };
}
