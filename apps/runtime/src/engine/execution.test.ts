// Rules of SPEC that random graphs do not reach.
import { LIMITS } from "@spindle/graph-model";
import type { RegionInput } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { Earlier, RecordedOptions } from "../record/types.ts";
import { freezeNodes } from "./freeze.ts";
import {
  callNode as call,
  comfyNode as comfy,
  counts,
  type Does,
  edge,
  fails,
  graphOf,
  image,
  kindsLibrary as library,
  node,
  PICTURE,
  runInMemory as run,
} from "./runs.testing.ts";

describe("an edge", () => {
  test("[RC3] asks for class, code and message of a failure, the context and the run's inputs", async () => {
    const when = "error.class == 'user' && error.code == 'E1' && error.message == 'boom' && context.lang == 'en' && inputs.n == 3";
    const graph = (condition: string) =>
      graphOf([node("a"), node("b")], [edge("a", "b", { when: condition }, "on_failure")], {}, { lang: "en" });
    const given = { does: { a: fails() }, inputs: { n: 3 } };
    expect((await run(graph(when), given)).states).toEqual({ a: "failed", b: "succeeded" });
    for (const other of ["'other'", "4"])
      expect((await run(graph(when.replace(/'boom'|3/, other)), given)).states).toEqual({ a: "failed", b: "skipped" });
  });
  test("[RC6] from a node that is off is not taken, and breaks nothing", async () => {
    const off = { nodes: { off: { disabled: true } } };
    const { states } = await run(graphOf([node("off"), node("on"), node("end")], [edge("off", "end"), edge("on", "end")], off));
    expect(states).toEqual({ off: "skipped", on: "succeeded", end: "succeeded" });
  });
  test("[RC6] that is not taken leaves a pinned node skipped", async () => {
    const pinned = { nodes: { pin: { pinned: { value: 7 } } } };
    const graph = (when: string) => graphOf([node("a"), node("pin")], [edge("a", "pin", { when })], pinned);
    expect((await run(graph("false"))).states.pin).toBe("skipped");
    expect((await run(graph("true"))).outputs).toEqual({ value: 7 });
  });
});

