// An exported graph is run with plain LangGraph, outside Spindle, and gives what a run gives.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Graph } from "@spindle/graph-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { library as anything, asGraph, behaviour, oracle, randomCase } from "../engine/random-graphs.testing.ts";
import {
  programGraph as graphOf,
  inSpindle,
  programLibrary as libraryOf,
  programNode as node,
  ProgramFolder,
  port,
  service,
  wire,
} from "./exported.testing.ts";
import type { ServiceTable } from "./prelude.ts";
import { exportTypeScript } from "./typescript.ts";

let folder: ProgramFolder;
beforeAll(async () => {
  folder = await ProgramFolder.make();
});
afterAll(() => folder.remove());

describe("random graphs with failures, conditions and nested loops", () => {
  test.each(Array.from({ length: 5 }, (_, index) => index * 200))("[G8] 40 from seed %i end as the text of SPEC says", async (first) => {
    for (let seed = first; seed < first + 40; seed++) {
      const sample = randomCase(seed);
      const { run } = await folder.load(asGraph(sample), anything);
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
const library = libraryOf([
  service("add", [port("a", { schema: { default: 1 } }), port("b")], [port("sum")], {
    parameters: [{ name: "by", schema: { type: "number", default: 2 }, required: false }],
  }),
  service("split", [port("sum", { required: true })], [port("list")]),
  service("square", [port("n", { required: true })], [port("n")]),
  service("choose", [port("sum", { required: true })], [port("large", { branch: true }), port("small", { branch: true })]),
  service("show", [port("value"), port("list"), port("name")], [port("value"), port("list"), port("name")]),
]);

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
    const expected = await inSpindle(graph, library, SERVICES, inputs);
    const { run } = await folder.load(graph, library);
    const { outputs, states } = await run(SERVICES, inputs);
    expect(states).toEqual(expected.states);
    expect(outputs).toEqual(expected.outputs);
    expect(Object.keys(outputs).length).toBeGreaterThan(0);
  });

  test("[E4, RC5] a condition has the limits of a run, alone and with those judged for the same node", async () => {
    const heavy = "output.list.map(x, x + 1.0).size() > 5";
    const graph = graphOf(
      [node("sum", "add", { by: 1200 }), node("split", "split"), node("refused", "show"), node("answered", "show")],
      [
        wire("sum", "sum", "split", "sum"),
        { from: "split", to: "refused", metadata: { when: heavy } },
        { from: "split", to: "refused", metadata: { when: `${heavy} && true` } },
        { from: "split", to: "answered", metadata: { when: "output.list.size() > 5" } },
      ],
    );
    const { rows, states } = await inSpindle(graph, library, SERVICES);
    const message = String(rows.find(({ path }) => path === "refused")?.error?.message);
    expect(message).toMatch(/too much work for the values it was given/);
    const { run } = await folder.load(graph, library);
    const ended = await run(SERVICES);
    expect(ended.states).toEqual(states);
    expect(ended).toMatchObject({ failed: [{ node: "refused", message }] });
  });

  test("[E3] what decides is the text of a run", async () => {
    const [, graph] = GRAPHS[0] as (typeof GRAPHS)[number];
    const decide = await readFile(new URL("../../../../packages/graph-model/src/decide.ts", import.meta.url), "utf8");
    const functions = decide.slice(decide.indexOf("function decide(")).trim();
    const text = exportTypeScript(graph, library);
    expect(text).toContain(functions);
    expect(text.match(/"broken"/g)?.length).toBe(decide.match(/"broken"/g)?.length);
  });

  test("[G8, RC7] of a bypassed node nothing is exported but what it passes on", () => {
    const [, graph] = GRAPHS.find(([name]) => name.startsWith("bypassed nodes")) as (typeof GRAPHS)[number];
    const off = { ...graph, metadata: { ...graph.metadata, nodes: { ...(graph.metadata?.nodes as object), sum: { bypassed: true } } } };
    const text = exportTypeScript(off as Graph, library);
    expect(text).toContain("//   show\n//   split\n");
    for (const needless of ["//   add\n", "//   square\n", "graph1", "call: ()", "parameters: {"]) expect(text).not.toContain(needless);
    const line = text.split("\n").find((one) => one.includes('id: "missing"'));
    expect([line?.includes("ports: []"), line?.includes("passes:")]).toEqual([true, true]);
  });

  test("[G8] the exported file is strict TypeScript, and says what it needs", async () => {
    const [, counts] = GRAPHS[1] as (typeof GRAPHS)[number];
    const more = libraryOf([
      ...library.all(),
      service("see", [port("image", { type: "image" })], []),
      service("ask", [port("message")], [port("yes", { branch: true })], { human: true }),
    ]);
    // With conditions, a loop, a person and a reference to a file: all that a program can carry.
    const graph = { ...counts, nodes: [...counts.nodes, node("ask", "ask"), node("see", "see")] } as Graph;
    const text = exportTypeScript(graph, more);
    expect(text).toContain("// It needs @bufbuild/cel, @cfworker/json-schema, @langchain/langgraph, and a function for each service:\n");
    expect(text).toContain("//   add\n//   see\n//   show\n");
    const file = await folder.write(graph, more);
    const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/lib/tsc.js", import.meta.url));
    const flags = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"];
    expect(() => execFileSync(process.execPath, [tsc, ...flags, file], { encoding: "utf8" })).not.toThrow();
  });
});
