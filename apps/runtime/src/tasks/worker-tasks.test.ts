import { expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { ImpossibleNodeRun, NodeRunRow, TaskRow } from "../record/node-run.ts";
import { taskName } from "./task-name.ts";
import { WorkerTasks, type WorkerTasksParts } from "./worker-tasks.ts";

const tooMuch = { class: "user", code: "run.too_large", message: "Too much." } as const;

class Record extends MemoryRecord {
  stale = 0;
  async findAll(ids: readonly string[]): Promise<(NodeRunRow | ImpossibleNodeRun)[]> {
    return (await Promise.all(ids.map((id) => this.find(id)))).flatMap((row) => row ?? []);
  }
}

/** What becomes of node runs of which each gave an output of that many characters, in a run that has room for so many. */
async function taken(characters: readonly number[], room: number) {
  const record = new Record();
  const frozen = { plane: "python", service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };
  const rows = await record.add(
    "r",
    characters.map((_, index) => ({ ...frozen, nodeId: `n${index}`, path: `n${index}` })),
  );
  const results: object[] = [];
  for (const [index, { id, fence }] of rows.entries()) {
    const body = { engine: "e", draft: false };
    const dispatched = await record.change({ nodeRun: id, fence, change: "dispatch", input: {}, dispatchIn: 0, body });
    const output = { value: "x".repeat(characters[index] as number) };
    results.push({ id: `${index}`, result: { v: 1, task: taskName(id, dispatched?.fence ?? -1), outcome: "succeeded", output } });
  }
  const acknowledged: string[] = [];
  const bus = {
    results: async () => results.splice(0),
    acknowledge: async (id: string) => void acknowledged.push(id),
    done: async () => {},
  };
  let left = room;
  const whyTooMuch = ({ run_id }: TaskRow, { value }: { value?: string }) => {
    const isTooMuch = run_id === "r" && (value?.length ?? 0) > left;
    left -= isTooMuch ? 0 : (value?.length ?? 0);
    return isTooMuch ? tooMuch : undefined;
  };
  const parts = { nodes: record, bus, whyTooMuch, decisions: { announce: () => {} }, isCancelled: () => false, timings: {}, artifacts: {} };
  const tasks = new WorkerTasks(parts as unknown as WorkerTasksParts, { isQueueing: () => false, drain: () => {} });
  await tasks.takeResults();
  expect(acknowledged.length).toBe(characters.length);
  return [...record.rows.values()].map(({ state, error, output }) => [state, error?.code, output !== null]);
}

test("[RV2] a result whose output the run may not store fails its node run, and those after it that fit are kept", async () => {
  expect(await taken([10, 30, 10], 20)).toEqual([
    ["succeeded", undefined, true],
    ["failed", "run.too_large", false],
    ["succeeded", undefined, true],
  ]);
});
