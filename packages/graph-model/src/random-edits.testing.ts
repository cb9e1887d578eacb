// Random edits of a graph that share whatever they do not touch, for tests of what is taken over from before an edit.
import type { Graph, GraphEdge, GraphNode } from "./graph.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { type Port, portType } from "./ports.ts";
import { sampleLibrary } from "./sample-library.testing.ts";

type Next = (below: number) => number;
/** Park and Miller's generator: the same edits for the same seed. */
export const seeded = (seed: number): Next => {
  let state = seed + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
};

const port = (name: string, schema: Record<string, unknown>): Port => ({
  name,
  label: name,
  type: portType(schema),
  required: false,
  schema,
});
const [pass] = sampleLibrary.all().filter(({ service }) => service === "pass") as [NodeDefinition];
const servers = ["one", "two"].map((id, at) => ({ id, label: id, plane: "comfy" as const, draft: false, live: at === 0 }));
const MODEL = { "x-comfy-type": "MODEL" };
const IMAGE = { "x-comfy-type": "IMAGE", "x-artifact": "image" };
const comfy = (service: string, inputs: Port[], outputs: Port[]): NodeDefinition => ({
  ...pass,
  plane: "comfy",
  service,
  engines: servers,
  inputs,
  outputs,
});
const MORE: NodeDefinition[] = [
  comfy("Load", [port("file", { type: "string", "x-on": { a: ["one"], b: ["two"] } })], [port("model", MODEL)]),
  comfy("Draw", [port("model", MODEL), port("image", IMAGE)], [port("image", { ...IMAGE, "x-many": "first" }), port("model", MODEL)]),
  {
    ...pass,
    service: "ask",
    inputs: [],
    outputs: [],
    parameters: [
      { name: "form", schema: { type: "object", "x-ports": "outputs" }, required: false },
      { name: "buttons", schema: { type: "array", "x-branches": true }, required: false },
    ],
  },
  { ...pass, service: "away", engines: pass.engines.map((engine) => ({ ...engine, live: false })), live: false },
];

/** The sample library with nodes of ComfyUI, one whose parameters make ports and one that nothing offers. */
export const editLibrary: Library = {
  find: (plane, service) =>
    MORE.find((definition) => definition.plane === plane && definition.service === service) ?? sampleLibrary.find(plane, service),
  all: () => [...sampleLibrary.all(), ...MORE],
};

const SERVICES = [
  "say",
  "say",
  "hear",
  "pass",
  "pass",
  "ask",
  "away",
  "nowhere",
  "graph.call",
  "graph.call",
  "Load",
  "Draw",
  "Draw",
  "Sampler",
];
const PORTS = ["text", "sound", "value", "model", "latent", "image", "left", "x"];
const NAMES = ["d0", "d1", "d2", "d3"];
const VALUES: readonly unknown[] = [
  "",
  "b",
  "left",
  3,
  null,
  true,
  ["left", "right"],
  { properties: { x: { type: "string" } } },
  "d1",
  "d2",
];
const CONDITIONS: readonly unknown[] = ["output.text == 'a'", "true", "1 +", 7, "output.value > 1"];

/** What an edit may change of a level. */
type Body = Pick<Graph, "nodes" | "edges"> & { metadata?: Record<string, unknown>; context?: Record<string, unknown> };
type Some = Record<string, unknown>;

const changed = <T>(list: readonly T[], at: number, change: (element: T) => T): T[] =>
  list.map((one, index) => (index === at ? change(one) : one));
const without = (all: Some | undefined, key: string): Some => Object.fromEntries(Object.entries(all ?? {}).filter(([one]) => one !== key));

/** One edit of a graph, at its own level or in one of its definitions. */
export function edited(graph: Graph, next: Next): Graph {
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const definitions = graph.metadata?.definitions as Record<string, Body> | undefined;
  const names = Object.keys(definitions ?? {});
  const withDefinitions = (all: Some): Graph => ({ ...graph, metadata: { ...graph.metadata, definitions: all } });
  switch (next(12)) {
    case 0: {
      const name = pick(NAMES);
      return withDefinitions(
        definitions?.[name] ? without(definitions, name) : { ...definitions, [name]: { nodes: [freshNode(next)], edges: [] } },
      );
    }
    case 1:
    case 2: {
      if (!definitions || names.length === 0) return editedBody(graph, next) as Graph;
      const name = pick(names);
      return withDefinitions({ ...definitions, [name]: editedBody(definitions[name] as Body, next) });
    }
    case 3:
      return { ...graph, context: next(2) ? { ...graph.context } : { ...graph.context, [pick(PORTS)]: pick(VALUES) } };
    default:
      return editedBody(graph, next) as Graph;
  }
}

function freshNode(next: Next): GraphNode {
  const service = SERVICES[next(SERVICES.length)] as string;
  return nodeOf(`n${next(30)}`, service, service === "graph.call" ? { definition: NAMES[next(NAMES.length)] } : undefined);
}

function nodeOf(id: string, service: string, params?: object): GraphNode {
  const plane = /^[A-Z]/.test(service) ? "comfy" : "node";
  return { id, service, plane, status: "pending", ...(params ? { params } : {}) } as GraphNode;
}

