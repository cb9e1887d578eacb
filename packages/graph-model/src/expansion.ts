// How far calls multiply the node runs of a graph.
import { mapEdge } from "./definitions.ts";
import { edgeMetadata, type Graph, nodeSettings } from "./graph.ts";
import type { Define } from "./library.ts";
import { calledName, callOrder, definitionGraph } from "./subgraphs.ts";
import { topology } from "./topology.ts";

export interface LeastRuns {
  runs: number;
  /** The call that makes most of them, if there is one. */
  most?: string;
}

/**
 * How many node runs a run of the graph makes at least, if nothing in it fails: each node one, a loop one visit, a map no
 * element, and what is called behind a condition, a choice or a failure nothing.
 * @param define of each level
 */
export function leastNodeRuns(graph: Graph, define: (level: Graph) => Define): LeastRuns {
  const runs = new Map<string, number>();
  for (const name of callOrder(graph).order) {
    const level = definitionGraph(graph, name) as Graph;
    runs.set(name, countLevel(level, define(level), runs).runs);
  }
  return countLevel(graph, define(graph), runs);
}

function countLevel(graph: Graph, define: Define, inside: ReadonlyMap<string, number>): LeastRuns {
  const called = graph.nodes.filter((node) => calledName(node) !== undefined && mapEdge(graph, node.id) === undefined);
  if (called.length === 0) return { runs: graph.nodes.length };
  const sure = alwaysRun(graph, define);
  const expanded = called
    .filter(({ id }) => sure.has(id))
    .map((node) => ({ id: node.id, runs: inside.get(calledName(node) as string) ?? 0 }));
  const most = expanded.reduce<(typeof expanded)[number] | undefined>((a, b) => (a && a.runs >= b.runs ? a : b), undefined);
  const total = expanded.reduce((sum, one) => sum + one.runs, graph.nodes.length);
  return { runs: total, ...(most ? { most: most.id } : {}) };
}

/** The nodes that run in every run in which nothing fails. */
function alwaysRun(graph: Graph, define: Define): Set<string> {
  const shape = topology(graph);
  const sure = new Set<string>();
  for (const id of shape.order) {
    const { disabled, pinned } = nodeSettings(graph, id);
    if (disabled || pinned) continue;
    const isSure = (shape.incoming.get(id) ?? []).every((edge) => {
      const { when, sourcePort } = edgeMetadata(edge);
      if ((when !== undefined && when !== null) || edge.kind === "on_failure" || !sure.has(edge.from)) return false;
      const source = shape.node.get(edge.from);
      return !(sourcePort && source && define(source)?.outputs.find(({ name }) => name === sourcePort)?.branch);
    });
    if (isSure) sure.add(id);
  }
  return sure;
}
