// What both ends of the bus, in two languages, must make the same: recorded once, read by workers/python-gpu/tests/test_worker.py too.
import { readFileSync } from "node:fs";
import { BUS, type TaskEntry, validateTaskEntry } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { names } from "./names.ts";
import { isResultSigned, isSigned, signEntry, signResult, taskToken } from "./sign.ts";

interface Vectors {
  key: string;
  entry: TaskEntry;
  result: { text: string; sig: string };
  token: string;
  names: Record<string, string>;
}
const vectors = JSON.parse(readFileSync(new URL("../../../schemas/tasks/vectors.json", import.meta.url), "utf8")) as Vectors;
const { key, entry } = vectors;
const { sig, ...unsigned } = entry;

test("[W3] every key and stream has its name, a queue one for each plane, capability, version and engine", () => {
  const about = { plane: "python", service: "a.b", version: "1", engine: "gpu", task: entry.task, worker: "w1" };
  const {
    queue,
    results,
    progress,
    lease,
    cancel,
    dispatched,
    settled,
    decidedBell,
    epoch,
    workers,
    workerManifest,
    workerReport,
    drain,
    doorbell,
    deadLetters,
  } = names;
  expect({
    queue: queue(about),
    results,
    progress,
    lease: lease(about.task),
    cancel: cancel(about.task),
    dispatched: dispatched(about.task),
    settled: settled(about.task),
    decided: decidedBell,
    epoch,
    workers: workers(about.plane),
    workerManifest: workerManifest(about.plane, about.worker),
    workerReport: workerReport(about.plane, about.worker),
    drain: drain(about.worker),
    doorbell: doorbell(about.plane),
    deadLetters,
  }).toEqual(vectors.names);
  expect(Object.keys(vectors.names).sort()).toEqual(Object.keys(BUS.names).sort());
});

describe("[W2] an entry", () => {
  test("is signed as it was recorded, whatever the order of its fields", () => {
    expect(validateTaskEntry(entry), JSON.stringify(validateTaskEntry.errors)).toBe(true);
    expect(signEntry(unsigned, key)).toEqual(entry);
    const reversed = Object.fromEntries(Object.entries(unsigned).reverse()) as Omit<TaskEntry, "sig">;
    expect(signEntry(reversed, key).sig).toBe(sig);
  });
  test("is signed by its key alone, and as a whole", () => {
    expect(isSigned(entry, key)).toBe(true);
    expect(isSigned(entry, `${key}x`)).toBe(false);
    for (const [name, value] of Object.entries(unsigned))
      expect(isSigned({ ...entry, [name]: typeof value === "number" ? value + 1 : `${value}0` }, key), name).toBe(false);
    for (const other of ["", sig.slice(2), `${sig}00`, "zz"]) expect(isSigned({ ...entry, sig: other }, key), other).toBe(false);
  });
});

test("[W6] a result is signed as it was recorded, letter by letter, by its key alone", () => {
  const { text, sig } = vectors.result;
  expect(signResult(text, key)).toBe(sig);
  expect(isResultSigned(text, sig, key)).toBe(true);
  expect(isResultSigned(text, sig, `${key}x`)).toBe(false);
  expect(isResultSigned(text.replace("succeeded", "failed"), sig, key)).toBe(false);
  expect(isResultSigned(`${text} `, sig, key)).toBe(false);
  for (const other of [undefined, "", sig.slice(2), `${sig}00`, "zz"]) expect(isResultSigned(text, other, key), other).toBe(false);
});

test("[A3] a task's token is made of the worker key, the task and its fence", () => {
  expect(taskToken(entry.task, key)).toBe(vectors.token);
  expect(taskToken(entry.task.replace(/:\d+$/, ":9"), key)).not.toBe(vectors.token);
  expect(taskToken(entry.task, `${key}x`)).not.toBe(vectors.token);
});
