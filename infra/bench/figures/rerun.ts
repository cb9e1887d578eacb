// A run again with one parameter changed: what the cache saves, and what asking it costs.
import { setTimeout as sleep } from "node:timers/promises";
import { byTurns, type Measure, median, ratio } from "../figure.ts";
import { type BenchGraph, startRun, took } from "../graphs.ts";

const LANES = 5;
const LENGTH = 10;
/** Each step of a lane sleeps a millisecond longer, so that none has the key of another. */
const SLEEP_MS = 20;
const CHANGED = 5;

/** Five lanes of ten nodes that sleep; in the first, the sixth is a text that changes what all after it get. */
function graph(text: string): BenchGraph {
  const nodes: BenchGraph["nodes"] = [];
  const edges: BenchGraph["edges"] = [];
  for (let lane = 0; lane < LANES; lane++)
    for (let step = 0; step < LENGTH; step++) {
      const id = `l${lane}_${step}`;
      const base = { id, plane: "node", status: "pending" as const };
      const isText = (at: number) => lane === 0 && at === CHANGED;
      if (isText(step)) nodes.push({ ...base, service: "text.template", params: { template: text } });
      else
        nodes.push({
          ...base,
          service: "control.delay",
          params: { milliseconds: SLEEP_MS + step, ...(step === 0 ? { value: `lane ${lane}` } : {}) },
        });
      if (step === 0) continue;
      const ports = { sourcePort: isText(step - 1) ? "text" : "value", targetPort: isText(step) ? "text" : "value" };
      edges.push({ from: `l${lane}_${step - 1}`, to: id, metadata: ports });
    }
  return { schema: "langgraph.v1", workflowId: "bench", nodes, edges };
}

export const rerun: Measure = async (bench) => {
  let value = Date.now();
  await took(bench, await startRun(bench, graph(`v${value}`)));
  const found = await byTurns(7, {
    ours: async () => took(bench, await startRun(bench, graph(`v${++value}`))),
    bare: async () => {
      const begin = performance.now();
      for (let step = CHANGED + 1; step < LENGTH; step++) await sleep(SLEEP_MS + step);
      return performance.now() - begin;
    },
  });
  const [ours, anchorValue] = [median(found.ours), median(found.bare)];
  return [ratio({ id: "rerun.one_param", ours, anchor: "its downstream nodes alone", anchorValue, unit: "ms", goal: "<= 1.5" })];
};
