// An exported graph is run with plain LangGraph, outside Spindle, and gives what a run gives.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Graph, type Library, type NodeDefinition, type Port, resolve } from "@spindle/graph-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunExecution } from "../engine/execution.ts";
import { freezeNodes } from "../engine/freeze.ts";
import type { InRun } from "../engine/node-plane.ts";
import { runOutputs } from "../engine/outputs.ts";
import { library as anything, asGraph, behaviour, oracle, randomCase } from "../engine/random-graphs.testing.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { RunRow } from "../record/types.ts";
import type { ServiceTable } from "./prelude.ts";
import { exportTypeScript } from "./typescript.ts";

interface Exported {
  run(
    services: ServiceTable,
    inputs?: Record<string, unknown>,
  ): Promise<{ status: string; outputs: object; states: Record<string, string> }>;
}

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spindle-export-"));
  await mkdir(join(folder, "node_modules"));
  for (const scope of ["@langchain", "@bufbuild"]) await symlink(join(MODULES, scope), join(folder, "node_modules", scope));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(graph: Graph, library: Library): Promise<Exported> {
  const file = join(folder, `graph${count++}.ts`);
  await writeFile(file, exportTypeScript(graph, library));
  return (await import(file)) as Exported;
}

describe("random graphs with failures, conditions and nested loops", () => {
  test.each(Array.from({ length: 5 }, (_, index) => index * 200))("[G8] 40 from seed %i end as the text of SPEC says", async (first) => {
    for (let seed = first; seed < first + 40; seed++) {
      const sample = randomCase(seed);
      const { run } = await load(asGraph(sample), anything);
      const service = (_: object, { path }: { path: string }) => {
        const { x, fails } = behaviour(seed, path);
        if (fails) throw Object.assign(new Error("no"), { code: `c${x}` });
        return { x };
      };
      expect((await run({ "test.any": service })).states, `seed ${seed}`).toEqual(oracle(sample).rows);
    }
  });
});

/** Adds, counts, chooses, splits: enough to see values on every way there is. */
const SERVICES: ServiceTable = {
  add: ({ a = 0, b = 0, by = 0 }) => ({ sum: Number(a) + Number(b) + Number(by) }),
  split: ({ sum }) => ({ list: Array.from({ length: Number(sum) }, (_, index) => index) }),
  square: ({ n }) => {
    if (n === 3) throw new Error("no threes");
    return { n: Number(n) ** 2 };
  },
  choose: ({ sum }) => (Number(sum) > 5 ? { large: sum } : { small: sum }),
  show: (input) => input,
};
const port = (name: string, more: Partial<Port> = {}): Port =>
  ({ name, label: name, type: "any", required: false, schema: {}, ...more }) as Port;
const service = (name: string, inputs: Port[], outputs: Port[], parameters: NodeDefinition["parameters"] = []): NodeDefinition =>
  ({
    plane: "node",
    service: name,
    version: "1",
    inputs,
    outputs,
    parameters,
    idempotent: true,
    live: true,
    timeoutSeconds: 0,
    engines: [{ id: "default", label: "", plane: "node", draft: false, live: true }],
  }) as unknown as NodeDefinition;
const all = [
  service(
    "add",
    [port("a", { schema: { default: 1 } }), port("b")],
    [port("sum")],
    [{ name: "by", schema: { type: "number", default: 2 }, required: false }],
  ),
  service("split", [port("sum", { required: true })], [port("list")]),
  service("square", [port("n", { required: true })], [port("n")]),
  service("choose", [port("sum", { required: true })], [port("large", { branch: true }), port("small", { branch: true })]),
  service("show", [port("value"), port("list"), port("name")], [port("value"), port("list"), port("name")]),
];
const library: Library = { find: (_, name) => all.find((definition) => definition.service === name), all: () => all };

