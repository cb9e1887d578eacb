// A thousand runs queued at once, eight stub workers.

import { fork } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import pLimit from "p-limit";
import { type Bench, type Measure, ratio } from "../figure.ts";
import { type BenchGraph, startRun } from "../graphs.ts";
import { acceptRate } from "../pgbench.ts";

const RUNS = 1000;
const NODES = 20;
const REDIS_LIMIT = 64 * 1024 * 1024;

/** A fifth of the runs is Ben's, who comes last; while both have work, each gets half of it. */
const BENS = RUNS / 5;
const UNFAIR = 0.1;

/** Four chains of five on the workers. */
const GRAPH: BenchGraph = {
  schema: "langgraph.v1",
  workflowId: "bench",
  nodes: Array.from({ length: NODES }, (_, index) => ({
    id: `n${index}`,
    service: "dummy.dummy_task",
    plane: "python",
    status: "pending" as const,
  })),
  edges: Array.from({ length: NODES }, (_, index) => index).flatMap((index) =>
    index % 5 === 0 ? [] : [{ from: `n${index - 1}`, to: `n${index}` }],
  ),
};

export const storm: Measure = async (bench) => {
  await bench.stopWorker();
  const { perSecond, by } = await acceptRate(bench);
  const stub = fork(new URL("../stub-workers.ts", import.meta.url), [], {
    execArgv: ["--import", "tsx"],
    env: { ...process.env, ...bench.env },
  });
  await once(stub, "message");
  const redis = new Redis(bench.env.REDIS_URL as string);
  const begin = performance.now();
  const runs: string[] = [];
  await pLimit(16).map([...Array(RUNS).keys()], async () => {
    runs.push(await startRun(bench, GRAPH));
  });
  const bens = runs.slice(-BENS);
  const { rows: named } = await bench.db.query<{ at: Date }>("UPDATE run SET submitter = 'ben' WHERE id = ANY($1) RETURNING now() AS at", [
    bens,
  ]);
  let peak = 0;
  for (let open = RUNS; open > 0; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    peak = Math.max(peak, Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]));
    const { rows } = await bench.db.query<{ n: string; bad: string }>(
      "SELECT count(*) FILTER (WHERE state IN ('queued','running')) AS n, count(*) FILTER (WHERE state = 'failed') AS bad FROM run WHERE id = ANY($1)",
      [runs],
    );
    open = Number(rows[0]?.n);
    if (Number(rows[0]?.bad) > 0) throw new Error("Runs of the storm failed.");
  }
  const rate = (RUNS * NODES) / ((performance.now() - begin) / 1000);
  stub.kill();
  redis.disconnect();
  const share = await shareOf(bench, runs, bens, named[0]?.at as Date);
  const unfair = Math.abs(share - 0.5) > UNFAIR / 2 ? `one of two people got ${Math.round(100 * share)} %` : undefined;
  const failed = peak > REDIS_LIMIT ? `Redis took ${Math.round(peak / 1e6)} MB` : unfair;
  return [
    ratio({
      id: "storm.node_runs",
      ours: rate,
      anchor: `the accepting transaction, ${by}`,
      anchorValue: perSecond,
      unit: "node runs/s",
      goal: ">= 0.12",
      ...(failed ? { failed } : {}),
    }),
  ];
};

/** Of what ended from when it was Ben's until most of his had: how much was his. His last chains wait for themselves. */
async function shareOf({ db }: Bench, runs: string[], bens: string[], since: Date): Promise<number> {
  const { rows } = await db.query<{ share: number }>(
    `WITH ended AS (SELECT finished_at AS at, run_id = ANY($2) AS bens FROM node_run WHERE run_id = ANY($1)),
       span AS (SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY at) AS until FROM ended WHERE bens AND at > $3)
     SELECT avg(bens::int)::float8 AS share FROM ended, span WHERE at BETWEEN $3 AND until`,
    [runs, bens, since],
  );
  return rows[0]?.share ?? 0;
}
