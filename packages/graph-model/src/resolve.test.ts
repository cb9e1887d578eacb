// A graph is resolved once: the same object for everybody, each definition once, and after an edit only what the edit touched.
// SEEDS=20000 makes more random edits.
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { validate } from "./check/validate.ts";
import type { Graph, GraphNode } from "./graph.ts";
import type { Level, ResolvedNode } from "./level.ts";
import type { Library } from "./library.ts";
import { enginesNotLive } from "./live.ts";
import { edited, editLibrary, FIRST, seeded } from "./random-edits.testing.ts";
import { type Resolved, resolve, resolver } from "./resolve.ts";
import { sampleLibrary } from "./sample-library.testing.ts";

const node = (id: string, service = "pass", params?: object): GraphNode =>
  ({ id, service, plane: "node", status: "pending", ...(params ? { params } : {}) }) as GraphNode;
const call = (id: string, definition: string): GraphNode => node(id, "graph.call", { definition });
const graphOf = (nodes: GraphNode[], edges: Graph["edges"] = [], metadata?: object): Graph =>
  ({ schema: "langgraph.v1", workflowId: "t", nodes, edges, ...(metadata ? { metadata } : {}) }) as Graph;
const chain = (length: number): Graph =>
  graphOf(
    Array.from({ length }, (_, index) => node(`n${index}`)),
    Array.from({ length: length - 1 }, (_, index) => ({ from: `n${index}`, to: `n${index + 1}`, metadata: { when: "output.value == 1" } })),
  );

/** A library that counts what it is asked. */
function counting(library: Library = sampleLibrary) {
  const counted = {
    asked: 0,
    all: library.all,
    find: (plane: string, service: string) => {
      counted.asked++;
      return library.find(plane, service);
    },
  };
  return counted;
}
const withParam = (graph: Graph, at: number, value: unknown): Graph => ({
  ...graph,
  nodes: graph.nodes.map((each, index) => (index === at ? { ...each, params: { value } } : each)) as Graph["nodes"],
});
const at = ({ nodes }: Level, id: string): ResolvedNode => nodes.find((resolved) => resolved.node.id === id) as ResolvedNode;

describe("a graph with a library", () => {
  test("is one object, whoever asks, and another one with another library", () => {
    const graph = chain(3);
    expect(resolve(graph, sampleLibrary)).toBe(resolve(graph, sampleLibrary));
    expect(resolver(sampleLibrary)(graph)).toBe(resolve(graph, sampleLibrary));
    expect(resolve(graph, { ...sampleLibrary })).not.toBe(resolve(graph, sampleLibrary));
    expect(resolve({ ...graph }, sampleLibrary)).not.toBe(resolve(graph, sampleLibrary));
  });
  test("is not looked at before somebody asks, and then once for all that is asked", () => {
    const library = counting();
    const graph = chain(5);
    const { root } = resolve(graph, library);
    expect(library.asked).toBe(0);
    expect([root.nodes.length, root.plan.root.items.length, root.inputs, root.branches.size, root.ends.length]).toEqual([5, 5, [], 0, 1]);
    validate(graph, library);
    enginesNotLive(graph, library);
    expect(library.asked).toBe(5);
  });
  test("says of each node what it is, who runs it and where its inputs come from", () => {
    const graph = graphOf([node("a", "say"), node("b", "hear"), node("c", "nowhere")], [{ from: "a", to: "b" }], {
      nodes: { b: { engine: "default" } },
    });
    const { root } = resolve(graph, sampleLibrary);
    expect(root.node("b")).toMatchObject({
      settings: { engine: "default" },
      definition: { service: "hear" },
      engine: { id: "default" },
      mapped: undefined,
      region: undefined,
      sources: [{ kind: "upstream", from: "a", output: "sound" }],
    });
    expect(root.node("c")).toMatchObject({ definition: undefined, engine: undefined, sources: [] });
    expect(root.node("d")).toBeUndefined();
  });
});

