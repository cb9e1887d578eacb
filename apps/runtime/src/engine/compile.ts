// Graph -> LangGraph, by rules R1 and R2 (docs/decisions/0001): every node is a LangGraph node that always fires and only
// waits for `settle`; one edge over all its predecessors. LangGraph drives; it decides nothing and carries no data.

import type { RunnableConfig } from "@langchain/core/runnables";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import type { Topology } from "@spindle/graph-model";

const State = Annotation.Root({ done: Annotation<number>({ reducer: (a, b) => a + b, default: () => 0 }) });

export interface Settler {
  settle(node: string): Promise<unknown>;
}

export interface CompiledGraph {
  drive(settler: Settler, signal?: AbortSignal): Promise<void>;
}

/** @param shape of a graph without cycles */
export function compile(shape: Topology): CompiledGraph {
  const safe = new Map(shape.order.map((id, index) => [id, `n${index}`]));
  const name = (id: string) => safe.get(id) as string;
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph types node names one by one; ours are known only now
  const graph = new StateGraph(State) as any;
  for (const id of shape.order)
    graph.addNode(name(id), async (_: unknown, config: RunnableConfig) => {
      const settler = config.configurable?.settler as Settler | undefined;
      await settler?.settle(id);
      return {};
    });
  for (const id of shape.order) {
    const from = [...(shape.predecessors.get(id) ?? [])].map(name);
    graph.addEdge(from.length === 0 ? START : from.length === 1 ? from[0] : from, name(id));
  }
  const compiled = graph.compile();
  return {
    async drive(settler, signal) {
      await compiled.invoke({}, { configurable: { settler }, recursionLimit: shape.order.length + 25, signal });
    },
  };
}
