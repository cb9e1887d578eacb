import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Graph } from "../graph.ts";
import { sampleLibrary } from "../sample-library.testing.ts";
import { readGraph, readGraphText } from "./document.ts";
import { validate } from "./validate.ts";

const node = (id: string, service = "pass", more = {}) => ({ id, service, plane: "node", status: "pending", ...more });
const graphOf = (nodes: object[], edges: object[] = [], metadata?: object): Graph =>
  ({ schema: "langgraph.v1", workflowId: "t", nodes, edges, ...(metadata ? { metadata } : {}) }) as never;
const codes = (graph: Graph) =>
  validate(graph, sampleLibrary)
    .filter((issue) => issue.severity === "error")
    .map((issue) => issue.code);
const wire = (from: string, sourcePort: string, to: string, targetPort: string) => ({ from, to, metadata: { sourcePort, targetPort } });

test.each([undefined, [["x"]], { x: 1 }])("an edge whose id is %j is another one than each that has an id, in a definition too", (id) => {
  const between = (metadata: object) => ({ from: "a", to: "b", metadata });
  const edges = [between({ id }), between({ id: "e0" }), between({ id: "e0_" })];
  const { graph: read } = readGraph(graphOf([node("a"), node("b")], edges, { definitions: { d: { nodes: [], edges } } }));
  const inside = (read?.metadata?.definitions as { d: { edges: unknown } } | undefined)?.d.edges;
  for (const list of [read?.edges, inside]) expect(list).toEqual([between({ id: "e0__" }), ...edges.slice(1)]);
  expect(codes(read as Graph)).not.toContain("edge.duplicate_id");
});

describe("[G6] validate finds, with its place,", () => {
  test.each<[string, Graph, string]>([
    ["an unknown capability", graphOf([node("a", "nope")]), "node.unknown_capability"],
    ["an unknown version", graphOf([node("a")], [], { nodes: { a: { version: "9" } } }), "node.unknown_version"],
    ["an unknown engine", graphOf([node("a")], [], { nodes: { a: { engine: "x" } } }), "node.unknown_engine"],
    ["an engine that is not live", graphOf([node("a")], [], { nodes: { a: { engine: "gone" } } }), "node.engine_not_live"],
    ["two nodes with one id", graphOf([node("a"), node("a")]), "node.duplicate_id"],
    ["a bad id", graphOf([node("a b")]), "node.bad_id"],
    ["a dangling edge", graphOf([node("a")], [{ from: "a", to: "z" }]), "edge.dangling"],
    ["an unknown port", graphOf([node("a"), node("b")], [wire("a", "nope", "b", "value")]), "edge.unknown_port"],
    [
      "types that do not fit",
      graphOf([node("a", "say", { params: { text: "x" } }), node("b", "hear")], [wire("a", "text", "b", "sound")]),
      "edge.type_mismatch",
    ],
    [
      "two wires into one input",
      graphOf([node("a"), node("b"), node("c")], [wire("a", "value", "c", "value"), wire("b", "value", "c", "value")]),
      "edge.port_taken",
    ],
    [
      "a cycle",
      graphOf(
        [node("a"), node("b")],
        [
          { from: "a", to: "b" },
          { from: "b", to: "a" },
        ],
      ),
      "graph.cycle",
    ],
    ["a parameter outside its schema", graphOf([node("a", "hear", { params: { level: 11 } })]), "param.invalid"],
    [
      "an opaque type that leaves its plane",
      graphOf([node("a", "Sampler", { plane: "comfy" }), node("b")], [wire("a", "latent", "b", "value")]),
      "edge.type_mismatch",
    ],
    [
      "a condition that is not CEL",
      graphOf([node("a"), node("b")], [{ from: "a", to: "b", metadata: { when: "output.x >" } }]),
      "edge.bad_condition",
    ],
    [
      "a loop that leads nowhere",
      graphOf([node("a"), node("b")], [{ from: "a", to: "b", metadata: { loop: { maxIterations: 2 } } }]),
      "graph.bad_loop",
    ],
    [
      "a loop without a limit",
      graphOf([node("a"), node("b")], [wire("a", "value", "b", "value"), { from: "b", to: "a", metadata: { loop: {} } }]),
      "graph.bad_loop",
    ],
    ["a map without ports", graphOf([node("a"), node("b")], [{ from: "a", to: "b", metadata: { map: {} } }]), "edge.bad_map"],
    ["a pinned output that is no object", graphOf([node("a")], [], { nodes: { a: { pinned: 1 } } }), "param.invalid"],
    ["a breakpoint nowhere", graphOf([node("a")], [], { nodes: { a: { breakpoint: "inside" } } }), "param.invalid"],
    ["a subgraph that is not there", graphOf([node("a", "graph.call")]), "node.unknown_definition"],
    [
      "a definition that contains itself",
      graphOf([node("a")], [], { definitions: { d: { nodes: [node("x", "graph.call", { params: { definition: "d" } })], edges: [] } } }),
      "definition.recursive",
    ],
    [
      "a mistake in a definition",
      graphOf([node("a")], [], { definitions: { d: { nodes: [node("x", "nope")], edges: [] } } }),
      "node.unknown_capability",
    ],
    [
      "an interface that names nothing",
      graphOf([node("a")], [], { interface: { outputs: [{ name: "x", from: { node: "z", port: "y" } }] } }),
      "interface.invalid",
    ],
  ])("%s", (_, graph, code) => {
    const found = validate(graph, sampleLibrary).find((issue) => issue.code === code);
    expect(found, JSON.stringify(validate(graph, sampleLibrary))).toBeDefined();
    expect(Object.keys(found?.place ?? {}).length).toBeGreaterThan(0);
  });
  test.each<[string, unknown, string | undefined]>([
    ["a node that is null", { d: { nodes: [null] } }, "/metadata/definitions/d/nodes/0"],
    ["an edge that is null", { d: { nodes: [node("a")], edges: [null] } }, "/metadata/definitions/d/edges/0"],
    ["edges that are no list", { d: { nodes: [node("a")], edges: 3 } }, "/metadata/definitions/d/edges"],
    ["metadata that is a number", { d: { nodes: [node("a")], metadata: 3 } }, "/metadata/definitions/d/metadata"],
    [
      "an interface that is a list",
      { d: { nodes: [node("a")], metadata: { interface: [1] } } },
      "/metadata/definitions/d/metadata/interface",
    ],
    ["a definition that is null", { d: null }, "/metadata/definitions/d"],
    ["a definition without a name", { "": { nodes: [node("a", "graph.call", { params: { definition: "" } })] } }, "/metadata/definitions/"],
    ["definitions that are a text", "d", "/metadata/definitions"],
    ["definitions that are a list", [], "/metadata/definitions"],
  ])("%s, among the definitions", (_, definitions, pointer) => {
    const calls = graphOf([node("a", "graph.call", { params: { definition: "d" } })], [], { definitions });
    const places = validate(calls, sampleLibrary).map(({ place }) => place.pointer);
    expect(places).toContain(pointer);
  });
  test.each<[object, string, string]>([
    [{ nodes: [] }, "error", "/metadata/nodes"],
    [{ nodes: null }, "warning", "/metadata/nodes"],
    [{ nodes: { a: 3 } }, "error", "/metadata/nodes/a"],
    [{ interface: "x" }, "error", "/metadata/interface"],
    [{ interface: { inputs: {} } }, "error", "/metadata/interface/inputs"],
    [{ interface: { inputs: [{ name: "x", to: [null] }] } }, "error", "/metadata/interface/inputs/0"],
    [{ interface: { outputs: [{ name: "x" }] } }, "error", "/metadata/interface/outputs/0"],
  ])("metadata of a wrong type: %j is an issue (%s)", (metadata, severity, pointer) => {
    const found = validate(graphOf([node("a")], [], metadata), sampleLibrary).find(({ place }) => place.pointer === pointer);
    expect(found?.severity).toBe(severity);
  });
  test("nothing in a graph that is right", () =>
    expect(codes(graphOf([node("a", "say", { params: { text: "x" } }), node("b", "hear")], [wire("a", "sound", "b", "sound")]))).toEqual(
      [],
    ));
});

