// Graphs in the shapes that a validator, an importer or an editor finds hardest, each as large as the limits allow (DESIGN G7).
import type { Graph } from "@spindle/graph-model";

const node = (id: string, service: string, params?: object) => ({
  id,
  service,
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
const make = (nodes: object[], edges: object[], metadata?: object): Graph =>
  ({ schema: "langgraph.v1", workflowId: "shape", nodes, edges, ...(metadata ? { metadata } : {}) }) as Graph;
const many = <T>(length: number, one: (index: number) => T): T[] => Array.from({ length }, (_, index) => one(index));
const text = (index: number) => node(`n${index}`, "text.template", { template: `Hello {{text}} ${index}` });
const wire = (from: string, to: string, more = {}) => ({ from, to, metadata: { sourcePort: "text", targetPort: "text", ...more } });
const order = (from: number, to: number, metadata?: object) => ({ from: `n${from}`, to: `n${to}`, ...(metadata ? { metadata } : {}) });

export const chainOf = (length: number): Graph =>
  make(
    many(length, text),
    many(length - 1, (index) => order(index, index + 1)),
  );

/** One that gives the name `values`, which every node of the rest takes by name. */
const offeredUpstream = (length: number): Graph => {
  const form = { type: "object", properties: { values: { type: "object" } } };
  const first = node("n0", "human.ask_person", { form, buttons: ["go"] });
  return make([first, ...many(length - 1, (index) => text(index + 1))], chainOf(length).edges);
};

const definitionsOf = (count: number): Graph => {
  const name = (index: number) => `d${index}`;
  const body = (index: number) => ({
    nodes: [text(0), text(1), text(2)],
    edges: [order(0, 1), order(1, 2)],
    metadata: { label: `Part ${index}` },
  });
  return make(
    many(count, (index) => node(`c${index}`, "graph.call", { definition: name(index) })),
    many(count - 1, (index) => ({ from: `c${index}`, to: `c${index + 1}` })),
    { definitions: Object.fromEntries(many(count, (index) => [name(index), body(index)])) },
  );
};

export const SHAPES: Record<string, () => Graph> = {
  chain: () => chainOf(5000),
  star: () =>
    make(
      many(5000, text),
      many(4999, (index) => order(0, index + 1)),
    ),
  dense: () =>
    make(
      many(500, text),
      many(500, (from) => many(Math.min(41, 499 - from), (step) => order(from, from + step + 1)))
        .flat()
        .slice(0, 20_000),
    ),
  upstream: () => offeredUpstream(5000),
  conditions: () =>
    make(
      many(1501, text),
      many(1500, (index) => order(index, index + 1, { when: `output.text == "${index}" && size(output) > 0` })),
    ),
  loops: () =>
    make(many(1400, text), [
      ...many(1399, (index) => order(index, index + 1)),
      ...many(700, (index) => order(2 * index + 1, 2 * index, { loop: { maxIterations: 3 } })),
    ]),
  targets: () => {
    const to = many(40_000, (index) => ({ node: `n${index % 1000}`, port: "values" }));
    return make(many(1000, text), [], { interface: { inputs: [{ name: "all", label: "All", to }], outputs: [] } });
  },
  definitions: () => definitionsOf(800),
};

/** Chains of ten beside one another, with wires between ports and settings. */
export const editedGraph = (size: number): Graph =>
  make(
    many(size, text),
    many(size - 1, (index) => wire(`n${index}`, `n${index + 1}`, { id: `e${index}` })).filter((_, index) => index % 10 < 9),
    { nodes: Object.fromEntries(many(size / 10, (index) => [`n${10 * index}`, { timeoutSeconds: 60 }])) },
  );
