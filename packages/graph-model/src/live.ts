// Which nodes have no live engine: a run of them would wait for a worker that may never come, so it is not accepted.
import { planRegions, serversOf } from "./comfy/regions.ts";
import { definitionGraph, elementDefinition } from "./definitions.ts";
import { type Graph, type GraphNode, nodeSettings, nodeTitle } from "./graph.ts";
import { type Issue, issue } from "./issue.ts";
import { autoEngine, type Engine, type Library, type NodeDefinition } from "./library.ts";
import type { Topology } from "./topology.ts";

const REASONS_SHOWN = 3;

export interface NotLive {
  /** The node of the graph itself: the one without an engine, or the one that calls the subgraph it is in. */
  node: string;
  issue: Issue;
}

/** One entry for each node that would run and has no live engine, nodes of subgraphs that are called among them. */
export function enginesNotLive(graph: Graph, library: Library): NotLive[] {
  const definitions = new Map<string, Issue[]>();
  const inDefinition = (name: string): Issue[] => {
    const known = definitions.get(name);
    if (known) return known;
    definitions.set(name, []); // a definition that contains itself is an error of its own
    const inner = definitionGraph(graph, name);
    const found = inner ? visit(inner).map(({ issue: one }) => ({ ...one, place: { definition: name, ...one.place } })) : [];
    definitions.set(name, found);
    return found;
  };
  const visit = (level: Graph): NotLive[] => [
    ...levelNotLive(level, library).map((one) => ({ node: one.place.node as string, issue: one })),
    ...level.nodes.flatMap((node) => {
      const name = executes(level, node) ? elementDefinition(level, node, library)?.calls : undefined;
      return name === undefined ? [] : inDefinition(name).map((one) => ({ node: node.id, issue: one }));
    }),
  ];
  return visit(graph);
}

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
