// Many runs at once: how many a second, and what of it is orchestration.
import pLimit from "p-limit";
import { byTurns, type Measure, median, ratio } from "../figure.ts";
import { floorNode, floorTable } from "../floor.ts";
import { lanes, startRun, took } from "../graphs.ts";

/** Ten lanes of ten, sixteen runs at once. */
export const sixteen: Measure = async (bench) => {
  await floorTable(bench.db);
  const graph = lanes(10, 10);
  const RUNS = 48;
  const perSecond = async (work: () => Promise<unknown>) => {
    const begin = performance.now();
    await pLimit(16).map([...Array(RUNS).keys()], work);
    return RUNS / ((performance.now() - begin) / 1000);
  };
  const floor = async () => {
    await floorNode(bench.db);
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let step = 0; step < 10; step++) await floorNode(bench.db);
      }),
    );
    await floorNode(bench.db);
  };
  const found = await byTurns(3, {
    ours: () => perSecond(async () => took(bench, await startRun(bench, graph), 25)),
    floor: () => perSecond(floor),
  });
  const [ours, anchorValue] = [median(found.ours), median(found.floor)];
  return [
    ratio({ id: "lanes.durable.c16", ours, anchor: "INSERT and UPDATE committed per node", anchorValue, unit: "runs/s", goal: ">= 0.7" }),
  ];
};
