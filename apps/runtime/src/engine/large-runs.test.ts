// Runs of many node runs (docs/decisions/0024): what is counted here is how much begins in a turn of the event loop and how much is
// open at once, so that no clock is asked.
import { StateGraph } from "@langchain/langgraph";
import { type Graph, jsonBytes, portsOf, resolve, unitsSpent } from "@spindle/graph-model";
import { describe, expect, test, vi } from "vitest";
import type { NodeChange } from "../record/changes.ts";
import type { NewNodeRun } from "../record/frozen.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import { type NodeRunRow, nodeRunOf } from "../record/node-run.ts";
import type { RunRow } from "../record/types.ts";
import { unhandled } from "./call.ts";
import { Parked, RunExecution } from "./execution.ts";
import { freezeNodes } from "./freeze.ts";
import type { InRun, NodeTask } from "./node-plane.ts";
import type { ExecutionParts } from "./run-context.ts";
import { kindOf, libraryOf } from "./runs.testing.ts";

const value = portsOf({ properties: { value: {} } });
const kind = (service: string, more: object = {}) => kindOf(service, { inputs: value, outputs: value, ...more });
const setting = { parameters: portsOf({ properties: { setting: { type: "string" } } }) };
const library = libraryOf(kind("plain"), kind("drawn", { plane: "comfy" }), kind("person", { human: true }), kind("set", setting));

const node = (id: string, service = "plain", params: object = {}) => ({ id, service, plane: "node", status: "pending", params });
const call = (id: string, definition: string, params: object = {}) => node(id, "graph.call", { definition, ...params });
const graphOf = (nodes: object[], edges: object[], definitions: object = {}) =>
  ({ schema: "langgraph.v1", workflowId: "w", context: {}, metadata: { definitions }, nodes, edges }) as unknown as Graph;
const mapped = { sourcePort: "value", targetPort: "value", map: {} };

/** Definitions each of which calls the next one twice, behind conditions. */
function doubling(levels: number): Record<string, object> {
  const twice = (next: string) => ({
    nodes: [node("a"), call("b", next), call("c", next)],
    edges: ["b", "c"].map((to) => ({ from: "a", to, metadata: { when: "true" } })),
  });
  return Object.fromEntries(
    Array.from({ length: levels }, (_, level) => [
      `d${level}`,
      level + 1 < levels ? twice(`d${level + 1}`) : { nodes: [node("a")], edges: [] },
    ]),
  );
}

/** A record whose answers take a turn of the event loop, and which knows how much of a run is open. */
class CountingRecord extends MemoryRecord {
  readonly open = { calls: 0, mostCalls: 0, requests: 0, mostRequests: 0, bytes: 0, mostBytes: 0 };

  /** @param turns of the event loop that an answer takes */
  constructor(private readonly turns = 1) {
    super();
  }

  override add(run: string, nodes: readonly NewNodeRun[]) {
    return this.request(() => super.add(run, nodes));
  }

  override change(change: NodeChange) {
    const bytes = "input" in change ? jsonBytes(change.input, Number.POSITIVE_INFINITY) : 0;
    this.open.bytes += bytes;
    this.open.mostBytes = Math.max(this.open.mostBytes, this.open.bytes);
    return this.request(async () => {
      this.open.bytes -= bytes;
      const row = this.rows.get(change.nodeRun);
      if (row?.service === "graph.call" && !row.path.endsWith("map")) {
        if (change.change === "begin") this.open.mostCalls = Math.max(this.open.mostCalls, ++this.open.calls);
        else this.open.calls--;
      }
      return super.change(change);
    });
  }

