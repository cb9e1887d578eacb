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
  const rank = new Map(graph.nodes.map((node, index) => [node.id, index]));
  return graph.nodes.flatMap((node) => {
    const definition = define(node);
    if (!definition) return [];
    const nearest = new Nearest(shape, define, rank, node.id);
    return definition.inputs.map((port) => sourceOf(graph, shape, node, port, nearest, promised.get(`${node.id}\n${port.name}`)));
  });
}

/** Looks upstream, one step further at a time and only as far as somebody asks: most ports are wired and need none of it. */
class Nearest {
  private readonly offers: { from: string; output: Port }[] = [];
  private readonly seen: Set<string>;
  private front: string[];

  constructor(
    private readonly shape: Topology,
    private readonly define: Define,
    private readonly rank: ReadonlyMap<string, number>,
    id: string,
  ) {
    this.seen = new Set([id]);
    this.front = [...(shape.predecessors.get(id) ?? [])];
  }

  find(fits: (output: Port) => boolean): { from: string; output: string } | undefined {
    let found = this.offers.find(({ output }) => fits(output));
    while (!found && this.front.length > 0) found = this.step().find(({ output }) => fits(output));
    return found && { from: found.from, output: found.output.name };
  }

  private step(): { from: string; output: Port }[] {
    const fresh = [...new Set(this.front)]
      .filter((id) => !this.seen.has(id))
      .sort((a, b) => (this.rank.get(a) ?? 0) - (this.rank.get(b) ?? 0));
    for (const id of fresh) this.seen.add(id);
    this.front = fresh.flatMap((id) => [...(this.shape.predecessors.get(id) ?? [])]);
    const offers = fresh.flatMap((id) => {
      const node = this.shape.node.get(id);
      return ((node && this.define(node)?.outputs) ?? []).map((output) => ({ from: id, output }));
    });
    this.offers.push(...offers);
    return offers;
  }
}

function sourceOf(graph: Graph, shape: Topology, node: GraphNode, port: Port, nearest: Nearest, promised: string | undefined): InputSource {
  const at = { node, port };
  for (const edge of shape.incoming.get(node.id) ?? []) {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    if (targetPort === port.name && sourcePort) return { ...at, kind: "wire", from: edge.from, output: sourcePort };
  }
  const byName = takesByName(port);
  const near = byName ? nearest.find((output) => output.name === port.name && typesFit(output.type, port.type)) : undefined;
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
