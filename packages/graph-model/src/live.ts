// Which nodes that name no engine have no live one: nothing can be chosen for them now, so that a run of them waits there.
import { executes } from "./definitions.ts";
import { type Graph, type GraphNode, nodeTitle } from "./graph.ts";
import { type Issue, issue } from "./issue.ts";
import type { Level, ResolvedNode } from "./level.ts";
import { autoEngine, type Library, type LibraryEngine, type NodeDefinition } from "./library.ts";
import { enginesAlone } from "./regions.ts";
import { resolve } from "./resolve.ts";

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
  const { root, definitions } = resolve(graph, library);
  const own = new Map([...definitions].map(([name, level]) => [name, levelNotLive(level).map((found) => inDefinition(name, found))]));
  const within = new Map<string, ReadonlySet<string>>(); // for each definition, the definitions with such nodes that a call of it reaches
  for (const [name, level] of definitions) {
    const found = new Set(own.get(name)?.length ? [name] : []);
    for (const called of calls(level)) for (const inner of within.get(called.name) ?? []) found.add(inner);
    within.set(name, found);
  }
  return [
    ...levelNotLive(root).map((found) => ({ node: found.place.node as string, issue: found })),
    ...calls(root).flatMap(({ node, name }) =>
      [...(within.get(name) ?? [])].flatMap((inner) => (own.get(inner) ?? []).map((found) => ({ node, issue: found }))),
    ),
  ];
}

const inDefinition = (name: string, found: Issue): Issue => ({ ...found, place: { definition: name, ...found.place } });

const calls = ({ nodes }: Level): { node: string; name: string }[] =>
  nodes.flatMap((resolved) => {
    const name = executes(resolved) ? resolved.element?.calls : undefined;
    return name === undefined ? [] : [{ node: resolved.node.id, name }];
  });

/** The nodes of one level that have no live engine, without those inside its calls. */
const levelNotLive = (level: Level): Issue[] => [...level.nodes.flatMap(nodeNotLive), ...regionsNotLive(level)];

export function regionsNotLive(level: Level): Issue[] {
  return level.regions.flatMap((region) => {
    const inside = level.members(region).filter(executes);
    const [first] = inside;
    if (!first?.element) return [];
    const engines = level.serversOf(region);
    if (engines.length === 0) return []; // a region without any server is an issue of its own
    if (inside.some(namesEngine)) return [];
    return whyNotLive(first.node, first.element, engines);
  });
}

const NONE: readonly Issue[] = [];
/** Of a node in a region its region tells. */
export function nodeNotLive(resolved: ResolvedNode): readonly Issue[] {
  if (resolved.region || !resolved.element || !executes(resolved) || namesEngine(resolved)) return NONE;
  return whyNotLive(resolved.node, resolved.element, enginesAlone(resolved));
}

/** Then that engine is waited for, and what is wrong with the name is an issue of the node (check/settings.ts). */
const namesEngine = ({ settings: { engine = "auto" } }: ResolvedNode): boolean => engine !== "auto";

/** @param engines those of the definition that can run the node where it stands; asked for each node at each edit, so nothing is copied */
function whyNotLive(node: GraphNode, definition: NodeDefinition, engines: readonly LibraryEngine[]): readonly Issue[] {
  if (autoEngine({ engines })) return NONE;
  const reason = ({ label, reason: why }: LibraryEngine) => `${label}: ${(why ?? "no worker offers it").replace(/\.$/, "")}`;
  const reasons = engines.slice(0, REASONS_SHOWN).map(reason).join("; ");
  return [
    issue(
      "warning",
      "engine.not_live",
      `No engine of ${definition.label} is live${reasons && ` (${reasons})`}. A run waits at ${nodeTitle(node)} until one is.`,
      { node: node.id },
      definition.live
        ? "Make one of its engines ready where its worker runs, or name the engine that it is to wait for."
        : `Start a worker of the ${definition.plane} plane.`,
    ),
  ];
}
