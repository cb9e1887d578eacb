import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { folderStore } from "../artifacts/folder-store.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { ImpossibleNodeRun, NodeRunRow, TaskRow } from "../record/node-run.ts";
import { ServerFailures } from "./server-failures.ts";
import { objectKey, taskName } from "./task-name.ts";
import { WorkerTasks, type WorkerTasksParts } from "./worker-tasks.ts";

const tooMuch = { class: "user", code: "run.too_large", message: "Too much." } as const;
const folder = mkdtempSync(join(tmpdir(), "spindle-results-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

class Record extends MemoryRecord {
  stale = 0;
  async findAll(ids: readonly string[]): Promise<(NodeRunRow | ImpossibleNodeRun)[]> {
    return (await Promise.all(ids.map((id) => this.find(id)))).flatMap((row) => row ?? []);
  }
}

/** So many node runs that a worker has. */
async function dispatched(record: Record, count: number, plane = "python"): Promise<{ id: string; fence: number }[]> {
  const frozen = { plane, service: "s", version: "1", engine: "e", draft: false, timeoutSeconds: 0 };
  const rows = await record.add(
    "r",
    Array.from({ length: count }, (_, index) => ({ ...frozen, nodeId: `n${index}`, path: `n${index}` })),
  );
  const body = { engine: "e", draft: false };
  const dispatch = async ({ id, fence }: NodeRunRow) => {
    const moved = await record.change({ nodeRun: id, fence, change: "dispatch", input: {}, dispatchIn: 0, body });
    return { id, fence: moved?.fence ?? -1 };
  };
  return Promise.all(rows.map(dispatch));
}

/** Takes these results. Returns what became of the node runs. */
async function taken(
  record: Record,
  results: readonly object[],
  more: Pick<WorkerTasksParts, "whyTooMuch"> & { artifacts?: object; failures?: object; bus?: object; timings?: object },
) {
  const waiting = results.map((result, index) => ({ id: `${index}`, result: { v: 1, outcome: "succeeded", ...result } }));
  const acknowledged: string[] = [];
  const bus = {
    results: async () => waiting.splice(0),
    acknowledge: async (id: string) => void acknowledged.push(id),
    done: async () => {},
    hold: async () => {},
    ...more.bus,
  };
  const parts = {
    nodes: record,
    decisions: { announce: () => {} },
    cancels: { isCancelling: () => false, end: () => {} },
    timings: {},
    failures: new ServerFailures(),
    artifacts: {},
    ...more,
    bus,
  };
  const tasks = new WorkerTasks(parts as unknown as WorkerTasksParts, { isQueueing: () => false, drain: () => {} });
  await tasks.takeResults();
  expect(acknowledged.length).toBe(results.length);
  return [...record.rows.values()].map(({ state, error, output }) => [state, error?.code, output !== null]);
}

test("[RV2] a result whose output the run may not store fails its node run, and those after it that fit are kept", async () => {
  const record = new Record();
  const outputs = [10, 30, 10].map((characters) => ({ value: "x".repeat(characters) }));
  const rows = await dispatched(record, outputs.length);
  let left = 20;
  const whyTooMuch = ({ run_id }: TaskRow, { value }: { value?: string }) => {
    const isTooMuch = run_id === "r" && (value?.length ?? 0) > left;
    left -= isTooMuch ? 0 : (value?.length ?? 0);
    return isTooMuch ? tooMuch : undefined;
  };
  const results = rows.map(({ id, fence }, index) => ({ task: taskName(id, fence), output: outputs[index] }));
  expect(await taken(record, results, { whyTooMuch })).toEqual([
    ["succeeded", undefined, true],
    ["failed", "run.too_large", false],
    ["succeeded", undefined, true],
  ]);
});

/** Three files of one try: the first is the try's own, an artifact has the second, and the key of the third is that of another try. */
async function threeFiles(nodeRun: string, fence: number) {
  const store = folderStore(join(folder, nodeRun));
  const [own, known, foreign] = await Promise.all(
    [fence, fence, fence + 1].map(async (of) => {
      const bytes = Buffer.from("a file");
      const ref = { artifact: randomUUID(), mime: "text/plain", size: bytes.length, sha256: randomUUID() };
      const key = objectKey("output", "r", { nodeRun, fence: of }, ref.artifact);
      await store.put(key, bytes, bytes.length, ref.mime);
      return { key, ref };
    }),
  );
  const find = async (id: string) => (id === known?.ref.artifact ? known : undefined);
  // What the bytes say is not asked here.
  const examine = async (_key: string, ref: object) => ({ ref });
  return { objects: [own, known, foreign], artifacts: { store, find, examine } };
}

test.each([
  ["[W6] a result that came too late", async () => {}, -1],
  [
    "[W6] a result for a node run that is over",
    async (record: Record, { id: nodeRun, fence }: { id: string; fence: number }) =>
      void (await record.change({ nodeRun, fence, change: "fail", error: tooMuch })),
    0,
  ],
])("%s changes nothing, and of its files only those that are its own and no artifact's are removed", async (_, before, by) => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  await before(record, row);
  const { objects, artifacts } = await threeFiles(row.id, row.fence + by);
  const [state] = [...record.rows.values()].map((one) => ({ ...one }));
  await taken(record, [{ task: taskName(row.id, row.fence + by), output: {}, objects }], { whyTooMuch: () => undefined, artifacts });
  expect([...record.rows.values()]).toEqual([state]);
  expect(record.stale).toBe(1);
  const kept = objects.slice(1).map((object) => object?.key);
  expect(await artifacts.store.list("output")).toEqual(kept.sort());
});

test("[RV2] the file of an output that the run may not store is removed", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  const { objects, artifacts } = await threeFiles(row.id, row.fence);
  const result = { task: taskName(row.id, row.fence), output: { value: "x" }, objects: objects.slice(0, 2) };
  expect(await taken(record, [result], { whyTooMuch: () => tooMuch, artifacts })).toEqual([["failed", "run.too_large", false]]);
  expect(await artifacts.store.list("output")).toEqual(objects.slice(1).map((object) => object?.key));
});

