// What an edit left as it was: parts are told apart by identity (resolve.ts).
import type { Graph } from "./graph.ts";
import type { InputSource } from "./inputs.ts";
import type { Region } from "./plan.ts";

/**
 * Finds what was made of a part before: by its place, else by identity where parts were added or removed before it.
 * @param of the part that each was made of
 * @param id of a part, by which an edited one is known
 */
export function finder<K, N>(made: readonly N[], of: (result: N) => K, id: (part: K) => string): (part: K, at: number) => N | undefined {
  let byPart: Map<K, N> | undefined;
  return (part, at) => {
    const there = made[at];
    const known = there === undefined ? undefined : of(there);
    if (known === part) return there;
    if (known !== undefined && id(known) === id(part)) return undefined;
    byPart ??= new Map(made.map((one) => [of(one), one]));
    return byPart.get(part);
  };
}

/** Whether the ids of the nodes and the edges are the same. */
export function isWiredAlike(before: Graph, after: Graph): boolean {
  return (
    before.nodes.length === after.nodes.length &&
    before.edges.length === after.edges.length &&
    before.nodes.every((node, at) => node === after.nodes[at] || node.id === after.nodes[at]?.id) &&
    before.edges.every((edge, at) => edge === after.edges[at])
  );
}

export function sameFields(before: object | undefined, after: object | undefined): boolean {
  if (before === after) return true;
  const [a, b] = [Object.entries(before ?? {}), Object.entries(after ?? {})];
  return a.length === b.length && a.every(([key, value], at) => key === b[at]?.[0] && value === b[at]?.[1]);
}

export const sameRegion = (before: Region | undefined, after: Region | undefined): boolean =>
  before === after ||
  (before?.id === after?.id &&
    before?.nodes.length === after?.nodes.length &&
    before?.nodes.every((id, at) => id === after?.nodes[at]) === true);

export const sameSources = (some: readonly InputSource[], others: readonly InputSource[]): boolean =>
  some.length === others.length && some.every((source, at) => sameSource(source, others[at] as InputSource));

/** Compares two sources of the same input of the same node. */
function sameSource(before: InputSource, after: InputSource): boolean {
  const fields = before as unknown as Record<string, unknown>;
  const others = after as unknown as Record<string, unknown>;
  const isOtherwise = (a: unknown, b: unknown): boolean =>
    a === b || (typeof a === "object" && typeof b === "object" && sameFields(a as object, b as object));
  return (
    ["kind", "port", "from", "output", "input"].every((key) => fields[key] === others[key]) &&
    isOtherwise(fields.otherwise, others.otherwise)
  );
}
