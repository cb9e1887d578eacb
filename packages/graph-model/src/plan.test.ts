import { describe, expect, test } from "vitest";
import { canConnect } from "./connect.ts";
import type { Graph } from "./graph.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { planGraph } from "./plan.ts";
import { portsOf } from "./ports.ts";
import { resolve } from "./resolve.ts";
import { sampleLibrary } from "./sample-library.testing.ts";

const graph = (arrows: string, more: Partial<Graph> = {}): Graph => {
  const edges = arrows.split(" ").map((arrow) => {
    const [from, to] = arrow.split(/[>~]/) as [string, string];
    return { from, to, ...(arrow.includes("~") ? { metadata: { loop: { maxIterations: 3 } } } : {}) };
  });
  const ids = [...new Set(edges.flatMap(({ from, to }) => [from, to]))];
  const nodes = ids.map((id) => ({ id, service: "pass", plane: "node" as const, status: "pending" as const }));
  return { schema: "langgraph.v1", workflowId: "t", nodes: nodes as unknown as Graph["nodes"], edges, ...more };
};

describe("loops become items", () => {
  test("[RL1, RL2] a body is what lies between head and tail; edges into it become edges to the loop", () => {
    const { root, loops } = planGraph(graph("s>a a>b b~a b>e s>b x>e"));
    expect(root.items).toEqual(["s", "x", "loop:b>a", "e"]);
    expect([...(root.predecessors.get("e") ?? [])].sort()).toEqual(["loop:b>a", "x"]);
    expect([...(root.predecessors.get("loop:b>a") ?? [])]).toEqual(["s"]);
    expect([...(root.successors.get("s") ?? [])]).toEqual(["loop:b>a"]);
    expect(loops.get("loop:b>a")?.items).toEqual(["a", "b"]);
  });
  test("[RL1] loops nest", () => {
    const { loops, home } = planGraph(graph("a>b b>c c~b c>d d~a"));
    expect(loops.get("loop:d>a")?.items).toEqual(["a", "loop:c>b", "d"]);
    expect(loops.get("loop:c>b")?.parent?.id).toBe("loop:d>a");
    expect(home.get("c")?.id).toBe("loop:c>b");
  });
  test("[RL1] loops that overlap are refused, and the rest still has a plan", () => {
    const { problems, root } = planGraph(graph("a>b b>c c>d c~a d~b"));
    expect(problems.map(({ why }) => why)).toEqual([expect.stringMatching(/overlaps/)]);
    expect(root.items.length).toBe(2);
  });
  test("[G7] loops lie at most 32 deep inside one another", () => {
    const nest = (depth: number) => {
      const ids = Array.from({ length: 2 * depth }, (_, index) => `n${index}`);
      const back = ids.slice(0, depth).map((id, index) => `${ids.at(-1 - index)}~${id}`);
      return planGraph(graph([...ids.slice(1).map((id, index) => `${ids[index]}>${id}`), ...back].join(" ")));
    };
    expect(nest(32).problems).toEqual([]);
    expect(nest(32).loops.size).toBe(32);
    expect(nest(33).problems.map(({ edge, why }) => [edge.from, edge.to, why])).toEqual([
      ["n65", "n0", "Loops lie at most 32 deep inside one another."],
    ]);
  });
  test("[RL1] a node may be a loop of its own", () => expect(planGraph(graph("a>b b~b b>c")).root.items).toEqual(["a", "loop:b>b", "c"]));
});

describe("ports that the graph makes", () => {
  const say = { id: "d", service: "say", plane: "node", status: "pending" };
  const definitions = { twice: { nodes: [say], edges: [] } };
  const call = { id: "c", service: "graph.call", plane: "node", status: "pending", params: { definition: "twice" } };
  const list = { from: "l", to: "c", metadata: { sourcePort: "value", targetPort: "text", map: {} } };
  const mapping = (edges: object[]) =>
    ({
      schema: "langgraph.v1",
      workflowId: "t",
      nodes: [{ ...say, id: "l", service: "pass" }, call],
      edges,
      metadata: { definitions },
    }) as never as Graph;
  const ports = (graph: Graph) => {
    const found = resolve(graph, sampleLibrary).root.nodes[1]?.definition;
    return { in: found?.inputs.map(({ name, type }) => `${name}:${type}`), out: found?.outputs.map(({ name, type }) => `${name}:${type}`) };
  };
  test("[G5, RD1] a call has what its definition asks for and gives", () =>
    expect(ports(mapping([]))).toEqual({ in: ["text:string"], out: ["text:string", "sound:audio"] }));
  test("[RM2] a mapped node takes a list and gives lists", () =>
    expect(ports(mapping([list]))).toEqual({ in: ["text:array"], out: ["text:array", "sound:array"] }));
});

describe("what a wire becomes when it is drawn", () => {
  const list = { id: "l", service: "list", plane: "node", status: "pending" };
  const say = (id: string) => ({ id, service: "say", plane: "node", status: "pending" });
  const graph = {
    schema: "langgraph.v1",
    workflowId: "t",
    nodes: [list, say("a"), say("b")],
    edges: [{ from: "a", to: "b", metadata: { sourcePort: "text", targetPort: "text", id: "w" } }],
  } as never as Graph;
  const lists = portsOf({
    properties: {
      texts: { type: "array", items: { type: "string" } },
      sounds: { type: "array", items: { "x-artifact": "audio" } },
      anything: { type: "array" },
    },
  });
  const library: Library = {
    ...sampleLibrary,
    find: (plane, service) =>
      service === "list"
        ? { ...(sampleLibrary.find("node", "say") as NodeDefinition), service, inputs: [], outputs: lists }
        : sampleLibrary.find(plane, service),
  };
  const ask = (from: string, fromPort: string, to: string, port: string) =>
    canConnect(graph, library, { node: from, port: fromPort }, { node: to, port });
  test("one that leads back is a loop, and leaves the input's own wire alone", () =>
    expect(ask("b", "text", "a", "text")).toEqual({ ok: true, as: "loop" }));
  test("one that leads to its own node is, too", () => expect(ask("a", "text", "a", "text")).toEqual({ ok: true, as: "loop" }));
  test("a list to an input of its elements is a map", () => expect(ask("l", "texts", "a", "text")).toEqual({ ok: true, as: "map" }));
  test("a second wire forward replaces the first", () => expect(ask("a", "text", "b", "text")).toEqual({ ok: true, replaces: "w" }));
  test("a value of another kind is refused", () => expect(ask("a", "sound", "b", "text")).toMatchObject({ ok: false }));
  test("a list of another kind is refused, and one that says nothing of its elements is a map", () => {
    expect(ask("l", "sounds", "a", "text")).toEqual({ ok: false, reason: "This input takes a string, and the output gives an array." });
    expect(ask("l", "anything", "a", "text")).toEqual({ ok: true, as: "map" });
  });
});
