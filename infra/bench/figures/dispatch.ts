// From dispatch to committed result of a Python node that does nothing.
import { fork } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { random as seeded } from "../../../packages/graph-model/src/random.testing.ts";
import { type Bench, type Measure, quantile, ratio } from "../figure.ts";
import { floorNode, floorTable } from "../floor.ts";
import { type BenchGraph, startRun, took } from "../graphs.ts";

const ROUNDS = 200;
const IDLE_MS = 20;

const GRAPH: BenchGraph = {
  schema: "langgraph.v1",
  workflowId: "bench",
  nodes: [{ id: "a", service: "dummy.dummy_task", plane: "python", status: "pending", params: { seconds: 0 } }],
  edges: [],
};

export const dispatch: Measure = async (bench) => {
  await floorTable(bench.db);
  const random = seeded(1);
  const idle = () => new Promise((resolve) => setTimeout(resolve, random() * IDLE_MS));
  const floor = await pingPong(bench);
  const [ours, anchor]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    await idle();
    ours.push(await roundTrip(bench));
    await idle();
    anchor.push(await floor.once());
  }
  await floor.stop();
  const line = (name: string, share: number, goal: string) =>
    ratio({
      id: `dispatch.${name}`,
      ours: quantile(ours, share),
      anchor: "Streams ping-pong of two processes with idle gaps, and two commits",
      anchorValue: quantile(anchor, share),
      unit: "ms",
      goal,
    });
  return [line("p50", 0.5, "<= 2.5"), line("p99", 0.99, "<= 3")];
};

async function roundTrip(bench: Bench): Promise<number> {
  const run = await startRun(bench, GRAPH);
  await took(bench, run, 5);
  const { rows } = await bench.db.query<{ ms: number }>(
    `SELECT extract(epoch FROM max(at) FILTER (WHERE type = 'node.succeeded') - min(at) FILTER (WHERE type = 'node.dispatched')) * 1000 AS ms
     FROM run_event WHERE run_id = $1`,
    [run],
  );
  return Number(rows[0]?.ms);
}

async function pingPong({ env, db }: Bench): Promise<{ once(): Promise<number>; stop(): Promise<void> }> {
  const url = env.REDIS_URL as string;
  const [ask, listen] = [new Redis(url), new Redis(url)];
  const echo = fork(new URL("../echo.ts", import.meta.url), [url], { execArgv: ["--import", "tsx"] });
  await once(echo, "message");
  let since = "0";
  return {
    async once() {
      const begin = performance.now();
      await ask.xadd("bench:ping", "*", "n", "1");
      const found = (await listen.xread("BLOCK", 5000, "STREAMS", "bench:pong", since)) as [string, [string, string[]][]][] | null;
      since = found?.[0]?.[1].at(-1)?.[0] ?? since;
      await floorNode(db);
      return performance.now() - begin;
    },
    async stop() {
      echo.kill();
      await ask.del("bench:ping", "bench:pong");
      ask.disconnect();
      listen.disconnect();
    },
  };
}
