import { declaredInterface, type Level, nodeTitle } from "@spindle/graph-model";

/** The run's public outputs: the declared ones, else every output of every node that nothing follows. */
export function runOutputs({ graph, ends }: Level, output: (node: string) => Record<string, unknown> | undefined): Record<string, unknown> {
  const declared = declaredInterface(graph).outputs;
  if (declared.length > 0) {
    const found = declared.map(({ name, from }) => [name, output(from.node)?.[from.port]] as const);
    return Object.fromEntries(found.filter(([, value]) => value !== undefined));
  }
  const single = ends.length === 1;
  return Object.fromEntries(
    ends.flatMap((node) =>
      Object.entries(output(node.id) ?? {}).map(([port, value]) => [single ? port : `${nodeTitle(node)}.${port}`, value]),
    ),
  );
}
