// Random graphs with failures, conditions and nested loops, and what becomes of them by the text of SPEC: for tests alone.
import type { Graph, GraphEdge, Library, NodeDefinition } from "@spindle/graph-model";
import { random } from "../../../../packages/graph-model/src/random.testing.ts";

type Edge = { from: string; to: string; kind: "normal" | "on_success" | "on_failure"; above?: number };
/** A node, or a loop over items of its own. */
type Item = { node: string } | { items: Item[]; edges: Edge[]; back: Edge; max: number };
export interface Case {
  seed: number;
  items: Item[];
  edges: Edge[];
  nodes: string[];
  /** Nodes that are bypassed. What they give is not told here, so that no condition asks for it. */
  bypassed: ReadonlySet<string>;
}

const KINDS = ["normal", "normal", "normal", "on_success", "on_failure"] as const;

export function randomCase(seed: number): Case {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const nodes: string[] = [];
  const edge = (from: string, to: string): Edge => ({
    from,
    to,
    kind: pick(KINDS),
    ...(next() < 0.3 ? { above: Math.floor(next() * 8) } : {}),
  });
  const inside = (item: Item): string[] => ("node" in item ? [item.node] : item.items.flatMap(inside));
  const level = (size: number, depth: number): { items: Item[]; edges: Edge[] } => {
    const items: Item[] = [];
    const edges: Edge[] = [];
    for (let at = 0; at < size; at++) {
      const item = depth < 2 && next() < 0.2 ? loop(depth + 1) : { node: `n${nodes.push("") - 1}` };
      if ("node" in item) nodes[Number(item.node.slice(1))] = item.node;
      for (let count = items.length > 0 ? Math.floor(next() * 3) : 0; count > 0; count--)
        edges.push(edge(pick(inside(pick(items))), pick(inside(item))));
      items.push(item);
    }
    return { items, edges };
  };
  /** Every item of a body lies between its first and its last node. */
  const loop = (depth: number): Item => {
    const head = `n${nodes.push("") - 1}`;
    nodes[Number(head.slice(1))] = head;
    const { items, edges } = level(1 + Math.floor(next() * 3), depth);
    const tail = `n${nodes.push("") - 1}`;
    nodes[Number(tail.slice(1))] = tail;
    for (const item of items) edges.push(edge(head, inside(item)[0] as string), edge(inside(item).at(-1) as string, tail));
    const back = { ...edge(tail, head), kind: pick(["normal", "normal", "on_failure"] as const) };
    return { items: [{ node: head }, ...items, { node: tail }], edges, back, max: 1 + Math.floor(next() * 3) };
  };
  const { items, edges } = level(4 + Math.floor(next() * 6), 0);
  const asked = new Set(allEdges(items, edges).flatMap(({ from, above }) => (above === undefined ? [] : [from])));
  const bypassed = new Set(nodes.filter((id) => !asked.has(id) && next() < 0.2));
  return { seed, items, edges, nodes, bypassed };
}

const allEdges = (items: Item[], edges: Edge[]): (Edge & { loop?: number })[] => [
  ...edges,
  ...items.flatMap((item) => ("node" in item ? [] : [...allEdges(item.items, item.edges), { ...item.back, loop: item.max }])),
];

const when = ({ kind, above }: Edge) =>
  above === undefined ? {} : { when: kind === "on_failure" ? `error.code > "c${above}"` : `output.x > ${above}` };

export function asGraph({ items, edges, nodes, bypassed }: Case): Graph {
  const made = allEdges(items, edges).map(
    (edge): GraphEdge => ({
      from: edge.from,
      to: edge.to,
      kind: edge.kind,
      metadata: { ...when(edge), ...(edge.loop ? { loop: { maxIterations: edge.loop } } : {}) },
    }),
  );
  const node = (id: string) => ({ id, service: "test.any", plane: "node" as const, status: "pending" as const });
  const settings = Object.fromEntries([...bypassed].map((id) => [id, { bypassed: true }]));
  const metadata = { nodes: settings };
  return { schema: "langgraph.v1", workflowId: "t", nodes: nodes.map(node) as unknown as Graph["nodes"], edges: made, metadata };
}

/** What a node does at a path: a digit, and whether it fails. */
export function behaviour(seed: number, path: string): { x: number; fails: boolean } {
  let hash = seed | 0;
  for (const char of path) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  const value = random(hash)();
  return { x: Math.floor(value * 10), fails: (value * 1000) % 1 < 0.25 };
}

type Outcome = { state: "succeeded" | "failed" | "skipped"; broken: boolean; x: number };

/** Written from the text of SPEC alone: items in order, one after the other, visits as a plain loop. */
export function oracle({ seed, items, edges, bypassed }: Case): { rows: Record<string, string>; limits: string[] } {
  const rows: Record<string, string> = {};
  const limits: string[] = [];
  const every = allEdges(items, edges);
  const back = (one: Edge & { loop?: number }) => one.loop !== undefined;
  const holds = (edge: Edge, source: Outcome) => edge.above === undefined || source.x > edge.above;
  const says = (edge: Edge, source: Outcome): "taken" | "not" | "broken" => {
    if (source.state === "skipped") return source.broken ? "broken" : "not";
    if (source.state === "succeeded") return edge.kind !== "on_failure" && holds(edge, source) ? "taken" : "not";
    if (edge.kind === "on_failure") return holds(edge, source) ? "taken" : "not";
    const rescued = every.some((other) => other.from === edge.from && !back(other) && other.kind === "on_failure" && holds(other, source));
    return rescued ? "not" : "broken";
  };
  const walk = (list: Item[], prefix: string, seen: Map<string, Outcome>, cameBack: string | undefined): void => {
    for (const item of list) {
      if ("node" in item) {
        const id = item.node;
        const incoming = every.filter((one) => one.to === id && !back(one)).map((one) => says(one, seen.get(one.from) as Outcome));
        if (cameBack === id) incoming.push("taken");
        const broken = incoming.includes("broken");
        const skipped = broken || (incoming.length > 0 && !incoming.includes("taken"));
        const { x, fails: wouldFail } = behaviour(seed, prefix + id);
        const fails = wouldFail && !bypassed.has(id);
        const outcome: Outcome = { state: skipped ? "skipped" : fails ? "failed" : "succeeded", broken, x };
        seen.set(id, outcome);
        rows[prefix + id] = outcome.state;
        continue;
      }
      for (let index = 0; ; index++) {
        const name = `${prefix}loop:${item.back.from}>${item.back.to}`;
        // A loop whose head is the head of the visit around it gets that back edge in its first visit.
        walk(item.items, `${name}[${index}]/`, seen, index > 0 || cameBack === item.back.to ? item.back.to : undefined);
        if (says(item.back, seen.get(item.back.from) as Outcome) !== "taken") break;
        if (index + 1 < item.max) continue;
        limits.push(name);
        break;
      }
    }
  };
  walk(items, "", new Map(), undefined);
  return { rows, limits: limits.sort() };
}

const definition = {
  plane: "node",
  service: "test.any",
  inputs: [],
  outputs: [],
  parameters: [],
  engines: [],
  idempotent: true,
} as unknown as NodeDefinition;
export const library: Library = { find: () => definition, all: () => [definition] };

export { random };
