// A level -> LangGraph, by the rules of docs/decisions/0001 and SPEC: every item is a LangGraph node that always
// fires and only waits for it to be settled; one edge goes over all its predecessors; a loop is a node that cycles on itself
// with its body as a subgraph per visit. LangGraph drives; it decides nothing and carries no data.
import type { RunnableConfig } from "@langchain/core/runnables";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import type { Level, Plan, Region } from "@spindle/graph-model";
import { type Scope, visitScope } from "./scope.ts";

const Visits = Annotation.Root({
  visits: Annotation<Record<string, number>>({ reducer: (a, b) => ({ ...a, ...b }), default: () => ({}) }),
});

/** What LangGraph drives. */
export interface Driven {
  settle(scope: Scope, item: string): Promise<unknown>;
  /** One visit of a loop; resolves with whether another one follows. */
  visit(scope: Scope, loop: Region, index: number): Promise<boolean>;
  enter(scope: Scope): Promise<void>;
}

export interface CompiledLevel {
  drive(driven: Driven, scope: Scope, signal?: AbortSignal): Promise<void>;
}

const compiled = new WeakMap<Level, CompiledLevel>();

export function compile(level: Level): CompiledLevel {
  const known = compiled.get(level);
  if (known) return known;
  const { plan } = level;
  const graph = build(plan, plan.root);
  const visits = [...plan.regions.values()].reduce((sum, one) => sum + one.maxIterations, 0);
  const recursionLimit = 2 * (plan.root.items.length + visits) + 25;
  const made: CompiledLevel = {
    async drive(driven, scope, signal) {
      await graph.invoke({}, { configurable: { driven, scope }, recursionLimit, signal });
    },
  };
  compiled.set(level, made);
  return made;
}

interface Configured {
  driven: Driven;
  scope: Scope;
}
const configured = (config: RunnableConfig): Configured => config.configurable as Configured;

function build(plan: Plan, region: Region) {
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph types node names one by one; ours are known only now
  const graph = new StateGraph(Visits) as any;
  const stretches = linearStretches(plan, region);
  const name = new Map([...stretches.keys()].map((item, index) => [item, `n${index}`]));
  /** The LangGraph node after which an item is settled. */
  const end = new Map<string, string>();
  for (const [first, stretch] of stretches) {
    const own = name.get(first) as string;
    const loop = plan.regions.get(first);
    if (loop) {
      addLoop(graph, plan, loop, own);
      end.set(first, `${own}_exit`);
      continue;
    }
    graph.addNode(own, async (_: unknown, config: RunnableConfig) => {
      const { driven, scope } = configured(config);
      for (const item of stretch) await driven.settle(scope, item);
      return {};
    });
    for (const item of stretch) end.set(item, own);
  }
  for (const first of stretches.keys()) {
    const from = [...new Set([...(region.predecessors.get(first) ?? [])].map((item) => end.get(item)))];
    graph.addEdge(from.length === 0 ? START : from.length === 1 ? from[0] : from, name.get(first));
  }
  return graph.compile();
}

/** A real LangGraph cycle: the body once per visit, then itself again or the exit. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function addLoop(graph: any, plan: Plan, loop: Region, own: string): void {
  const body = build(plan, loop);
  graph.addNode(own, async ({ visits }: typeof Visits.State, config: RunnableConfig) => {
    const { driven, scope } = configured(config);
    const index = visits[own] ?? 0;
    const visit = visitScope(scope, loop, index);
    await driven.enter(visit);
    await body.invoke({}, { configurable: { driven, scope: visit }, recursionLimit: config.recursionLimit });
    const again = await driven.visit(scope, loop, index);
    return { visits: { [own]: again ? index + 1 : -1 } };
  });
  graph.addNode(`${own}_exit`, async (_: unknown, config: RunnableConfig) => {
    const { driven, scope } = configured(config);
    await driven.settle(scope, loop.id);
    return {};
  });
  graph.addConditionalEdges(own, ({ visits }: typeof Visits.State) => (visits[own] === -1 ? `${own}_exit` : own), [own, `${own}_exit`]);
}

/** Each item that starts a stretch, with those that only follow one another after it: they are one LangGraph node. */
function linearStretches(plan: Plan, region: Region): Map<string, string[]> {
  const only = (set: ReadonlySet<string> | undefined): string | undefined => (set?.size === 1 ? [...set][0] : undefined);
  const follower = (item: string): string | undefined => {
    const next = plan.regions.has(item) ? undefined : only(region.successors.get(item));
    return next !== undefined && !plan.regions.has(next) && only(region.predecessors.get(next)) === item ? next : undefined;
  };
  const inner = new Set(region.items.map(follower));
  const stretches = new Map<string, string[]>();
  for (const first of region.items) {
    if (inner.has(first)) continue;
    const stretch: string[] = [];
    for (let item: string | undefined = first; item !== undefined; item = follower(item)) stretch.push(item);
    stretches.set(first, stretch);
  }
  return stretches;
}
