import { describe, expect, test } from "vitest";
import { definer } from "./definitions.ts";
import type { Graph } from "./graph.ts";
import { inputSources, resolveInputs } from "./inputs.ts";
import { runInputs } from "./run-inputs.ts";
import { sampleLibrary } from "./sample-library.ts";

const node = (id: string, service: string, params?: Record<string, unknown>) => ({
  id,
  service,
  plane: "node" as const,
  status: "pending" as const,
  ...(params ? { params } : {}),
});
const graph = (nodes: ReturnType<typeof node>[], edges: Graph["edges"], more: Partial<Graph> = {}): Graph => ({
  schema: "langgraph.v1",
  workflowId: "t",
  nodes: nodes as Graph["nodes"],
  edges,
  ...more,
});
const values = (one: Graph, id: string, outputs: Record<string, Record<string, unknown>>, run: Record<string, unknown> = {}) =>
  resolveInputs(
    inputSources(one, definer(one, sampleLibrary)).filter((source) => source.node.id === id),
    (from) => outputs[from],
    run,
    one.context ?? {},
  );

describe("DESIGN G2: where an input takes its value from", () => {
  test("the nearest upstream output of its name and type", () => {
    const one = graph(
      [node("far", "say"), node("near", "say"), node("end", "hear")],
      [
        { from: "far", to: "near" },
        { from: "near", to: "end" },
      ],
    );
    expect(values(one, "end", { far: { sound: "F" }, near: { sound: "N" } })).toEqual({ sound: "N" });
  });
  test("of equally near ones the first in `nodes`", () => {
    const one = graph(
      [node("b", "say"), node("a", "say"), node("end", "hear")],
      [
        { from: "a", to: "end" },
        { from: "b", to: "end" },
      ],
    );
    expect(values(one, "end", { a: { sound: "A" }, b: { sound: "B" } })).toEqual({ sound: "B" });
  });
  test("a wire before everything else", () => {
    const one = graph(
      [node("a", "say"), node("b", "say"), node("end", "say", { text: "param" })],
      [
        { from: "a", to: "b" },
        { from: "b", to: "end" },
        { from: "a", to: "end", metadata: { sourcePort: "text", targetPort: "text" } },
      ],
    );
    expect(values(one, "end", { a: { text: "wired" }, b: { text: "near" } })).toEqual({ text: "wired" });
  });
  test("then params, then the run, then the context", () => {
    expect(values(graph([node("a", "say", { text: "P" })], []), "a", {}, { text: "R" })).toEqual({ text: "P" });
    expect(values(graph([node("a", "say")], [], { context: { text: "C" } }), "a", {}, { text: "R" })).toEqual({ text: "R" });
    expect(values(graph([node("a", "say")], [], { context: { text: "C" } }), "a", {})).toEqual({ text: "C" });
  });
  test("a wire whose source gave nothing leaves the port empty", () => {
    const one = graph(
      [node("a", "say"), node("end", "say", { text: "param" })],
      [{ from: "a", to: "end", metadata: { sourcePort: "text", targetPort: "text" } }],
    );
    expect(values(one, "end", {})).toEqual({});
  });
  test("an input that nothing gives is asked of the run, by its public name where it has one", () => {
    const metadata = { interface: { inputs: [{ name: "words", label: "Words", to: [{ node: "a", port: "text" }] }] } };
    expect(
      runInputs(graph([node("a", "say"), node("b", "hear")], [], { metadata }), definer(graph([], []), sampleLibrary)).map((one) => [
        one.name,
        one.required,
      ]),
    ).toEqual([
      ["words", true],
      ["sound", true],
    ]);
    expect(values(graph([node("a", "say")], [], { metadata }), "a", {}, { words: "W" })).toEqual({ text: "W" });
  });
});
