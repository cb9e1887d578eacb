// Regions of the Comfy plane: nodes that go to one ComfyUI server as one prompt. What an opaque wire joins must be together;
// other neighbours are joined as long as no item of the graph waits for itself by that.
import type { NodeParts } from "./definitions.ts";
import { edgeMetadata, type Graph, type GraphEdge, isLoopEdge, isMapEdge } from "./graph.ts";
import type { LibraryEngine, NodeDefinition } from "./library.ts";
import { type FindRegions, type Loops, type Plan, type PlanBody, planGraph, type Region, regionId } from "./plan.ts";
import { portKind } from "./ports.ts";
import type { Topology } from "./topology.ts";

const PLANE = "comfy";

/** Why wires that must stay inside a region cannot. */
export interface RegionProblem {
  nodes: readonly string[];
  edge?: GraphEdge;
  why: "cycle" | "control" | "server";
}

export interface Planned {
  plan: Plan;
  problems: RegionProblem[];
}

/** Whether a node may be in a region. */
export const canBeInRegion = ({ node, mapped }: NodeParts): boolean => node.plane === PLANE && !mapped;

/** The regions of each level of a graph, by the level's name, as they were found once. */
export type Split = ReadonlyMap<string, readonly Region[]>;

/**
 * A plan with the regions of the Comfy plane, and what stands in their way.
 * @param nodes of the graph, in its order
 * @param split the regions, where they were found before; what the servers have by now does not change them
 */
export function planRegions(
  graph: Graph,
  shape: Topology,
  nodes: readonly NodeParts[],
  { loops, split }: { loops?: Loops | undefined; split?: readonly Region[] | undefined } = {},
): Planned {
  const problems: RegionProblem[] = [];
  const asBefore: FindRegions = ({ items }) => {
    const inside = new Set(items);
    return split?.filter((region) => region.nodes.every((id) => inside.has(id))) ?? [];
  };
  return { plan: planGraph(graph, shape, split ? asBefore : regionFinder(graph, nodes, problems), loops), problems };
}

/** Whether a plan with one node holds with the other, which took its place: its wires are the same. */
export const plansAlike = (before: NodeParts, after: NodeParts): boolean =>
  before.node.plane === after.node.plane &&
  (before.node.plane !== PLANE ||
    (before.definition === after.definition &&
      before.passes === after.passes &&
      before.settings.engine === after.settings.engine &&
      serverIds(before) === serverIds(after)));

const serverIds = (parts: NodeParts): string | undefined =>
  parts.definition &&
  enginesFor(parts)
    .map(({ id }) => id)
    .join("\n");

/**
 * The servers that have every node of a region and every file they name, live ones first; one that a node names, if it does. What is
 * bypassed is not sent to them.
 */
export function serversOf(all: readonly NodeParts[]): LibraryEngine[] {
  const sent = all.filter(({ passes }) => !passes);
  const inside = sent.length > 0 ? sent : all;
  const lists = inside.flatMap((parts) => (parts.definition ? [enginesFor(parts)] : []));
  const named = inside.flatMap(({ settings }) => nameOf(settings.engine) ?? []).at(0);
  const [first = [], ...others] = lists;
  const common = first.filter(
    ({ id }) => (named === undefined || id === named) && others.every((list) => list.some((engine) => engine.id === id)),
  );
  /** As the node has it that cannot run there, if there is such a node. */
  const weakest = (engine: LibraryEngine) =>
    lists.flatMap((list) => list.find(({ id, live }) => id === engine.id && !live) ?? []).at(0) ?? engine;
  const servers = common.map(weakest);
  return [...servers.filter(({ live }) => live), ...servers.filter(({ live }) => !live)];
}

/** The engines that can run a node which is in no region, as its plane has them: of the Comfy plane, those with the files that it names. */
export const enginesAlone = (parts: NodeParts): readonly LibraryEngine[] =>
  parts.node.plane === PLANE && parts.definition ? serversOf([parts]) : (parts.definition?.engines ?? []);

/** Without the servers that lack a file which the node names. */
function enginesFor({ node, definition }: NodeParts): LibraryEngine[] {
  const { engines, inputs } = definition as NodeDefinition;
  const params: Readonly<Record<string, unknown>> = node.params ?? {};
  const only = inputs.flatMap(({ name, schema }) => {
    const value = params[name] ?? schema.default;
    const ids = typeof value === "object" ? undefined : (schema["x-on"] as Record<string, string[]> | undefined)?.[String(value)];
    return ids ? [ids] : [];
  });
  return engines.filter(({ id }) => only.every((ids) => ids.includes(id)));
}

