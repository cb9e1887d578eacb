import { describe, expect, test } from "vitest";
import { readGraph } from "./check/document.ts";
import { validate } from "./check/validate.ts";
import type { Graph, Plane } from "./graph.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { portsOf } from "./ports.ts";
import { resolve, resolver } from "./resolve.ts";

const MODEL = { "x-comfy-type": "MODEL" };
const IMAGE = { "x-comfy-type": "IMAGE", "x-artifact": "image" };
const kind = (plane: Plane, service: string, properties: Record<string, object>, servers = ["a"]): NodeDefinition => ({
  plane,
  service,
  version: "1",
  label: service,
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: portsOf({ properties }),
  outputs: portsOf({
    properties: { model: { ...MODEL, "x-slot": 0 }, image: { ...IMAGE, "x-slot": 1 }, saved: { "x-artifact": "image", "x-pick": "image" } },
  }),
  parameters: [],
  engines: servers.map((id) => ({ id, label: id, plane, draft: false, live: true })),
  live: true,
  idempotent: true,
  timeoutSeconds: 0,
});
const ALL = [
  kind("comfy", "Any", { model: MODEL, image: IMAGE, other: IMAGE }),
  kind("comfy", "Elsewhere", { model: MODEL, image: IMAGE }, ["b"]),
  kind("comfy", "Loads", { model: MODEL, image: IMAGE, file: { enum: ["x", "y"], "x-on": { x: ["a"], y: ["b"] } } }, ["a", "b"]),
  kind("python", "Paint", { image: { "x-artifact": "image" } }),
];
const library: Library = {
  find: (plane, service) => ALL.find((definition) => definition.plane === plane && definition.service === service),
  all: () => ALL,
};

/** `a>b` is a wire of MODEL, `a-b` one of IMAGE. Ids in capitals are on another plane; `e` in front: another server. */
function graphOf(wires: string[], extra: Record<string, object> = {}): Graph {
  const ids = [...new Set(wires.flatMap((wire) => wire.split(/[>-]/)))];
  const nodes = ids.map((id) => ({
    id,
    service: id === id.toUpperCase() ? "Paint" : id.startsWith("e") ? "Elsewhere" : "Any",
    plane: id === id.toUpperCase() ? "python" : "comfy",
    status: "pending",
  }));
  const taken = new Map<string, number>();
  const edges = wires.map((wire) => {
    const [from, to] = wire.split(/[>-]/) as [string, string];
    const count = (taken.get(to) ?? 0) + 1;
    if (wire.includes("-")) taken.set(to, count);
    const port = wire.includes(">") ? "model" : count === 1 ? "image" : "other";
    return { from, to, metadata: { sourcePort: port === "model" ? "model" : "image", targetPort: port, ...extra[wire] } };
  });
  return readGraph({ schema: "langgraph.v1", workflowId: "w", nodes, edges }).graph as Graph;
}
const regions = (one: Graph) => [...resolve(one, library).root.plan.regions.values()].map(({ nodes }) => nodes.join("")).sort();
const codes = (graph: Graph) =>
  validate(graph, library)
    .filter(({ severity }) => severity === "error")
    .map(({ code }) => code);

