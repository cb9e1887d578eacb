import { declaredInterface, type GraphNode, type Level, nodeTitle } from "@spindle/graph-model";

/** The run's public outputs: the declared ones, else every output of every node that nothing follows. */
export function runOutputs({ graph, ends }: Level, output: (node: string) => Record<string, unknown> | undefined): Record<string, unknown> {
  const declared = declaredInterface(graph).outputs;
  if (declared.length > 0) {
    const found = declared.map(({ name, from }) => [name, output(from.node)?.[from.port]] as const);
    return Object.fromEntries(found.filter(([, value]) => value !== undefined));
  }
  return Object.fromEntries(
    endPrefixes(ends).flatMap(({ id, prefix }) => Object.entries(output(id) ?? {}).map(([port, value]) => [prefix + port, value])),
  );
}

/** What is put before the ports of each end, so that no two outputs have one name: nothing, its title, or its title and id. */
export function endPrefixes(ends: readonly GraphNode[]): { id: string; prefix: string }[] {
  const nodes = new Map<string, number>();
  for (const node of ends) nodes.set(nodeTitle(node), (nodes.get(nodeTitle(node)) ?? 0) + 1);
  return ends.map((node) => {
    const title = nodeTitle(node);
    const name = nodes.get(title) === 1 ? title : `${title} (${node.id})`;
    return { id: node.id, prefix: ends.length === 1 ? "" : `${name}.` };
  });
}
