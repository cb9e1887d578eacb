// Graph -> what React Flow draws. Pure; run state is not part of it.

import {
  edgeId,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type Issue,
  isLoopEdge,
  type Level,
  type Library,
  type NodeDefinition,
  nodePosition,
  nodeTitle,
  type Port,
  type Position,
  record,
  resolve,
} from "@spindle/graph-model";
import type { Edge } from "@xyflow/react";
import { laidOut } from "./arrange";
import { bendsOf } from "./bends";
import type { CardNode } from "./node-card";
import { problemsByNode } from "./problems";

/** The room that a card is given before it is drawn, in pixels. The canvas hands the width on to the style sheets. */
export const CARD = { width: 304, height: 260 };

/** Tab reaches one of the cards alone, and none of the wires. */
const NO_TAB = { tabIndex: -1 };

export function toNodes(graph: Graph, library: Library, issues: readonly Issue[]): CardNode[] {
  const places = layout(graph);
  const wired = new Map<string, string[]>();
  for (const edge of graph.edges) {
    const port = edgeMetadata(edge).targetPort;
    const known = wired.get(edge.to);
    if (port && known) known.push(port);
    else if (port) wired.set(edge.to, [port]);
  }
  const wrong = problemsByNode(issues);
  const problems = new Map<string, string>(); // the first issue of each node
  for (const { place, message } of issues.filter((issue) => showsOnCard(issue) && issue.code !== "graph.cycle"))
    if (place.node !== undefined && !problems.has(place.node)) problems.set(place.node, message);
  return resolve(graph, library).root.nodes.map((resolved) => {
    const { node, definition, engine } = resolved;
    return {
      id: node.id,
      type: "card",
      ariaLabel: [nodeTitle(node), definition?.label].filter((one, at, all) => one && all.indexOf(one) === at).join(", "),
      domAttributes: NO_TAB,
      position: nodePosition(graph, node.id) ?? places.get(node.id) ?? { x: 0, y: 0 },
      data: {
        resolved,
        ports: definition ?? portsByWires(graph, node.id),
        engine: (definition?.engines.length ?? 0) > 1 ? engine?.label : undefined,
        draft: engine?.draft === true,
        notCommercial: engine?.commercial === false ? engine.licence : undefined,
        wired: (wired.get(node.id) ?? []).join(" "),
        problem: problems.get(node.id),
        problems: wrong.get(node.id)?.values,
      },
    };
  });
}

/** Whether the issue keeps the graph from running, or a run of it waiting: an error, or a node that no engine can run now. */
const showsOnCard = ({ severity, code }: Issue): boolean => severity === "error" || code === "engine.not_live";

/** A node that no plane offers keeps its wires: it has the ports that they name. */
function portsByWires(graph: Graph, id: string): { inputs: Port[]; outputs: Port[] } {
  const names = (end: "from" | "to", port: "sourcePort" | "targetPort") =>
    new Set(graph.edges.flatMap((edge) => (edge[end] === id ? (edgeMetadata(edge)[port] ?? []) : [])));
  const ports = (found: ReadonlySet<string>): Port[] =>
    [...found].map((name) => ({ name, label: name, type: "any", required: false, schema: {} }));
  return { inputs: ports(names("to", "targetPort")), outputs: ports(names("from", "sourcePort")) };
}

