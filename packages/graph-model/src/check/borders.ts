// Lists that leave their ComfyUI prompt for an input of ComfyUI that takes one value. Within a prompt ComfyUI runs the node once for
// each; what leaves a prompt is one value, which is a list (docs/decisions/0058).
import { nextForList, wayAlong } from "../connect.ts";
import { edgeId, edgeMetadata, isMapEdge, nodeTitle } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { Level, ResolvedNode } from "../level.ts";
import { originsIn } from "../origins.ts";
import { article, comfyType, type Port, portsFit } from "../ports.ts";

const NONE: Issue[] = [];
const isComfyList = ({ type, schema }: Port): boolean => type === "array" && comfyType(schema) !== undefined;

export function checkBorders(level: Level): Issue[] {
  if (!level.nodes.some(({ definition }) => definition?.outputs.some(isComfyList))) return NONE;
  const origin = originsIn(level, () => true);
  /** The output of a node that runs, where a wire takes a list from it. */
  const listOf = (node: string, name: string): { source: ResolvedNode; output: Port } | undefined => {
    const from = origin(node, name);
    const source = "output" in from ? level.node(from.node) : undefined;
    const output = "output" in from ? source?.definition?.outputs.find((port) => port.name === from.output) : undefined;
    return source && output && isComfyList(output) ? { source, output } : undefined;
  };
  return level.graph.edges.flatMap((edge, index) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const to = level.node(edge.to);
    if (typeof sourcePort !== "string" || !to || to.passes || isMapEdge(edge)) return NONE;
    const input = to.definition?.inputs.find((port) => port.name === targetPort);
    const given = level.node(edge.from)?.definition?.outputs.find((port) => port.name === sourcePort);
    if (!input || !given || !portsFit(given, input)) return NONE; // checkEdges says so
    const list = listOf(edge.from, sourcePort);
    if (!list || wayAlong(level, { ...edge, from: list.source.node.id }, list.output, input) !== "map") return NONE;
    const name = `${list.output.label} of ${nodeTitle(list.source.node)}`;
    const message = `This input takes ${article(input.type)}. ${name} leaves its ComfyUI prompt as a list, because the two nodes are not in the same prompt.`;
    const place = { edge: edgeId(edge, index), node: edge.to, port: input.name };
    return [issue("error", "edge.type_mismatch", message, place, nextForList(list.source, list.output, to, input))];
  });
}
