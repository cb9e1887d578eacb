// DESIGN E3, E5 and E8 on random graphs: LangGraph with look-ahead, LangGraph alone, and an oracle that knows neither agree.
import type { Graph, GraphEdge, Library, NodeDefinition } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import type { NodeRunRow, RunRecord, RunRow } from "../record/record.ts";
import { CHANGES, type NodeState } from "../record/states.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import { compile } from "./compile.ts";
import { RunExecution } from "./execution.ts";
import type { NodePlane } from "./node-plane.ts";

/** mulberry32: the same graphs in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const KINDS = ["normal", "normal", "on_success", "on_failure"] as const;
type Case = { graph: Graph; fails: Set<string> };

function randomCase(seed: number, size = 14): Case {
  const next = random(seed);
  const nodes = Array.from({ length: size }, (_, index) => ({
    id: `n${index}`,
    service: "test.any",
    plane: "node" as const,
    status: "pending" as const,
  }));
  const edges: GraphEdge[] = [];
  for (let to = 1; to < size; to++)
    for (let count = Math.floor(next() * 3); count > 0; count--)
      edges.push({ from: `n${Math.floor(next() * to)}`, to: `n${to}`, kind: KINDS[Math.floor(next() * KINDS.length)] ?? "normal" });
  const fails = new Set(nodes.filter(() => next() < 0.3).map((node) => node.id));
  return { graph: { schema: "langgraph.v1", workflowId: "t", nodes: nodes as unknown as Graph["nodes"], edges }, fails };
}

/** Written from the text of E3 alone, in node order, which is topological here. */
function oracle({ graph, fails }: Case): Record<string, NodeState> {
  const state: Record<string, NodeState> = {};
  const broken = new Set<string>();
  const rescued = (id: string) => graph.edges.some((edge) => edge.from === id && edge.kind === "on_failure");
  for (const { id } of graph.nodes) {
    const incoming = graph.edges.filter((edge) => edge.to === id);
    let taken = incoming.length === 0;
    let cut = false;
    for (const { from, kind } of incoming) {
      if (state[from] === "succeeded") taken ||= kind !== "on_failure";
      else if (state[from] === "failed" && kind === "on_failure") taken = true;
      else if (state[from] === "failed") cut ||= !rescued(from);
      else cut ||= broken.has(from);
    }
    if (cut) broken.add(id);
    state[id] = cut || !taken ? "skipped" : fails.has(id) ? "failed" : "succeeded";
  }
  return state;
}

const definition = { plane: "node", service: "test.any", inputs: [], outputs: [], parameters: [] } as unknown as NodeDefinition;
const library: Library = { find: () => definition, all: () => [definition] };

/** Runs a case on a record in memory, with the state rules of the real one. */
async function run({ graph, fails }: Case, lookAhead: boolean): Promise<{ states: Record<string, NodeState>; ran: string[] }> {
  const rows = new Map(
    graph.nodes.map((node) => [
      node.id,
      { id: node.id, run_id: "r", node_id: node.id, plane: "node", state: "queued", fence: 0, attempt: 0, broken: false } as NodeRunRow,
    ]),
  );
  const ran: string[] = [];
  const change: RunRecord["change"] = async (one) => {
    await new Promise((resolve) => setImmediate(resolve));
    const row = rows.get(one.nodeRun) as NodeRunRow;
    const rule = CHANGES[one.change];
    if (row.fence !== one.fence || !(rule.from as readonly string[]).includes(row.state)) return undefined;
    const raised = { ...row, state: rule.to, broken: one.broken ?? false, fence: row.fence + ("raisesFence" in rule ? 1 : 0) };
    rows.set(row.id, raised);
    return raised;
  };
  const record = { change, nodeRun: async (id: string) => ({ ...(rows.get(id) as NodeRunRow), output: {} }) } as unknown as RunRecord;
  const nodePlane = {
    run: async (row: NodeRunRow, first: "begin") => {
      ran.push(row.id);
      const begun = await change({ nodeRun: row.id, fence: row.fence, change: first });
      await new Promise((resolve) => setTimeout(resolve, row.id.length % 3));
      await change({ nodeRun: row.id, fence: begun?.fence ?? -1, change: fails.has(row.id) ? "fail" : "succeed" });
    },
  } as unknown as NodePlane;
  const owned = { id: "r", state: "running", inputs: {}, cancel_requested: false } as unknown as RunRow;
  const execution = new RunExecution(
    { record, nodePlane, library, workers: {} as WorkerPlane },
    owned,
    graph,
    [...rows.values()],
    lookAhead,
  );
  execution.begin();
  await compile(execution.shape).drive(execution);
  return { states: Object.fromEntries([...rows.values()].map((row) => [row.id, row.state])), ran };
}

describe("200 random graphs with failures", () => {
  test.each(Array.from({ length: 10 }, (_, index) => index * 20))("from seed %i", async (first) => {
    for (let seed = first; seed < first + 20; seed++) {
      const one = randomCase(seed);
      const expected = oracle(one);
      for (const lookAhead of [true, false]) {
        const { states, ran } = await run(one, lookAhead);
        expect(states, `seed ${seed}, look-ahead ${lookAhead}`).toEqual(expected);
        expect(new Set(ran).size, `seed ${seed}: a node ran twice`).toBe(ran.length);
      }
    }
  });
});
