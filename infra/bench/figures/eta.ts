// How far the expected time of a run is from the time that it takes.
import pLimit from "p-limit";
import { random as seeded } from "../../../packages/graph-model/src/random.testing.ts";
import { type Bench, type Measure, median, ratio } from "../figure.ts";
import { type BenchGraph, sleepingDag, startRun, took } from "../graphs.ts";

const WARM = 10;
const RUNS = 50;
const AT_ONCE = 5;

/** Milliseconds that the plan of a graph expects; undefined where it knows no past runs. */
async function expected({ url }: Bench, graph: BenchGraph): Promise<number | undefined> {
  const form = new FormData();
  form.set("graph", JSON.stringify(graph));
  const answer = await fetch(`${url}/api/runs?dry=1&force=1`, { method: "POST", body: form });
  const { plan } = (await answer.json()) as { plan?: { expectedMs: number | null } };
  return plan?.expectedMs ?? undefined;
}

/** Graphs whose nodes take 100 to 1,000 ms each, of which the plan knows no more than how long such nodes took before. */
export const eta: Measure = async (bench) => {
  let seed = 0;
  const next = () => sleepingDag(seeded(seed++)).graph;
  const limit = pLimit(AT_ONCE);
  await limit.map(Array.from({ length: WARM }), async () => took(bench, await startRun(bench, next(), true)));
  const errors = await limit.map(Array.from({ length: RUNS }), async () => {
    const graph = next();
    const ms = await expected(bench, graph);
    const taken = await took(bench, await startRun(bench, graph, true));
    return ms === undefined ? undefined : Math.abs(ms - taken) / taken;
  });
  const known = errors.filter((error) => error !== undefined);
  const failed = known.length < RUNS ? { failed: `${RUNS - known.length} of ${RUNS} runs had no expected time` } : {};
  const about = { id: "eta.error", anchor: "the time that the run took", anchorValue: 1, unit: "of it", goal: "<= 0.3" };
  return [ratio({ ...about, ours: known.length > 0 ? median(known) : Number.NaN, ...failed })];
};
