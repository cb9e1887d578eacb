// Validation is linear in the document: counted in reads of nodes, edges and neighbourhoods, so that no clock is asked.
import { describe, expect, test } from "vitest";
import { partsOf } from "../definitions.ts";
import type { Graph } from "../graph.ts";
import { Supply } from "../inputs.ts";
import { planGraph } from "../plan.ts";
import { resolve } from "../resolve.ts";
import { sampleLibrary } from "../sample-library.testing.ts";
import { Neighbours, type Topology, topology } from "../topology.ts";
import { readGraph } from "./document.ts";
import { validate } from "./validate.ts";

const node = (id: string, service = "pass", more = {}) => ({ id, service, plane: "node", status: "pending", ...more });
const graphOf = (nodes: object[], edges: object[] = [], metadata?: object): Graph =>
  ({ schema: "langgraph.v1", workflowId: "t", nodes, edges, ...(metadata ? { metadata } : {}) }) as never;
const chain = (length: number, service = "pass", first = service): Graph =>
  graphOf(
    Array.from({ length }, (_, index) => node(`n${index}`, index === 0 ? first : service)),
    Array.from({ length: length - 1 }, (_, index) => ({ from: `n${index}`, to: `n${index + 1}` })),
  );

/** Counts how often elements of a graph's lists are read. */
function reads(graph: Graph, act: (counted: Graph) => void): number {
  let count = 0;
  const counting = <T extends object>(list: T): T =>
    new Proxy(list, {
      get: (target, key, self) => {
        if (typeof key === "string" && /^\d/.test(key)) count++;
        return Reflect.get(target, key, self);
      },
    });
  act({ ...graph, nodes: counting(graph.nodes), edges: counting(graph.edges) });
  return count;
}

/** Counts how often neighbours are looked up. */
function walks(graph: Graph, act: (shape: Topology) => void): number {
  let count = 0;
  class Counting<K, V> extends Map<K, V> {
    override get(key: K): V | undefined {
      count++;
      return super.get(key);
    }
  }
  const shape = topology(graph);
  const { node, incoming, outgoing, order } = shape;
  act({ node, incoming, outgoing, order, predecessors: new Counting(shape.predecessors), successors: new Counting(shape.successors) });
  return count;
}

/** Counts how often the places after others are read, along which names are carried. */
function steps(graph: Graph, act: (neighbours: Pick<Neighbours, "index" | "incoming" | "following">) => void): number {
  let count = 0;
  const { index, incoming, following } = new Neighbours(graph);
  const to = new Proxy(following.to, {
    get: (target, key) => {
      count++;
      return Reflect.get(target, key);
    },
  });
  act({ index, incoming, following: { ...following, to } });
  return count;
}

/** Ten times the size may cost ten times as much, and a tenth of that for what is fixed. */
const expectLinear = (cost: (size: number) => number, small = 200): void => expect(cost(10 * small)).toBeLessThan(11 * cost(small));

