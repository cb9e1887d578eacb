import { type Graph, resolve } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { compile, type Driven } from "./compile.ts";
import { library } from "./random-graphs.testing.ts";
import { LevelRun, Scope } from "./scope.ts";

/** Drives a graph whose every loop goes round `visits` times; returns what was asked for, in order. */
async function asked(nodes: string[], edges: [from: string, to: string, loops?: number][], visits = 1): Promise<string[]> {
  const graph = {
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: nodes.map((id) => ({ id, service: "test.any", plane: "node", status: "pending" })),
    edges: edges.map(([from, to, maxIterations]) => ({ from, to, metadata: maxIterations ? { loop: { maxIterations } } : {} })),
  } as unknown as Graph;
  const { root } = resolve(graph, library);
  const order: string[] = [];
  const driven: Driven = {
    enter: async () => {},
    settle: async (scope, item) => void order.push(scope.prefix + item),
    visit: async (_, __, index) => index + 1 < visits,
  };
  await compile(root).drive(driven, new Scope(new LevelRun(root, {}, 0), ""));
  return order;
}

describe("[E2] a graph as LangGraph runs it", () => {
  test("asks for each item once, after all of its predecessors", async () => {
    const order = await asked(
      ["a", "b", "c", "d"],
      [
        ["a", "b"],
        ["a", "c"],
        ["b", "d"],
        ["c", "d"],
      ],
    );
    expect([order[0], order.slice(1, 3).sort(), order[3]]).toEqual(["a", ["b", "c"], "d"]);
    expect(order).toHaveLength(4);
  });
  test("may have any id that the document may have, those that LangGraph keeps for itself too", async () => {
    const ids = ["__start__", "__end__", "a:b", "visits", "n0", "x"];
    expect(
      (
        await asked(ids, [
          ["__start__", "__end__"],
          ["a:b", "x"],
          ["visits", "x"],
        ])
      ).sort(),
    ).toEqual([...ids].sort());
  });
  test("may be longer, and go round more often, than LangGraph allows by itself", async () => {
    const chain = Array.from({ length: 60 }, (_, index) => `n${index}`);
    const fork = chain.flatMap((id, index): [string, string][] =>
      index > 0
        ? [
            [chain[index - 1] as string, id],
            ["n0", id],
          ]
        : [],
    );
    expect(await asked(chain, fork)).toEqual(chain);
    const visits = await asked(
      ["a", "b"],
      [
        ["a", "b"],
        ["b", "a", 100],
      ],
      100,
    );
    expect(visits).toEqual([
      ...Array.from({ length: 100 }, (_, index) => [`loop:b>a[${index}]/a`, `loop:b>a[${index}]/b`]).flat(),
      "loop:b>a",
    ]);
  });
});