  private async request<T>(answer: () => Promise<T>): Promise<T> {
    this.open.mostRequests = Math.max(this.open.mostRequests, ++this.open.requests);
    for (let turn = 0; turn < this.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.open.requests--;
    return answer();
  }
}

interface Parts {
  record?: MemoryRecord;
  decisions?: ExecutionParts["decisions"];
  /** What a node gives; what it gets, where absent. */
  gives?: (row: NodeRunRow) => unknown;
  /** What another runtime has left of the run. */
  rows?: readonly NodeRunRow[];
  fails?: (row: NodeRunRow) => boolean;
}

/** Runs a graph whose nodes give what they get; says which node ran in which turn of the event loop. */
async function run(graph: Graph, { record = new CountingRecord(), decisions, gives, fails, rows: left = [] }: Parts = {}) {
  const turns: string[][] = [[]];
  let isNewTurn = true;
  const nodePlane = {
    run: async (row: NodeRunRow, { input }: NodeTask, { change }: InRun) => {
      if (isNewTurn) {
        isNewTurn = false;
        setImmediate(() => {
          isNewTurn = true;
          turns.push([]);
        });
      }
      turns.at(-1)?.push(row.path);
      if (fails?.(row)) {
        const error = { class: "user" as const, code: "node.user_error", message: "No." };
        return (await change({ nodeRun: row.id, fence: row.fence, change: "failHere", error })) !== undefined;
      }
      const output = { value: gives?.(row) ?? input.value ?? row.path };
      return (await change({ nodeRun: row.id, fence: row.fence, change: "succeedHere", input, output })) !== undefined;
    },
  };
  const owned = { id: "r", state: "running", inputs: {}, engines: freezeNodes(graph, library), options: {}, fence: 0 };
  const parts = { nodes: record, results: record, nodePlane, workers: {}, decisions } as unknown as ExecutionParts;
  const execution = new RunExecution(parts, owned as unknown as RunRow, resolve(graph, library), left);
  await execution.drive();
  const notHandled: string[] = [];
  for await (const { row } of unhandled(execution.root)) notHandled.push(row.path);
  const rows = [...record.rows.values()].map(nodeRunOf);
  return {
    rows,
    turns: turns.filter(({ length }) => length > 0),
    failed: rows.filter(({ state }) => state !== "succeeded"),
    unhandled: notHandled,
  };
}

const most = (turns: string[][]): number => Math.max(...turns.map(({ length }) => length));

test("[E2, RD5] a tree of calls has few of them open at once, however many there are", async () => {
  const ended = async (levels: number) => {
    const record = new CountingRecord();
    const { rows, failed, turns } = await run(graphOf([call("c", "d0")], [], doubling(levels)), { record });
    expect([rows.length, failed]).toEqual([2 * (2 ** levels - 1), []]);
    expect(most(turns)).toBeLessThanOrEqual(64);
    return record.open;
  };
  const [small, large] = [await ended(10), await ended(13)];
  expect(large.mostCalls).toBeLessThan(1500);
  expect(large.mostCalls).toBeLessThan(3 * small.mostCalls);
  expect(large.mostRequests).toBeLessThan(400);
});

test.each([
  [
    "of a level that are all ready",
    graphOf(
      Array.from({ length: 3000 }, (_, index) => node(`n${index}`)),
      [],
    ),
  ],
  [
    "that a map makes",
    graphOf(
      [node("list", "plain", { value: Array.from({ length: 3000 }, (_, index) => index) }), node("map")],
      [{ from: "list", to: "map", metadata: mapped }],
    ),
  ],
])("[E2] of 3,000 nodes %s, no turn of the event loop begins more than a few", async (_, graph) => {
  const { turns, failed } = await run(graph);
  expect(failed).toEqual([]);
  expect(turns.flat().length).toBeGreaterThanOrEqual(3000);
  expect(most(turns)).toBeLessThanOrEqual(64);
});

test("[E2] of 1,000 prompts that are all ready, few ask the record at once", async () => {
  const record = new CountingRecord();
  const prompts = Array.from({ length: 1000 }, (_, index) => ({ ...node(`n${index}`, "drawn"), plane: "comfy" }));
  const { rows } = await run(graphOf(prompts, []), { record });
  expect(rows.map(({ state }) => state)).toEqual(new Array(2000).fill("skipped")); // each node and its prompt, of which nothing is saved
  expect(record.open.mostRequests).toBeLessThan(400);
});

test("[E2] a map of calls has few of them open at once", async () => {
  const record = new CountingRecord();
  const graph = graphOf(
    [node("list", "plain", { value: Array.from({ length: 3000 }, (_, index) => index) }), call("map", "d")],
    [{ from: "list", to: "map", metadata: { ...mapped, targetPort: "value" } }],
    { d: { nodes: [node("a"), node("b")], edges: [{ from: "a", to: "b" }], metadata: valueThrough("a", "b") } },
  );
  const { rows, failed } = await run(graph, { record });
  expect([rows.length, failed]).toEqual([2 + 3 * 3000, []]);
  expect(record.open.mostCalls).toBeLessThan(600);
});

describe("an output that is too large to be kept", () => {
  const MIB = 1024 * 1024;
  const text = "x".repeat(MIB);
  const mapOf = (elements: number, map: object = {}) =>
    graphOf(
      [node("list", "plain", { value: Array.from({ length: elements }, (_, index) => index) }), node("map")],
      [{ from: "list", to: "map", metadata: { ...mapped, map } }],
    );
  const gives = ({ node_id }: NodeRunRow) => (node_id === "map" ? text : undefined);
  const of = (rows: readonly NodeRunRow[], state: string) =>
    rows.filter((row) => row.path.startsWith("map#") && row.state === state).length;

  test.each([1, 16])("[E6, RM3] fails a map, %i of whose elements run at once, and no further element begins", async (limit) => {
    const { rows } = await run(mapOf(200, { limit }), { gives });
    expect(rows.find(({ path }) => path === "map")).toMatchObject({
      state: "failed",
      error: { code: "map.too_large", message: expect.stringMatching(/of the 200 elements.*8 MiB together.*shorten the list/) },
    });
    expect(of(rows, "succeeded")).toBeGreaterThanOrEqual(8);
    expect(of(rows, "succeeded")).toBeLessThan(8 + limit);
    expect(of(rows, "succeeded") + of(rows, "skipped")).toBe(200);
  });
  test("[E6, RM3] is none where all elements together are within the bound", async () => {
    const { failed } = await run(mapOf(7), { gives });
    expect(failed).toEqual([]);
  });
  test("[RD3] fails a call that gives what several nodes gave", async () => {
    const definition = { nodes: [node("a"), node("b")], edges: [] };
    const half = "x".repeat(5 * MIB);
    const { rows } = await run(graphOf([call("c", "d")], [], { d: definition }), { gives: () => half });
    expect(rows.map(({ path, state, error }) => [path, state, error?.code])).toEqual([
      ["c", "failed", "output.too_large"],
      ["c/a", "succeeded", undefined],
      ["c/b", "succeeded", undefined],
    ]);
  });
});

describe("a large value that many nodes get", () => {
  const MIB = 1024 * 1024;
  const text = "x".repeat(4 * MIB);
  const fan = (nodes: number) => {
    const ids = Array.from({ length: nodes }, (_, index) => `n${index}`);
    const edges = ids.map((to) => ({ from: "text", to, metadata: { sourcePort: "value", targetPort: "value" } }));
    return graphOf([node("text"), ...ids.map((id) => node(id))], edges);
  };
  const gives = ({ path }: NodeRunRow) => (path === "text" ? text : "small");

  test("[RV1] is under way to a few of them at once, however they begin", async () => {
    const record = new CountingRecord();
    const { rows, failed } = await run(fan(60), { record, gives });
    expect([rows.length, failed]).toEqual([61, []]);
    expect(record.open.mostBytes).toBeGreaterThan(4 * MIB);
    expect(record.open.mostBytes).toBeLessThanOrEqual(32 * MIB);
  });

  test("[RV1] is under way until its row has changed, however long that takes", async () => {
    const record = new CountingRecord(40);
    const { failed } = await run(fan(30), { record, gives });
    expect(failed).toEqual([]);
    expect(record.open.mostBytes).toBeGreaterThan(16 * MIB);
    expect(record.open.mostBytes).toBeLessThanOrEqual(32 * MIB);
  });

  test("[RV2] is stored 256 MiB of in a run, and no further node begins with it", async () => {
    const { rows } = await run(fan(70), { gives });
    const [good, bad] = ["succeeded", "failed"].map((state) => rows.filter((row) => row.state === state));
    expect([good?.length, bad?.length]).toEqual([63, 8]); // the text itself is one
    expect(bad?.[0]).toMatchObject({
      input: null,
      error: { class: "user", code: "run.too_large", message: expect.stringMatching(/4,09[67] KiB.*256 MiB together.*file.*fewer nodes/) },
    });
  });

  test("[RV2] fails what gives it, too", async () => {
    const graph = graphOf(
      Array.from({ length: 70 }, (_, index) => node(`n${index}`)),
      [],
    );
    const { rows } = await run(graph, { gives: () => text });
    expect(rows.filter(({ state, error }) => state === "failed" && error?.code === "run.too_large")).toHaveLength(7);
  });

  test("[RV2] is counted for each element of a map that has it as a parameter", async () => {
    const list = { value: Array.from({ length: 70 }, (_, index) => index) };
    const graph = graphOf(
      [node("list", "plain", list), node("map", "set", { setting: text })],
      [{ from: "list", to: "map", metadata: mapped }],
    );
    const { rows } = await run(graph);
    const elements = rows.filter(({ path }) => path.startsWith("map#"));
    expect(elements.filter(({ input }) => input?.setting)).toHaveLength(63);
    expect(elements.filter(({ error }) => error?.code === "run.too_large")).toHaveLength(7);
  });

  test("[RV2, RP4] is counted again by whoever carries the run on", async () => {
    const record = new CountingRecord();
    const graph = fan(70);
    await run(graph, { record, gives });
    const rows = [...record.rows.values()].map((row) =>
      row.state === "failed" ? nodeRunOf({ ...row, state: "queued", error: null }) : nodeRunOf(row),
    );
    for (const row of rows) Object.assign(record.rows.get(row.id) ?? {}, row);
    const again = await run(graph, { record, gives, rows });
    expect(again.failed).toHaveLength(8);
  });
});

describe("[E4] between conditions that are much work, others have a turn of the event loop:", () => {
  const value = Array.from({ length: 1000 }, (_, index) => index);
  /** How many units were spent between one turn and the next, at most, and in all. */
  const spentDuring = async (work: Promise<unknown>) => {
    const spent: number[] = [];
    let last = unitsSpent();
    let isOver = false;
    const countTurn = () => {
      spent.push(unitsSpent() - last);
      last = unitsSpent();
      if (!isOver) setImmediate(countTurn);
    };
    countTurn();
    await work.finally(() => {
      isOver = true;
    });
    spent.push(unitsSpent() - last);
    return { most: Math.max(...spent), all: spent.reduce((sum, units) => sum + units) };
  };

  test("those before many nodes that are ready at once", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const edges = ids.map((to) => ({ from: "list", to, metadata: { when: "output.value.map(x, output.value).size() > 0" } }));
    const running = run(graphOf([node("list", "plain", { value }), ...ids.map((id) => node(id))], edges));
    const { most: largest, all } = await spentDuring(running);
    expect([(await running).failed, Math.round(all / largest)]).toEqual([[], 20]);
  });

  test("those of 2,000 failures, each of which is taken care of, when the run ends", async () => {
    const pairs = Array.from({ length: 2000 }, (_, index) => [`f${index}`, `h${index}`] as const);
    const edges = pairs.map(([from, to]) => ({ from, to, kind: "on_failure", metadata: { when: "context.l.all(x, x < 1000)" } }));
    const graph = graphOf(
      pairs.flat().map((id) => node(id)),
      edges,
    );
    Object.assign(graph.context ?? {}, { l: value });
    const record = new CountingRecord();
    const running = run(graph, { record, fails: ({ path }) => path.startsWith("f") });
    const during = await spentDuring(running);
    const { rows, unhandled } = await running;
    expect([rows.filter(({ state }) => state === "succeeded").length, unhandled]).toEqual([2000, []]);
    expect(during.all, "each is answered before its node begins, and when the run ends").toBeGreaterThan(2 * 2000 * 15_000);
    expect(during.most).toBeLessThan(100_000 + 2 * 20_000);
  });
});