test("[A5] once a result is committed, of its files those go whose bytes another object has, and no other", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  const { objects, artifacts } = await threeFiles(row.id, row.fence);
  const [own, first] = objects;
  const find = async (id: string) => (id === own?.ref.artifact ? { ...own, key: "output/of-another-run" } : artifacts.find(id));
  const result = { task: taskName(row.id, row.fence), output: {}, objects: [own, first] };
  await taken(record, [result], { whyTooMuch: () => undefined, artifacts: { ...artifacts, find } });
  expect((await artifacts.store.list("output")).sort()).toEqual(
    objects
      .slice(1)
      .map((object) => object?.key)
      .sort(),
  );
});

test("[W6] an artifact that is named anywhere in an output, and was not stored, fails the try", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  const { artifacts } = await threeFiles(row.id, row.fence);
  const output = { list: [{ deep: { artifact: randomUUID(), mime: "text/plain", size: 1, sha256: "a".repeat(64) } }] };
  const again = { timings: { retryBaseMs: 0 }, live: { reset: () => {} } };
  const result = { task: taskName(row.id, row.fence), output };
  const [state] = await taken(record, [result], { whyTooMuch: () => undefined, artifacts, ...again } as never);
  expect(state?.[0]).not.toBe("succeeded");
});

test("[W6] an output's artifacts are given what is known of them beside what the worker said, at any depth", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  const { objects, artifacts } = await threeFiles(row.id, row.fence);
  const ref = { ...objects[0]?.ref, sha256: "a".repeat(64) };
  const said = { ...ref, width: 3 };
  const examine = async () => ({ ref: { ...ref, width: 4, height: 5 } });
  const result = { task: taskName(row.id, row.fence), output: { list: [{ picture: said }] }, objects: [{ ...objects[0], ref }] };
  await taken(record, [result], { whyTooMuch: () => undefined, artifacts: { ...artifacts, examine } });
  expect([...record.rows.values()][0]?.output).toEqual({ list: [{ picture: { ...said, height: 5 } }] });
});

