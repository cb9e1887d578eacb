// Chains and lanes of nodes that do nothing: what orchestration costs.
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { type Graph, type Library, type NodeDefinition, resolve } from "@spindle/graph-model";
import { RunExecution } from "../../../apps/runtime/src/engine/execution.ts";
import type { InRun } from "../../../apps/runtime/src/engine/node-plane.ts";
import { MemoryRecord } from "../../../apps/runtime/src/record/memory-record.testing.ts";
import type { NodeRunRow } from "../../../apps/runtime/src/record/node-run.ts";
import { type Bench, byTurns, type Figure, type Measure, median, ratio } from "../figure.ts";
import { floorChain, floorTable } from "../floor.ts";
import { chain, startRun, took } from "../graphs.ts";

const LENGTH = 100;
const WARM = 10;

export const chains: Measure = async (bench) => {
  await floorTable(bench.db);
  const saver = PostgresSaver.fromConnString(bench.env.DATABASE_URL as string, { schema: "bench_langgraph" });
  await saver.setup();
  const ours = chain(LENGTH);
  for (let round = 0; round < WARM; round++) await took(bench, await startRun(bench, ours)); // as a runtime that has run a while
  const found = await byTurns(7, {
    none: () => inMemory(LENGTH),
    langgraph: () => bareLangGraph(LENGTH),
    durable: async () => took(bench, await startRun(bench, ours)),
    floor: () => floorChain(bench.env.DATABASE_URL as string, LENGTH),
    saver: () => bareLangGraph(LENGTH, saver),
  });
  await saver.end();
  const [none, langgraph, durable, floor, saved] = [found.none, found.langgraph, found.durable, found.floor, found.saver].map(median) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const line = (id: string, value: number, anchor: string, anchorValue: number, goal: string): Figure =>
    ratio({ id, ours: value, anchor, anchorValue, unit: "ms", goal });
  return [
    line("chain100.none", none, "LangGraph without a saver", langgraph, "<= 1.0"),
    line("chain100.durable", durable, "INSERT and UPDATE committed per node", floor, "<= 1.5"),
    line("chain100.durable.langgraph", durable, "LangGraph with its PostgreSQL saver, sync", saved, "<= 0.5"),
    ...(await thousand(bench)),
  ];
};

async function thousand(bench: Bench): Promise<Figure[]> {
  const perNode = (length: number) => async () => (await took(bench, await startRun(bench, chain(length)))) / length;
  const found = await byTurns(3, { long: perNode(1000), short: perNode(100) });
  const [long, short] = [median(found.long), median(found.short)];
  return [
    ratio({ id: "chain1000.per_node", ours: long, anchor: "per node of a chain of 100", anchorValue: short, unit: "ms", goal: "<= 1.5" }),
  ];
}

/** The run engine itself, with a record that forgets. */
async function inMemory(length: number): Promise<number> {
  const definition = {
    plane: "node",
    service: "none",
    inputs: [],
    outputs: [],
    parameters: [],
    engines: [],
    idempotent: true,
  } as unknown as NodeDefinition;
  const library: Library = { find: () => definition, all: () => [definition] };
  const nodes = Array.from({ length }, (_, index) => ({ id: `n${index}`, service: "none", plane: "node", status: "pending" }));
  const edges = nodes.slice(1).map((node, index) => ({ from: `n${index}`, to: node.id }));
  const graph = { schema: "langgraph.v1", workflowId: "bench", nodes, edges } as unknown as Graph;
  const frozen = { plane: "node", service: "none", version: "1", engine: "default", draft: false, timeoutSeconds: 0 };
  const record = new MemoryRecord();
  const run = { id: "r", state: "running", inputs: {}, engines: { "": Object.fromEntries(nodes.map(({ id }) => [id, frozen])) }, fence: 0 };
  const nodePlane = {
    run: async (row: NodeRunRow, _: unknown, { change }: InRun) =>
      (await change({ nodeRun: row.id, fence: row.fence, change: "succeedHere", output: {} })) !== undefined,
  };
  const resolved = resolve(graph, library);
  const begin = performance.now();
  const parts = {
    nodes: record,
    results: record,
    nodePlane,
    workers: {} as never,
    cancels: {} as never,
    decisions: {} as never,
    runs: {} as never,
    frozen: {} as never,
    reports: {} as never,
  };
  await new RunExecution(parts, run as never, resolved, []).drive();
  return performance.now() - begin;
}

const State = Annotation.Root({ value: Annotation<number>() });

async function bareLangGraph(length: number, checkpointer?: PostgresSaver): Promise<number> {
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph types node names one by one
  const graph = new StateGraph(State) as any;
  for (let index = 0; index < length; index++) {
    graph.addNode(`n${index}`, () => ({ value: index }));
    graph.addEdge(index === 0 ? START : `n${index - 1}`, `n${index}`);
  }
  const compiled = graph.compile(checkpointer ? { checkpointer } : {});
  const begin = performance.now();
  await compiled.invoke(
    { value: 0 },
    { recursionLimit: length + 25, durability: "sync", configurable: { thread_id: `bench-${begin}-${Math.random()}` } },
  );
  return performance.now() - begin;
}