test("[E8, RD5] a node beside a tree of calls is not held back by it, nor is another call", async () => {
  const chain = ["x", "y", "z"];
  const edges = [
    { from: "x", to: "other" },
    { from: "other", to: "y" },
    { from: "y", to: "z" },
  ];
  const definitions = { ...doubling(11), e: { nodes: [node("a")], edges: [] } };
  const { turns } = await run(graphOf([call("c", "d0"), ...chain.map((id) => node(id)), call("other", "e")], edges, definitions));
  const order = turns.flat();
  expect(order.indexOf("z")).toBeLessThan(order.length / 4);
});

test("[E7] calls that wait for people are all begun before the run rests, however many there are", async () => {
  const record = new CountingRecord();
  const decisions = {
    wait: (_: string, __: unknown, signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
  };
  const graph = graphOf(
    [node("list", "plain", { value: Array.from({ length: 1000 }, (_, index) => index) }), call("map", "d")],
    [{ from: "list", to: "map", metadata: mapped }],
    { d: { nodes: [node("a"), node("ask", "person")], edges: [{ from: "a", to: "ask" }], metadata: valueThrough("a", "ask") } },
  );
  await expect(run(graph, { record, decisions })).rejects.toThrow(Parked);
  expect([...record.rows.values()].filter(({ state }) => state === "waiting")).toHaveLength(1000);
});

test("[E2] what LangGraph gets of a run grows with the graph's depth, not with its width or its calls", async () => {
  const nodes = vi.spyOn(StateGraph.prototype, "addNode");
  try {
    const definitions = { ...doubling(6), e: { nodes: Array.from({ length: 500 }, (_, index) => node(`n${index}`)), edges: [] } };
    const { failed } = await run(graphOf([node("a"), call("c", "d0"), call("e", "e")], [{ from: "a", to: "c" }], definitions));
    expect([nodes.mock.calls.length, failed]).toEqual([2, []]);
  } finally {
    nodes.mockRestore();
  }
});

/** An interface whose one input goes to a node, and whose one output comes from another. */
function valueThrough(to: string, from: string): object {
  return {
    interface: {
      inputs: [{ name: "value", label: "Value", to: [{ node: to, port: "value" }] }],
      outputs: [{ name: "value", label: "Value", from: { node: from, port: "value" } }],
    },
  };
}
