// One level of a graph, worked out: the graph itself or one of its definitions. What depends on unchanged parts is taken over from the
// state before an edit; parts are told apart by identity (resolve.ts).

import type { Condition } from "./condition.ts";
import { type Called, callOf, mapEdges, type NodeParts, partsOf } from "./definitions.ts";
import { edgeMetadata, type Graph, type GraphEdge, type GraphNode, isLoopEdge, nodeSettings } from "./graph.ts";
import { type InputSource, Supply } from "./inputs.ts";
import type { RunInput } from "./interface.ts";
import { declaredInterface } from "./interface.ts";
import type { Library, LibraryEngine, NodeDefinition } from "./library.ts";
import { settled } from "./one-of-many.ts";
import { findLoops, type Loops, type Plan, type Region } from "./plan.ts";
import type { Port } from "./ports.ts";
import { canBeInRegion, type Planned, planRegions, plansAlike, type RegionProblem, serversOf } from "./regions.ts";
import { runInputs } from "./run-inputs.ts";
import { CALL } from "./subgraphs.ts";
import { GraphShape, Neighbours, type Topology } from "./topology.ts";
import { finder, isWiredAlike, sameFields, sameRegion, sameSources } from "./unchanged.ts";

/** All that is known of a node at its level. The same object as long as nothing of it changes. */
export interface ResolvedNode extends NodeParts {
  /** Where each input takes its value from, in the order of the definition's inputs. */
  readonly sources: readonly InputSource[];
  /** The nodes that run together with it. */
  readonly region: Region | undefined;
}

/** What depends on the ids of the nodes and on the edges alone. The same object as long as none of them changes. */
export interface Wiring {
  neighbours: Neighbours;
  /** The loops; absent where no edge is meant to lead back. */
  loops: Loops | undefined;
  /** By the mapped node: the wire that brings its list. */
  mapped: ReadonlyMap<string, GraphEdge>;
  /** The conditions of the edges that have one; equal texts share one condition. */
  conditions: ReadonlyMap<GraphEdge, Condition>;
  /** The place of each node in the graph's list. */
  index: ReadonlyMap<string, number>;
}

/** The parts of a level that are worked out together. Refers to nothing of an earlier graph. */
interface Work {
  graph: Graph;
  wiring: Wiring;
  shape: Topology;
  supply: Supply;
  nodes: readonly ResolvedNode[];
  /** Made from the start where a node can be in a region, because it says in which; else once somebody asks. */
  planned: Planned | undefined;
}

export interface LevelParts {
  name: string;
  graph: Graph;
  library: Library;
  called: Called;
  /** Conditions by their text, for all levels of a graph. */
  condition(text: unknown): Condition;
  /** What a definition's level is made from, besides the library. */
  origin?: Origin;
  before: State | undefined;
  /** Its regions, where a run has frozen them. */
  split?: readonly Region[] | undefined;
}

/** What a level hands on to the one after an edit. Refers to no level, so that no chain of them grows. */
interface State {
  work: Work | undefined;
  derived: ReadonlyMap<unknown, unknown>;
}

/** A graph, or one of its definitions. */
export class Level {
  /** The name of the definition; empty for the graph itself. */
  readonly name: string;
  /** A definition's has its own nodes, edges and metadata, and the context of the whole where it has none; no definitions. */
  readonly graph: Graph;
  readonly origin: Origin | undefined;
  private parts: LevelParts | undefined;
  private made: Work | undefined;
  private readonly derived = new Map<unknown, unknown>();
  private readonly inherited: Map<unknown, unknown> | undefined;

  constructor(parts: LevelParts) {
    this.name = parts.name;
    this.graph = parts.graph;
    this.origin = parts.origin;
    this.parts = parts;
    this.inherited = parts.before && new Map(parts.before.derived);
  }

  private get work(): Work {
    this.made ??= workOut(this.parts as LevelParts);
    this.parts = undefined; // this level must not keep an earlier graph in memory
    return this.made;
  }

  /** What the level of the next graph starts from. */
  get state(): State {
    return { work: this.made ?? this.parts?.before?.work, derived: new Map([...(this.inherited ?? []), ...this.derived]) };
  }

