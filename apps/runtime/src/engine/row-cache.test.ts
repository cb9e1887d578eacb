import { LIMITS, resolve } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { NewNodeRun } from "../record/types.ts";
import { largeInputs } from "./large-inputs.ts";
import { Pace } from "./pace.ts";
import { asGraph, library, randomCase } from "./random-graphs.testing.ts";
import { RowCache, RunTooLarge } from "./row-cache.ts";
import { type Activity, RunValues } from "./run-values.ts";
import { LevelRun, Scope } from "./scope.ts";

const frozen = { plane: "node", service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };
const fresh = (path: string): NewNodeRun => ({ ...frozen, nodeId: path, path });
const { root } = resolve(asGraph(randomCase(1)), library);
const life: Activity = { closedBy: undefined, work: (doing) => doing() };
const cacheOf = (rows: readonly NodeRunRow[], record = new MemoryRecord()) =>
  new RowCache(record, "r", rows, life, new Pace(), new RunValues("r", life));

test("[E9, RM3] the rows of a call that is over are forgotten, and still count as rows of the run", async () => {
  const others = Array.from({ length: LIMITS.nodeRuns - 3 }, (_, index) => ({ path: `other${index}` }) as NodeRunRow);
  const rows = cacheOf(others);
  const [graph, call] = [new Scope(new LevelRun(root, {}, 0), ""), new Scope(new LevelRun(root, {}, 1), "c/")];
  await rows.add(graph, [fresh("c")]);
  await rows.add(call, [fresh("c/a"), fresh("c/b")]);
  rows.forget(call);
  expect([rows.at("c")?.path, rows.at("c/a"), rows.at("c/b")]).toEqual(["c", undefined, undefined]);
  await expect(rows.add(graph, [fresh("d")])).rejects.toThrow(RunTooLarge);
});

test("[E9] a row that somebody else changed meanwhile is read again", async () => {
  const record = new MemoryRecord();
  const rows = cacheOf([], record);
  await rows.add(new Scope(new LevelRun(root, {}, 0), ""), [fresh("a")]);
  const row = { ...rows.at("a") };
  await record.change({ nodeRun: row.id, fence: row.fence, change: "cancel", error: { code: "node.cancelled", message: "Cancelled." } });
  const skip = { change: "skip", broken: false, error: { code: "node.skipped", message: "The node is off." } } as const;
  expect((await rows.change(row, skip)).state).toBe("cancelled");
  expect(rows.at("a").state).toBe("cancelled");
});

const MIB = 1024 * 1024;

test("[RV2] an output is counted once, however often PostgreSQL fails to take it", () => {
  const values = new RunValues("r", life);
  const output = { text: "x".repeat(8 * MIB) };
  for (let times = 0; times < 40; times++) expect(values.whyNotStored("a", output)).toBeUndefined();
  values.written("a");
  for (let other = 0; other < 30; other++) expect(values.whyNotStored(`${other}`, output)).toBeUndefined();
  expect(values.whyNotStored("b", output)?.code).toBe("run.too_large");
});

test.each(["before it asks", "while it waits"])("[RV1] a branch of a run that is over %s holds no turn of others", async (when) => {
  const ended: { closedBy: Error | undefined } & Pick<Activity, "work"> = { closedBy: undefined, work: (doing) => doing() };
  const values = new RunValues(`ended ${when}`, ended);
  const admit = () => values.admit({ path: "a" } as NodeRunRow, { text: "x".repeat(MIB) });
  const early = when === "while it waits" ? admit() : undefined;
  values.letGo();
  ended.closedBy = new Error("The run is over.");
  await expect(early ?? admit()).rejects.toThrow("The run is over.");
  const { release } = await largeInputs.hold("other", () => 128 * MIB);
  release();
});
