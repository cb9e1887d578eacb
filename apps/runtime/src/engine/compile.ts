// A level -> LangGraph, by the rules of docs/decisions/0001 and 0024 and of SPEC: each layer, which is what LangGraph would run in one
// superstep, is a LangGraph node that always fires and only waits for its items to be settled; it cycles on itself while one of its
// loops goes round, with the loop's body as a subgraph per visit. LangGraph drives; it decides nothing and carries no data.
import type { RunnableConfig } from "@langchain/core/runnables";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import type { Level, Plan, PlanBody } from "@spindle/graph-model";
import pLimit from "p-limit";
import type { Scope } from "./scope.ts";

/** Visits of loops that LangGraph walks at once; each is a graph of its own to it. */
const VISITS_AT_ONCE = 16;

const State = Annotation.Root({
  /** The loops that go round again, and how many visits they have made; null where none does. */
  round: Annotation<{ visits: number; loops: readonly string[] } | null>({ reducer: (_, next) => next, default: () => null }),
});

/** What LangGraph calls, as it drives a level. */
export interface Driven {
  settle(scope: Scope, item: string): Promise<unknown>;
  /** One visit of a loop; resolves with whether another one follows. */
  visit(scope: Scope, loop: PlanBody, index: number): Promise<boolean>;
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
  const visits = [...plan.loops.values()].reduce((sum, { maxIterations }) => sum + maxIterations, 0);
  const recursionLimit = plan.root.items.length + visits + 25;
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

function build(plan: Plan, body: PlanBody) {
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph types node names one by one; ours are known only now
  const graph = new StateGraph(State) as any;
  const stretches = stretchesOf(plan, body);
  for (const [index, stretch] of stretches.entries()) {
    const own = `n${index}`;
    const next = index + 1 < stretches.length ? `n${index + 1}` : END;
    graph.addNode(own, stepOf(plan, stretch));
    if (index === 0) graph.addEdge(START, own);
    if (stretch.some((layer) => layer.some((item) => plan.loops.has(item))))
      graph.addConditionalEdges(own, ({ round }: typeof State.State) => (round ? own : next), [own, next]);
    else graph.addEdge(own, next);
  }
  return graph.compile();
}

/** Settles a stretch; of a layer with loops, one visit of each that is not over. */
function stepOf(plan: Plan, stretch: readonly (readonly string[])[]) {
  const loops = stretch.flat().flatMap((item) => plan.loops.get(item) ?? []);
  const bodies = new Map(loops.map((loop) => [loop.id, build(plan, loop)]));
  const nodes = stretch.map((layer) => layer.filter((item) => !bodies.has(item)));
  return async ({ round }: typeof State.State, config: RunnableConfig): Promise<Partial<typeof State.State>> => {
    const { driven, scope } = configured(config);
    const index = round?.visits ?? 0;
    const open = round ? loops.filter(({ id }) => round.loops.includes(id)) : loops;
    const goOn = async (loop: PlanBody): Promise<string[]> => {
      const visit = scope.visitOf(loop, index);
      await driven.enter(visit);
      await bodies.get(loop.id).invoke({}, { configurable: { driven, scope: visit }, recursionLimit: config.recursionLimit });
      if (await driven.visit(scope, loop, index)) return [loop.id];
      await driven.settle(scope, loop.id);
      return [];
    };
    const settleNodes = async (): Promise<void> => {
      if (!round) for (const layer of nodes) await Promise.all(layer.map((item) => driven.settle(scope, item)));
    };
    const [going] = await Promise.all([pLimit(VISITS_AT_ONCE).map(open, goOn), settleNodes()]);
    const again = going.flat();
    return { round: again.length > 0 ? { visits: index + 1, loops: again } : null };
  };
}

/** The layers of a body, each one step further than the last of its items' predecessors; single nodes in a row are one stretch. */
function stretchesOf(plan: Plan, body: PlanBody): string[][][] {
  const layers: string[][] = [];
  const layerOf = new Map<string, number>();
  for (const item of body.items) {
    let layer = 0;
    for (const before of body.predecessors.get(item) ?? []) layer = Math.max(layer, (layerOf.get(before) ?? 0) + 1);
    layerOf.set(item, layer);
    const items = layers[layer] ?? [];
    items.push(item);
    layers[layer] = items;
  }
  const isSingle = (layer: readonly string[] | undefined) => layer?.length === 1 && !plan.loops.has(layer[0] as string);
  const stretches: string[][][] = [];
  for (const [at, layer] of layers.entries()) {
    if (isSingle(layer) && isSingle(layers[at - 1])) stretches.at(-1)?.push(layer);
    else stretches.push([layer]);
  }
  return stretches;
}
