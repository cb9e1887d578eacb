// DESIGN G5: each definition is checked once, as a graph; a definition that contains itself is refused.
import { leastNodeRuns } from "../expansion.ts";
import { nodeTitle } from "../graph.ts";
import { hasErrors, type Issue, issue } from "../issue.ts";
import type { Level } from "../level.ts";
import { LIMITS } from "../limits.ts";
import type { Resolved } from "../resolve.ts";
import {
  callCircle,
  callDepth,
  calledName,
  definitionDocument,
  definitionNames,
  isWholeDefinition,
  writtenDefinition,
} from "../subgraphs.ts";
import { readShape } from "./document.ts";
import { checkDefinitionKeys } from "./metadata.ts";

const CIRCLES_SHOWN = 20;

export function checkDefinitions(resolved: Resolved, check: (level: Level) => Issue[]): Issue[] {
  const { graph } = resolved;
  let circles = 0;
  const issues = definitionNames(graph).flatMap((name) => {
    const pointer = `/metadata/definitions/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const place = (found: Issue): Issue => ({
      ...found,
      message: `In ${name}: ${found.message}`,
      place: { ...found.place, pointer: `${pointer}${found.place.pointer ?? ""}`, definition: name },
    });
    if (name === "") return [issue("error", "graph.schema", "A definition needs a name.", { pointer })]; // no name is the graph itself
    const shape = isWholeDefinition(graph, name) ? [] : readShape(definitionDocument(graph, name));
    if (shape.length > 0) return shape.map(place);
    const depth = callDepth(graph, name);
    const circle = depth === Number.POSITIVE_INFINITY && circles++ < CIRCLES_SHOWN ? callCircle(graph, name) : undefined;
    if (circle)
      return [
        issue("error", "definition.recursive", `A definition cannot contain itself: ${circle.join(" > ")}.`, { pointer, definition: name }),
      ];
    // Only the first definition that is too deep is an issue; each of the others that call it would be one as well.
    if (depth === LIMITS.depth + 1)
      return [
        issue(
          "error",
          "graph.too_deep",
          `The calls from ${name} on lie ${depth} deep inside one another; the limit is ${LIMITS.depth}.`,
          { pointer, definition: name },
          "Put what the innermost ones do into one definition.",
        ),
      ];
    return [...checkDefinitionKeys(writtenDefinition(graph, name)), ...check(resolved.level(name))]
      .filter((found) => found.code !== "input.for_run")
      .map(place);
  });
  return hasErrors(issues) ? issues : [...issues, ...checkNodeRuns(resolved)];
}

/** Refused before a run is accepted; what only the run can tell is counted while it goes on. */
function checkNodeRuns(resolved: Resolved): Issue[] {
  const { runs, most } = leastNodeRuns(resolved);
  if (runs <= LIMITS.nodeRuns) return [];
  const call = most === undefined ? undefined : resolved.root.node(most)?.node;
  const where = call ? ` Most of them are made by ${nodeTitle(call)}, which calls ${calledName(call)}.` : "";
  return [
    issue(
      "error",
      "run.too_large",
      `A run of this graph makes at least ${count(runs)} node runs; the limit is ${count(LIMITS.nodeRuns)}.${where}`,
      { ...(call ? { node: call.id } : {}), pointer: "/metadata/definitions" },
      "Call fewer subgraphs from within subgraphs.",
    ),
  ];
}

const count = (number: number): string => number.toLocaleString("en");
