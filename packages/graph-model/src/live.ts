// Which nodes have no live engine: a run of them would wait for a worker that may never come, so it is not accepted.
import { planRegions, serversOf } from "./comfy/regions.ts";
import { elementDefinition } from "./definitions.ts";
import { type Graph, type GraphNode, nodeSettings, nodeTitle } from "./graph.ts";
import { type Issue, issue } from "./issue.ts";
import { autoEngine, type Engine, type Library, type NodeDefinition } from "./library.ts";
import { callOrder, definitionGraph } from "./subgraphs.ts";
import type { Topology } from "./topology.ts";

const REASONS_SHOWN = 3;

export interface NotLive {
  /** The node of the graph itself: the one without an engine, or the one that calls the subgraph it is in. */
  node: string;
  issue: Issue;
}

/**
 * One entry for each node that would run and has no live engine; of a node that calls a subgraph, one for each such node inside, each
 * definition counted once however often it is called on the way.
 */
export function enginesNotLive(graph: Graph, library: Library): NotLive[] {
  const { order } = callOrder(graph);
  const levels = new Map(order.map((name) => [name, definitionGraph(graph, name) as Graph]));
  const own = new Map([...levels].map(([name, level]) => [name, levelNotLive(level, library).map((found) => inDefinition(name, found))]));
  const within = new Map<string, ReadonlySet<string>>(); // the definitions with such nodes that a call of one comes to
  for (const [name, level] of levels) {
    const found = new Set(own.get(name)?.length ? [name] : []);
    for (const called of calls(level, library)) for (const inner of within.get(called.name) ?? []) found.add(inner);
    within.set(name, found);
  }
  return [
    ...levelNotLive(graph, library).map((found) => ({ node: found.place.node as string, issue: found })),
    ...calls(graph, library).flatMap(({ node, name }) =>
      [...(within.get(name) ?? [])].flatMap((inner) => (own.get(inner) ?? []).map((found) => ({ node, issue: found }))),
    ),
  ];
}

const inDefinition = (name: string, found: Issue): Issue => ({ ...found, place: { definition: name, ...found.place } });

const calls = (level: Graph, library: Library): { node: string; name: string }[] =>
  level.nodes.flatMap((node) => {
    const name = executes(level, node) ? elementDefinition(level, node, library)?.calls : undefined;
    return name === undefined ? [] : [{ node: node.id, name }];
  });

/** The same of one level, without what its nodes call. */
export function levelNotLive(graph: Graph, library: Library, shape?: Topology): Issue[] {
  const hasRegions = graph.nodes.some((node) => node.plane === "comfy");
  const { groups, groupOf } = hasRegions
    ? planRegions(graph, library, shape)
    : { groups: new Map<string, never>(), groupOf: new Map<string, never>() };
  const inRegions = [...groups.values()].flatMap(({ nodes }: { nodes: readonly string[] }) => {
    const inside = graph.nodes.filter((node) => nodes.includes(node.id) && executes(graph, node));
    const [first] = inside;
    const definition = first && elementDefinition(graph, first, library);
    if (!first || !definition) return [];
    const engines = serversOf(graph, nodes, library);
    if (engines.length === 0) return []; // no server at all is an error of its own
    const named = inside.find((node) => namedEngine(graph, node) !== undefined) ?? first;
    return whyNotLive(named, { ...definition, engines }, namedEngine(graph, named));
  });
  const alone = graph.nodes.flatMap((node) => {
    const definition = groupOf.has(node.id) || !executes(graph, node) ? undefined : elementDefinition(graph, node, library);
    return definition ? whyNotLive(node, definition, namedEngine(graph, node)) : [];
  });
  return [...alone, ...inRegions];
}

const executes = (graph: Graph, node: GraphNode): boolean => {
  const { disabled, pinned } = nodeSettings(graph, node.id);
  return !disabled && !pinned;
};

function namedEngine(graph: Graph, node: GraphNode): string | undefined {
  const { engine = "auto" } = nodeSettings(graph, node.id);
  return engine === "auto" ? undefined : engine;
}

/** @param named the only engine that will do */
function whyNotLive(node: GraphNode, definition: NodeDefinition, named: string | undefined): Issue[] {
  const only = definition.engines.find(({ id }) => id === named);
  // A name that the plane does not know, or whose engine it says is not live, is an error of the node (check/node.ts).
  if (named === undefined ? autoEngine(definition) : !only || only.live || definition.live) return [];
  const reason = ({ label, reason: why }: Engine) => `${label}: ${(why ?? "no worker offers it").replace(/\.$/, "")}`;
  const reasons = (only ? [only] : definition.engines.slice(0, REASONS_SHOWN)).map(reason).join("; ");
  const which = only ? "the engine that it names is not live" : `no engine of ${definition.label} is live`;
  return [
    issue(
      "warning",
      "engine.not_live",
      `${nodeTitle(node)} cannot run now: ${which}${reasons && ` (${reasons})`}.`,
      { node: node.id },
      definition.live
        ? "Make one of its engines ready where its worker runs, then run again."
        : `Start a worker of the ${definition.plane} plane, or wait until it has reported, then run again.`,
    ),
  ];
}
