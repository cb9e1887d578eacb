// From a person's cancel to a worker that is free for the next task, at the beat interval that ships.
import { type Measure, quantile, ratio } from "../figure.ts";
import { type BenchGraph, startRun, took } from "../graphs.ts";

const ROUNDS = 20;
const PROMISED_MS = 2000;

const waits = (seconds: number): BenchGraph => ({
  schema: "langgraph.v1",
  workflowId: "bench",
  nodes: [{ id: "a", service: "dummy.dummy_task", plane: "python", status: "pending", params: { seconds } }],
  edges: [],
});

export const cancel: Measure = async (bench) => {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const long = await startRun(bench, waits(600));
    const isRunning = async () =>
      (await bench.db.query("SELECT 1 FROM node_run WHERE run_id = $1 AND state = 'running'", [long])).rowCount === 1;
    while (!(await isRunning())) await new Promise((resolve) => setTimeout(resolve, 20));
    const next = await startRun(bench, waits(0));
    const begin = performance.now();
    await fetch(`${bench.url}/api/runs/${long}/cancel`, { method: "POST" });
    await took(bench, next, 5);
    found.push(performance.now() - begin);
  }
  return [
    ratio({
      id: "cancel.p99",
      ours: quantile(found, 0.99),
      anchor: "what is promised (E13)",
      anchorValue: PROMISED_MS,
      unit: "ms",
      goal: "<= 1",
    }),
  ];
};
