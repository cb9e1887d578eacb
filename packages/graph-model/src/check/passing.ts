// What is taken from a bypassed node that has nothing to give there: an issue where it is used (docs/decisions/0025).
import { edgeId, edgeMetadata, nodeTitle } from "../graph.ts";
import { declaredInterface } from "../interface.ts";
import { type Issue, issue } from "../issue.ts";
import type { Level, ResolvedNode } from "../level.ts";
import { type Origin, originsIn } from "../origins.ts";

const FIX = "Take it from another node, or switch the bypass off.";

export function checkPassing(level: Level): Issue[] {
  if (!level.nodes.some(({ passes }) => passes)) return [];
  const origin = originsIn(level, () => true);
  const whyNothing = (node: string, port: string): string | undefined => {
    const from = level.node(node);
    const isThere = from?.definition?.outputs.some(({ name }) => name === port);
    return from?.passes && isThere ? nothingFrom(level, origin(node, port)) : undefined;
  };
  const ofEdges = level.graph.edges.flatMap((edge, index) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    const to = level.node(edge.to);
    if (typeof sourcePort !== "string" || !to || to.isOff || to.passes) return [];
    const why = whyNothing(edge.from, sourcePort);
    if (why === undefined) return [];
    const isNeeded = to.definition?.inputs.some(({ name, required }) => name === targetPort && required);
    const place = { edge: edgeId(edge, index), node: edge.to, ...(typeof targetPort === "string" ? { port: targetPort } : {}) };
    return [issue(isNeeded ? "error" : "warning", "edge.not_passed", why, place, FIX)];
  });
  const ofInterface = declaredInterface(level.graph).outputs.flatMap(({ name, from }) => {
    const why = whyNothing(from.node, from.port);
    return why ? [issue("warning", "edge.not_passed", `The public "${name}" stays empty. ${why}`, from, FIX)] : [];
  });
  return [...ofEdges, ...ofInterface];
}

/** Whether `checkPassing` finds the same with one node as with the other, which took its place: wires and interface are the same. */
export const passesAlike = (before: ResolvedNode, after: ResolvedNode): boolean =>
  before === after || (!before.passes && !after.passes && before.isOff === after.isOff && before.definition === after.definition);

/** A sentence, if nothing can come from there. */
function nothingFrom(level: Level, origin: Origin): string | undefined {
  const at = level.node(origin.node);
  if (!at?.passes) return undefined;
  const title = nodeTitle(at.node);
  if ("output" in origin) return `${title} is bypassed, and none of its inputs can stand in for its output "${origin.output}".`;
  const source = at.sources.find(({ port }) => port.name === origin.input);
  if (source?.kind !== "none") return undefined;
  return `${title} is bypassed and would pass on its input ${source.port.label}, which has no value.`;
}
