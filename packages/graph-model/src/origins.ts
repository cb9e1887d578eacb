// Where a value comes from past the bypassed nodes that pass it on (docs/decisions/0025).
import type { Level } from "./level.ts";

/** Where a value comes from: an output of a node that runs, or what a bypassed node takes from elsewhere. */
export type Origin = { node: string; output: string } | { node: string; input: string };

/**
 * Follows values back through bypassed nodes. Each step is taken once, however many wires lead the same way.
 * @param within the nodes through which values are followed; others are elsewhere
 */
export function originsIn(level: Level, within: (node: string) => boolean): (node: string, output: string) => Origin {
  const found = new Map<string, Origin>();
  return (node, output) => {
    const way: string[] = [];
    let at = { node, output };
    let origin: Origin | undefined;
    while (!origin) {
      const key = `${at.node}\n${at.output}`;
      origin = found.get(key);
      if (origin) break;
      found.set(key, at); // a cycle leads no further
      way.push(key);
      const { passes, sources = [] } = level.node(at.node) ?? {};
      const input = passes?.get(at.output);
      const source = sources.find(({ port }) => port.name === input);
      if (input === undefined) origin = at;
      else if (source && "from" in source && within(source.from)) at = { node: source.from, output: source.output };
      else origin = { node: at.node, input };
    }
    for (const key of way) found.set(key, origin);
    return origin;
  };
}
