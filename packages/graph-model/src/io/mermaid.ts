import { edgeMetadata, type Graph, nodeTitle } from "../graph.ts";

const ARROWS = { normal: "-->", on_success: "-->", on_failure: "-.->" } as const;
const SHAPES = { node: ["(", ")"], python: ["[", "]"], comfy: ["{{", "}}"] } as const;

/** A flowchart. Titles are quoted and escaped, ids replaced, so that no text of a graph becomes syntax. */
export function exportMermaid(graph: Graph): string {
  const name = new Map(graph.nodes.map((node, index) => [node.id, `n${index}`]));
  const quote = (text: string) =>
    `"${text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(/\s+/g, " ")}"`;
  const nodes = graph.nodes.map(
    (node) => `  ${name.get(node.id)}${SHAPES[node.plane][0]}${quote(nodeTitle(node))}${SHAPES[node.plane][1]}`,
  );
  const edges = graph.edges
    .filter((edge) => name.has(edge.from) && name.has(edge.to))
    .map((edge) => {
      const { sourcePort, targetPort } = edgeMetadata(edge);
      const words = [
        edge.kind === "on_failure" ? "on failure" : "",
        typeof sourcePort === "string" && typeof targetPort === "string" ? `${sourcePort} to ${targetPort}` : "",
      ]
        .filter(Boolean)
        .join(", ");
      return `  ${name.get(edge.from)} ${ARROWS[edge.kind ?? "normal"]}${words ? `|${quote(words)}|` : ""} ${name.get(edge.to)}`;
    });
  return `flowchart LR\n${[...nodes, ...edges].join("\n")}\n`;
}
