// How runs end that this runtime's own mistakes end, on a record in memory.
import { EventEmitter, once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import type { Graph } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NewRun } from "../record/types.ts";
import type { InRun } from "./node-plane.ts";
import { RunDriver, type RunDriverOptions } from "./run-driver.ts";
import { kindOf, libraryOf } from "./runs.testing.ts";

const library = libraryOf(kindOf("plain"), kindOf("person", { human: true }));
const node = (id: string, service: string) => ({ id, service, plane: "node", status: "pending" });
const graphOf = (...nodes: object[]) => ({ schema: "langgraph.v1", workflowId: "w", nodes, edges: [] }) as unknown as Graph;

class Record extends MemoryRecord {
  readonly ends: { change: string; code: string | undefined }[] = [];
  reads = 0;

  readonly runs = {
    requestNodeCancels: async () => {},
    toCancel: async () => [],
    create: (run: NewRun) => this.add(run.id, run.nodes),
    change: async (_: unknown, change: string, more?: { error?: { code: string } }) => {
      this.ends.push({ change, code: more?.error?.code });
      return true;
    },
    park: async () => false,
  };
  readonly leases = {
    leave: async () => {},
    renew: async (): Promise<Map<string, object>> => new Map(),
    claim: async (_owner: string, _suspects?: boolean): Promise<object[]> => [],
    clear: async (_owner: string, runs: string[]): Promise<void> => void this.cleared.push(...runs),
    lives: async (run: { id: string; fence: number }) => void this.alive.push([run.id, run.fence]),
  };
  readonly cleared: string[] = [];
  readonly alive: [string, number][] = [];
  async ofRun() {
    this.reads++;
    return [...this.rows.values()];
  }
  async overdue() {
    return [];
  }
  async openOf() {
    return [...this.rows.values()].filter(({ state }) => !isEndedNodeState(state));
  }
}

let driver: RunDriver;
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => vi.useRealTimers() && driver.stop());

