import { describe, expect, test } from "vitest";
import type { Graph } from "./graph.ts";
import { resolveInputs } from "./inputs.ts";
import { resolve } from "./resolve.ts";
import { sampleLibrary } from "./sample-library.testing.ts";

const node = (id: string, service: string, params?: Record<string, unknown>) => ({
  id,
  service,
  plane: "node" as const,
  status: "pending" as const,
  ...(params ? { params } : {}),
});
const graphOf = (nodes: ReturnType<typeof node>[], edges: Graph["edges"], more: Partial<Graph> = {}): Graph => ({
  schema: "langgraph.v1",
  workflowId: "t",
  nodes: nodes as Graph["nodes"],
  edges,
  ...more,
});
const values = (graph: Graph, id: string, outputs: Record<string, Record<string, unknown>>, run: Record<string, unknown> = {}) =>
  resolveInputs(resolve(graph, sampleLibrary).root.node(id)?.sources ?? [], (from) => outputs[from], run, graph.context ?? {});

function nearestSpeaker(graph: Graph, id: string): string | undefined {
  const seen = new Set([id]);
  for (let front = [id]; front.length > 0; ) {
    front = graph.nodes
      .map((each) => each.id)
      .filter((each) => !seen.has(each) && graph.edges.some(({ from, to }) => from === each && front.includes(to)));
    for (const each of front) seen.add(each);
    const found = front.find((each) => graph.nodes.find((other) => other.id === each)?.service === "say");
    if (found) return found;
  }
  return undefined;
}

describe("[G2] where an input takes its value from", () => {
  test("the nearest upstream output of its name and type", () => {
    const graph = graphOf(
      [node("far", "say"), node("near", "say"), node("end", "hear")],
      [
        { from: "far", to: "near" },
        { from: "near", to: "end" },
      ],
    );
    expect(values(graph, "end", { far: { sound: "F" }, near: { sound: "N" } })).toEqual({ sound: "N" });
  });
  test("of equally near ones the first in `nodes`", () => {
    const graph = graphOf(
      [node("b", "say"), node("a", "say"), node("end", "hear")],
      [
        { from: "a", to: "end" },
        { from: "b", to: "end" },
      ],
    );
    expect(values(graph, "end", { a: { sound: "A" }, b: { sound: "B" } })).toEqual({ sound: "B" });
  });
  test("no output of any type under a name alone, where the input has a type", () => {
    const graph = graphOf([{ ...node("any", "pass") }, node("say", "keep", { value: "own" })], [{ from: "any", to: "say" }]);
    expect(values(graph, "say", { any: { value: 5 } })).toEqual({ value: "own" });
    const wired = graphOf(graph.nodes as never, [{ from: "any", to: "say", metadata: { sourcePort: "value", targetPort: "value" } }]);
    expect(values(wired, "say", { any: { value: "given" } }), "a wire says that it is meant").toEqual({ value: "given" });
    const open = graphOf([node("any", "pass"), node("next", "pass")], [{ from: "any", to: "next" }]);
    expect(values(open, "next", { any: { value: 5 } }), "into an input of any type").toEqual({ value: 5 });
  });
  test("nothing under a name alone, where the input is a constant's", () => {
    const graph = graphOf([node("keep", "keep"), node("constant", "constant", { value: "own" })], [{ from: "keep", to: "constant" }]);
    expect(values(graph, "constant", { keep: { value: "other" } })).toEqual({ value: "own" });
    const asked = graphOf([node("keep", "keep"), node("constant", "constant")], [{ from: "keep", to: "constant" }]);
    expect(values(asked, "constant", { keep: { value: "other" } }, { value: "asked" }), "it is asked of the run").toEqual({
      value: "asked",
    });
  });
  test("in any graph the same as one finds by going upstream step by step", () => {
    let state = 7;
    const next = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647; // Park and Miller: the same graphs each time
      return state % below;
    };
    for (let round = 0; round < 200; round++) {
      const nodes = Array.from({ length: 12 }, (_, index) => node(`n${index}`, next(3) === 0 ? "say" : "hear"));
      const edges = Array.from({ length: 20 }, () => [next(12), next(12)] as const)
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => ({ from: `n${Math.min(a, b)}`, to: `n${Math.max(a, b)}` }));
      const shuffled = nodes.map((one) => [next(100), one] as const).sort(([a], [b]) => a - b);
      const graph = graphOf(
        shuffled.map(([, each]) => each),
        edges,
      );
      for (const source of resolve(graph, sampleLibrary)
        .root.nodes.flatMap(({ sources }) => sources)
        .filter(({ port }) => port.name === "sound"))
        expect("from" in source ? source.from : undefined).toBe(nearestSpeaker(graph, source.node.id));
    }
  });
  test("a wire before everything else", () => {
    const graph = graphOf(
      [node("a", "say"), node("b", "say"), node("end", "say", { text: "param" })],
      [
        { from: "a", to: "b" },
        { from: "b", to: "end" },
        { from: "a", to: "end", metadata: { sourcePort: "text", targetPort: "text" } },
      ],
    );
    expect(values(graph, "end", { a: { text: "wired" }, b: { text: "near" } })).toEqual({ text: "wired" });
  });
  test("then params, then the run, then the context", () => {
    expect(values(graphOf([node("a", "say", { text: "P" })], []), "a", {}, { text: "R" })).toEqual({ text: "P" });
    expect(values(graphOf([node("a", "say")], [], { context: { text: "C" } }), "a", {}, { text: "R" })).toEqual({ text: "R" });
    expect(values(graphOf([node("a", "say")], [], { context: { text: "C" } }), "a", {})).toEqual({ text: "C" });
  });
  test("a wire whose source gave nothing leaves the port empty", () => {
    const graph = graphOf(
      [node("a", "say"), node("end", "say", { text: "param" })],
      [{ from: "a", to: "end", metadata: { sourcePort: "text", targetPort: "text" } }],
    );
    expect(values(graph, "end", {})).toEqual({});
  });
  test("[G4] an input that nothing gives is asked of the run, by its public name where it has one", () => {
    const metadata = { interface: { inputs: [{ name: "words", label: "Words", to: [{ node: "a", port: "text" }] }] } };
    expect(
      resolve(graphOf([node("a", "say"), node("b", "hear")], [], { metadata }), sampleLibrary).root.inputs.map((input) => [
        input.name,
        input.required,
      ]),
    ).toEqual([
      ["words", true],
      ["sound", true],
    ]);
    expect(values(graphOf([node("a", "say")], [], { metadata }), "a", {}, { words: "W" })).toEqual({ text: "W" });
  });
  test("[G4] it has the label, widget and default that the interface gives it, in the interface's order", () => {
    const to = (name: string, port: string) => [{ node: name, port }];
    const inputs = [
      { name: "sound", label: "Sound", to: to("b", "sound") },
      { name: "words", label: "Words", widget: "textarea", default: "Hello", to: to("a", "text") },
      { name: "bare", to: [] },
    ];
    const graph = graphOf([node("a", "say"), node("b", "hear")], [], { metadata: { interface: { inputs } } });
    expect(
      resolve(graph, sampleLibrary).root.inputs.map(({ name, label, widget, default: value }) => [name, label, widget, value]),
    ).toEqual([
      ["sound", "Sound", undefined, undefined],
      ["words", "Words", "textarea", "Hello"],
      ["bare", "bare", undefined, undefined],
    ]);
  });
});