test("[M4] what a worker answers is counted for its server, before anybody hears of the end", async () => {
  const record = new Record();
  const [row] = await dispatched(record, 1);
  const counted: unknown[] = [];
  const failures = {
    count: ({ id }: TaskRow, { outcome }: { outcome: string }) => void counted.push([id, outcome, record.rows.get(id)?.state]),
  };
  const results = [{ task: taskName(row?.id as string, row?.fence as number), output: {} }];
  await taken(record, results, { whyTooMuch: () => undefined, failures });
  expect(counted).toEqual([[row?.id, "succeeded", "dispatched"]]);
});

test("[W5] the lease of a task is renewed while its result is looked into, however long that is", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1);
  const { objects, artifacts } = await threeFiles(row.id, row.fence);
  const held: unknown[] = [];
  let isHeld = () => {};
  const untilHeld = new Promise<void>((resolve) => {
    isHeld = resolve;
  });
  const hold = async (...about: unknown[]) => {
    if (held.push(about) === 3) isHeld();
  };
  const examine = async (_: string, ref: object) => {
    await untilHeld;
    return { ref };
  };
  const ref = { ...objects[0]?.ref, sha256: "a".repeat(64) };
  const result = { task: taskName(row.id, row.fence), output: { text: ref }, objects: [{ ...objects[0], ref }] };
  const more = { whyTooMuch: () => undefined, artifacts: { ...artifacts, examine }, timings: { leaseMs: 30 }, bus: { hold } };
  expect(await taken(record, [result], more)).toEqual([["succeeded", undefined, true]]);
  const count = held.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([held[0], held.length]).toEqual([[taskName(row.id, row.fence), 30], count]);
});

test("[E19] the log of a try is kept before its end is, so that whoever sees the end finds it", async () => {
  const record = new Record();
  const [row] = (await dispatched(record, 1)) as [{ id: string; fence: number }];
  const seen: unknown[] = [];
  const log = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push((await record.find(row.id))?.state);
  };
  Object.assign(record, { log });
  const result = { task: taskName(row.id, row.fence), output: {}, log: "Loaded." };
  expect(await taken(record, [result], { whyTooMuch: () => undefined })).toEqual([["succeeded", undefined, true]]);
  expect(seen).toEqual(["dispatched"]);
});

test("[W6, E13] the log of a try says which files were left out of its result, before what the worker wrote", async () => {
  const record = new Record();
  const [row = { id: "", fence: 0 }] = await dispatched(record, 1, "comfy");
  const { objects, artifacts } = await threeFiles(row.id, row.fence);
  const refs = objects.map((object) => ({ ...object?.ref, sha256: "a".repeat(64), name: `${object?.ref.artifact}.txt` }));
  const examine = async (_: string, ref: { artifact: string }) =>
    ref.artifact === refs[0]?.artifact ? { why: "the bytes are not text/plain" } : { ref };
  const logs: unknown[] = [];
  Object.assign(record, { log: async (...line: unknown[]) => void logs.push(line) });
  const result = {
    ...{ task: taskName(row.id, row.fence), output: { n: { texts: refs.slice(0, 2) } }, log: "Loaded." },
    objects: objects.slice(0, 2).map((object, index) => ({ ...object, ref: refs[index] })),
  };
  expect(await taken(record, [result], { whyTooMuch: () => undefined, artifacts: { ...artifacts, examine } })).toEqual([
    ["succeeded", undefined, true],
  ]);
  expect(logs).toEqual([[row.id, 1, `A file was left out: ${refs[0]?.name}: the bytes are not text/plain.\nLoaded.`]]);
  expect(await artifacts.store.list("output")).not.toContain(objects[0]?.key);
});
