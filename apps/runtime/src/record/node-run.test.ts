import { expect, test } from "vitest";
import { ImpossibleNodeRun, type NodeRunRow, nodeRunOf, type RawNodeRun } from "./node-run.ts";

const raw: RawNodeRun = {
  id: "4a9c",
  run_id: "77b1",
  node_id: "a",
  path: "c/a",
  state: "queued",
  attempt: 0,
  fence: 0,
  crashes: 0,
  plane: "node",
  service: "s",
  version: "1",
  engine: "e",
  draft: false,
  timeout_seconds: 0,
  stall_seconds: 0,
  input: null,
  error: null,
  broken: false,
  held: null,
  passed: false,
};

test.each([
  ["succeeded", "an output"],
  ["waiting", "a question"],
  ["dispatched", "an input"],
  ["running", "an input"],
  ["skipped", "a reason"],
  ["failed", "an error"],
  ["cancelled", "an error"],
  ["dead", "an error"],
] as const)("a row that is %s without %s is refused, by its path, its run and its id", (state, lacks) => {
  const read = () => nodeRunOf({ ...raw, state });
  expect(read).toThrow(ImpossibleNodeRun);
  expect(read).toThrow(`The node run c/a of run 77b1 cannot be: it is ${state} without ${lacks}. Its row in node_run has the id 4a9c.`);
});

test("a row has what its state has, and nothing that an earlier state has left", () => {
  const error = { code: "task.lease_lost", message: "The worker went silent." };
  const left: RawNodeRun = { ...raw, input: { a: 1 }, output: { b: 2 }, error, broken: true, held: "before", reused_from: "x" };
  const standing = ({ input, output, error, broken, held, reused_from }: NodeRunRow) => [input, output, error, broken, held, reused_from];
  expect(standing(nodeRunOf({ ...left, state: "queued" }))).toEqual([{ a: 1 }, null, null, false, null, null]);
  expect(standing(nodeRunOf({ ...left, state: "waiting" }))).toEqual([{ a: 1 }, null, null, false, "before", null]);
  expect(standing(nodeRunOf({ ...left, state: "running" }))).toEqual([{ a: 1 }, null, null, false, null, null]);
  expect(standing(nodeRunOf({ ...left, state: "succeeded" }))).toEqual([{ a: 1 }, { b: 2 }, null, false, null, "x"]);
  expect(standing(nodeRunOf({ ...left, state: "skipped" }))).toEqual([{ a: 1 }, null, error, true, null, null]);
  expect(standing(nodeRunOf({ ...left, state: "dead" }))).toEqual([{ a: 1 }, null, error, false, null, null]);
});

test("a node run that cannot be cannot be typed", () => {
  const succeeded = nodeRunOf({ ...raw, state: "succeeded", output: {} });
  // @ts-expect-error a success without an output
  const withoutOutput: NodeRunRow = { ...succeeded, state: "succeeded", output: null };
  // @ts-expect-error an output before the end
  const early: NodeRunRow = { ...nodeRunOf(raw), state: "running", input: {}, output: {} };
  // @ts-expect-error a person who is asked nothing
  const unasked: NodeRunRow = { ...nodeRunOf(raw), state: "waiting", held: null, input: null };
  expect([withoutOutput, early, unasked]).toHaveLength(3);
});
