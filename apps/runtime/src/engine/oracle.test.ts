// SPEC RC, RL and RE on random graphs: the run engine and an oracle that does not know it agree; so do the orders in which LangGraph asks for
// items and in which they may be settled.
import { resolve } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { RunRow } from "../record/types.ts";
import { compile, type Driven } from "./compile.ts";
import { RunExecution } from "./execution.ts";
import type { InRun } from "./node-plane.ts";
import { asGraph, behaviour, type Case, library, oracle, randomCase } from "./random-graphs.testing.ts";
import { LevelRun, Scope } from "./scope.ts";

const frozen = { plane: "node", service: "test.any", version: "1", engine: "default", draft: false, timeoutSeconds: 0 };

async function run(example: Case): Promise<{ rows: Record<string, string>; limits: string[]; ran: string[] }> {
  const record = new MemoryRecord();
  const graph = asGraph(example);
  const ran: string[] = [];
  const nodePlane = {
    run: async (row: NodeRunRow, _: unknown, { change }: InRun) => {
      ran.push(row.path);
      const { x, fails } = behaviour(example.seed, row.path);
      if (x % 3 > 0) await new Promise((resolve) => setImmediate(resolve));
      const { id: nodeRun, fence } = row;
      const error = { code: `c${x}`, message: "It was to fail." };
      const ending = fails ? ({ change: "failHere", error } as const) : ({ change: "succeedHere", output: { x } } as const);
      return (await change({ nodeRun, fence, ...ending })) !== undefined;
    },
  };
  const engines = { "": Object.fromEntries(example.nodes.map((id) => [id, frozen])) };
  const owned = { id: "r", state: "running", inputs: {}, engines, fence: 0, cancel_requested: false } as unknown as RunRow;
  const parts = {
    nodes: record,
    results: record,
    nodePlane,
    workers: {} as never,
    cancels: {} as never,
    decisions: {} as never,
    runs: {} as never,
    frozen: {} as never,
    reports: {} as never,
  };
  await new RunExecution(parts, owned, resolve(graph, library), []).drive();
  const rows = Object.fromEntries([...record.rows.values()].map((row) => [row.path, row.state]));
  return { rows, limits: record.notes.map((note) => note.path).sort(), ran };
}

/** What LangGraph asks for of a run that has these rows, and which of it before a predecessor was settled. */
async function askedByLangGraph(example: Case, rows: readonly string[]): Promise<{ nodes: string[]; early: string[] }> {
  const { root } = resolve(asGraph(example), library);
  const [nodes, early] = [[] as string[], [] as string[]];
  const settled = new Set<string>();
  const driven: Driven = {
    enter: async () => {},
    settle: async (scope, item) => {
      const before = [...(scope.body.predecessors.get(item) ?? [])];
      if (before.some((id) => !settled.has(scope.prefix + id))) early.push(scope.prefix + item);
      await new Promise((resolve) => setImmediate(resolve));
      settled.add(scope.prefix + item);
      if (!root.plan.loops.has(item)) nodes.push(scope.prefix + item);
    },
    visit: async (scope, loop, index) => rows.some((path) => path.startsWith(scope.visitOf(loop, index + 1).prefix)),
  };
  await compile(root).drive(driven, new Scope(new LevelRun(root, {}, 0), ""));
  return { nodes, early };
}

describe("[E2, E8, RC1, RC2, RC7, RL3, RL5, RE3] 1,000 random graphs with failures, conditions and nested loops", () => {
  test.each(Array.from({ length: 10 }, (_, index) => index * 100))("from seed %i", async (first) => {
    for (let seed = first; seed < first + 100; seed++) {
      const example = randomCase(seed);
      const expected = oracle(example);
      const { rows, limits, ran } = await run(example);
      expect(rows, `seed ${seed}`).toEqual(expected.rows);
      expect(limits, `seed ${seed}`).toEqual(expected.limits);
      expect(new Set(ran).size, `seed ${seed}: a node ran twice`).toBe(ran.length);
      const isBypassed = (path: string) => example.bypassed.has(path.split("/").at(-1) as string);
      expect(ran.filter(isBypassed), `seed ${seed}: a bypassed node ran`).toEqual([]);
    }
  });

  test.each(Array.from({ length: 10 }, (_, index) => index * 100))(
    "LangGraph asks for every item after its predecessors, from seed %i",
    async (first) => {
      for (let seed = first; seed < first + 100; seed++) {
        const example = randomCase(seed);
        const { rows } = oracle(example);
        const asked = await askedByLangGraph(example, Object.keys(rows));
        expect(asked.early, `seed ${seed}`).toEqual([]);
        expect(asked.nodes.sort(), `seed ${seed}`).toEqual(Object.keys(rows).sort());
      }
    },
  );

  test("among them are loops in loops, limits, failures and skips", () => {
    const all = Array.from({ length: 1000 }, (_, seed) => oracle(randomCase(seed)));
    const paths = all.flatMap(({ rows }) => Object.keys(rows));
    expect(paths.filter((path) => /\[\d\]\/loop.*\[[12]\]\//.test(path)).length).toBeGreaterThan(200);
    expect(all.filter(({ limits }) => limits.length > 0).length).toBeGreaterThan(100);
    expect(all.filter((_, seed) => randomCase(seed).bypassed.size > 0).length).toBeGreaterThan(300);
    const states = all.flatMap(({ rows }) => Object.values(rows));
    for (const state of ["failed", "skipped", "succeeded"]) expect(states.filter((one) => one === state).length).toBeGreaterThan(1000);
  });
});
