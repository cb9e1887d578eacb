// DESIGN G2: where each input of each node takes its value from.

import type { NodeParts } from "./definitions.ts";
import { edgeMetadata, type Graph, type GraphEdge, type GraphNode } from "./graph.ts";
import { declaredInterface } from "./interface.ts";
import { LIMITS } from "./limits.ts";
import { comfyType, type Port, portKind, typesFit } from "./ports.ts";
import type { Neighbours } from "./topology.ts";

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

/** What `Supply` reads of a level. */
interface Level {
  graph: Graph;
  nodes: readonly Pick<NodeParts, "node" | "definition" | "passes">[];
  neighbours: Pick<Neighbours, "index" | "incoming" | "following">;
}

/**
 * Who gives what at one level. Depends on the wires, the definitions of all nodes, the interface and the context, and on no
 * parameter, so that it stays while one is edited.
 */
export class Supply {
  private readonly promised: ReadonlyMap<string, string>;
  private readonly producers: Producers;
  private readonly incoming: Neighbours["incoming"];
  private readonly context: Readonly<Record<string, unknown>>;

  constructor({ graph, nodes, neighbours }: Level) {
    const { inputs } = declaredInterface(graph);
    this.promised =
      inputs.length === 0
        ? NOTHING_PROMISED
        : new Map(inputs.flatMap((input) => input.to.map((to) => [address(to.node, to.port), input.name])));
    this.producers = new Producers(nodes, neighbours);
    this.incoming = neighbours.incoming;
    this.context = graph.context ?? {};
  }

  /** More names are taken from upstream than are looked for: from then on none is found any more. */
  get hasTooManyNames(): boolean {
    return this.producers.isTooMuch;
  }

  /** Of each input of a node, in their order. */
  sourcesOf({ node, definition, passes }: Pick<NodeParts, "node" | "definition" | "passes">): InputSource[] {
    if (!definition) return [];
    const wires = wiresInto(this.incoming.get(node.id) ?? []);
    const passedOn = passes && new Set(passes.values());
    return definition.inputs.map((port) => {
      const source = this.sourceOf(node, port, wires?.get(port.name));
      // Nobody is asked for what a bypassed node does nothing with.
      return source.kind === "run" && passedOn?.has(port.name) === false ? { node, port, kind: "none" } : source;
    });
  }

  private sourceOf(node: GraphNode, port: Port, wire: { from: string; output: string } | undefined): InputSource {
    if (wire) return { node, port, kind: "wire", from: wire.from, output: wire.output };
    const byName = takesByName(port);
    const near = givenByName(port) ? this.producers.find(node.id, port) : undefined;
    const own = Object.hasOwn(node.params ?? {}, port.name);
    const promised = this.promised.size > 0 ? this.promised.get(address(node.id, port.name)) : undefined;
    if (promised !== undefined)
      return {
        node,
        port,
        kind: "interface",
        input: promised,
        ...(near !== undefined ? { otherwise: { from: near, output: port.name } } : own ? { otherwise: "param" as const } : {}),
      };
    if (near !== undefined) return { node, port, kind: "upstream", from: near, output: port.name };
    if (own) return { node, port, kind: "param" };
    if (portKind(port.type) === "opaque") return { node, port, kind: "none" };
    if ((byName && Object.hasOwn(this.context, port.name)) || (port.required && !("default" in port.schema)))
      return { node, port, kind: "run" };
    return { node, port, kind: "default" in port.schema ? "default" : "none" };
  }
}

const NOTHING_PROMISED: ReadonlyMap<string, string> = new Map();
const address = (node: string, port: string): string => `${node}\n${port}`;

/** By target port; of several wires into one port the first counts. */
function wiresInto(edges: readonly GraphEdge[]): Map<string, { from: string; output: string }> | undefined {
  let wires: Map<string, { from: string; output: string }> | undefined;
  for (const edge of edges) {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    if (!sourcePort || !targetPort || wires?.has(targetPort)) continue;
    wires ??= new Map();
    wires.set(targetPort, { from: edge.from, output: sourcePort });
  }
  return wires;
}

/**
 * The nearest upstream producer of a name, for every node at once: the producers of the name are carried forward along the
 * edges, one step at a time, so that a name costs one walk over the graph however many inputs ask for it, and none where
 * nothing produces it. Nodes are numbered by their place in the list: the walks are what names times nodes cost.
 */