function regionFinder(graph: Graph, nodes: readonly NodeParts[], problems: RegionProblem[]): FindRegions {
  const node = new Map(nodes.filter(canBeInRegion).map((parts) => [parts.node.id, parts]));
  if (node.size === 0) return () => [];
  const between = graph.edges.filter((edge) => node.has(edge.from) && node.has(edge.to) && !isLoopEdge(edge));
  const isOpaque = (edge: GraphEdge): boolean => {
    const port = node.get(edge.from)?.definition?.outputs.find(({ name }) => name === edgeMetadata(edge).sourcePort);
    return port !== undefined && portKind(port.type) === "opaque";
  };
  const isPlain = (edge: GraphEdge): boolean => isPlainWire(edge) && !isOfWhatIsShown(edge);
  /** What an output node shows or saves is known when the prompt is over: within one nobody can take it. */
  const isOfWhatIsShown = (edge: GraphEdge): boolean => {
    const port = node.get(edge.from)?.definition?.outputs.find(({ name }) => name === edgeMetadata(edge).sourcePort);
    return port !== undefined && "x-pick" in port.schema;
  };
  const placeOf = (id: string): Place => {
    const parts = node.get(id);
    if (parts?.passes) return ANYWHERE;
    const named = nameOf(parts?.settings.engine);
    const known = parts?.definition && new Set(enginesFor(parts).map((engine) => engine.id));
    return { named, servers: named === undefined ? known : new Set([named]) };
  };
  const [must, may] = [between.filter(isOpaque), between.filter((edge) => !isOpaque(edge))];
  const refuse = (edge: GraphEdge) => problems.push({ nodes: [edge.from, edge.to], edge, why: "control" });
  for (const edge of must.filter((one) => !isPlain(one))) refuse(edge);
  const apart = may.filter((edge) => !isPlain(edge)).map(({ from, to }) => [from, to] as const);
  return (body) => {
    const comfyItems = new Set(body.items.filter((item) => node.has(item)));
    const inside = (edge: GraphEdge): boolean => comfyItems.has(edge.from) && comfyItems.has(edge.to);
    const joined = new Joined(body, apart, placeOf);
    const canJoin = (edge: GraphEdge): boolean => isPlain(edge) && joined.haveAServer(edge.from, edge.to);
    for (const edge of must.filter((one) => inside(one) && isPlain(one))) {
      if (joined.nameOneServer(edge.from, edge.to)) joined.join(edge.from, edge.to);
      else refuse(edge);
    }
    // Two that must each wait for the other are one.
    if (joined.onCycle().length > 0)
      for (const edge of may) if (inside(edge) && canJoin(edge) && joined.leads(edge.to, edge.from)) joined.join(edge.from, edge.to);
    const stuck = joined.onCycle();
    if (stuck.length > 0) problems.push({ nodes: stuck.filter((id) => comfyItems.has(id)), why: "cycle" });
    else for (const edge of may) if (inside(edge) && canJoin(edge)) joined.joinIfStillAcyclic(edge.from, edge.to);
    return joined.regions(comfyItems);
  };
}

/** What ComfyUI can express: data, always. */
function isPlainWire(edge: GraphEdge): boolean {
  const { sourcePort, targetPort, when } = edgeMetadata(edge);
  return sourcePort !== undefined && targetPort !== undefined && when === undefined && edge.kind !== "on_failure" && !isMapEdge(edge);
}

/** Where nodes may run: on the server that one of them names, on one of those that have all of them; on any, where nothing is known. */
interface Place {
  named: string | undefined;
  servers: ReadonlySet<string> | undefined;
}
const ANYWHERE: Place = { named: undefined, servers: undefined };

const nameOf = (engine: string | undefined): string | undefined => (engine === "auto" ? undefined : engine);

function commonOf(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): ReadonlySet<string> | undefined {
  return a && b ? new Set([...a].filter((id) => b.has(id))) : (a ?? b);
}

/** Items of a body, joined step by step (union-find), and what waits for what among them. */
class Joined {
  private readonly parent = new Map<string, string>();

  constructor(
    private readonly body: PlanBody,
    private readonly apart: readonly (readonly [string, string])[],
    private readonly placeOf: (id: string) => Place,
  ) {}

  private readonly places = new Map<string, Place>();
  private place(root: string): Place {
    const found = this.places.get(root) ?? this.placeOf(root);
    this.places.set(root, found);
    return found;
  }

