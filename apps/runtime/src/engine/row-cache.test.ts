import { LIMITS, resolve } from "@spindle/graph-model";
import { expect, test } from "vitest";
import type { NewNodeRun } from "../record/frozen.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { ChangedRow, NodeRunRow } from "../record/node-run.ts";
import { WorkerTasks, type WorkerTasksParts } from "../tasks/worker-tasks.ts";
import { largeInputs } from "./large-inputs.ts";
import { NodeStep } from "./node-step.ts";
import { Pace } from "./pace.ts";
import { asGraph, library, randomCase } from "./random-graphs.testing.ts";
import { RowCache, RunTooLarge } from "./row-cache.ts";
import type { RunContext } from "./run-context.ts";
import { type Activity, RunValues } from "./run-values.ts";
import { LevelRun, Scope } from "./scope.ts";

const frozen = { plane: "node", service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };
const fresh = (path: string): NewNodeRun => ({ ...frozen, nodeId: path, path });
const { root } = resolve(asGraph(randomCase(1)), library);
const life: Activity = { closedBy: undefined, work: (doing) => doing() };

/** The rows of a run, what it stores, and the step that changes them. */
function runOf(left: readonly NodeRunRow[], record = new MemoryRecord()) {
  const values = new RunValues("r", life);
  const rows = new RowCache(record, "r", left, life, new Pace(), values);
  const workers = new WorkerTasks({ nodes: record } as unknown as WorkerTasksParts, { isQueueing: () => true, drain: () => {} });
  const context = {
    engines: { follow: async () => {} },
    rows,
    values,
    run: { id: "r" },
    life: { ...life, isCancelled: false },
    parts: { nodes: record, workers },
  };
  return { record, values, rows, step: new NodeStep(context as unknown as RunContext, async () => {}) };
}

test("[E9, RM3] the rows of a call that is over are forgotten, and still count as rows of the run", async () => {
  const others = Array.from({ length: LIMITS.nodeRuns - 3 }, (_, index) => ({ path: `other${index}` }) as NodeRunRow);
  const { rows } = runOf(others);
  const [graph, call] = [new Scope(new LevelRun(root, {}, 0), ""), new Scope(new LevelRun(root, {}, 1), "c/")];
  await rows.add(graph, [fresh("c")]);
  await rows.add(call, [fresh("c/a"), fresh("c/b")]);
  rows.forget(call);
  expect([rows.at("c")?.path, rows.at("c/a"), rows.at("c/b")]).toEqual(["c", undefined, undefined]);
  await expect(rows.add(graph, [fresh("d")])).rejects.toThrow(RunTooLarge);
});

test("[E9] a row that somebody else changed meanwhile is read again", async () => {
  const { record, rows, step } = runOf([]);
  await rows.add(new Scope(new LevelRun(root, {}, 0), ""), [fresh("a")]);
  const row = { ...rows.at("a") };
  await record.change({ nodeRun: row.id, fence: row.fence, change: "cancel", error: { code: "node.cancelled", message: "Cancelled." } });
  const skip = { change: "skip", broken: false, error: { code: "node.skipped", message: "The node is off." } } as const;
  expect((await step.change(row, skip)).state).toBe("cancelled");
  expect(rows.at("a").state).toBe("cancelled");
});

const MIB = 1024 * 1024;

/** 32 of these are 256 MiB. */
const full = { text: "x".repeat(8 * MIB - 64) };
const ended = { change: "fail", error: { class: "user", code: "node.user_error", message: "No." } } as const;

/** The rows of 40 node runs, with their record. */
async function manyRows() {
  const run = runOf([]);
  const paths = Array.from({ length: 40 }, (_, index) => `n${index}`);
  await run.rows.add(new Scope(new LevelRun(root, {}, 0), ""), paths.map(fresh));
  return { ...run, paths };
}

type Run = ReturnType<typeof runOf>;
type Store = (run: Run, path: string) => Promise<unknown>;

/** What the node plane writes once a node has succeeded. */
async function succeedHere({ rows, record, values }: Run, path: string, input: Record<string, unknown>, output: Record<string, unknown>) {
  const { id, fence } = rows.at(path);
  const change = values.fitting(path, { nodeRun: id, fence, change: "succeedHere", input, output, body: { engine: "e", draft: false } });
  return rows.merge((await record.change(change)) as ChangedRow, change);
}

const made: Record<string, Store> = {
  "an output": ({ rows, step }, path) =>
    step.change(rows.at(path), { change: "succeedHere", output: full, body: { engine: "e", draft: false } }),
  "the input of a failed one": ({ rows, step }, path) => step.change(rows.at(path), { ...ended, input: full }),
  "the output that a pin or another run gave": ({ rows, step }, path) =>
    step.change(rows.at(path), { change: "pin", output: full, body: { pinned: true } }),
  "the input of a map or a call": ({ rows, step }, path) =>
    step.change(rows.at(path), { change: "begin", input: full, body: { engine: "e", draft: false } }),
  "the input of a task, which may be more than the values that its node has": ({ rows, step }, path) =>
    step.dispatch(rows.at(path), { ...full }, {}),
  "what the node plane writes": (run, path) => succeedHere(run, path, full, {}),
};
const heardOf: Record<string, Store> = {
  "the output of a worker, or the answer of a person": async ({ rows, record }, path) => {
    const { id, fence } = rows.at(path);
    await record.change({ nodeRun: id, fence, change: "succeedHere", output: full, body: { engine: "e", draft: false } });
    rows.keep((await record.find(id)) as NodeRunRow);
  },
  "what another runtime has written meanwhile": async ({ rows, record, step }, path) => {
    const row = rows.at(path);
    await record.change({ nodeRun: row.id, fence: row.fence, change: "succeedHere", output: full, body: { engine: "e", draft: false } });
    await step.change(row, ended);
  },
};

test.each(Object.entries(made))("[RV2] a run stores no more than 256 MiB of %s", async (_, store) => {
  const { paths, ...run } = await manyRows();
  for (const path of paths) await store(run, path);
  const stored = [...run.record.rows.values()].filter(({ input, output }) => input?.text ?? output?.text);
  expect(stored).toHaveLength(32);
});

test.each(Object.entries(heardOf))("[RV2] %s counts, and no value is stored past 256 MiB", async (_, store) => {
  const { paths, ...run } = await manyRows();
  for (const path of paths.slice(0, 32)) await store(run, path);
  await made["an output"]?.(run, "n32");
  expect(run.rows.at("n32")).toMatchObject({ state: "failed", error: { code: "run.too_large" }, output: null });
});

test("[RV2] a value is counted once, however often its change is tried", () => {
  const values = new RunValues("r", life);
  for (let times = 0; times < 40; times++) expect(values.whyTooMuch("a", { output: full })).toBeUndefined();
  for (let other = 0; other < 31; other++) expect(values.whyTooMuch(`${other}`, { output: full })).toBeUndefined();
  expect(values.whyTooMuch("b", { output: full })?.code).toBe("run.too_large");
});

test("[RV2] a node run of the node plane whose output is refused keeps its input, in memory as in the record, and nothing of the output", async () => {
  const { paths, ...run } = await manyRows();
  for (const path of paths.slice(0, 32)) await made["an output"]?.(run, path);
  const input = { prompt: "small" };
  const row = await succeedHere(run, "n32", input, full);
  expect(row).toMatchObject({ state: "failed", error: { code: "run.too_large" }, input, output: null });
  expect(await run.record.find(row.id)).toEqual(row);
  expect(run.rows.at("n32")).toEqual(row);
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
