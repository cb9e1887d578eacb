// A thousand runs queued at once, eight stub workers.
import { fork } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { type Measure, pooled, ratio } from "../figure.ts";
import { type BenchGraph, start } from "../graphs.ts";
import { acceptRate } from "../pgbench.ts";

const RUNS = 1000;
const NODES = 20;
const REDIS_LIMIT = 64 * 1024 * 1024;

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
  await pooled([...Array(RUNS).keys()], 16, async () => void runs.push(await start(bench, GRAPH)));
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
  const failed = peak > REDIS_LIMIT ? `Redis took ${Math.round(peak / 1e6)} MB` : undefined;
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