  nameOneServer(a: string, b: string): boolean {
    const [first, second] = [this.place(this.find(a)).named, this.place(this.find(b)).named];
    return first === undefined || second === undefined || first === second;
  }

  /** Whether a server, live or not, has all of both. */
  haveAServer(a: string, b: string): boolean {
    const servers = commonOf(this.place(this.find(a)).servers, this.place(this.find(b)).servers);
    return servers === undefined || servers.size > 0;
  }

  find(id: string): string {
    let root = id;
    for (let up = this.parent.get(root); up !== undefined; up = this.parent.get(root)) root = up;
    for (let at = id; at !== root; ) {
      const up = this.parent.get(at) as string;
      this.parent.set(at, root);
      at = up;
    }
    return root;
  }

  join(a: string, b: string): void {
    const [first, second] = [this.find(a), this.find(b)];
    if (first === second) return;
    const [small, large] = this.members(first).length < this.members(second).length ? [first, second] : [second, first];
    const [more, fewer] = [this.place(large), this.place(small)];
    this.places.set(large, { named: more.named ?? fewer.named, servers: commonOf(more.servers, fewer.servers) });
    const [all, after] = [this.members(large), this.next(large)];
    for (const id of this.members(small)) all.push(id);
    for (const id of this.next(small)) after.add(id);
    this.member.set(large, all);
    this.parent.set(small, large);
  }

  /** Whether a path leads from one to the other. */
  leads(from: string, to: string): boolean {
    const [start, end] = [this.find(from), this.find(to)];
    return start !== end && (this.next(start).has(end) || this.leadsRound(start, end));
  }

  /** Joining is safe if the only way from one to the other is direct; there is none back, for nothing is on a cycle. */
  joinIfStillAcyclic(from: string, to: string): void {
    const [start, end] = [this.find(from), this.find(to)];
    if (start === end || this.mustStayApart(start, end) || this.leadsRound(start, end)) return;
    this.join(start, end);
  }

  regions(comfyItems: ReadonlySet<string>): Region[] {
    const found = new Map<string, string[]>();
    for (const id of this.body.items) {
      if (!comfyItems.has(id)) continue;
      const root = this.find(id);
      const members = found.get(root);
      if (members) members.push(id);
      else found.set(root, [id]);
    }
    return [...found.values()].map((nodes) => ({ id: regionId(nodes[0] as string), nodes }));
  }

  /** Items that wait for themselves once the joined ones are one. */
  onCycle(): string[] {
    const open = new Map<string, number>();
    for (const item of this.body.items) open.set(this.find(item), 0);
    for (const root of open.keys()) for (const next of this.next(root)) open.set(next, (open.get(next) ?? 0) + 1);
    const free = [...open].filter(([, count]) => count === 0).map(([root]) => root);
    for (let root = free.pop(); root !== undefined; root = free.pop()) {
      open.delete(root);
      for (const next of this.next(root)) {
        open.set(next, (open.get(next) ?? 0) - 1);
        if (open.get(next) === 0) free.push(next);
      }
    }
    const selfWaiting = this.apart.filter(([a, b]) => this.find(a) === this.find(b)).flat();
    return [...[...open.keys()].flatMap((root) => this.members(root)), ...selfWaiting];
  }

  private readonly member = new Map<string, string[]>();
  private members(root: string): string[] {
    return this.member.get(root) ?? [root];
  }

  private readonly after = new Map<string, Set<string>>();
  /** What waits for joined items, as joined items. Kept, and brought up to date when it is asked for. */
  private next(root: string): Set<string> {
    const known = this.after.get(root) ?? this.body.successors.get(root) ?? [];
    const now = new Set([...known].map((one) => this.find(one)));
    now.delete(root);
    this.after.set(root, now);
    return now;
  }

  private mustStayApart(start: string, end: string): boolean {
    return this.apart.some(([a, b]) => {
      const pair = [this.find(a), this.find(b)];
      return pair.includes(start) && pair.includes(end);
    });
  }

  /** Whether a path leads from one to the other through something else. */
  private leadsRound(from: string, to: string): boolean {
    const open = [...this.next(from)].filter((id) => id !== to);
    const seen = new Set(open);
    for (let id = open.pop(); id !== undefined; id = open.pop())
      for (const next of this.next(id)) {
        if (next === to) return true;
        if (!seen.has(next)) {
          seen.add(next);
          open.push(next);
        }
      }
    return false;
  }
}