describe("[G6] ten times the graph is ten times the work,", () => {
  const sources = (graph: Graph) =>
    steps(graph, (neighbours) => {
      const around = { settings: {}, mapped: undefined, called: () => undefined, library: sampleLibrary };
      const nodes = graph.nodes.map((each) => partsOf(each, around));
      const supply = new Supply({ graph, nodes, neighbours });
      for (const each of nodes) supply.sourcesOf(each);
    });
  test("where nothing upstream has the name that is asked for", () => expectLinear((size) => 1 + sources(chain(size, "hear"))));
  test("where only the first node of a long chain has it", () => expectLinear((size) => sources(chain(size, "hear", "say"))));
  test("where every node has it", () => expectLinear((size) => sources(chain(size, "say"))));

  test("with all that validation looks at", () => expectLinear((size) => reads(chain(size), (one) => validate(one, sampleLibrary))));
  test("with an interface that names every node many times", () => {
    const to = (size: number) => Array.from({ length: 10 * size }, (_, index) => ({ node: `n${index % size}`, port: "value" }));
    expectLinear((size) => {
      const graph = { ...chain(size), metadata: { interface: { inputs: [{ name: "x", to: to(size) }] } } };
      return reads(graph, (counted) => {
        validate(counted, sampleLibrary);
        expect(resolve(counted, sampleLibrary).root.inputs).not.toEqual([]);
      });
    });
  });
  test("with a call of a definition at every node", () =>
    expectLinear((size) => {
      const definitions = Object.fromEntries(Array.from({ length: size }, (_, index) => [`d${index}`, { nodes: [node("a")] }]));
      const calls = Array.from({ length: size }, (_, index) => node(`n${index}`, "graph.call", { params: { definition: `d${index}` } }));
      return reads(graphOf(calls, [], { definitions }), (one) => validate(one, sampleLibrary));
    }));
  test("with loops beside one another", () =>
    expectLinear((size) => {
      const graph = chain(size);
      const loops = Array.from({ length: size / 2 }, (_, index) => ({
        from: `n${2 * index + 1}`,
        to: `n${2 * index}`,
        metadata: { loop: { maxIterations: 2 } },
      }));
      return walks(graph, (shape) => planGraph({ ...graph, edges: [...graph.edges, ...loops] }, shape));
    }));
  test("with loops inside one another, which are refused at some depth", () =>
    expectLinear((size) => {
      const graph = chain(size);
      const loops = Array.from({ length: size / 2 - 1 }, (_, index) => ({
        from: `n${size - 1 - index}`,
        to: `n${index}`,
        metadata: { loop: { maxIterations: 2 } },
      }));
      return walks(graph, (shape) => expect(planGraph({ ...graph, edges: [...graph.edges, ...loops] }, shape).problems).not.toEqual([]));
    }, 600));
});

test("[G7] conditions are as long as a reader can bear, all of them together", () => {
  const edges = Array.from({ length: 400 }, (_, index) => ({ from: "a", to: "b", metadata: { when: `${index} == ${"1".repeat(300)}` } }));
  const issues = validate(graphOf([node("a"), node("b")], edges), sampleLibrary);
  expect(issues.map(({ code }) => code)).toEqual(["graph.too_large"]);
  expect(issues[0]?.message).toMatch(/characters in conditions; the limit is 100,000/);
});

test("[G7] calls have as many ports as what they call: those are counted before they are made", () => {
  const inputs = Array.from({ length: 2000 }, (_, index) => ({ name: `p${index}` }));
  const definitions = { d: { nodes: [node("end")], edges: [], metadata: { interface: { inputs, outputs: [] } } } };
  const calls = Array.from({ length: 200 }, (_, index) => node(`c${index}`, "graph.call", { params: { definition: "d" } }));
  const graph = graphOf(calls, [], { definitions });
  expect(validate(graph, sampleLibrary).map(({ code }) => code)).toEqual(["graph.too_large"]);
  expect(readGraph(graph).issues[0]?.message).toMatch(/400,000 inputs and outputs of the nodes that call subgraphs; the limit is 20,000/);
});

test("[G7] names are looked for upstream until they and the nodes multiply", () => {
  const looking = (count: number): Graph => {
    const named = Array.from({ length: count }, (_, index) => ({ name: `v${index}`, from: { node: "say", port: "sound" } }));
    const wanted = named.map(({ name }) => ({ name, to: [{ node: "hear", port: "sound" }] }));
    const definitions = {
      give: { nodes: [node("say", "say")], edges: [], metadata: { interface: { inputs: [], outputs: named } } },
      want: { nodes: [node("hear", "hear")], edges: [], metadata: { interface: { inputs: wanted, outputs: [] } } },
    };
    const long = chain(4_900);
    const calls = [
      node("give", "graph.call", { params: { definition: "give" } }),
      node("want", "graph.call", { params: { definition: "want" } }),
    ];
    const edges = [{ from: "give", to: "n0" }, ...long.edges, { from: "n4899", to: "want" }];
    return graphOf([...calls, ...long.nodes], edges, { definitions });
  };
  const errors = (one: Graph) => validate(one, sampleLibrary).filter(({ code }) => code === "graph.too_large");
  expect(errors(looking(900))).toEqual([]);
  const [found, ...others] = errors(looking(3_000));
  expect(others).toEqual([]);
  expect(found?.message).toBe("Too many inputs look for a name among the nodes before them.");
  expect(resolve(looking(900), sampleLibrary).root.node("want")?.sources[899]).toMatchObject({ kind: "upstream", from: "give" });
});

