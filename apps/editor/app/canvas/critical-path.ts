// The critical path of a run: the chain of nodes that decided how long it took, and what each of them spent.
import type { Graph } from "@spindle/graph-model";

export interface PathStep {
  node: string;
  /** From when it was handed to the workers until one began. */
  queuedMs: number;
  /** From its beginning to its end. */
  workedMs: number;
}

interface Timed {
  node: string;
  queuedAt?: string;
  startedAt: string | null;
  finishedAt: string | null;
}

/** From the first node to the one that ended last. @param runs of nodes of the graph; of several of one node the last counts */
export function criticalPath(graph: Graph, runs: readonly Timed[]): PathStep[] {
  const ended = new Map<string, Timed & { startedAt: string; finishedAt: string }>();
  for (const { startedAt, finishedAt, ...run } of runs) {
    const known = ended.get(run.node);
    if (startedAt && finishedAt && (!known || known.finishedAt < finishedAt)) ended.set(run.node, { ...run, startedAt, finishedAt });
  }
  const before = new Map<string, string[]>();
  for (const { from, to } of graph.edges) before.set(to, [...(before.get(to) ?? []), from]);
  const path: PathStep[] = [];
  const met = new Set<string>();
  let run = lastOf([...ended.values()].filter(({ node }) => graph.nodes.some(({ id }) => id === node)));
  while (run && !met.has(run.node)) {
    const { node, queuedAt, startedAt, finishedAt } = run;
    met.add(node);
    path.unshift({
      node,
      queuedMs: queuedAt ? Math.max(0, Date.parse(startedAt) - Date.parse(queuedAt)) : 0,
      workedMs: Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)),
    });
    run = lastOf(ranBefore(node, before, ended).filter((other) => !met.has(other.node) && other.finishedAt <= finishedAt));
  }
  return path;
}

const lastOf = <T extends { finishedAt: string }>(runs: readonly T[]): T | undefined =>
  runs.reduce<T | undefined>((last, run) => (last && last.finishedAt >= run.finishedAt ? last : run), undefined);

/** What ran right before a node, through those that did not run. */
function ranBefore<T>(node: string, before: ReadonlyMap<string, readonly string[]>, ran: ReadonlyMap<string, T>): T[] {
  const met = new Set(before.get(node));
  const found: T[] = [];
  for (const other of met) {
    const run = ran.get(other);
    if (run) found.push(run);
    else for (const further of before.get(other) ?? []) met.add(further); // the set grows while it is walked
  }
  return found;
}
