// How much longer a run takes than its critical path: what a barrier would cost, were there one.
import pLimit from "p-limit";
import { random as seeded } from "../../../packages/graph-model/src/random.testing.ts";
import { type Measure, quantile, ratio } from "../figure.ts";
import { sleepingDag, startRun, took } from "../graphs.ts";

const DAGS = 50;
/** Sleepers need no processor: five at once disturb each other little and keep the bench short. */
const AT_ONCE = 5;

export const makespan: Measure = async (bench) => {
  const dags = Array.from({ length: DAGS }, (_, seed) => sleepingDag(seeded(seed)));
  // Forced: many nodes sleep for the same time, and the cache would answer for them.
  const found: { over: number; ms: number; critical: number }[] = [];
  await pLimit(AT_ONCE).map(dags, async ({ graph, criticalPath }) => {
    const ms = await took(bench, await startRun(bench, graph, true), 100);
    found.push({ over: ms / criticalPath, ms, critical: criticalPath });
  });
  const at = (share: number) => {
    const over = quantile(
      found.map((one) => one.over),
      share,
    );
    return found.find((one) => one.over === over) as (typeof found)[number];
  };
  const line = (name: string, share: number, goal: string) =>
    ratio({ id: `makespan.${name}`, ours: at(share).ms, anchor: "critical path", anchorValue: at(share).critical, unit: "ms", goal });
  return [line("median", 0.5, "<= 1.03"), line("p95", 0.95, "<= 1.05"), line("max", 1, "<= 1.10")];
};