describe("[RC7] a bypassed node", () => {
  const wire = (from: string, to: string, more: object = {}) => edge(from, to, { sourcePort: "value", targetPort: "value", ...more });
  const bypassed = (...ids: string[]) => ({ nodes: Object.fromEntries(ids.map((id) => [id, { bypassed: true }])) });

  test("does not run and gives what it takes, behind another one too", async () => {
    const graph = graphOf(
      [node("a"), node("b"), node("c"), node("d")],
      [wire("a", "b"), wire("b", "c"), wire("c", "d")],
      bypassed("b", "c"),
    );
    const { ran, states, row, outputs } = await run(graph, { does: { a: () => ({ value: 5 }) } });
    expect([ran, states.b, outputs]).toEqual([["a", "d"], "succeeded", { value: 5 }]);
    expect(row("c")?.output).toEqual({ value: 5 });
  });
  test("is skipped by its edges as any node is, and broken", async () => {
    const graph = (when: string) => graphOf([node("a"), node("b"), node("c")], [wire("a", "b", { when }), wire("b", "c")], bypassed("b"));
    expect((await run(graph("false"))).states).toEqual({ a: "succeeded", b: "skipped", c: "skipped" });
    const { row } = await run(graph("true"), { does: { a: fails() } });
    expect([row("b")?.state, row("c")?.broken]).toEqual(["skipped", true]);
  });
  test("is held at no breakpoint, gives no pinned output, and is off where it is switched off", async () => {
    const settings = { breakpoint: "before", pinned: { value: "pinned" }, bypassed: true };
    const graph = (more: object) =>
      graphOf([node("a"), node("b"), node("c")], [wire("a", "b"), wire("b", "c")], { nodes: { b: { ...settings, ...more } } });
    const { held, row } = await run(graph({}));
    expect([held, row("b")?.output]).toEqual([[], { value: "a" }]);
    expect((await run(graph({ breakpoint: "after" }))).row("b")).toMatchObject({ state: "succeeded", held: null });
    expect((await run(graph({ disabled: true }))).states).toMatchObject({ b: "skipped", c: "skipped" });
  });
  test("needs no input that it would need to run", async () => {
    const graph = (metadata: object) => graphOf([node("n"), comfy("b", "needs")], [edge("n", "b")], metadata);
    expect((await run(graph({}))).states.b).toBe("skipped");
    const { states, prompts } = await run(graph(bypassed("b")));
    expect([states.b, prompts]).toEqual(["succeeded", []]);
  });
  test("passes on a list, where it would run for each of its elements, without a node run for one", async () => {
    const graph = graphOf(
      [node("l", { value: [1, 2] }), node("m"), node("e")],
      [wire("l", "m", { map: {} }), wire("m", "e")],
      bypassed("m"),
    );
    const { states, outputs } = await run(graph);
    expect([Object.keys(states), outputs]).toEqual([["l", "m", "e"], { value: [1, 2] }]);
  });
  test("that is a call runs nothing inside, and as the head of a loop passes on what came back", async () => {
    const inner = {
      nodes: [node("h")],
      edges: [],
      metadata: { interface: { inputs: [{ name: "value", to: [{ node: "h", port: "value" }] }] } },
    };
    const definitions = { definitions: { inner }, ...bypassed("c") };
    const called = await run(graphOf([node("a"), call("c", { definition: "inner" })], [wire("a", "c")], definitions));
    expect([Object.keys(called.states), called.outputs]).toEqual([["a", "c"], { value: "a" }]);
    const loop = graphOf(
      [node("h", { value: 0 }), node("t")],
      [wire("h", "t"), wire("t", "h", { loop: { maxIterations: 3 } })],
      bypassed("h"),
    );
    expect((await run(loop, { does: { t: counts } })).outputs).toEqual({ value: 3 });
  });
  test("stays as it is where an earlier output would stand for it", async () => {
    const about = { id: PICTURE.artifact, run_id: PICTURE.artifact, service: "node", version: "1", engine: "default", cache_key: null };
    const earlier = (id: string, value: unknown): Earlier => ({ ...about, node_id: id, input: {}, output: { value } });
    class Kept extends MemoryRecord {
      override async outputsOf(): Promise<Map<string, Earlier>> {
        return new Map([earlier("a", 1), earlier("b", "old")].map((one) => [one.node_id, one]));
      }
    }
    const graph = graphOf([node("a"), node("b"), node("c")], [wire("a", "b"), wire("b", "c")], bypassed("b"));
    const options: RecordedOptions = { base: PICTURE.artifact, part: { of: "from", node: "c" } };
    const { ran, row } = await run(graph, { options, record: new Kept() });
    expect([ran, row("b")?.output]).toEqual([["c"], { value: 1 }]);
  });
});

test("[E8] a node starts when its own predecessors are over, whatever else still runs", async () => {
  const order: string[] = [];
  const slow = async () => {
    for (let turns = 0; turns < 1000 && !order.includes("next"); turns++) await new Promise((resolve) => setImmediate(resolve));
    order.push("slow");
    return {};
  };
  const graph = graphOf(
    [node("slow"), node("a"), node("b"), node("next"), node("end")],
    [edge("a", "next"), edge("b", "next"), edge("slow", "end"), edge("next", "end")],
  );
  await run(graph, { does: { slow, next: () => (order.push("next"), {}), end: () => (order.push("end"), {}) } });
  expect(order).toEqual(["next", "slow", "end"]);
});

