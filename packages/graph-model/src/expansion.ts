// How far calls multiply the node runs of a graph.
import { executes } from "./definitions.ts";
import { edgeMetadata } from "./graph.ts";
import type { Level } from "./level.ts";
import type { Resolved } from "./resolve.ts";
import { calledName } from "./subgraphs.ts";

export interface LeastRuns {
  runs: number;
  /** The call that makes most of them, if there is one. */
  most?: string;
}

/**
 * How many node runs a run of the graph makes at least, if nothing in it fails: each node one, a loop one visit, a map no
 * element, and what is called behind a condition, a choice or a failure nothing.
 */
export function leastNodeRuns({ root, definitions }: Resolved): LeastRuns {
  const runs = new Map<string, number>();
  for (const [name, level] of definitions) runs.set(name, countLevel(level, runs).runs);
  return countLevel(root, runs);
}

function countLevel(level: Level, inside: ReadonlyMap<string, number>): LeastRuns {
  const count = level.graph.nodes.length;
  const called = level.nodes.filter(({ node, mapped }) => calledName(node) !== undefined && !mapped).map(({ node }) => node);
  if (called.length === 0) return { runs: count };
  const sure = alwaysRun(level);
  const expanded = called
    .filter(({ id }) => sure.has(id))
    .map((node) => ({ id: node.id, runs: inside.get(calledName(node) as string) ?? 0 }));
  const most = expanded.reduce<(typeof expanded)[number] | undefined>((a, b) => (a && a.runs >= b.runs ? a : b), undefined);
  const total = expanded.reduce((sum, one) => sum + one.runs, count);
  return { runs: total, ...(most ? { most: most.id } : {}) };
}

/** The nodes that run in every run in which nothing fails. */
function alwaysRun(level: Level): Set<string> {
  const { order, incoming } = level.shape;
  const sure = new Set<string>();
  for (const id of order) {
    const node = level.node(id);
    if (!node || !executes(node)) continue;
    const isSure = (incoming.get(id) ?? []).every((edge) => {
      if (level.condition(edge) !== undefined || edge.kind === "on_failure" || !sure.has(edge.from)) return false;
      const { sourcePort } = edgeMetadata(edge);
      return !(sourcePort && level.node(edge.from)?.definition?.outputs.find(({ name }) => name === sourcePort)?.branch);
    });
    if (isSure) sure.add(id);
  }
  return sure;
}
