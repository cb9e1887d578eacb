// A graph, or a definition of it, made ready to run: what is worked out once and not per visit.
import {
  definer,
  definitionGraph,
  type EdgeMetadata,
  edgeMetadata,
  elementDefinition,
  type Graph,
  type GraphEdge,
  type InputSource,
  inputSources,
  type Library,
  mapEdge,
  type NodeDefinition,
  type Plan,
  planRegions,
  type Region,
} from "@spindle/graph-model";

export interface Level {
  /** Name of the definition; empty for the graph itself. */
  name: string;
  graph: Graph;
  plan: Plan;
  sources: ReadonlyMap<string, readonly InputSource[]>;
  /** As each element of a mapped node sees itself; of any other node, as it is. */
  definition: ReadonlyMap<string, NodeDefinition | undefined>;
  /** The wire that brings a mapped node its list. */
  mapped: ReadonlyMap<string, GraphEdge>;
  /** Edges that start at an output that is a choice. */
  branches: ReadonlySet<GraphEdge>;
}

/** The levels of one run, made when they are first needed. */
export class Levels {
  private readonly made = new Map<string, Level>();

  constructor(
    private readonly graph: Graph,
    private readonly library: Library,
  ) {}

  get root(): Level {
    return this.of("");
  }

  /** @throws Error if the graph has no definition of that name */
  of(name: string): Level {
    const known = this.made.get(name);
    if (known) return known;
    const graph = name === "" ? this.graph : definitionGraph(this.graph, name);
    if (!graph) throw new Error(`The graph has no definition ${name}.`);
    const level = makeLevel(name, graph, this.library);
    this.made.set(name, level);
    return level;
  }
}

function makeLevel(name: string, graph: Graph, library: Library): Level {
  const plan = planRegions(graph, library);
  const define = definer(graph, library);
  const sources = new Map<string, InputSource[]>();
  for (const source of inputSources(graph, define, plan.shape)) {
    const list = sources.get(source.node.id);
    if (list) list.push(source);
    else sources.set(source.node.id, [source]);
  }
  const definition = new Map(graph.nodes.map((node) => [node.id, elementDefinition(graph, node, library)]));
  const mapped = new Map(graph.edges.flatMap((edge) => (mapEdge(graph, edge.to) === edge ? [[edge.to, edge] as const] : [])));
  const isBranch = (edge: GraphEdge): boolean => {
    const { sourcePort }: EdgeMetadata = edgeMetadata(edge);
    if (sourcePort === undefined || mapped.has(edge.from)) return false;
    return definition.get(edge.from)?.outputs.find((port) => port.name === sourcePort)?.branch === true;
  };
  return { name, graph, plan, sources, definition, mapped, branches: new Set(graph.edges.filter(isBranch)) };
}

/** One visit of a region: the whole graph once, a loop's body once per iteration, a definition once per call. */
export interface Scope {
  /** Before every node id of this visit in its path (SPEC RP). */
  prefix: string;
  level: Level;
  region: Region;
  /** 0 for the first iteration of a loop. */
  visit: number;
  /** The visit around it, in the same level. */
  outer?: Scope;
  /** What the level was given: the run's inputs, or a call's. */
  inputs: Record<string, unknown>;
}

export const rootScope = (level: Level, prefix: string, inputs: Record<string, unknown>): Scope => ({
  prefix,
  level,
  region: level.plan.root,
  visit: 0,
  inputs,
});

export const visitScope = (outer: Scope, region: Region, visit: number): Scope => ({
  prefix: `${outer.prefix}${region.id}[${visit}]/`,
  level: outer.level,
  region,
  visit,
  outer,
  inputs: outer.inputs,
});
