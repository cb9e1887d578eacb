// DESIGN G7 over all levels of a graph: what multiplies is counted once per definition, before anything walks it.
import { edgeMetadata, type Graph } from "../graph.ts";
import { declaredInterface } from "../interface.ts";
import { type Issue, issue } from "../issue.ts";
import { LIMITS } from "../limits.ts";
import { calledName, definitionGraph, definitionNames } from "../subgraphs.ts";

const count = (value: number): string => value.toLocaleString("en");

/** Checks what all levels have together against the limits, before anything else walks them. */
export function checkExtent(graph: Graph): Issue[] {
  const levels = [graph, ...definitionNames(graph).map((name) => definitionGraph(graph, name) as Graph)];
  const sum = (of: (level: Graph) => number): number => levels.reduce((total, level) => total + of(level), 0);
  const conditions = new Set<string>();
  for (const level of levels)
    for (const edge of level.edges) {
      const { when } = edgeMetadata(edge);
      if (typeof when === "string") conditions.add(when);
    }
  const characters = [...conditions].reduce((total, text) => total + text.length, 0);
  const over = (found: number, most: number, what: string, pointer: string): Issue[] =>
    found > most ? [issue("error", "graph.too_large", `${count(found)} ${what}; the limit is ${count(most)}.`, { pointer })] : [];
  return [
    ...over(
      sum((level) => level.nodes.length),
      LIMITS.nodes,
      "nodes with those of the definitions",
      "/metadata/definitions",
    ),
    ...over(
      sum((level) => level.edges.length),
      LIMITS.edges,
      "edges with those of the definitions",
      "/metadata/definitions",
    ),
    ...over(characters, LIMITS.conditions, "characters in conditions", "/edges"),
    ...over(callPorts(levels), LIMITS.edges, "inputs and outputs of the nodes that call subgraphs", "/metadata/definitions"),
  ];
}

/** A node that calls a subgraph has as many ports as that has public inputs and outputs, so few texts make many ports. */
function callPorts(levels: readonly Graph[]): number {
  const [graph] = levels;
  const ports = new Map<string, number>();
  const portsOf = (name: string): number => {
    const known = ports.get(name);
    if (known !== undefined) return known;
    const inner = graph && definitionGraph(graph, name);
    const { inputs, outputs } = inner ? declaredInterface(inner) : { inputs: [], outputs: [] };
    ports.set(name, inputs.length + outputs.length);
    return inputs.length + outputs.length;
  };
  let total = 0;
  for (const level of levels)
    for (const node of level.nodes) {
      const name = calledName(node);
      if (name !== undefined) total += portsOf(name);
    }
  return total;
}