function editedBody(body: Body, next: Next): Body {
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const { nodes, edges, metadata } = body;
  const id = nodes.length > 0 ? pick(nodes).id : "n0";
  const nodesAre = (list: readonly GraphNode[]): Body => ({ ...body, nodes: list as Graph["nodes"] });
  const at = next(Math.max(1, nodes.length));
  const setting = (value: Some): Body => {
    const all = metadata?.nodes as Record<string, Some> | undefined;
    return { ...body, metadata: { ...metadata, nodes: { ...all, [id]: { ...all?.[id], ...value } } } };
  };
  switch (next(19)) {
    case 0: {
      const node = freshNode(next);
      if (nodes.some((one) => one.id === node.id) || nodes.length > 20) return body;
      return nodesAre([...nodes.slice(0, at), node, ...nodes.slice(at)]);
    }
    case 1:
      return { ...nodesAre(nodes.filter((node) => node.id !== id)), edges: edges.filter(({ from, to }) => from !== id && to !== id) };
    case 2:
      return next(3) ? body : nodesAre([...nodes].reverse());
    case 3:
    case 4:
    case 5:
      return nodesAre(
        changed(
          nodes,
          at,
          (node) =>
            ({
              ...node,
              params: { ...node.params, [pick([...PORTS, "form", "buttons", "definition", "file"])]: pick(VALUES) },
            }) as GraphNode,
        ),
      );
    case 6:
      return setting(
        pick([
          { engine: "one" },
          { engine: "two" },
          { engine: "auto" },
          { disabled: true },
          { disabled: false },
          { pinned: { text: "a" } },
          { version: "2" },
          { outputs: { image: "all" } },
          { outputs: { image: "first", gone: "all" } },
          {},
        ]),
      );
    case 16:
    case 17:
      return setting({ bypassed: !(metadata?.nodes as Record<string, Some> | undefined)?.[id]?.bypassed });
    case 7:
      return { ...body, metadata: { ...metadata, nodes: without(metadata?.nodes as Some | undefined, id) } };
    case 8: {
      const to = { node: id, port: pick(PORTS) };
      const more = {
        inputs: [{ name: "asked", to: [to], ...(next(2) ? { default: 1 } : {}) }],
        outputs: [{ name: "given", from: { node: pick(nodes)?.id ?? "n0", port: pick(PORTS) } }],
      };
      return { ...body, metadata: next(3) ? { ...metadata, interface: more } : without(metadata, "interface") };
    }
    case 9:
      return { ...body, edges: edges.filter((_, index) => index !== next(edges.length)) };
    case 10:
      return edges.length === 0
        ? body
        : {
            ...body,
            edges: changed(edges, next(edges.length), (edge) => ({ ...edge, metadata: { ...edge.metadata, when: pick(CONDITIONS) } })),
          };
    default: {
      if (nodes.length === 0 || edges.length > 40) return body;
      const [a, b] = [next(nodes.length), next(nodes.length)];
      return { ...body, edges: [...edges, freshEdge(nodes[Math.min(a, b)]?.id ?? "", nodes[Math.max(a, b)]?.id ?? "", edges, next)] };
    }
  }
}

const WIRES = ["text", "sound", "value", "model", "image"].map((name) => [name, name] as const);
const ODD_WIRES = [
  ["left", "value"],
  ["x", "text"],
  ["image", "model"],
  ["text", "nowhere"],
] as const;

function freshEdge(from: string, to: string, edges: readonly GraphEdge[], next: Next): GraphEdge {
  const [sourcePort, targetPort] = next(4) ? (WIRES[next(WIRES.length)] ?? []) : (ODD_WIRES[next(ODD_WIRES.length)] ?? []);
  const wire = next(4) ? { sourcePort, targetPort } : {};
  const kind = next(10);
  const along = edges[next(Math.max(1, edges.length))] ?? { from, to };
  if (kind < 2) return { from: along.to, to: along.from, metadata: { ...wire, loop: { maxIterations: next(5) } } } as GraphEdge;
  if (kind === 2) return { from, to, metadata: { ...wire, map: { limit: next(3) } } } as GraphEdge;
  if (kind === 3) return { from, to, kind: "on_failure", metadata: wire } as GraphEdge;
  return { from, to, metadata: { ...wire, ...(kind === 4 ? { when: CONDITIONS[next(CONDITIONS.length)] } : {}) } } as GraphEdge;
}

/** What edits start from: a node that names another server than the one before it is in its region only while it is bypassed. */
export const FIRST: Graph = {
  schema: "langgraph.v1",
  workflowId: "edited",
  nodes: ["Load", "Draw", "Draw", "say", "hear", "pass", "ask"].map((service, at) => nodeOf(`f${at}`, service)) as Graph["nodes"],
  edges: [
    { from: "f0", to: "f1", metadata: { sourcePort: "model", targetPort: "model" } },
    { from: "f1", to: "f2", metadata: { sourcePort: "image", targetPort: "image" } },
  ] as GraphEdge[] as Graph["edges"],
  metadata: { nodes: { f1: { engine: "one" }, f2: { engine: "two" } } },
};
