import { declaredInterface, type Graph, nodeTitle, topology } from "@spindle/graph-model";

/** The run's public outputs: the declared ones, else every output of every node that nothing follows. */
export function runOutputs(
  graph: Graph,
  rows: readonly { node_id: string; output?: Record<string, unknown> | null }[],
): Record<string, unknown> {
  const output = new Map(rows.map((row) => [row.node_id, row.output ?? {}]));
  const declared = declaredInterface(graph).outputs;
  if (declared.length > 0) {
    const found = declared.map(({ name, from }) => [name, output.get(from.node)?.[from.port]] as const);
    return Object.fromEntries(found.filter(([, value]) => value !== undefined));
  }
  const { successors } = topology(graph);
  const ends = graph.nodes.filter((node) => successors.get(node.id)?.size === 0);
  const single = ends.length === 1;
  return Object.fromEntries(
    ends.flatMap((node) =>
      Object.entries(output.get(node.id) ?? {}).map(([port, value]) => [single ? port : `${nodeTitle(node)}.${port}`, value]),
    ),
  );
}
