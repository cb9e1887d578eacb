import { type Decision, decide, decideEdge, type GraphEdge, type InputSource, type Outcome, type Topology } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/record.ts";

/** How a decided row ended, for its successors (DESIGN E3). */
export function outcomeOf(row: Pick<NodeRunRow, "state" | "broken">): Outcome {
  if (row.state === "succeeded") return { status: "completed" };
  if (row.state === "skipped") return { status: "skipped", broken: row.broken };
  return { status: "failed" };
}

export function isHandled(shape: Topology, node: string): boolean {
  return (shape.outgoing.get(node) ?? []).some((edge) => edge.kind === "on_failure");
}

/** Whether a node runs, given its decided predecessors and the values it would get. */
export function decideNode(
  shape: Topology,
  node: string,
  outcome: (id: string) => Outcome | undefined,
  sources: readonly InputSource[],
  values: Record<string, unknown>,
): Decision {
  const edges = (shape.incoming.get(node) ?? []).map((edge: GraphEdge) => {
    const source = outcome(edge.from);
    return source && decideEdge(edge.kind ?? "normal", source, isHandled(shape, edge.from));
  });
  const fed = sources.every(({ port }) => !port.required || values[port.name] !== undefined);
  return decide(edges, fed);
}
