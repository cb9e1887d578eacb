import { type Graph, type Issue, type Library, type LibraryEngine, type NodeDefinition, portsOf } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { CARD, edgeLabel, toEdges, toNodes, withPlaces } from "./flow";

const engine = (id: string, draft: boolean, live = true): LibraryEngine => ({ id, label: id, plane: "python", draft, live });
const SAY = {
  plane: "python",
  service: "say",
  inputs: portsOf({ properties: { text: { type: "string" } } }),
  outputs: portsOf({ properties: { sound: { "x-artifact": "audio" }, count: { type: "integer" } } }),
  parameters: [],
  engines: [engine("real", false), engine("light", true)],
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === "say" ? SAY : undefined), all: () => [SAY] };

const node = (id: string, service = "say") => ({ id, service, plane: "python", status: "pending" });
const graphOf = (nodes: object[], edges: object[] = [], metadata: object = {}) =>
  ({ schema: "langgraph.v1", workflowId: "w", nodes, edges, metadata }) as unknown as Graph;
const at = (positions: Record<string, { x: number; y: number }>) => ({ editor: { positions } });

describe("cards", () => {
  test("lie where they were put; those that were not lie apart, in the order of the edges", () => {
    const chain = [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
      { from: "c", to: "a", metadata: { loop: { maxIterations: 2 } } },
    ];
    expect(toNodes(graphOf([node("a")], [], at({ a: { x: 3, y: 4 } })), library, [])[0]?.position).toEqual({ x: 3, y: 4 });
    const places = toNodes(graphOf([node("c"), node("b"), node("a")], chain), library, []).map(
      ({ id, position }) => [id, position.x] as const,
    );
    const x = Object.fromEntries(places) as Record<"a" | "b" | "c", number>;
    expect(x.b - x.a).toBeGreaterThanOrEqual(CARD.width);
    expect(x.c - x.b).toBeGreaterThanOrEqual(CARD.width);
  });
  test("[M4] say that a draft engine would run, the one that is chosen", () => {
    const drafts = (of: Record<string, string>) => {
      const nodes = Object.fromEntries(Object.entries(of).map(([id, name]) => [id, { engine: name }]));
      return toNodes(graphOf([node("a"), node("b"), node("c")], [], { nodes }), library, []).map(({ data }) => data.draft);
    };
    expect(drafts({ b: "light", c: "real" })).toEqual([false, true, false]);
  });
  test("[M4] say under which licence the chosen engine may not be used commercially", () => {
    const clone = { ...engine("clone", false), licence: "CC-BY-NC-4.0", commercial: false };
    const voice = { ...engine("voice", false), licence: "MIT", commercial: true };
    const offered: Library = { find: () => ({ ...SAY, engines: [clone, voice] }), all: () => [] };
    const licences = (of: Record<string, object>) =>
      toNodes(graphOf([node("a"), node("b")], [], { nodes: of }), offered, []).map(({ data }) => data.notCommercial);
    expect(licences({ b: { engine: "voice" } })).toEqual(["CC-BY-NC-4.0", undefined]);
  });
  test("show what is wrong with them or cannot run now, and nothing that is only a hint or is the graph's", () => {
    const issue = (more: Partial<Issue>): Issue =>
      ({ code: "param.invalid", severity: "error", message: "m", place: { node: "a" }, ...more }) as Issue;
    const problem = (one: Issue) => toNodes(graphOf([node("a")]), library, [one])[0]?.data.problem;
    expect(problem(issue({}))).toBe("m");
    expect(problem(issue({ code: "engine.not_live", severity: "warning" }))).toBe("m");
    expect(problem(issue({ severity: "warning" }))).toBeUndefined();
    expect(problem(issue({ code: "graph.cycle" }))).toBeUndefined();
    expect(problem(issue({ place: { node: "b" } }))).toBeUndefined();
  });
  test("of a node that no plane offers keep the ports that wires name, each once", () => {
    const wire = (from: string, sourcePort: string, to: string, targetPort: string) => ({ from, to, metadata: { sourcePort, targetPort } });
    const edges = [wire("a", "sound", "x", "in"), wire("a", "sound", "x", "in"), wire("x", "out", "b", "text"), { from: "x", to: "b" }];
    const [, x] = toNodes(graphOf([node("a"), node("x", "gone"), node("b")], edges), library, []);
    expect(x?.data.resolved.definition).toBeUndefined();
    expect([x?.data.ports.inputs.map(({ name }) => name), x?.data.ports.outputs.map(({ name }) => name)]).toEqual([["in"], ["out"]]);
    expect(x?.data.wired.split(" ")).toEqual(["in", "in"]);
  });
});