const node = (id: string, name: string, params?: object) => ({
  id,
  service: name,
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
const wire = (from: string, sourcePort: string, to: string, targetPort: string, more: object = {}) => ({
  from,
  to,
  metadata: { sourcePort, targetPort, ...more },
});
const graphOf = (nodes: object[], edges: object[], more: object = {}) =>
  ({ schema: "langgraph.v1", workflowId: "a graph", nodes, edges, ...more }) as unknown as Graph;

const GRAPHS: [string, Graph, Record<string, unknown>][] = [
  [
    "wires, parameters, defaults, the run's inputs and the context",
    graphOf(
      [node("one", "add", { by: 10 }), node("two", "add"), node("end", "show")],
      [wire("one", "sum", "two", "b"), wire("two", "sum", "end", "value")],
      {
        context: { name: 'a "name"\nwith `all` ${kinds}' },
      },
    ),
    { a: 4 },
  ],
  [
    "a loop that counts until its condition says so, and what follows it",
    graphOf(
      [node("start", "add", { a: 0 }), node("more", "add", { by: 3, a: 0 }), node("seen", "add", { by: 0, a: 0 }), node("end", "show")],
      [
        wire("start", "sum", "more", "b"),
        wire("more", "sum", "seen", "b"),
        wire("seen", "sum", "more", "b", { loop: { maxIterations: 20 }, when: "output.sum < 40.0 && context.on" }),
        wire("seen", "sum", "end", "value"),
      ],
      { context: { on: true } },
    ),
    {},
  ],
  [
    "a map that tolerates a failure, in lanes",
    graphOf(
      [node("sum", "add", { by: 4 }), node("split", "split"), node("each", "square"), node("end", "show")],
      [
        wire("sum", "sum", "split", "sum"),
        wire("split", "list", "each", "n", { map: { limit: 2, tolerate: 1 } }),
        wire("each", "n", "end", "list"),
      ],
    ),
    {},
  ],
  [
    "a choice, a failure that is taken care of, a node that is off and a pinned one",
    graphOf(
      [
        node("sum", "add", { by: 9 }),
        node("choose", "choose"),
        node("big", "show"),
        node("little", "show"),
        node("bad", "square", { n: 3 }),
        node("rescue", "show", { name: "rescued" }),
        node("off", "show"),
        node("pin", "add"),
      ],
      [
        wire("sum", "sum", "choose", "sum"),
        wire("choose", "large", "big", "value"),
        wire("choose", "small", "little", "value"),
        { from: "bad", to: "rescue", kind: "on_failure", metadata: { when: 'error.message.contains("threes")' } },
        { from: "rescue", to: "off" },
        { from: "off", to: "pin" },
      ],
      { metadata: { nodes: { off: { disabled: true }, pin: { pinned: { sum: 77 } } } } },
    ),
    {},
  ],
  [
    "bypassed nodes, alone, for each element, and in place of a call",
    graphOf(
      [
        node("sum", "add", { by: 2 }),
        node("split", "split"),
        node("each", "square"),
        { ...node("call", "graph.call"), params: { definition: "twice" } },
        node("missing", "split"),
        node("end", "show"),
      ],
      [
        wire("sum", "sum", "split", "sum"),
        wire("split", "list", "each", "n", { map: {} }),
        wire("each", "n", "call", "n"),
        wire("call", "n", "end", "list"),
        { from: "sum", to: "missing" },
      ],
      {
        metadata: {
          nodes: { each: { bypassed: true }, call: { bypassed: true }, missing: { bypassed: true } },
          definitions: { twice: { nodes: [node("first", "square")], edges: [] } },
        },
      },
    ),
    {},
  ],
  [
    "a definition that is called, and called once for each element",
    graphOf(
      [
        node("sum", "add", { by: 2 }),
        node("split", "split"),
        { ...node("call", "graph.call"), params: { definition: "twice" } },
        node("end", "show"),
      ],
      [wire("sum", "sum", "split", "sum"), wire("split", "list", "call", "n", { map: {} }), wire("call", "n", "end", "list")],
      {
        metadata: {
          definitions: {
            twice: {
              nodes: [node("first", "square"), node("second", "square")],
              edges: [wire("first", "n", "second", "n")],
              interface: undefined,
            },
          },
        },
      },
    ),
    {},
  ],
];

describe("values", () => {
  test.each(GRAPHS)("%s", async (_, graph, inputs) => {
    const expected = await inSpindle(graph, inputs);
    const { run } = await load(graph, library);
    const { outputs, states } = await run(SERVICES, inputs);
    expect(states).toEqual(expected.states);
    expect(outputs).toEqual(expected.outputs);
    expect(Object.keys(outputs).length).toBeGreaterThan(0);
  });

  test("[G8, RC7] of a bypassed node nothing is exported but what it passes on", () => {
    const [, graph] = GRAPHS.find(([name]) => name.startsWith("bypassed nodes")) as (typeof GRAPHS)[number];
    const off = { ...graph, metadata: { ...graph.metadata, nodes: { ...(graph.metadata?.nodes as object), sum: { bypassed: true } } } };
    const text = exportTypeScript(off as Graph, library);
    expect(text).toContain("//   show\n//   split\n");
    for (const needless of ["//   add\n", "//   square\n", "graph1", "call:", "parameters:"]) expect(text).not.toContain(needless);
    const line = text.split("\n").find((one) => one.includes('id: "missing"'));
    expect([line?.includes("required:"), line?.includes("passes:")]).toEqual([false, true]);
  });

  test("[G8] the exported file is strict TypeScript, and says what it needs", async () => {
    const [, graph] = GRAPHS[1] as (typeof GRAPHS)[number];
    const text = exportTypeScript(graph, library);
    expect(text).toContain("//   add\n//   show\n");
    const file = join(folder, "strict.ts");
    await writeFile(file, text);
    const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/lib/tsc.js", import.meta.url));
    const flags = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"];
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    expect(() => execFileSync(process.execPath, [tsc, ...flags, file], { encoding: "utf8" })).not.toThrow();
  });
});

async function inSpindle(graph: Graph, inputs: Record<string, unknown>) {
  const record = new MemoryRecord();
  const nodePlane = {
    run: async (row: NodeRunRow, { input }: { input: Record<string, unknown> }, { change }: InRun) => {
      const about = { nodeRun: row.id, fence: row.fence };
      try {
        const output = await SERVICES[row.service]?.(input, { node: row.node_id, path: row.path });
        return (await change({ ...about, change: "succeedHere", output: output ?? {} })) !== undefined;
      } catch (cause) {
        const error = { class: "user" as const, code: "Error", message: (cause as Error).message };
        return (await change({ ...about, change: "failHere", error })) !== undefined;
      }
    },
  };
  const engines = freezeNodes(graph, library);
  const owned = { id: "r", state: "running", inputs, engines, options: {}, fence: 0, cancel_requested: false } as unknown as RunRow;
  const parts = { nodes: record, results: record, nodePlane, workers: {} as never, decisions: {} as never } as never;
  const execution = new RunExecution(parts, owned, resolve(graph, library), []);
  await execution.drive();
  return {
    states: Object.fromEntries([...record.rows.values()].map((row) => [row.path, row.state])),
    outputs: runOutputs(execution.root.level, (id) => execution.root.lookup(id)?.output ?? undefined),
  };
}