test("[RP4] what has a result never runs again, and its output is what others get", async () => {
  const graph = graphOf([node("a"), node("b")], [edge("a", "b", { sourcePort: "value", targetPort: "value" })]);
  const record = new MemoryRecord();
  const [row] = await record.add("r", [{ ...freezeNodes(graph, library)[""]?.a, nodeId: "a", path: "a" } as never]);
  const decided = { ...row, state: "succeeded", output: { value: "kept" } } as NodeRunRow;
  const { ran, outputs } = await run(graph, { rows: [decided] });
  expect([ran, outputs]).toEqual([["b"], { value: "kept" }]);
});

test.each([
  [2, 2],
  [undefined, 5],
])("[E6, RM1] with the limit %s at most %i elements of a map run at once, and all of them in the end", async (limit, most) => {
  const list = edge("l", "m", { sourcePort: "value", targetPort: "value", map: limit === undefined ? {} : { limit } });
  const atOnce = { now: 0, most: 0 };
  const { outputs } = await run(graphOf([node("l", { value: [1, 2, 3, 4, 5] }), node("m")], [list]), {
    does: {
      m: async ({ value }) => {
        atOnce.most = Math.max(atOnce.most, ++atOnce.now);
        await new Promise((resolve) => setImmediate(resolve));
        atOnce.now--;
        return { value };
      },
    },
  });
  expect([atOnce.most, outputs]).toEqual([most, { value: [1, 2, 3, 4, 5] }]);
});