  /**
   * What a reader works out of the level, once.
   * @param reader is given what it made of the level before the edit, if it did; what it makes must not refer to the level
   */
  derive<T>(reader: (level: Level, before: T | undefined) => T): T {
    if (!this.derived.has(reader)) {
      this.derived.set(reader, reader(this, this.inherited?.get(reader) as T | undefined));
      this.inherited?.delete(reader);
    }
    return this.derived.get(reader) as T;
  }

  /** In the order of the graph; several of one id are an issue, and all of them are here. */
  get nodes(): readonly ResolvedNode[] {
    return this.work.nodes;
  }

  node(id: string): ResolvedNode | undefined {
    const at = this.work.wiring.index.get(id);
    return at === undefined ? undefined : this.work.nodes[at];
  }

  get wiring(): Wiring {
    return this.work.wiring;
  }

  /** Changes with the wiring, with any definition of a node, and with the level's interface and context. */
  get supply(): Supply {
    return this.work.supply;
  }

  get shape(): Topology {
    return this.work.shape;
  }

  get plan(): Plan {
    return this.planned.plan;
  }

  private get planned(): Planned {
    const { work } = this;
    work.planned ??= planRegions(this.graph, work.shape, work.nodes, { loops: work.wiring.loops });
    return work.planned;
  }

  /** Loop edges that make no loop. */
  get loopProblems(): Plan["problems"] {
    return this.work.wiring.loops?.problems ?? [];
  }

  get regions(): readonly Region[] {
    return this.work.nodes.some(({ region }) => region) ? [...this.plan.regions.values()] : [];
  }

  condition(edge: GraphEdge): Condition | undefined {
    return this.work.wiring.conditions.get(edge);
  }

  private chosen: ReadonlySet<GraphEdge> | undefined;
  /** Edges that start at an output that is a choice. */
  get branches(): ReadonlySet<GraphEdge> {
    this.chosen ??= new Set(
      this.graph.edges.filter((edge) => {
        const { sourcePort } = edgeMetadata(edge);
        if (sourcePort === undefined) return false;
        const source = this.node(edge.from);
        return !source?.mapped && source?.element?.outputs.find((port) => port.name === sourcePort)?.branch === true;
      }),
    );
    return this.chosen;
  }

  /** The nodes that nothing follows: their outputs are the level's, where its interface declares none. */
  get ends(): GraphNode[] {
    const { neighbours } = this.wiring;
    return this.graph.nodes.filter(({ id }) => neighbours.isEnd(id));
  }

  private asked: RunInput[] | undefined;
  /** What a run of the level is asked for. */
  get inputs(): readonly RunInput[] {
    this.asked ??= runInputs(this);
    return this.asked;
  }

  private capability: NodeDefinition | undefined;
  /** What a node that calls the level is. */
  get call(): NodeDefinition {
    this.capability ??= callOf(this.name, this.graph, this.inputs, this.outputs());
    return this.capability;
  }

  private outputs(): Port[] {
    const { outputs } = declaredInterface(this.graph);
    const outputsOf = (id: string): readonly Port[] => this.node(id)?.definition?.outputs ?? [];
    if (outputs.length > 0)
      return outputs.flatMap(({ name, label, from }) => {
        const source = outputsOf(from.node).find((port) => port.name === from.port);
        return source ? [{ ...settled(source), name, label }] : [];
      });
    const [end, ...others] = this.ends;
    return end && others.length === 0 ? outputsOf(end.id).map(settled) : [];
  }

  /** The nodes of a region, in the order of the graph. */
  members({ nodes }: Region): ResolvedNode[] {
    const { wiring, nodes: all } = this.work;
    const places = nodes.flatMap((id) => wiring.index.get(id) ?? []).sort((a, b) => a - b);
    return places.map((at) => all[at] as ResolvedNode);
  }

  private servers: Map<Region, readonly LibraryEngine[]> | undefined;
  /** The engines that can run a whole region, live ones first. */
  serversOf(region: Region): readonly LibraryEngine[] {
    this.servers ??= new Map();
    const known = this.servers.get(region) ?? serversOf(this.members(region));
    this.servers.set(region, known);
    return known;
  }

  /** Why wires that must stay inside a region cannot, and regions that nothing can run. */
  get regionProblems(): RegionProblem[] {
    const lost = this.regions.filter((region) => this.serversOf(region).length === 0);
    return [...(this.work.planned?.problems ?? []), ...lost.map(({ nodes }) => ({ nodes, why: "server" as const }))];
  }
}