class Producers {
  /** By name: the outputs of that name, each with the places of the nodes that have it. Nodes of one kind share their ports. */
  private readonly byName = new Map<string, Map<Port, number[]>>();
  /** By name and type of the input: of each node the place of its nearest producer, -1 without one. */
  private readonly nearest = new Map<string, Int32Array>();
  private readonly nearestOf = new Map<Port, Int32Array | undefined>();
  /** By place: whose name arrives there in the walk's next step, -1 for nobody's. */
  private arriving: Int32Array | undefined;
  /** Nodes that the walks have looked at. */
  private visits = 0;
  isTooMuch = false;

  constructor(
    private readonly nodes: Level["nodes"],
    private readonly neighbours: Level["neighbours"],
  ) {
    for (let at = 0; at < nodes.length; at++) {
      const { node, definition, passes } = nodes[at] as Level["nodes"][number];
      if (!definition || neighbours.index.get(node.id) !== at) continue;
      for (const output of definition.outputs) if (passes?.has(output.name) !== false) this.add(output, at);
    }
  }

  private add(output: Port, at: number): void {
    const offers = this.byName.get(output.name);
    const places = offers?.get(output);
    if (places) places.push(at);
    else if (offers) offers.set(output, [at]);
    else this.byName.set(output.name, new Map([[output, [at]]]));
  }

  /** The id of the node whose output of the port's name the node takes. */
  find(id: string, port: Port): string | undefined {
    if (!this.nearestOf.has(port)) this.nearestOf.set(port, this.nearestTo(port));
    return this.nodes[this.nearestOf.get(port)?.[this.neighbours.index.get(id) ?? -1] ?? -1]?.node.id;
  }

  private nearestTo(port: Port): Int32Array | undefined {
    const offers = this.byName.get(port.name);
    if (!offers) return undefined;
    const key = `${port.name}\n${port.type}`;
    const known = this.nearest.get(key);
    if (known || this.isTooMuch) return known;
    const found = this.carry([...offers].flatMap(([output, places]) => (fitsByName(output, port) ? places : [])));
    this.nearest.set(key, found);
    this.isTooMuch = this.visits > LIMITS.visits;
    return found;
  }

  /** Of producers equally far away the first in `nodes` wins. */
  private carry(producers: readonly number[]): Int32Array {
    this.arriving ??= new Int32Array(this.nodes.length).fill(-1);
    const { arriving } = this;
    const { from, to } = this.neighbours.following;
    const found = new Int32Array(this.nodes.length).fill(-1);
    const own = new Set(producers);
    this.visits += this.nodes.length;
    const front = [...producers];
    const reached: number[] = [];
    for (let isFirst = true; front.length > 0; isFirst = false) {
      for (const at of front) {
        const producer = isFirst ? at : (found[at] as number);
        for (let place = from[at] as number; place < (from[at + 1] as number); place++) {
          const next = to[place] as number;
          this.visits++;
          if (next === producer || found[next] !== -1) continue;
          const other = arriving[next] as number;
          if (other === -1) reached.push(next);
          if (other === -1 || producer < other) arriving[next] = producer;
        }
      }
      front.length = 0;
      for (const at of reached) {
        found[at] = arriving[at] as number;
        arriving[at] = -1;
      }
      for (const at of reached) if (!own.has(at)) front.push(at); // behind a producer it is the nearer one
      reached.length = 0;
    }
    return found;
  }
}

/**
 * A port of ComfyUI takes what is wired to it or set on it, and no more (docs/decisions/0010): its names (`width`, `seed`,
 * `text`) are everywhere in a workflow and mean something else each time.
 */
const takesByName = (port: Port): boolean => comfyType(port.schema) === undefined;

/** Whether an input without a wire takes an upstream output of its name: a constant does not, because an edge to it is meant as order. */
export const givenByName = (port: Port): boolean => takesByName(port) && port.schema["x-by-name"] !== false;

/** As `typesFit`, but for an output of any type: a wire says that it is meant, a name alone does not. */
const fitsByName = (output: Port, port: Port): boolean =>
  typesFit(output.type, port.type) && (output.type !== "any" || port.type === "any");

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
