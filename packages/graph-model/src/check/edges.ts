import { nextForList } from "../connect.ts";
import { edgeId, edgeMetadata, type GraphEdge, isLoopEdge } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { Level } from "../level.ts";
import { portsFit, whyPortsNotFit } from "../ports.ts";

const NONE: Issue[] = [];

/** Issues that depend on the wiring of a level and on the definitions of its nodes. */
export function checkEdges(level: Level): Issue[] {
  const taken = new Set<string>();
  return level.graph.edges.flatMap((edge, index) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    if (sourcePort === undefined && targetPort === undefined && level.node(edge.from) && level.node(edge.to)) return NONE;
    const place = { edge: edgeId(edge, index), pointer: `/edges/${index}` };
    const lost = [edge.from, edge.to].filter((id) => !level.node(id));
    if (lost.length > 0)
      return [
        issue(
          "error",
          "edge.dangling",
          `The edge ends at ${lost.map((id) => `"${id}"`).join(" and ")}, which is not a node.`,
          place,
          "Remove the edge.",
        ),
      ];
    return checkPorts(edge, place, level, taken);
  });
}

function checkPorts(edge: GraphEdge, place: { edge: string; pointer: string }, level: Level, taken: Set<string>): Issue[] {
  const { sourcePort, targetPort } = edgeMetadata(edge);
  if (sourcePort === undefined && targetPort === undefined) return [];
  if (typeof sourcePort !== "string" || typeof targetPort !== "string")
    return [issue("error", "edge.unknown_port", "An edge between ports names both of them.", place)];
  const issues: Issue[] = [];
  const key = `${edge.to}\n${targetPort}${isLoopEdge(edge) ? "\nloop" : ""}`; // a loop's wire feeds the later visits
  if (taken.has(key))
    issues.push(
      issue(
        "error",
        "edge.port_taken",
        `The input ${targetPort} of ${edge.to} has two wires.`,
        { ...place, node: edge.to, port: targetPort },
        "Remove one of them.",
      ),
    );
  taken.add(key);
  const [source, target] = [level.node(edge.from), level.node(edge.to)];
  const [from, to] = [source?.definition, target?.definition];
  const output = from?.outputs.find((port) => port.name === sourcePort);
  const input = to?.inputs.find((port) => port.name === targetPort);
  if (from && !output)
    issues.push(
      issue("error", "edge.unknown_port", `${from.label} has no output "${sourcePort}".`, { ...place, node: edge.from, port: sourcePort }),
    );
  if (to && !input)
    issues.push(
      issue("error", "edge.unknown_port", `${to.label} has no input "${targetPort}".`, { ...place, node: edge.to, port: targetPort }),
    );
  if (source && target && output && input && !portsFit(output, input)) {
    const fix = nextForList(source, output, target, input);
    issues.push(issue("error", "edge.type_mismatch", whyPortsNotFit(output, input), { ...place, node: edge.to, port: targetPort }, fix));
  }
  return issues;
}
