import canonicalize from "canonicalize";
import { type Graph, nodeSettings } from "../graph.ts";

const STATE = ["input", "output", "error", "telemetry"] as const;

const hasState = (node: Graph["nodes"][number]): boolean => node.status !== "pending" || STATE.some((key) => key in node);

/**
 * DESIGN G9: a document carries `pending` and nothing of a run; what was finished is pinned, so that the rest resumes. A graph that has
 * nothing of a run is given back itself, so that what was worked out about it stands.
 */
export function stripState(graph: Graph): Graph {
  if (!graph.nodes.some(hasState)) return graph;
  const nodes = graph.nodes.map((node) => {
    const clean = { ...node, status: "pending" as const };
    for (const key of STATE) delete clean[key];
    return clean;
  });
  const finished = graph.nodes.filter(
    (node) => node.status === "completed" && Object.keys((node.output as object | null | undefined) ?? {}).length > 0,
  );
  if (finished.length === 0) return { ...graph, nodes: nodes as Graph["nodes"] };
  const pinned = finished.map((node) => [node.id, { pinned: node.output, ...nodeSettings(graph, node.id) }]);
  const settings = { ...(graph.metadata?.nodes as object | undefined), ...Object.fromEntries(pinned) };
  return { ...graph, nodes: nodes as Graph["nodes"], metadata: { ...graph.metadata, nodes: settings } };
}

/** RFC 8785 text: equal graphs give equal bytes, so that a revision can be known by its hash. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("The value has no JSON form.");
  return text;
}

export function exportJson(graph: Graph): string {
  return `${JSON.stringify(stripState(graph), null, 2)}\n`;
}