function accept(graph: Graph, document: unknown, fails = "") {
  const record = new Record();
  const wait = (_: string, __: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  const nodePlane = {
    cancel: () => false,
    run: async (_row: unknown, _task: unknown, { signal }: InRun) => {
      await turn();
      if (fails) throw new Error(fails);
      if (!signal.aborted) await once(signal, "abort");
      return false;
    },
  };
  driver = new RunDriver({
    db: { prisma: { revision: { findUniqueOrThrow: async () => ({ document }) } } },
    owner: "o",
    timings: { runLeaseMs: 1000 },
    live: { forget: () => {} },
    parts: { workers: {}, nodePlane },
    record: {
      nodes: record,
      results: record,
      runs: record.runs,
      leases: record.leases,
      frozen: { keep: async () => {}, find: async () => new Map() },
    },
    decisions: { wait, announce: () => {} },
    reports: { library: () => library, burden: () => 0, changed: new EventEmitter() },
    onError: () => {},
  } as unknown as RunDriverOptions);
  return { record, accepted: driver.accept({ revision: "r", graph, title: "t", inputs: {} }) };
}

/** A run as the record gives it to whoever claims it. */
const claimed = (id: string, deaths: number) => ({
  id,
  state: "running",
  revision_id: "r",
  inputs: {},
  options: {},
  engines: {},
  definitions: null,
  owner: "o",
  fence: 1,
  deaths,
});

const turns = async (count: number) => {
  for (let index = 0; index < count; index++) await turn();
};

test("[E9] a run whose revision cannot be read fails with the reason; one that was just accepted is driven without reading it", async () => {
  const graph = graphOf(node("b", "plain"));
  const { record, accepted } = accept(graph, null);
  await accepted;
  await turns(20);
  expect(record.ends, "the accepted graph is not read and resolved again").toEqual([]);
  record.leases.claim = async (_, suspects) => (suspects ? [] : [{ ...claimed("other", 0), revision_id: "another" }]);
  driver.claimNow();
  await turns(20);
  expect(record.ends).toEqual([{ change: "fail", code: "internal" }]);
});

test("[E9] a run that the runtime's own mistake ends leaves no node run open: no person is asked any more", async () => {
  const graph = graphOf(node("ask", "person"), node("b", "plain"));
  const { record, accepted } = accept(graph, graph, "a mistake");
  await accepted;
  await turns(40);
  expect(record.ends).toEqual([{ change: "fail", code: "internal" }]);
  expect([...record.rows.values()].map(({ path, state }) => [path, state])).toEqual([
    ["ask", "cancelled"],
    ["b", "cancelled"],
  ]);
});

test("[E9, RE4] a run under which the runtime died ten times is not taken up again: it fails with the reason, and is not even read", async () => {
  const graph = graphOf(node("ask", "person"), node("b", "plain"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(10);
  for (const deaths of [9, 10]) {
    const [run, reads] = [claimed(`died-${deaths}`, deaths), record.reads];
    record.leases.claim = async (_, suspects) => (suspects ? [run] : []);
    vi.setSystemTime(Date.now() + 2000);
    driver.claimNow();
    await turns(20);
    expect(record.reads - reads, `${deaths} deaths`).toBe(deaths === 9 ? 1 : 0);
  }
  expect(record.ends.flatMap(({ code }, at) => (code === "run.crashed" ? at : []))).toEqual([record.ends.length - 1]);
});

test("[E9, RE5] the next suspects are claimed when those on trial have gone on, or have survived a trial that grows with their deaths", async () => {
  const graph = graphOf(node("ask", "person"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(10);
  const own = new Map<string, { fence: number; deaths: number }>();
  let next = 0;
  record.leases.renew = async () => new Map(own);
  record.leases.claim = async (_, suspects) => {
    if (!suspects) return [];
    const run = claimed(`suspect-${next++}`, next > 3 ? 7 : 2);
    own.set(run.id, run);
    return [run];
  };
  const claims = async () => {
    driver.claimNow();
    await turns(20);
    return next;
  };
  expect([await claims(), await claims()]).toEqual([1, 1]);
  own.set("suspect-0", { fence: 1, deaths: 0 });
  expect([await claims(), await claims()]).toEqual([2, 2]);
  expect(record.cleared).toEqual([]);
  record.leases.clear = async (_, runs) => {
    record.cleared.push(...runs);
    for (const id of runs) own.set(id, { fence: 1, deaths: -2 });
  };
  for (const [index, leases] of [1, 1, 4].entries()) {
    vi.setSystemTime(Date.now() + leases * 1000 - 1);
    expect([await claims(), await claims()], `before ${leases} leases`).toEqual([index + 2, index + 2]);
    vi.setSystemTime(Date.now() + 1);
    expect([await claims(), await claims()], `after ${leases} leases`).toEqual([index + 3, index + 3]);
  }
  expect(record.cleared).toEqual(["suspect-1", "suspect-2", "suspect-3"]);
});

test("[E9, RE5] no suspect is claimed beside a run under which a runtime has just died for the first time", async () => {
  const graph = graphOf(node("ask", "person"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(10);
  const asked: boolean[] = [];
  record.leases.claim = async (_, suspects = false) => {
    asked.push(suspects);
    return suspects ? [] : [claimed("first death", 1)];
  };
  driver.claimNow();
  await turns(20);
  expect(asked).toEqual([false]);
});

test("[E9, RE4] a runtime whose run another one claimed says that it lives, once", async () => {
  const graph = graphOf(node("b", "plain"));
  const { record, accepted } = accept(graph, graph);
  const run = await accepted;
  await turns(10);
  for (let times = 0; times < 3; times++) {
    driver.claimNow();
    await turns(10);
  }
  expect(record.alive).toEqual([[run, 1]]);
});

test("[RH4] a run that may not rest yet is driven again after a pause", async () => {
  const graph = graphOf(node("ask", "person"));
  const { record, accepted } = accept(graph, graph);
  await accepted;
  await turns(50);
  expect(record.reads).toBeLessThanOrEqual(2);
});