describe("[G7] readGraph refuses, and never throws on,", () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  const nested = `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`;
  test.each<[string, string, string]>([
    ["text that is not JSON", "{", "graph.not_json"],
    ["over 2 MiB", `"${"x".repeat(2 * 1024 * 1024)}"`, "graph.too_large"],
    ["over 32 levels", JSON.stringify({ context: deep(40) }), "graph.too_deep"],
    ["10,000 levels", nested, "graph.too_deep"],
    ["__proto__", '{"schema":"langgraph.v1","context":{"__proto__":{"x":1}}}', "graph.forbidden_key"],
    ["constructor", '{"nodes":[{"params":{"constructor":1}}]}', "graph.forbidden_key"],
    ["5,001 nodes", JSON.stringify({ nodes: Array(5001).fill({}) }), "graph.too_large"],
    ["20,001 edges", JSON.stringify({ edges: Array(20001).fill({}) }), "graph.too_large"],
    ["null", "null", "graph.schema"],
    ["a ComfyUI workflow", '{"last_node_id":3,"nodes":[]}', "feature.not_supported"],
    ["a ComfyUI API graph", '{"3":{"class_type":"KSampler","inputs":{}}}', "feature.not_supported"],
    ["no nodes", '{"schema":"langgraph.v1","workflowId":"x","nodes":[],"edges":[]}', "graph.empty"],
  ])("%s", (_, text, code) => {
    const { graph: found, issues } = readGraphText(text);
    expect(found).toBeUndefined();
    expect(issues.map((issue) => issue.code)).toContain(code);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
  test("[G6] every wrong place of a document at once", () => {
    const { issues } = readGraph({
      schema: "langgraph.v1",
      workflowId: "x",
      nodes: [{ id: "a" }, { id: "b", service: 1, plane: "moon", status: "pending" }],
      edges: [],
    });
    expect(new Set(issues.map((issue) => issue.place.node))).toEqual(new Set(["a", "b"]));
  });
});

test.each(["capabilities", "f5tts_infinitetalk", "sadtalker", "svd_wav2lip"])("[G1] the predecessor's graph %s loads unchanged", (name) => {
  const text = readFileSync(new URL(`../../../../schemas/samples/graph/valid/${name}.json`, import.meta.url), "utf8");
  expect(readGraphText(text).graph).toEqual(JSON.parse(text));
});
