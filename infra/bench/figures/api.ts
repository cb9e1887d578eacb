// Runs of one node through the API, none lost; and what the runtime's memory does meanwhile.
import { readFile } from "node:fs/promises";
import { type Bench, type Figure, type Measure, ratio } from "../figure.ts";
import { chain, startRun } from "../graphs.ts";
import { heapAfterCollection } from "../heap.ts";
import { acceptRate } from "../pgbench.ts";

const SECONDS = 60;
const CLIENTS = 16;
const [FIRST, LAST] = [1_000, 10_000];

export const api: Measure = async (bench) => {
  const { perSecond, by } = await acceptRate(bench);
  const graph = chain(1);
  const before = await ended(bench);
  let accepted = 0;
  const send = async (until: () => boolean) => {
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (!until()) {
          await startRun(bench, graph);
          accepted++;
        }
      }),
    );
    while ((await ended(bench)) - before < accepted) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await send(() => accepted >= FIRST);
  const first = await memory(bench);
  const already = accepted;
  const begin = performance.now();
  await send(() => performance.now() - begin > SECONDS * 1000);
  const rate = (accepted - already) / ((performance.now() - begin) / 1000);
  await send(() => accepted >= LAST);
  const last = await memory(bench);
  const figures: Figure[] = [
    ratio({
      id: "api.runs",
      ours: rate,
      anchor: `the accepting transaction, ${by}`,
      anchorValue: perSecond,
      unit: "runs/s",
      goal: ">= 0.05",
    }),
    ratio({ id: "memory.drift", ours: last, anchor: `after ${FIRST} runs`, anchorValue: first, unit: "MiB", goal: "<= 1.1" }),
  ];
  return figures;
};

async function ended({ db }: Bench): Promise<number> {
  const { rows } = await db.query<{ n: string }>("SELECT count(*) AS n FROM run WHERE state = 'succeeded'");
  return Number(rows[0]?.n);
}

/** Memory of the runtime at rest, in MiB, without what is garbage already. */
async function memory({ env }: Bench): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 6000)); // the runtime forgets what it shows of an ended run after five seconds
  const { pid } = JSON.parse(await readFile(`${env.SPINDLE_HOME}/server.json`, "utf8")) as { pid: number };
  return heapAfterCollection(pid);
}