describe("regions", () => {
  test("[RG1] join neighbours, whatever their wires carry", () => {
    expect(regions(graphOf(["a>b", "b-c", "c-X", "X-d"]))).toEqual(["abc", "d"]);
  });
  test("[RG1] stay apart where joining would make something wait for itself", () => {
    expect(regions(graphOf(["a-X", "X-b", "a-b"]))).toEqual(["a", "b"]);
    expect(regions(graphOf(["a-b", "b-X", "X-c", "a-c"]))).toEqual(["ab", "c"]);
    expect(codes(graphOf(["a-X", "X-b", "a-b"]))).toEqual([]);
  });
  test("[G6] that must be together and depend on themselves from outside are an issue", () => {
    expect(codes(graphOf(["a>b", "a-X", "X-b"]))).toEqual(["region.not_convex"]);
    expect(codes(graphOf(["a>b", "c>d", "a-d", "c-b", "b-X"]))).toEqual([]);
  });
  test("wires that a prompt cannot express end a region, or are an issue", () => {
    expect(regions(graphOf(["a-b"], { "a-b": { when: "true" } }))).toEqual(["a", "b"]);
    expect(codes(graphOf(["a>b"], { "a>b": { when: "true" } }))).toEqual(["region.control"]);
  });
  test("of nodes that no server has together are an issue", () => {
    expect(codes(graphOf(["a>e"]))).toEqual(["region.no_server"]);
    expect(regions(graphOf(["a>e"]))).toEqual(["ae"]);
  });
  test("[RG1] are split where no server has both and the wire may leave one", () => {
    expect(regions(graphOf(["a-e"]))).toEqual(["a", "e"]);
    expect(regions(graphOf(["a-b", "b-e", "e-e2"]))).toEqual(["ab", "ee2"]);
    expect(codes(graphOf(["a-e"]))).toEqual([]);
  });
  test("[RG1] are split where no server has the files of both", () => {
    const named = (files: Record<string, string>) => {
      const graph = graphOf(["a-b"]);
      for (const node of graph.nodes) Object.assign(node, { service: "Loads", params: { file: files[node.id] } });
      return regions(graph);
    };
    expect(named({ a: "x", b: "x" })).toEqual(["ab"]);
    expect(named({ a: "x", b: "y" })).toEqual(["a", "b"]);
  });
  test("[RG1] are split anew after an edit that names a file which another server has, and joined after its undo", () => {
    const first = graphOf(["a-b"]);
    for (const node of first.nodes) Object.assign(node, { service: "Loads", params: { file: "x" } });
    const after = resolver(library);
    const regionsAfter = (graph: Graph) => [...after(graph).root.plan.regions.values()].map(({ nodes }) => nodes.join("")).sort();
    // The edges are the same, as after an edit of a value.
    const [a, b] = first.nodes;
    const next = (file: string): Graph => ({ ...first, nodes: [a, Object.assign({}, b, { params: { file } })] });
    expect(regionsAfter(first)).toEqual(["ab"]);
    expect(regionsAfter(next("y"))).toEqual(["a", "b"]);
    expect(regionsAfter(next("x"))).toEqual(["ab"]);
  });
  test("end where what an output node shows goes on: within a prompt nobody can take it", () => {
    const graph = graphOf(["a-b", "b-c"]);
    const [, shown] = graph.edges;
    (shown?.metadata as Record<string, unknown>).sourcePort = "saved";
    expect(regions(graph)).toEqual(["ab", "c"]);
    expect(codes(graph)).toEqual([]);
  });
  test("follow the server that one of their nodes names; two names are an issue, or two regions", () => {
    const on = (wires: string[], servers: Record<string, string>) => {
      const graph = graphOf(wires);
      graph.metadata = { nodes: Object.fromEntries(Object.entries(servers).map(([id, engine]) => [id, { engine }])) };
      return graph;
    };
    expect(regions(on(["a>b", "b-c"], { b: "a" }))).toEqual(["abc"]);
    expect(regions(on(["a-b", "b-c"], { a: "a", c: "b" }))).toEqual(["ab", "c"]);
    expect(codes(on(["a>b", "b>c"], { a: "a", c: "b" }))).toContain("region.control");
  });
  test("[RG1] items of the plan have no cycle, with loops around them", () => {
    const graph = graphOf(["a-b", "b-X", "X-c"]);
    graph.edges.push({ from: "X", to: "a", metadata: { sourcePort: "image", targetPort: "other", loop: { maxIterations: 2 } } });
    const { plan } = resolve(graph, library).root;
    expect([...plan.loops.values()][0]?.items).toEqual(["group:a>", "X"]);
    expect(plan.root.items).toEqual(["loop:X>a", "group:c>"]);
  });
  test("of 2,000 nodes are found in no time worth noticing", () => {
    const wires = Array.from({ length: 1999 }, (_, index) => `n${index}-n${index + 1}`);
    expect(regions(graphOf(wires)).length).toBe(1);
  });
});