describe("wires", () => {
  const edge = (more: object) => toEdges(graphOf([node("a"), node("b")], [{ from: "a", to: "b", ...more }]), library)[0];
  test("lie between their ports and have the type of what they carry", () => {
    expect(edge({ metadata: { id: "w", sourcePort: "sound", targetPort: "text" } })).toMatchObject({
      id: "w",
      source: "a",
      target: "b",
      sourceHandle: "sound",
      targetHandle: "text",
      data: { type: "audio" },
      style: { "--edge": "var(--port-audio, var(--port-model))" },
    });
    expect(edge({ metadata: { sourcePort: "count", targetPort: "text" } })?.style).toEqual({
      "--edge": "var(--port-number, var(--port-model))",
    });
  });
  test("that only order two nodes are drawn between their first ports, and say so", () => {
    const drawn = edge({ kind: "on_failure" });
    expect(drawn).toMatchObject({ sourceHandle: "sound", targetHandle: "text", label: "on failure" });
    expect(drawn?.className?.split(/\s+/)).toEqual(expect.arrayContaining(["order", "on-failure"]));
  });
  test("are called by both their ends and by what they say beyond them", () => {
    const named = (edge: object) => toEdges(graphOf([{ ...node("a"), name: "Speak" }, node("b")], [edge]), library)[0]?.ariaLabel;
    const ports = { sourcePort: "count", targetPort: "text" };
    expect(named({ from: "a", to: "b", metadata: { ...ports, when: "output.count > 1" } })).toBe(
      "Wire from Speak, Count to b, Text, if output.count > 1",
    );
    expect(named({ from: "a", to: "b", kind: "on_failure" })).toBe("Wire from Speak to b, on failure");
  });
  test("that lead back are loops", () => {
    const drawn = edge({ metadata: { loop: { maxIterations: 3 } } });
    expect(drawn?.type).toBe("loop");
    expect(drawn?.className?.split(/\s+/)).toContain("loop");
  });
  test("without anything to say carry no label", () => expect(edge({ metadata: { sourcePort: "sound" } })).not.toHaveProperty("label"));
  test.each([
    [{}, ""],
    [{ metadata: { when: "output.ok" } }, "if output.ok"],
    [{ kind: "on_failure", metadata: { when: "error.code == 'x'" } }, "on failure, if error.code == 'x'"],
    [{ metadata: { map: {} } }, "for each"],
    [{ metadata: { loop: { maxIterations: 4 }, when: "output.n < 3" } }, "repeats up to 4 times, while output.n < 3"],
    [{ metadata: { when: "output.name == 'a very long name indeed'" } }, "if output.name == 'a very long name…"],
  ])("%j are labelled %j", (more, label) => expect(edgeLabel({ from: "a", to: "b", ...more } as never)).toBe(label));
});

test("a graph without places gets one for each node, and none upon another; a place that is known stays", () => {
  const bare = {
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [node("a"), node("b"), node("c")],
    edges: [{ from: "a", to: "b" }],
  } as unknown as Graph;
  const positions = (graph: Graph) =>
    (graph.metadata as { editor: { positions: Record<string, { x: number; y: number }> } }).editor.positions;
  const { a, b, c } = positions(withPlaces(bare));
  expect(new Set([a, b, c].map((place) => JSON.stringify(place))).size).toBe(3);
  expect((b?.x ?? 0) - (a?.x ?? 0)).toBeGreaterThan(CARD.width);
  const known = { ...bare, metadata: { editor: { positions: { a: { x: 7, y: 9 } } } } } as unknown as Graph;
  expect(positions(withPlaces(known)).a).toEqual({ x: 7, y: 9 });
});
