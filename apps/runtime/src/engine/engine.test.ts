// How runs end that this runtime's own mistakes end, on a record in memory.
import { setImmediate as turn } from "node:timers/promises";
import type { Graph, Library, NodeDefinition } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import { afterEach, expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NewRun } from "../record/types.ts";
import { Engine, type EngineOptions } from "./engine.ts";

const kind = (service: string, more: object = {}) =>
  ({
    plane: "node",
    service,
    version: "1",
    inputs: [],
    outputs: [],
    parameters: [],
    engines: [{ id: "default", label: "", plane: "node", draft: false, live: true }],
    idempotent: true,
    live: true,
    timeoutSeconds: 0,
    ...more,
  }) as unknown as NodeDefinition;
const KINDS = [kind("plain"), kind("person", { human: true })];
const library: Library = { find: (_, service) => KINDS.find((known) => known.service === service), all: () => KINDS };
const node = (id: string, service: string) => ({ id, service, plane: "node", status: "pending" });
const graphOf = (...nodes: object[]) => ({ schema: "langgraph.v1", workflowId: "w", nodes, edges: [] }) as unknown as Graph;

class Record extends MemoryRecord {
  readonly ends: { change: string; code: string | undefined }[] = [];
  reads = 0;

  readonly runs = {
    create: (run: NewRun) => this.add(run.id, run.nodes),
    change: async (_: unknown, change: string, more?: { error?: { code: string } }) => {
      this.ends.push({ change, code: more?.error?.code });
      return true;
    },
    park: async () => false,
  };
  readonly leases = { leave: async () => {}, renew: async () => new Map(), claim: async (): Promise<object[]> => [] };
  async ofRun() {
    this.reads++;
    return [...this.rows.values()];
  }
  async overdue() {
    return [];
  }
  async openOf() {
    return [...this.rows.values()].filter(({ state }) => !isEndedNodeState(state));
  }
}

let engine: Engine;
afterEach(() => engine.stop());

function accept(graph: Graph, document: unknown, fails = "") {
  const record = new Record();
  const wait = (_: string, __: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  const nodePlane = {
    cancel: () => false,
    run: async () => {
      await turn();
      throw new Error(fails);
    },
  };
  engine = new Engine({
    db: { prisma: { revision: { findUniqueOrThrow: async () => ({ document }) } } },
    owner: "o",
    timings: { runLeaseMs: 1000 },
    live: { forget: () => {} },
    parts: { workers: {}, nodePlane },
    record: { nodes: record, results: record, runs: record.runs, leases: record.leases },
    decisions: { wait, announce: () => {} },
    library: () => library,
    onError: () => {},
  } as unknown as EngineOptions);
  return { record, accepted: engine.accept({ revision: "r", graph, title: "t", inputs: {} }) };
}

const turns = async (count: number) => {
  for (let index = 0; index < count; index++) await turn();
};

test("[E9] a run whose revision cannot be read fails with the reason, and is not taken up again and again", async () => {
  const { record, accepted } = accept(graphOf(node("a", "plain")), null);
  await accepted;
  await turns(20);
  expect(record.ends).toEqual([{ change: "fail", code: "internal" }]);
});

test("[E9] a run that the runtime's own mistake ends leaves no node run open: no person is asked any more", async () => {
  const graph = graphOf(node("ask", "person"), node("b", "plain"));
  const { record, accepted } = accept(graph, graph, "a mistake");
  await accepted;
  await turns(40);
  expect(record.ends).toEqual([{ change: "fail", code: "internal" }]);
  expect([...record.rows.values()].map(({ path, state }) => [path, state])).toEqual([
    ["ask", "cancelled"],
    ["b", "cancelled"],
  ]);
});

test("[E9, RE4] a run under which the runtime died ten times is not taken up again: it fails with the reason, and is not even read", async () => {
  const graph = graphOf(node("ask", "person"), node("b", "plain"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(10);
  for (const deaths of [9, 10]) {
    const [run, reads] = [
      { id: `died-${deaths}`, state: "running", revision_id: "r", inputs: {}, options: {}, engines: {}, owner: "o", fence: 1, deaths },
      record.reads,
    ];
    record.leases.claim = async () => [run];
    engine.claimNow();
    await turns(20);
    expect(record.reads - reads, `${deaths} deaths`).toBe(deaths === 9 ? 1 : 0);
  }
  expect(record.ends.flatMap(({ code }, at) => (code === "run.crashed" ? at : []))).toEqual([record.ends.length - 1]);
});

test("[RH4] a run that may not rest yet is driven again after a pause", async () => {
  const graph = graphOf(node("ask", "person"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(50);
  expect(record.reads).toBeLessThanOrEqual(2);
});
