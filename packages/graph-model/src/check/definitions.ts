// DESIGN G5: each definition is checked once, as a graph; a definition that contains itself is refused.
import { calledName, definitionGraph, definitionNames } from "../definitions.ts";
import type { Graph } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { readShape } from "./document.ts";
import { LIMITS } from "./limits.ts";

export function checkDefinitions(graph: Graph, check: (inner: Graph) => Issue[]): Issue[] {
  const names = definitionNames(graph);
  const inner = new Map(names.map((name) => [name, definitionGraph(graph, name) as Graph]));
  const total = [...inner.values()].reduce((sum, one) => sum + one.nodes.length, graph.nodes.length);
  if (total > LIMITS.nodes)
    return [
      issue("error", "graph.too_large", `${total} nodes with those of the definitions; the limit is ${LIMITS.nodes}.`, {
        pointer: "/metadata/definitions",
      }),
    ];
  return names.flatMap((name) => {
    const one = inner.get(name) as Graph;
    const pointer = `/metadata/definitions/${name}`;
    const place = (found: Issue): Issue => ({
      ...found,
      message: `In ${name}: ${found.message}`,
      place: { ...found.place, pointer: `${pointer}${found.place.pointer ?? ""}`, definition: name },
    });
    const shape = readShape(one);
    if (shape.length > 0) return shape.map(place);
    const circle = findCircle(inner, name);
    if (circle)
      return [
        issue("error", "definition.recursive", `A definition cannot contain itself: ${circle.join(" > ")}.`, { pointer, definition: name }),
      ];
    return check(one)
      .filter((found) => found.code !== "input.for_run")
      .map(place);
  });
}

function findCircle(graphs: ReadonlyMap<string, Graph>, start: string): string[] | undefined {
  const seen = new Set<string>();
  const walk = (name: string, path: string[]): string[] | undefined => {
    for (const node of graphs.get(name)?.nodes ?? []) {
      const next = calledName(node);
      if (next === start) return [...path, next];
      if (next === undefined || seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...path, next]);
      if (found) return found;
    }
    return undefined;
  };
  return walk(start, [start]);
}