test.each<[tolerate: number, list: number[], outputs: Record<string, unknown>, error: string | undefined]>([
  [0, [], { value: [] }, undefined],
  [1, [3, 0, 1], { value: [3, null, 1] }, undefined],
  [1, [3, 0, 0], {}, "map.failed"],
])("[RM2] a map that tolerates %i failures of the elements %j gives %j", async (tolerate, value, outputs, error) => {
  const list = edge("l", "m", { sourcePort: "value", targetPort: "value", map: { tolerate } });
  const does: Does = {
    // Later elements are over first.
    m: async (input, path) => {
      for (let turns = 3 - Number(path.at(-1)); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return input.value === 0 ? fails()() : { value: input.value };
    },
  };
  const ended = await run(graphOf([node("l", { value }), node("m")], [list]), { does });
  expect([ended.outputs, ended.row("m")?.error?.code]).toEqual([outputs, error]);
});

test("[RM3] more node runs than a run may have are refused as their rows come to be", async () => {
  const list = edge("l", "m", { sourcePort: "value", targetPort: "value", map: {} });
  const graph = graphOf([node("l", { value: [1, 2, 3] }), node("m")], [list]);
  const others = (count: number) => Array.from({ length: count }, (_, index) => ({ path: `other${index}` }) as NodeRunRow);
  expect((await run(graph, { rows: others(LIMITS.nodeRuns - 5) })).failed).toEqual([]);
  const { row, ran } = await run(graph, { rows: others(LIMITS.nodeRuns - 4) });
  expect(row("m")?.error).toMatchObject({ code: "run.too_large" });
  expect(ran).toEqual(["l"]);
});

test("[RD2] a call's values are its definition's inputs, and its context lies over the graph's", async () => {
  const definitions = {
    d: {
      nodes: [node("x"), node("y"), node("z")],
      edges: [edge("x", "y", { when: "inputs.word == 'in' && context.a == 'inner' && context.b == 'outer'" }), edge("y", "z")],
      context: { a: "inner" },
      metadata: { interface: { inputs: [{ name: "word", to: [{ node: "z", port: "value" }] }], outputs: [] } },
    },
  };
  const context = { a: "outer", b: "outer" };
  const { states, row } = await run(graphOf([call("c", { definition: "d", word: "in" })], [], { definitions }, context), {
    inputs: { word: "of the run" },
  });
  expect(states).toMatchObject({ c: "succeeded", "c/x": "succeeded", "c/y": "succeeded" });
  expect(row("c/z")?.output).toEqual({ value: "in" });
});

test("[RD1] of two ends with one title both outputs are given", async () => {
  const { outputs } = await run(
    graphOf(
      ["a", "b"].map((id) => ({ ...node(id, { value: id }), name: "Out" })),
      [],
    ),
  );
  expect(outputs).toEqual({ "Out (a).value": "a", "Out (b).value": "b" });
});

class FullCache extends MemoryRecord {
  override async cached(): Promise<Earlier> {
    const about = { node_id: "n", service: "node", version: "1", engine: "default", input: {}, cache_key: "k" };
    return { ...about, id: PICTURE.artifact, run_id: PICTURE.artifact, output: { value: [1] } };
  }
}

describe("[E11, E12, RD6] what runs inside a call", () => {
  const inner = { nodes: [node("h")], edges: [] };
  const outer = { nodes: [call("c", { definition: "inner" }), node("h")], edges: [] };
  const list = edge("l", "m", { sourcePort: "value", targetPort: "value", map: {} });
  const asked = { interface: { inputs: [{ name: "value", to: [{ node: "h", port: "value" }] }], outputs: [] } };
  const graph = graphOf([call("c", { definition: "outer" }), node("l", { value: [1] }), call("m", { definition: "each" })], [list], {
    definitions: { inner, outer, each: { ...inner, metadata: asked } },
  });
  test.each<[string, RecordedOptions, string[]]>([
    ["is taken from the cache", {}, []],
    ["runs again where everything is to", { force: true }, ["c/c/h", "c/h", "l", "m#0/h"]],
    ["runs again where the call is to", { force: ["c"] }, ["c/c/h", "c/h"]],
    ["runs again where the call alone is to", { part: { of: "only", node: "c" } }, ["c/c/h", "c/h"]],
  ])("%s", async (_, options, expected) => {
    const { ran } = await run(graph, { options, record: new FullCache(), does: { l: () => ({ value: [1] }) } });
    expect(ran.sort()).toEqual(expected);
  });
});

describe("a region", () => {
  const outputs = (...ids: string[]) => ({ output: Object.fromEntries(ids.map((id) => [id, {}])) });
  const three = (metadata: object = {}) =>
    graphOf([comfy("a"), comfy("b"), comfy("c"), node("n")], [image("a", "b"), image("b", "c"), edge("c", "n")], metadata);
  const all = () => outputs("a", "b", "c");
  const leaving = (from: string) => edge(from, "n", { sourcePort: "image", targetPort: "value" });
  const sent = (prompts: RegionInput[]) => prompts.map(({ prompt }) => Object.keys(prompt).filter((id) => /^[a-z]$/.test(id)));

  test("[RG1] is one task with a row of its own, and waits for what is before any of its nodes", async () => {
    const graph = graphOf([comfy("a"), comfy("b"), node("first"), node("n")], [image("a", "b"), edge("first", "b"), leaving("b")]);
    const order: string[] = [];
    const { states, prompts } = await run(graph, {
      does: { first: () => (order.push("first"), {}), n: () => (order.push("n"), {}) },
      answer: () => (order.push("task"), { output: { b: { image: "i" } } }),
    });
    expect(states).toEqual({ "group:a>": "succeeded", a: "succeeded", b: "succeeded", first: "succeeded", n: "succeeded" });
    expect([sent(prompts), order]).toEqual([[["a", "b"]], ["first", "task", "n"]]);
  });
  test("[RG2] leaves out a node that is skipped or has a condition that cannot be answered", async () => {
    const edges = [edge("n", "a", { when: "output.none" }), edge("n", "b", { when: "false" }), image("a", "c"), image("b", "c")];
    const { states, prompts } = await run(graphOf([node("n"), comfy("a"), comfy("b"), comfy("c")], edges));
    expect([states, prompts]).toEqual([{ n: "succeeded", "group:a>": "skipped", a: "failed", b: "skipped", c: "skipped" }, []]);
  });
  test("[RG2] leaves out a node with a broken edge, whatever else of the region leads to it", async () => {
    const graph = graphOf([node("x"), comfy("a"), comfy("b"), comfy("c")], [edge("x", "b"), image("a", "b"), image("a", "c")]);
    const { states, prompts, row } = await run(graph, { does: { x: fails() }, answer: () => outputs("a", "c") });
    expect([states.b, row("b")?.broken, states.c, sent(prompts)]).toEqual(["skipped", true, "succeeded", [["a", "c"]]]);
  });
  test("[RG2] feeds what it needs from its own nodes, and from a pinned one", async () => {
    const chain = (metadata: object) =>
      graphOf([comfy("a"), comfy("b", "needs"), comfy("c", "needs")], [image("a", "b"), image("b", "c")], metadata);
    expect(sent((await run(chain({}), { answer: all })).prompts)).toEqual([["a", "b", "c"]]);
    const pinned = chain({ nodes: { b: { pinned: { image: PICTURE } } } });
    const { states, prompts, row } = await run(pinned, { answer: () => outputs("a", "c") });
    expect([states.b, row("b")?.output, sent(prompts)]).toEqual(["succeeded", { image: PICTURE }, [["c"]]]);
  });
  test("[RG2, RH3] waits for who holds one of its nodes", async () => {
    const { states, held, prompts } = await run(three({ nodes: { b: { breakpoint: "before" } } }), { answer: all });
    expect([held, states.b, sent(prompts)]).toEqual([["b"], "succeeded", [["a", "b", "c"]]]);
  });
  test("[RC7, RG2] sends nothing of a bypassed node, which gives what came of the region, or what came from outside", async () => {
    const off = { nodes: { b: { bypassed: true } } };
    const chain = graphOf(
      [comfy("a"), comfy("b", "needs"), comfy("c", "needs"), node("n")],
      [image("a", "b"), image("b", "c"), leaving("b")],
      off,
    );
    const { states, prompts, row } = await run(chain, { answer: () => ({ output: { a: { image: PICTURE }, c: {} } }) });
    expect([sent(prompts), prompts[0]?.prompt.c?.inputs]).toEqual([[["a", "c"]], { image: ["a", 0] }]);
    expect([states.b, row("b")?.output, row("n")?.output]).toEqual(["succeeded", { image: PICTURE }, { value: PICTURE }]);
    const given = edge("p", "b", { sourcePort: "value", targetPort: "image" });
    const fed = graphOf([node("p"), comfy("b"), comfy("c", "needs"), node("n")], [given, image("b", "c"), leaving("c")], off);
    const from = await run(fed, { does: { p: () => ({ value: PICTURE }) }, answer: () => outputs("c") });
    expect([sent(from.prompts), from.row("b")?.output]).toEqual([[["c"]], { image: PICTURE }]);
    expect(Object.keys(from.prompts[0]?.prompt ?? {})).toContain("c<image");
    const alone = await run(graphOf([node("p"), comfy("b"), node("n")], [given, leaving("b")], off), {
      does: { p: () => ({ value: PICTURE }) },
    });
    expect([alone.prompts, alone.row("n")?.output]).toEqual([[], { value: PICTURE }]);
    const never = graphOf([node("p"), comfy("a"), comfy("b"), node("n")], [edge("p", "b"), image("a", "b"), leaving("b")], off);
    const skipped = await run(never, { does: { p: fails() } });
    expect([skipped.prompts, skipped.states.b, skipped.states.n]).toEqual([[], "skipped", "skipped"]);
  });
  test("[RC7, E12] is taken from the cache where nothing but a bypassed node of it was asked to run again", async () => {
    const off = { nodes: { b: { bypassed: true } } };
    const graph = graphOf([comfy("a"), comfy("b"), comfy("c", "needs"), node("n")], [image("a", "b"), image("b", "c"), leaving("c")], off);
    const forced = (id: string) => run(graph, { options: { force: [id] }, record: new FullCache(), answer: () => outputs("a", "c") });
    expect(sent((await forced("b")).prompts)).toEqual([]);
    expect(sent((await forced("a")).prompts)).toEqual([["a", "c"]]);
  });
  test("[RC7, RG2] leaves out what needs the output of a bypassed node that gets nothing from outside", async () => {
    const given = edge("p", "b", { sourcePort: "value", targetPort: "image" });
    const graph = graphOf([node("p"), comfy("a"), comfy("b"), comfy("c", "needs"), node("n")], [given, image("b", "c"), leaving("a")], {
      nodes: { b: { bypassed: true } },
    });
    const { states, prompts } = await run(graph, { does: { p: () => ({}) }, answer: () => outputs("a") });
    expect([states.b, states.c, sent(prompts)]).toEqual(["succeeded", "skipped", [["a"]]]);
  });
  test("[RC7, RG4] a bypassed node of a region that failed is skipped with what is before it", async () => {
    const graph = graphOf([comfy("a"), comfy("b"), comfy("c")], [image("a", "b"), image("b", "c")], { nodes: { b: { bypassed: true } } });
    const { states } = await run(graph, { answer: () => ({ error: { code: "E", message: "m" } }) });
    expect(states).toEqual({ "group:a>": "failed", a: "failed", b: "skipped", c: "skipped" });
  });
  test("[RG3] sends nothing that nobody needs, and is skipped if nothing is left", async () => {
    const { states, prompts } = await run(graphOf([comfy("a"), comfy("b")], [image("a", "b")], { nodes: { a: { disabled: true } } }));
    expect([states, prompts]).toEqual([{ "group:a>": "skipped", a: "skipped", b: "skipped" }, []]);
    const wires = [image("a", "b"), leaving("b"), image("a", "c"), image("c", "d")];
    const graph = graphOf([comfy("a"), comfy("b"), comfy("c"), comfy("d"), node("n")], wires, { nodes: { d: { disabled: true } } });
    const some = await run(graph, { answer: () => outputs("a", "b") });
    expect([sent(some.prompts), some.states.c]).toEqual([[["a", "b"]], "skipped"]);
  });
  test("[RG4] its nodes have what each of them got as their input, as any node has", async () => {
    const graph = graphOf([node("p"), comfy("a"), node("n")], [edge("p", "a", { sourcePort: "value", targetPort: "image" }), leaving("a")]);
    const { row } = await run(graph, { does: { p: () => ({ value: PICTURE }) }, answer: () => outputs("a") });
    expect(row("a")?.input).toEqual({ image: PICTURE });
  });
  test("[RG4] names the node at which its task failed; what was done stands, the rest is skipped, broken", async () => {
    const details = { node: "b", executed: ["a"] };
    const { states, row, failed } = await run(three(), { answer: () => ({ error: { code: "E", message: "m", details } }) });
    expect(states).toEqual({ "group:a>": "failed", a: "succeeded", b: "failed", c: "skipped", n: "skipped" });
    expect([row("a")?.output, row("c")?.broken, row("n")?.broken, failed]).toEqual([{}, true, true, ["b"]]);
  });
  test("[RG4] whose task failed at no node fails those that it starts with", async () => {
    const { states } = await run(three(), { answer: () => ({ error: { code: "E", message: "m" } }) });
    expect(states).toEqual({ "group:a>": "failed", a: "failed", b: "skipped", c: "skipped", n: "skipped" });
  });
  test("[RG5] takes no node that runs for each element of a list", async () => {
    const list = edge("l", "m", { sourcePort: "value", targetPort: "image", map: {} });
    const graph = graphOf(
      [node("l", { value: [PICTURE, PICTURE] }), comfy("m"), comfy("a"), node("n")],
      [list, edge("m", "a"), edge("a", "n", { sourcePort: "image", targetPort: "value" })],
    );
    const { states, prompts } = await run(graph, { answer: () => outputs("a") });
    expect(Object.keys(states)).toEqual(expect.arrayContaining(["m", "m#0", "m#1"]));
    expect(sent(prompts)).toEqual([["m"], ["m"], ["a"]]);
  });
});
