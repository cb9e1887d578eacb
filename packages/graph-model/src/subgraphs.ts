// Subgraphs (DESIGN G5): the definitions of a graph as they are written, and which of them calls which. What is counted over them
// is worked out once per definition and never per call: calls that double at each of n definitions are 2^n.
import { validateGraph } from "@spindle/schemas";
import { type Graph, type GraphNode, isObject, record } from "./graph.ts";

/** The one service that every library has: it runs a definition of its graph (DESIGN G5). */
export const CALL = "graph.call";

const definitionsOf = (graph: Graph): Record<string, unknown> => record(graph.metadata?.definitions);

export const definitionNames = (graph: Graph): string[] => Object.keys(definitionsOf(graph));
/** What stands in the document; the same object as long as it is not edited. */
export const writtenDefinition = (graph: Graph, name: string): unknown => definitionsOf(graph)[name];
const hasDefinition = (graph: Graph, name: string): boolean => Object.hasOwn(definitionsOf(graph), name);

export const calledName = (node: GraphNode): string | undefined =>
  node.service === CALL && typeof node.params?.definition === "string" ? node.params.definition : undefined;

/** A definition as it is written, to be checked against the schema of a graph. */
export function definitionDocument(graph: Graph, name: string): unknown {
  const raw = writtenDefinition(graph, name);
  if (raw === null || typeof raw !== "object" || Array.isArray(raw)) return raw;
  const { nodes = [], edges = [], context, metadata } = raw as Record<string, unknown>;
  return {
    schema: "langgraph.v1",
    workflowId: name,
    nodes,
    edges,
    ...(context === undefined ? {} : { context }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

interface Body extends Pick<Graph, "nodes" | "edges"> {
  /** Whether the definition is one by the schema of a graph. */
  isWhole: boolean;
}
const bodies = new WeakMap<object, Map<string, Body>>();
const NO_BODY: Body = { nodes: [] as never, edges: [], isWhole: false };

/** The nodes and edges of a definition that have the shape of some; what has not is an issue, and every reader goes without it. */
function bodyOf(graph: Graph, name: string): Body {
  const raw = writtenDefinition(graph, name);
  if (raw === null || typeof raw !== "object") return NO_BODY;
  const known = bodies.get(raw)?.get(name);
  if (known) return known;
  const document = definitionDocument(graph, name);
  const body = validateGraph(document) ? { nodes: document.nodes, edges: document.edges, isWhole: true } : wellFormed(record(document));
  bodies.set(raw, (bodies.get(raw) ?? new Map()).set(name, body));
  return body;
}

/** Whether a definition has the schema of a graph. */
export const isWholeDefinition = (graph: Graph, name: string): boolean => bodyOf(graph, name).isWhole;

function wellFormed({ nodes, edges }: Record<string, unknown>): Body {
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const fits = (parts: object) => validateGraph({ schema: "langgraph.v1", workflowId: "part", ...parts });
  const some = { id: "n", service: "s", plane: "node", status: "pending" };
  return {
    nodes: list(nodes).filter((one) => fits({ nodes: [one], edges: [] })) as Graph["nodes"],
    edges: list(edges).filter((one) => fits({ nodes: [some], edges: [one] })) as Graph["edges"],
    isWhole: false,
  };
}

/** A definition as a graph of its own; its context lies over that of the whole (SPEC RD2). The other definitions are not in it. */
export function definitionGraph(graph: Graph, name: string): Graph | undefined {
  if (!hasDefinition(graph, name)) return undefined;
  const raw = writtenDefinition(graph, name);
  if (!isObject(raw)) return makeGraph(graph, name);
  const known = graphs.get(raw);
  if (known?.name === name && known.context === graph.context) return known.graph;
  const made = makeGraph(graph, name);
  graphs.set(raw, { name, context: graph.context, graph: made });
  return made;
}

/** By what is written, which is the same object as long as it is not edited. */
const graphs = new WeakMap<object, { name: string; context: Graph["context"]; graph: Graph }>();

function makeGraph(graph: Graph, name: string): Graph {
  const raw = record(writtenDefinition(graph, name));
  const { definitions: _, ...metadata } = record(raw.metadata);
  const { nodes, edges } = bodyOf(graph, name);
  return {
    schema: "langgraph.v1",
    workflowId: name,
    context: { ...graph.context, ...record(raw.context) },
    nodes,
    edges,
    metadata,
  };
}

/** A definition as a graph of its own that can call the other ones; undefined if there is none of that name. */
export function graphInside(graph: Graph, name: string): Graph | undefined {
  const inner = definitionGraph(graph, name);
  return inner && { ...inner, metadata: { ...inner.metadata, definitions: graph.metadata?.definitions } };
}

/** Definitions, each after those it calls; the circle of one that contains itself. */
interface CallOrder {
  order: readonly string[];
  /** Calls inside calls, its own included; infinite where it contains itself, or calls what does. */
  depth: ReadonlyMap<string, number>;
}

const orders = new WeakMap<object, CallOrder>();

export function callOrder(graph: Graph): CallOrder {
  const definitions = graph.metadata?.definitions;
  if (definitions === null || typeof definitions !== "object") return { order: [], depth: new Map() };
  const known = orders.get(definitions) ?? makeOrder(graph);
  orders.set(definitions, known);
  return known;
}

/** The depth of a definition: 1 without calls, 0 if there is none of that name. */
export const callDepth = (graph: Graph, name: string): number => callOrder(graph).depth.get(name) ?? 0;

/** Depth first without recursion, so that a hostile chain cannot exhaust the stack. */
function makeOrder(graph: Graph): CallOrder {
  const depth = new Map<string, number>();
  const order: string[] = [];
  const open = new Map<string, { calls: Iterator<string>; depth: number }>();
  const enter = (name: string) => open.set(name, { calls: calledBy(graph, name).values(), depth: 1 });
  for (const start of definitionNames(graph)) {
    if (depth.has(start)) continue;
    const path = [start];
    enter(start);
    for (let name = path.at(-1); name !== undefined; name = path.at(-1)) {
      const frame = open.get(name) as { calls: Iterator<string>; depth: number };
      const { value: next, done } = frame.calls.next();
      if (done) {
        path.pop();
        open.delete(name);
        depth.set(name, frame.depth);
        order.push(name);
        const caller = open.get(path.at(-1) ?? "");
        if (caller) caller.depth = Math.max(caller.depth, frame.depth + 1);
      } else if (open.has(next)) frame.depth = Number.POSITIVE_INFINITY;
      else if (depth.has(next)) frame.depth = Math.max(frame.depth, 1 + (depth.get(next) as number));
      else {
        path.push(next);
        enter(next);
      }
    }
  }
  return { order, depth };
}

function calledBy(graph: Graph, name: string): Set<string> {
  const names = bodyOf(graph, name).nodes.map(calledName);
  return new Set(names.filter((one): one is string => one !== undefined && hasDefinition(graph, one)));
}

/** How a definition comes to contain itself: its name, what it calls, and so on to its name again. */
export function callCircle(graph: Graph, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const front = [start];
  for (const name of front)
    for (const next of calledBy(graph, name)) {
      if (next === start) return [...pathTo(name, cameFrom), start];
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, name);
      front.push(next); // the list grows while it is walked
    }
  return undefined;
}

function pathTo(name: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [name];
  for (let before = cameFrom.get(name); before !== undefined; before = cameFrom.get(before)) path.unshift(before);
  return path;
}
