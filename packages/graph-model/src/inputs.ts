// DESIGN G2: where each input of each node takes its value from.
import { edgeMetadata, type Graph, type GraphNode } from "./graph.ts";
import { declaredInterface } from "./interface.ts";
import type { Define } from "./library.ts";
import { comfyType, type Port, portKind, typesFit } from "./ports.ts";
import { type Topology, topology } from "./topology.ts";

/**
 * - wire: an edge that names the port. - interface: a public input that names the port.
 * - upstream: the nearest upstream output of that name and a type that fits. - param: the node's `params`.
 * - run: the run's inputs or the graph's context, by name. - default: the schema's. - none: optional, and stays away.
 */
export type InputSource = { node: GraphNode; port: Port } & (
  | { kind: "wire" | "upstream"; from: string; output: string }
  | { kind: "interface"; input: string; otherwise?: { from: string; output: string } | "param" }
  | { kind: "param" | "run" | "default" | "none" }
);

export function inputSources(graph: Graph, define: Define, shape: Topology = topology(graph)): InputSource[] {
  const promised = new Map(
    declaredInterface(graph).inputs.flatMap((input) => input.to.map((to) => [`${to.node}\n${to.port}`, input.name])),
  );
  const producers = new Producers(graph, define, shape);
  return graph.nodes.flatMap((node) => {
    const definition = define(node);
    if (!definition) return [];
    const wires = wiresInto(shape, node.id);
    return definition.inputs.map((port) =>
      sourceOf(graph, node, port, wires.get(port.name), producers, promised.get(`${node.id}\n${port.name}`)),
    );
  });
}

/** By target port; of several wires into one port the first counts. */
function wiresInto(shape: Topology, id: string): Map<string, { from: string; output: string }> {
  const wires = new Map<string, { from: string; output: string }>();
  for (const edge of shape.incoming.get(id) ?? []) {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    if (sourcePort && targetPort && !wires.has(targetPort)) wires.set(targetPort, { from: edge.from, output: sourcePort });
  }
  return wires;
}

/**
 * The nearest upstream producer of a name, for every node at once: the producers of the name are carried forward along the
 * edges, one step at a time, so that a name costs one walk over the graph however many inputs ask for it, and none where
 * nothing produces it.
 */
class Producers {
  private readonly byName = new Map<string, { from: string; output: Port }[]>();
  private readonly rank: ReadonlyMap<string, number>;
  /** By name and type of the input: of each node its nearest producer. */
  private readonly nearest = new Map<string, ReadonlyMap<string, string>>();

  constructor(
    graph: Graph,
    define: Define,
    private readonly shape: Topology,
  ) {
    this.rank = new Map(graph.nodes.map((node, index) => [node.id, index]));
    for (const node of shape.node.values())
      for (const output of define(node)?.outputs ?? []) {
        const list = this.byName.get(output.name);
        if (list) list.push({ from: node.id, output });
        else this.byName.set(output.name, [{ from: node.id, output }]);
      }
  }

  find(id: string, port: Port): { from: string; output: string } | undefined {
    const offers = this.byName.get(port.name);
    if (!offers) return undefined;
    const key = `${port.name}\n${port.type}`;
    const nearest =
      this.nearest.get(key) ?? this.carry(offers.filter(({ output }) => typesFit(output.type, port.type)).map(({ from }) => from));
    this.nearest.set(key, nearest);
    const from = nearest.get(id);
    return from === undefined ? undefined : { from, output: port.name };
  }

  /** Of producers equally far away the first in `nodes` wins. */
  private carry(producers: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    const own = new Set(producers);
    let front = new Map(producers.map((id) => [id, id]));
    while (front.size > 0) {
      const reached = new Map<string, string>();
      for (const [id, producer] of front)
        for (const next of this.shape.successors.get(id) ?? []) {
          if (next === producer || found.has(next)) continue;
          const other = reached.get(next);
          if (other === undefined || this.before(producer, other)) reached.set(next, producer);
        }
      for (const [id, producer] of reached) found.set(id, producer);
      front = new Map([...reached].filter(([id]) => !own.has(id))); // behind a producer it is the nearer one
    }
    return found;
  }

  private before(a: string, b: string): boolean {
    return (this.rank.get(a) ?? 0) < (this.rank.get(b) ?? 0);
  }
}

function sourceOf(
  graph: Graph,
  node: GraphNode,
  port: Port,
  wire: { from: string; output: string } | undefined,
  producers: Producers,
  promised: string | undefined,
): InputSource {
  const at = { node, port };
  if (wire) return { ...at, kind: "wire", ...wire };
  const byName = takesByName(port);
  const near = byName ? producers.find(node.id, port) : undefined;
  const own = Object.hasOwn(node.params ?? {}, port.name);
  if (promised !== undefined)
    return { ...at, kind: "interface", input: promised, ...(near ? { otherwise: near } : own ? { otherwise: "param" as const } : {}) };
  if (near) return { ...at, kind: "upstream", ...near };
  if (own) return { ...at, kind: "param" };
  if (portKind(port.type) === "opaque") return { ...at, kind: "none" };
  if ((byName && Object.hasOwn(graph.context ?? {}, port.name)) || (port.required && !("default" in port.schema)))
    return { ...at, kind: "run" };
  return { ...at, kind: "default" in port.schema ? "default" : "none" };
}

/**
 * A port of ComfyUI takes what is wired to it or set on it, and no more (docs/decisions/0010): its names (`width`, `seed`,
 * `text`) are everywhere in a workflow and mean something else each time.
 */
const takesByName = (port: Port): boolean => comfyType(port.schema) === undefined;

/** Outputs by node id, as far as they are known. */
export type Outputs = (node: string) => Readonly<Record<string, unknown>> | undefined;

/**
 * The values a node gets. A source that gives nothing falls through to the run's inputs, the context and the default,
 * in this order; ports that get no value are absent.
 */
export function resolveInputs(
  sources: readonly InputSource[],
  outputs: Outputs,
  run: Readonly<Record<string, unknown>>,
  context: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const source of sources) {
    const value = valueFrom(source, outputs, run, context);
    if (value !== undefined) values[source.port.name] = value;
  }
  return values;
}

function valueFrom(
  source: InputSource,
  outputs: Outputs,
  run: Readonly<Record<string, unknown>>,
  context: Readonly<Record<string, unknown>>,
): unknown {
  const { name, schema } = source.port;
  const param = source.node.params?.[name];
  const own = (record: Readonly<Record<string, unknown>>, key: string) => (Object.hasOwn(record, key) ? record[key] : undefined);
  const late = () => own(run, name) ?? own(context, name) ?? schema.default;
  switch (source.kind) {
    case "wire":
      return outputs(source.from)?.[source.output];
    case "upstream":
      return outputs(source.from)?.[source.output] ?? param ?? late();
    case "interface": {
      const near = source.otherwise;
      const fallback = near === undefined || near === "param" ? undefined : outputs(near.from)?.[near.output];
      return own(run, source.input) ?? fallback ?? param ?? late();
    }
    case "param":
      return param;
    case "run":
      return late();
    default:
      return takesByName(source.port) ? late() : schema.default;
  }
}