describe("definitions", () => {
  const doubling = (levels: number): Graph => {
    const names = Array.from({ length: levels }, (_, index) => `d${index}`);
    const body = (index: number) => ({
      nodes: index === levels - 1 ? [node("end", "say")] : [node("first"), call("a", `d${index + 1}`), call("b", `d${index + 1}`)],
      edges: [],
    });
    return graphOf([call("start", "d0")], [], { definitions: Object.fromEntries(names.map((name, index) => [name, body(index)])) });
  };
  test("that each call the next one twice are worked out once each: 22 of them, not four million", () => {
    const library = counting();
    const { root } = resolve(doubling(22), library);
    expect(at(root, "start").definition?.inputs.map(({ name }) => name)).toEqual(["text"]);
    expect(library.asked).toBe(22); // one node of the library in each
  });
  test("that nothing calls are not worked out", () => {
    const library = counting();
    const graph = graphOf([node("a")], [], { definitions: { idle: { nodes: [node("x"), node("y")], edges: [] } } });
    expect(resolve(graph, library).root.nodes.length).toBe(1);
    expect(library.asked).toBe(1);
    expect(resolve(graph, library).level("idle").nodes.length).toBe(2);
    expect(library.asked).toBe(3);
    expect(() => resolve(graph, library).level("gone")).toThrow("The graph has no definition gone.");
  });
  test("are taken over as they are when another one is edited; what calls the edited one is not", () => {
    const next = resolver(sampleLibrary);
    const graph = graphOf([call("a", "outer"), call("b", "other")], [], {
      definitions: {
        outer: { nodes: [call("in", "inner")], edges: [] },
        inner: { nodes: [node("x", "say")], edges: [] },
        other: { nodes: [node("y")], edges: [] },
      },
    });
    const before = next(graph);
    validate(graph, sampleLibrary);
    const definitions = { ...(graph.metadata?.definitions as object), inner: { nodes: [node("x", "hear")], edges: [] } };
    const after = next({ ...graph, metadata: { ...graph.metadata, definitions } });
    expect(at(after.root, "a").definition?.inputs.map(({ name }) => name)).toEqual(["sound"]);
    expect(after.level("other")).toBe(before.level("other"));
    expect(after.level("outer")).not.toBe(before.level("outer"));
    expect(at(after.root, "b")).toBe(at(before.root, "b"));
  });
});

describe("the condition of an edge", () => {
  test("is compiled once for all edges of one text, at every level", () => {
    const { nodes, edges } = chain(3);
    const graph = graphOf([...nodes, call("c", "d")], edges, { definitions: { d: { nodes, edges: structuredClone(edges) } } });
    const { root, definitions } = resolve(graph, sampleLibrary);
    const inner = definitions.get("d") as Level;
    const [first] = edges.map((edge) => root.condition(edge));
    expect(
      [...edges.map((edge) => root.condition(edge)), ...inner.graph.edges.map((edge) => inner.condition(edge))].every(
        (one) => one === first,
      ),
    ).toBe(true);
    expect(first?.fault).toBeUndefined();
  });
  test("stays compiled while other parts of the graph are edited", () => {
    const next = resolver(sampleLibrary);
    const graph = chain(3);
    const condition = next(graph).root.condition(graph.edges[0] as never);
    const two = { ...graph, edges: [...graph.edges, { from: "n0", to: "n2", metadata: { when: "true" } }] };
    expect(next(two).root.condition(graph.edges[0] as never)).toBe(condition);
  });
});

describe("one parameter that is edited", () => {
  const next = resolver(sampleLibrary);
  const graph = chain(300);
  const before = next(graph).root;
  validate(graph, sampleLibrary);
  const regions = before.plan.root;
  const two = withParam(graph, 7, "x");
  const after = next(two).root;
  test("leaves every other node, the wiring and the regions as they were", () => {
    expect(after.nodes.filter((each, index) => each !== before.nodes[index]).map(({ node: { id } }) => id)).toEqual(["n7"]);
    expect([after.wiring === before.wiring, after.supply === before.supply, after.plan.root === regions]).toEqual([true, true, true]);
    expect(after.shape.node.get("n7")).toBe(two.nodes[7]);
  });
  test("costs one question to the library and one check", () => {
    const library = counting();
    const nextCounted = resolver(library);
    nextCounted(graph);
    const issues = validate(graph, library);
    expect(library.asked).toBe(300);
    nextCounted(two);
    expect(validate(two, library)).toEqual(issues);
    expect(library.asked).toBe(301);
  });
});

test("a node that comes to name another server leaves its region, though no wire changed", () => {
  const next = resolver(editLibrary);
  const draw = (id: string) => ({ ...node(id, "Draw"), plane: "comfy" }) as GraphNode;
  const wire = { from: "a", to: "b", metadata: { sourcePort: "image", targetPort: "image" } };
  const named = (servers: Record<string, string>) => ({
    nodes: Object.fromEntries(Object.entries(servers).map(([id, engine]) => [id, { engine }])),
  });
  const graph = graphOf([draw("a"), draw("b")], [wire], named({ a: "one" }));
  const regions = (each: Graph) => [...next(each).root.plan.regions.values()].map(({ nodes }) => nodes);
  expect(regions(graph)).toEqual([["a", "b"]]);
  expect(regions({ ...graph, metadata: named({ a: "one", b: "two" }) })).toEqual([["a"], ["b"]]);
});