describe("[G7, RM3] definitions that each call the next one twice", () => {
  const doubling = (levels: number, more: { when?: string; map?: true; disabled?: true } = {}): Graph => {
    const call = (id: string, next: number) => node(id, "graph.call", { params: { definition: `d${next}` } });
    const names = Array.from({ length: levels }, (_, index) => `d${index}`);
    const level = (index: number) => ({
      nodes: index === levels - 1 ? [node("end")] : [node("first"), call("a", index + 1), call("b", index + 1)],
      edges: ["a", "b"]
        .map((to) => ({
          from: "first",
          to,
          metadata: more.when ? { when: more.when } : more.map ? { map: {}, sourcePort: "value", targetPort: "x" } : {},
        }))
        .slice(index === levels - 1 ? 2 : 0),
      ...(more.disabled ? { metadata: { nodes: { a: { disabled: true } } } } : {}),
    });
    return graphOf([call("start", 0)], [], { definitions: Object.fromEntries(names.map((name, index) => [name, level(index)])) });
  };
  const errors = (one: Graph) => validate(one, sampleLibrary).filter(({ severity }) => severity === "error");

  test("are refused with how many node runs they make, the limit and the place, without being expanded", () => {
    const [found, ...others] = errors(doubling(22));
    expect(others).toEqual([]);
    expect(found).toMatchObject({ code: "run.too_large", place: { node: "start", pointer: "/metadata/definitions" } });
    expect(found?.message).toBe(
      "A run of this graph makes at least 8,388,606 node runs; the limit is 100,000. Most of them are made by start, which calls d0.",
    );
  });
  test("may be as many as make fewer", () => expect(errors(doubling(14))).toEqual([]));
  test("count once where one of the two is off", () => expect(errors(doubling(22, { disabled: true }))).toEqual([]));
  test("are left to the run where each is called for the elements of a list", () =>
    expect(errors(doubling(22, { map: true })).filter(({ code }) => code === "run.too_large")).toEqual([]));
  test("count one visit of a loop, however many it may make", () => {
    const loops = (levels: number): Graph => {
      const graph = doubling(levels);
      const definitions = Object.fromEntries(
        Object.entries(graph.metadata?.definitions as Record<string, Graph>).map(([name, level]) => {
          const loop = { from: "a", to: "a", metadata: { loop: { maxIterations: 100 } } };
          return [name, level.nodes.length > 1 ? { ...level, edges: [...level.edges, loop] } : level];
        }),
      );
      return { ...graph, metadata: { definitions } };
    };
    expect(errors(loops(14)).filter(({ code }) => code === "run.too_large")).toEqual([]);
    expect(errors(loops(22)).map(({ code }) => code)).toContain("run.too_large");
  });
  test("are left to the run where a condition decides", () => expect(errors(doubling(22, { when: "output.value == 1" }))).toEqual([]));
  test.each([40, 800])("%i of them lie too deep inside one another", (levels) =>
    expect(errors(doubling(levels)).map(({ code, message }) => [code, message])).toEqual([
      ["graph.too_deep", expect.stringMatching(/33 deep inside one another; the limit is 32/)],
    ]),
  );
  test("or each other in a circle, are refused with the circle", () => {
    const definitions = {
      a: { nodes: [node("x", "graph.call", { params: { definition: "b" } })] },
      b: { nodes: [node("x", "graph.call", { params: { definition: "a" } })] },
      c: { nodes: [node("x", "graph.call", { params: { definition: "a" } })] },
    };
    expect(errors(graphOf([node("n")], [], { definitions })).map(({ message }) => message)).toEqual([
      "A definition cannot contain itself: a > b > a.",
      "A definition cannot contain itself: b > a > b.",
    ]);
  });
});
