// SPEC RC, RL and RE on random graphs: LangGraph with look-ahead, LangGraph alone, and an oracle that knows neither, agree.
import { resolve } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow, RunRow } from "../record/types.ts";
import { RunExecution } from "./execution.ts";
import { asGraph, behaviour, type Case, library, oracle, randomCase } from "./random-graphs.testing.ts";

const frozen = { plane: "node", service: "test.any", version: "1", engine: "default", draft: false, timeoutSeconds: 0 };

async function run(example: Case, lookAhead: boolean): Promise<{ rows: Record<string, string>; limits: string[]; ran: string[] }> {
  const record = new MemoryRecord();
  const graph = asGraph(example);
  const ran: string[] = [];
  const nodePlane = {
    run: async (row: NodeRunRow) => {
      ran.push(row.path);
      const { x, fails } = behaviour(example.seed, row.path);
      if (x % 3 > 0) await new Promise((resolve) => setImmediate(resolve));
      const { id: nodeRun, fence } = row;
      const error = { code: `c${x}`, message: "It was to fail." };
      if (fails) {
        const failed = await record.change({ nodeRun, fence, change: "failHere", error });
        return failed && { row: failed };
      }
      const moved = await record.change({ nodeRun, fence, change: "succeedHere", output: { x } });
      return moved && { row: moved, output: { x } };
    },
  };
  const engines = { "": Object.fromEntries(example.nodes.map((id) => [id, frozen])) };
  const owned = { id: "r", state: "running", inputs: {}, engines, fence: 0, cancel_requested: false } as unknown as RunRow;
  const parts = { record, nodePlane, workers: {} as never, decisions: {} as never };
  await new RunExecution(parts, owned, resolve(graph, library), [], lookAhead).drive();
  const rows = Object.fromEntries([...record.rows.values()].map((row) => [row.path, row.state]));
  return { rows, limits: record.notes.map((note) => note.path).sort(), ran };
}

describe("[E2, E8, RC1, RC2, RL3, RL5, RE3] 1,000 random graphs with failures, conditions and nested loops", () => {
  test.each(Array.from({ length: 10 }, (_, index) => index * 100))("from seed %i", async (first) => {
    for (let seed = first; seed < first + 100; seed++) {
      const example = randomCase(seed);
      const expected = oracle(example);
      for (const lookAhead of [true, false]) {
        const { rows, limits, ran } = await run(example, lookAhead);
        expect(rows, `seed ${seed}, look-ahead ${lookAhead}`).toEqual(expected.rows);
        expect(limits, `seed ${seed}, look-ahead ${lookAhead}`).toEqual(expected.limits);
        expect(new Set(ran).size, `seed ${seed}: a node ran twice`).toBe(ran.length);
      }
    }
  });

  test("among them are loops in loops, limits, failures and skips", () => {
    const all = Array.from({ length: 1000 }, (_, seed) => oracle(randomCase(seed)));
    const paths = all.flatMap(({ rows }) => Object.keys(rows));
    expect(paths.filter((path) => /\[\d\]\/loop.*\[[12]\]\//.test(path)).length).toBeGreaterThan(200);
    expect(all.filter(({ limits }) => limits.length > 0).length).toBeGreaterThan(100);
    const states = all.flatMap(({ rows }) => Object.values(rows));
    for (const state of ["failed", "skipped", "succeeded"]) expect(states.filter((one) => one === state).length).toBeGreaterThan(1000);
  });
});