test("a bypassed node splits no region by the server that it names, because it is not sent there", () => {
  const next = resolver(editLibrary);
  const nodes = ["a", "b", "c"].map((id) => ({ ...node(id, "Draw"), plane: "comfy" }) as GraphNode);
  const wire = (from: string, to: string) => ({ from, to, metadata: { sourcePort: "image", targetPort: "image" } });
  const regions = (bypassed: boolean) => {
    const settings = { a: { engine: "one" }, b: { engine: "two", bypassed }, c: { engine: "one" } };
    const { plan } = next(graphOf(nodes, [wire("a", "b"), wire("b", "c")], { nodes: settings })).root;
    return [...plan.regions.values()].map((region) => region.nodes);
  };
  expect(regions(false)).toEqual([["a"], ["b"], ["c"]]);
  expect(regions(true)).toEqual([["a", "b", "c"]]);
});

test("no wire is looked at again for a bypassed node that an edit leaves alone", () => {
  const looksAfterEdit = (metadata?: object): number => {
    let looks = 0;
    const edges = chain(50).edges.map(({ from, to }) => ({
      from,
      to,
      get metadata() {
        looks++;
        return { sourcePort: "value", targetPort: "value" };
      },
    }));
    const graph = graphOf(chain(50).nodes, edges as unknown as Graph["edges"], metadata);
    const next = resolver(sampleLibrary);
    next(graph);
    const issues = validate(graph, sampleLibrary);
    const two = withParam(graph, 30, "x");
    next(two);
    looks = 0;
    expect(validate(two, sampleLibrary)).toEqual(issues);
    return looks;
  };
  expect(looksAfterEdit({ nodes: { n7: { bypassed: true } } })).toBe(looksAfterEdit());
});

/** All that a reader can ask, without the objects that only serve to tell parts apart. */
function knownOf({ root, definitions }: Resolved): unknown {
  return [root, ...definitions.values()].map((level) => ({
    name: level.name,
    graph: level.graph,
    nodes: level.nodes,
    byId: level.graph.nodes.map(({ id }) => level.node(id)?.node),
    shape: ["node", "incoming", "outgoing", "predecessors", "successors", "order"].map((part) => level.shape[part as "node"]),
    plan: { ...level.plan, shape: undefined },
    mapped: level.wiring.mapped,
    conditions: level.graph.edges.map((edge) => level.condition(edge)?.fault),
    branches: level.graph.edges.map((edge) => level.branches.has(edge)),
    ends: level.ends,
    inputs: level.inputs,
    call: level.call,
    problems: level.regionProblems,
    servers: [...level.plan.regions.values()].map((region) => level.serversOf(region)),
  }));
}

const EDITS = Number(process.env.SEEDS ?? 2000);
test(`[G6] after each of ${EDITS} random edits all that is known of the graph is what a fresh look finds`, () => {
  const next = seeded(Number(process.env.SEED ?? 1));
  const seen = { regions: 0, loops: 0, mapped: 0, calls: 0, conditions: 0, bypassed: 0, same: 0 };
  let resolveNext = resolver(editLibrary);
  let graph = FIRST;
  for (let edit = 0; edit < EDITS; edit++) {
    if (edit % 125 === 0) [graph, resolveNext] = [FIRST, resolver(editLibrary)];
    const before = resolveNext(graph);
    graph = edited(graph, next);
    const asks = next(5);
    if (asks === 0) {
      resolveNext(graph); // nobody asks this state for anything, and the next one is made from it
      graph = edited(graph, next);
    }
    const after = resolveNext(graph);
    const copy = structuredClone(graph);
    // Not everybody asks after each edit, and not always the same first.
    const issues = asks === 1 ? undefined : validate(graph, editLibrary);
    const fresh = resolve(copy, editLibrary);
    if (!isDeepStrictEqual(knownOf(after), knownOf(fresh))) expect(knownOf(after), `edit ${edit}`).toEqual(knownOf(fresh));
    expect(issues ?? validate(graph, editLibrary), `edit ${edit}`).toEqual(validate(copy, editLibrary));
    expect(enginesNotLive(graph, editLibrary), `edit ${edit}`).toEqual(enginesNotLive(copy, editLibrary));
    seen.regions += [...after.root.plan.regions.values()].filter(({ nodes }) => nodes.length > 1).length;
    seen.loops += after.root.plan.loops.size;
    seen.mapped += after.root.wiring.mapped.size;
    seen.calls += after.root.nodes.filter(({ element }) => element?.calls).length;
    seen.conditions += after.root.wiring.conditions.size;
    seen.bypassed += after.root.nodes.filter(({ passes }) => passes).length;
    seen.same += after.root.nodes.filter((each) => before.root.nodes.includes(each)).length;
  }
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(100);
}, 240_000);