export function toEdges(graph: Graph, library: Library): Edge[] {
  const level = resolve(graph, library).root;
  return graph.edges.map((edge, index) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const label = edgeLabel(edge);
    const bends = bendsOf(edge);
    const source = level.node(edge.from)?.definition;
    const type = source?.outputs.find((port) => port.name === sourcePort)?.type;
    const ports =
      sourcePort && targetPort
        ? { sourceHandle: sourcePort, targetHandle: targetPort }
        : firstPorts(source, level.node(edge.to)?.definition);
    return {
      id: edgeId(edge, index),
      ariaLabel: edgeWords(level, edge),
      domAttributes: NO_TAB,
      source: edge.from,
      target: edge.to,
      ...ports,
      className: `${sourcePort ? "" : "order"} ${edge.kind === "on_failure" ? "on-failure" : ""} ${isLoopEdge(edge) ? "loop" : ""}`,
      ...(bends.length > 0 ? { type: "bent" } : isLoopEdge(edge) ? { type: "loop" } : {}),
      ...(label ? { label, labelBgPadding: [6, 3] as [number, number], labelBgBorderRadius: 4 } : {}),
      data: {
        type: type ?? "any",
        ...(bends.length > 0 ? { bends, from: nodePosition(graph, edge.from), to: nodePosition(graph, edge.to) } : {}),
      },
      style: wireStyle(type),
    };
  });
}

/** What an edge is called: its ends, and what it says beyond them. */
export function edgeWords(level: Level, edge: GraphEdge): string {
  const { sourcePort, targetPort } = edgeMetadata(edge);
  const end = (id: string, side: "inputs" | "outputs", name: string | undefined) => {
    const node = level.node(id);
    const port = name && (node?.definition?.[side].find((one) => one.name === name)?.label ?? name);
    return `${node ? nodeTitle(node.node) : id}${port ? `, ${port}` : ""}`;
  };
  const label = edgeLabel(edge);
  return `Wire from ${end(edge.from, "outputs", sourcePort)} to ${end(edge.to, "inputs", targetPort)}${label ? `, ${label}` : ""}`;
}

const LABEL_LENGTH = 32;

/** What an edge says beyond its ends, in a few words. */
export function edgeLabel(edge: GraphEdge): string {
  const { when, loop, map } = edgeMetadata(edge);
  const condition = when && when.length > LABEL_LENGTH ? `${when.slice(0, LABEL_LENGTH)}…` : when;
  return [
    edge.kind === "on_failure" ? "on failure" : "",
    loop ? `repeats up to ${loop.maxIterations} times` : "",
    map ? "for each" : "",
    condition ? `${loop ? "while" : "if"} ${condition}` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

/** A wire has the colour of what it carries. */
export const wireStyle = (type: string | undefined): never => ({ "--edge": `var(--port-${colour(type)}, var(--port-model))` }) as never;

/** An edge that only orders two nodes is drawn between their first ports. */
function firstPorts(from: NodeDefinition | undefined, to: NodeDefinition | undefined): { sourceHandle?: string; targetHandle?: string } {
  const [source, target] = [from?.outputs[0]?.name, to?.inputs[0]?.name];
  return { ...(source ? { sourceHandle: source } : {}), ...(target ? { targetHandle: target } : {}) };
}

const COLOURS: Record<string, string> = { string: "text", integer: "number", object: "json", array: "json", any: "json" };
const colour = (type: string | undefined): string => COLOURS[type ?? "any"] ?? (type ?? "json").toLowerCase();

/** Places for nodes that have none: left to right, as the edges run. */
function layout(graph: Graph): ReadonlyMap<string, Position> {
  if (graph.nodes.every((node) => nodePosition(graph, node.id))) return new Map();
  const wires = graph.edges.flatMap((edge) => (isLoopEdge(edge) ? [] : [[edge.from, edge.to] as const]));
  return new Map(Object.entries(laidOut({ cards: graph.nodes.map(({ id }) => ({ id, ...CARD })), wires })));
}

/** The graph with a place for every node, as it would be drawn. */
export function withPlaces(graph: Graph): Graph {
  const found = layout(graph);
  if (found.size === 0) return graph;
  const editor = record(graph.metadata?.editor);
  const positions = Object.fromEntries(graph.nodes.map(({ id }) => [id, nodePosition(graph, id) ?? found.get(id)]));
  return { ...graph, metadata: { ...graph.metadata, editor: { ...editor, positions } } };
}
