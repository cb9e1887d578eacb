import { describe, expect, test } from "vitest";
import { counts, type Does, edge, fails, graphOf, node, runInMemory as run } from "./runs.testing.ts";

describe("a loop", () => {
  const loop = { loop: { maxIterations: 3 } };
  test("[RL2] begins once what leads to any of its nodes is over, and has the same of it in every visit", async () => {
    const order: string[] = [];
    const slow = async () => {
      for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
      order.push("o");
      return { value: 7 };
    };
    const wire = edge("o", "b", { sourcePort: "value", targetPort: "value" });
    const graph = graphOf([node("o"), node("a"), node("b")], [edge("a", "b"), wire, edge("b", "a", loop)]);
    const { row } = await run(graph, { does: { o: slow, a: (_, path) => ({ value: order.push(path) }) } });
    expect(order).toEqual(["o", "loop:b>a[0]/a", "loop:b>a[1]/a", "loop:b>a[2]/a"]);
    expect([0, 1, 2].map((visit) => row(`loop:b>a[${visit}]/b`)?.output)).toEqual([{ value: 7 }, { value: 7 }, { value: 7 }]);
  });
  test("[RL2] has its first visit even if its head is skipped there", async () => {
    const edges = [edge("o", "a", { when: "false" }), edge("a", "b"), edge("b", "a", { ...loop, when: "false" })];
    const { states } = await run(graphOf([node("o"), node("a"), node("b")], edges));
    expect(states).toEqual({ o: "succeeded", "loop:b>a[0]/a": "skipped", "loop:b>a[0]/b": "skipped" });
  });
  test("[RL4, RP2] without ports gives its head by name what the tail gave, and each visit has a path", async () => {
    const { states, row } = await run(graphOf([node("a", { value: 0 }), node("b")], [edge("a", "b"), edge("b", "a", loop)]), {
      does: { a: counts },
    });
    expect(Object.keys(states)).toEqual([0, 1, 2].flatMap((visit) => [`loop:b>a[${visit}]/a`, `loop:b>a[${visit}]/b`]));
    expect([0, 1, 2].map((visit) => row(`loop:b>a[${visit}]/a`)?.output)).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }]);
  });
  test("[RL4] leaves an input of its head alone that has a wire", async () => {
    const wired = edge("s", "a", { sourcePort: "value", targetPort: "value" });
    const { row } = await run(graphOf([node("s", { value: 5 }), node("a")], [wired, edge("a", "a", loop)]), { does: { a: counts } });
    expect([0, 1, 2].map((visit) => row(`loop:a>a[${visit}]/a`)?.output)).toEqual([{ value: 6 }, { value: 6 }, { value: 6 }]);
  });
  test("[RL6] whose condition cannot be answered fails the head of the next visit; at the limit it ends", async () => {
    const graph = (maxIterations: number) => graphOf([node("a")], [edge("a", "a", { loop: { maxIterations }, when: "output.none == 1" })]);
    const { states, row, failed } = await run(graph(3));
    expect(states).toEqual({ "loop:a>a[0]/a": "succeeded", "loop:a>a[1]/a": "failed" });
    expect(row("loop:a>a[1]/a")?.error).toMatchObject({ code: "edge.condition_failed" });
    expect(failed).toEqual(["loop:a>a[1]/a"]);
    expect((await run(graph(1))).states).toEqual({ "loop:a>a[0]/a": "succeeded" });
  });
  test("[RL7] that goes round again on a failure takes care of it, unless it was the last visit", async () => {
    const graph = graphOf([node("a")], [edge("a", "a", { loop: { maxIterations: 2 } }, "on_failure")]);
    const untilVisit = (visit: number) => ({
      does: { a: (_: Record<string, unknown>, path: string) => (path.includes(`[${visit}]`) ? { value: 1 } : fails()()) },
    });
    expect(await run(graph, untilVisit(1))).toMatchObject({
      states: { "loop:a>a[0]/a": "failed", "loop:a>a[1]/a": "succeeded" },
      failed: [],
      limits: [],
    });
    expect(await run(graph, untilVisit(2))).toMatchObject({ failed: ["loop:a>a[1]/a"], limits: ["loop:a>a"] });
  });
  test("[RE1] fails the run by a failure of any visit that nothing took care of", async () => {
    const graph = graphOf(
      [node("head"), node("side"), node("tail")],
      [
        edge("head", "tail"),
        edge("head", "side"),
        edge("side", "tail", { when: "false" }, "on_failure"),
        edge("tail", "head", { loop: { maxIterations: 2 } }),
      ],
    );
    const does: Does = { side: (_, path) => (path.includes("[0]") ? fails()() : {}) };
    const { states, failed } = await run(graph, { does });
    expect(states["loop:tail>head[1]/side"]).toBe("succeeded");
    expect(failed).toEqual(["loop:tail>head[0]/side"]);
  });
});