/** Null for a definition that cannot be called: it contains itself, or calls too deep. */
export type Callee = Level | null | undefined;

interface Origin {
  written: unknown;
  context: Graph["context"];
  callees: ReadonlyMap<string, Callee>;
}

function workOut({ graph, library, called, condition, before: state, split }: LevelParts): Work {
  const before = state?.work;
  const sameWires = before !== undefined && isWiredAlike(before.graph, graph);
  const wiring = sameWires ? before.wiring : wire(graph, condition, before?.wiring);
  const shape = new GraphShape(graph, wiring.neighbours);
  const parts = partsOfAll(graph, library, called, wiring, before);
  const sameKinds =
    sameWires &&
    parts.every(({ definition, passes }, at) => definition === before.nodes[at]?.definition && passes === before.nodes[at]?.passes);
  const keepsSupply =
    sameKinds && before.graph.metadata?.interface === graph.metadata?.interface && sameFields(before.graph.context, graph.context);
  const supply = keepsSupply ? before.supply : new Supply({ graph, nodes: parts, neighbours: wiring.neighbours });
  const keepsPlan = sameWires && parts.every((one, at) => one === before.nodes[at] || plansAlike(one, before.nodes[at] as NodeParts));
  const old = keepsPlan ? before.planned : undefined;
  const replanned = () => (parts.some(canBeInRegion) ? planRegions(graph, shape, parts, { loops: wiring.loops, split }) : undefined);
  const planned = old ? { ...old, plan: { ...old.plan, shape } } : replanned();
  const nodes = parts.map((part): ResolvedNode => {
    const known = "sources" in part ? (part as ResolvedNode) : undefined;
    if (known && keepsSupply && keepsPlan) return known;
    const sources = known && keepsSupply ? known.sources : supply.sourcesOf(part);
    const region = planned?.plan.regionOf.get(part.node.id);
    if (!known) return Object.assign(part, { sources, region });
    return sameRegion(known.region, region) && (sources === known.sources || sameSources(known.sources, sources))
      ? known
      : { ...part, sources, region };
  });
  return { graph, wiring, shape, supply, nodes, planned };
}

/** Each node: as it was if nothing of it changed, else without its sources. */
function partsOfAll(graph: Graph, library: Library, called: Called, wiring: Wiring, before: Work | undefined): NodeParts[] {
  const { mapped } = wiring;
  const isAsBefore =
    before &&
    finder(
      before.nodes,
      ({ node }) => node,
      ({ id }) => id,
    );
  const sameSettings = before !== undefined && before.graph.metadata?.nodes === graph.metadata?.nodes;
  return graph.nodes.map((node, at) => {
    const known = isAsBefore?.(node, at);
    const settings = known && sameSettings ? known.settings : nodeSettings(graph, node.id);
    const isSame =
      known !== undefined && known.settings === settings && (wiring === before?.wiring || known.mapped === mapped.get(node.id));
    if (isSame && node.service !== CALL) return known;
    const made = partsOf(node, { settings, mapped: mapped.get(node.id), called, library });
    if (!known) return made;
    const isCall = isSame && known.element === made.element && known.isLostCall === made.isLostCall;
    return isCall ? known : made;
  });
}

const UNCONDITIONAL: Wiring["conditions"] = new Map();

function wire(graph: Graph, condition: LevelParts["condition"], before: Wiring | undefined): Wiring {
  let conditions: Map<GraphEdge, Condition> | undefined;
  for (const edge of graph.edges) {
    const { when } = edgeMetadata(edge) as { when?: unknown };
    if (when === undefined || when === null) continue;
    conditions ??= new Map();
    conditions.set(edge, before?.conditions.get(edge) ?? condition(when));
  }
  const neighbours = new Neighbours(graph);
  return {
    neighbours,
    // A level without loop edges has no loops to find, until somebody asks for its plan.
    loops: graph.edges.some(isLoopEdge) ? findLoops(graph, new GraphShape(graph, neighbours)) : undefined,
    mapped: mapEdges(graph.edges),
    conditions: conditions ?? UNCONDITIONAL,
    index: neighbours.index,
  };
}
