// What of a graph that runs cannot be carried over into a program (docs/decisions/0051).
import { type Graph, type Issue, issue, type Level, type Library, nodeTitle, type ResolvedNode, resolve } from "@spindle/graph-model";

/** @param graph without errors */
export function programIssues(graph: Graph, library: Library): Issue[] {
  const resolved = resolve(graph, library);
  const asking = new Map<string, string | undefined>();
  /** The title of somebody who is asked in a definition, or in one that it calls. */
  const askedIn = (definition: string): string | undefined => {
    if (asking.has(definition)) return asking.get(definition);
    asking.set(definition, undefined);
    const found = working(resolved.level(definition))
      .map(askedBy)
      .find((title) => title !== undefined);
    asking.set(definition, found);
    return found;
  };
  const askedBy = ({ node, element }: ResolvedNode): string | undefined =>
    element?.human ? nodeTitle(node) : element?.calls === undefined ? undefined : askedIn(element.calls);
  const names = new Set([""]);
  const issues: Issue[] = [];
  for (const name of names) // grows meanwhile
    for (const node of working(resolved.level(name))) {
      if (node.element?.calls !== undefined) names.add(node.element.calls);
      const asked = node.mapped && askedBy(node);
      if (asked === undefined) continue;
      const title = nodeTitle(node.node);
      const whom = asked === title ? "a person" : `a person (${asked})`;
      issues.push(
        issue(
          "error",
          "export.person_in_map",
          `${title} asks ${whom} for each element of a list, which LangGraph cannot resume one by one.`,
          { node: node.node.id, ...(name ? { definition: name } : {}) },
          "Ask once, before or after the map, about the whole list; or run the graph in Spindle, where each element waits alone.",
        ),
      );
    }
  return issues;
}

/** Nodes that run if they are reached. */
const working = ({ nodes }: Level): ResolvedNode[] =>
  nodes.filter(({ isOff, passes, settings }) => !isOff && !passes && settings.pinned === undefined);
