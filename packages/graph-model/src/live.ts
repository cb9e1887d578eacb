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
    if (!first || !definition || inside.some((node) => isNamed(graph, node))) return [];
    const engines = serversOf(graph, nodes, library);
    return engines.length === 0 ? [] : whyNotLive(first, { ...definition, engines }); // no server at all is an error of its own
  });
  const alone = graph.nodes.flatMap((node) => {
    const definition =
      groupOf.has(node.id) || isNamed(graph, node) || !executes(graph, node) ? undefined : elementDefinition(graph, node, library);
    return definition ? whyNotLive(node, definition) : [];
  });
  return [...alone, ...inRegions];
}

const executes = (graph: Graph, node: GraphNode): boolean => {
  const { disabled, pinned } = nodeSettings(graph, node.id);
  return !disabled && !pinned;
};

/** What is asked for by name is checked and waited for by name. */
function isNamed(graph: Graph, node: GraphNode): boolean {
  const { engine = "auto" } = nodeSettings(graph, node.id);
  return engine !== "auto";
}

function whyNotLive(node: GraphNode, definition: NodeDefinition): Issue[] {
  if (autoEngine(definition)) return [];
  const reason = ({ label, reason: why }: Engine) => `${label}: ${(why ?? "no worker offers it").replace(/\.$/, "")}`;
  const reasons = definition.engines.slice(0, REASONS_SHOWN).map(reason).join("; ");
  const title = nodeTitle(node);
  return [
    issue(
      "warning",
      "engine.not_live",
      `${title} cannot run now: no engine of ${definition.label} is live${reasons && ` (${reasons})`}.`,
      { node: node.id },
      definition.live
        ? "Make one of its engines ready where its worker runs, then run again."
        : `Start a worker of the ${definition.plane} plane, or wait until it has reported, then run again.`,
    ),
  ];
}
