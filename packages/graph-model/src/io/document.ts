import canonicalize from "canonicalize";
import type { Graph } from "../graph.ts";

const STATE = ["input", "output", "error", "telemetry"] as const;

/** DESIGN G9: a document carries `pending` and nothing of a run. */
export function stripState(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) => {
    const clean = { ...node, status: "pending" as const };
    for (const key of STATE) delete clean[key];
    return clean;
  });
  return { ...graph, nodes: nodes as Graph["nodes"] };
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
