// A graph as a program of its own: TypeScript that needs LangGraph and the services' functions, and nothing of Spindle.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  declaredInterface,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type GraphNode,
  givenByName,
  type InputSource,
  type Level,
  type Library,
  type NodeDefinition,
  nodeTitle,
  type PlanBody,
  type Port,
  portKind,
  type Resolved,
  type ResolvedNode,
  record,
  resolve,
} from "@spindle/graph-model";
import { committedManifests } from "@spindle/node-library/manifests";
import { endPrefixes } from "../engine/outputs.ts";
import { ROOT } from "../root.ts";
import { carried } from "./carried.ts";

/** @returns a module that exports `graph`, `compile` and `run`; the graph has been validated */
export function exportTypeScript(graph: Graph, library: Library): string {
  const resolved = resolve(graph, library);
  const names = definitionsUsed(resolved);
  const own = new Map(names.map((name, index) => [name, `graph${index}`]));
  const ports = new PortTexts();
  const parts = names.map(
    (name) => new LevelText(resolved.level(name), own.get(name) as string, { ports, library, callee: (one) => own.get(one) as string }),
  );
  const texts = parts.map((part) => `\n${part.text()}`);
  const needs = {
    condition: parts.some((part) => part.hasConditions),
    person: parts.some((part) => part.asksPeople),
    artifact: ports.hasArtifacts,
    nodes: new Map(parts.flatMap((part) => [...part.portable])),
  };
  const { imports, text, packages } = carried(needs);
  const services = [...new Set(parts.flatMap((part) => part.services))].filter((service) => !needs.nodes.has(service)).sort();
  return [
    `// ${oneLine(graph.workflowId)}, exported from Spindle.`,
    `// It needs ${packages.join(", ")}${services.length > 0 ? ", and a function for each service:" : "."}`,
    ...services.map((service) => `//   ${oneLine(service)}`),
    imports,
    "",
    text,
    "",
    ports.text(),
    ...texts,
    "",
    tail(needs.person),
  ].join("\n");
}

const tail = (
  asksPeople: boolean,
): string => `/** The graph, before it is compiled. A thread is invoked with \`{ inputs }\`, and with the services as \`context.services\`. */
export const graph = graph0Builder;

/** @param options \`services\` by name, those listed at the top; \`checkpointer\` and all else that LangGraph takes */
export function compile({ services = {}, recursionLimit = 100_000, ...options }: { services?: ServiceTable; recursionLimit?: number } & Parameters<typeof graph.compile>[0] = {}) {
  return graph.compile(options).withConfig({ context: { services }, recursionLimit });
}

/** What a state of a thread says: how it stands, and the outputs of the graph. */
export const outcome = (state: Now) => outcomeOfState(graph0, state);

/** Runs the graph to its end${asksPeople ? "; `answer` is asked what a person would be" : ""}. */
export async function run(services: ServiceTable, inputs: Values = {}, { answer }: { answer?: Answer } = {}) {
${asksPeople ? '  if (!answer) throw new Error("The graph asks a person: give an `answer`, or use `compile` with a checkpointer.");\n' : ""}  return outcome(await runToEnd((options) => compile({ services, ...options }) as App, inputs, answer));
}
`;

/** The schemas of inputs, each kind of node once. */
class PortTexts {
  hasArtifacts = false;
  private readonly names = new Map<string, string>();

  /** @returns the name of the constant that holds the ports */
  nameOf(ports: readonly Port[]): string {
    this.hasArtifacts ||= ports.some(({ type }) => portKind(type) === "artifact");
    const text = q(ports.map(({ name, label, type, required, schema }) => ({ name, label, type, required, schema })));
    const known = this.names.get(text) ?? `ports${this.names.size}`;
    this.names.set(text, known);
    return known;
  }

  text(): string {
    return [...this.names].map(([text, name]) => `const ${name}: Port[] = ${text};`).join("\n");
  }
}

/** The files of the nodes that a program can carry. They are known from the manifest, since the command line loads no node. */
const portable = new Map(
  committedManifests.node.capabilities.flatMap(({ id, version, contracts, handler }) =>
    contracts?.portable === true ? [[`${id}@${version}`, pathToFileURL(join(ROOT, handler.module))] as const] : [],
  ),
);
const portableFile = ({ plane, service }: GraphNode, element: NodeDefinition | undefined): URL | undefined =>
  plane === "node" && element ? portable.get(`${service}@${element.version}`) : undefined;

/** The graph itself, and each definition that a call needs. */
function definitionsUsed(resolved: Resolved): string[] {
  const names = new Set([""]);
  for (const name of names) // grows meanwhile
    for (const { element, passes } of resolved.level(name).nodes) if (element?.calls !== undefined && !passes) names.add(element.calls);
  return [...names];
}

class LevelText {
  readonly services: string[];
  /** Of the services those that the program can carry, with their files. */
  readonly portable: ReadonlyMap<string, URL>;
  readonly hasConditions: boolean;
  readonly asksPeople: boolean;
  private readonly names = new Map<string, string>();

  constructor(
    private readonly level: Level,
    private readonly own: string,
    private readonly among: { ports: PortTexts; library: Library; callee: (definition: string) => string },
  ) {
    const working = level.nodes.filter(({ element, passes }) => element?.calls === undefined && !passes);
    this.services = working.filter(({ element }) => !element?.human).map(({ node }) => node.service);
    const files = working.map(({ node, element }) => [node.service, portableFile(node, element)] as const);
    this.portable = new Map(files.filter((file): file is [string, URL] => file[1] !== undefined));
    this.asksPeople = working.some(({ element }) => element?.human);
    this.hasConditions = level.graph.edges.some((edge) => edgeMetadata(edge).when != null);
  }

  text(): string {
    const { graph, plan } = this.level;
    const bodies = [...plan.loops.values()].reverse(); // an inner loop before the one around it
    const forward = graph.edges.filter((edge) => !edgeMetadata(edge).loop);
    const about = `${this.own}Level`;
    const builder = `${this.own}Builder`;
    return [
      `const ${about} = level([${forward.map((edge) => `\n  ${this.edge(edge)},`).join("")}\n], ${q(this.titles(forward))});`,
      ...depthFirst(bodies).map((loop) => `const ${this.bodyName(loop)} = ${this.stateGraph(loop, about)};`),
      `const ${builder} = ${this.stateGraph(plan.root, about)};`,
      `const ${this.own}: LevelProgram = {\n  graph: ${builder} as Builder,\n  nodes: ${q(graph.nodes.map(({ id }) => id))},\n  ${this.outputs(graph)},\n};`,
    ].join("\n\n");
  }

  /** What nodes are called in messages about conditions. */
  private titles(edges: readonly GraphEdge[]): Record<string, string> {
    const asked = edges.filter((edge) => edgeMetadata(edge).when != null).map(({ from }) => this.level.node(from)?.node);
    return Object.fromEntries(asked.flatMap((node) => (node?.name ? [[node.id, nodeTitle(node)]] : [])));
  }

  private stateGraph(body: PlanBody, about: string): string {
    const lines = ["new StateGraph(State, Context)"];
    const edges: string[] = [];
    const isWhole = this.own === "graph0" && body === this.level.plan.root;
    if (isWhole) {
      lines.push('  .addNode("begin", begin)');
      edges.push('  .addEdge(START, "begin")');
    }
    const first = isWhole ? q("begin") : "START";
    for (const item of this.items(body)) {
      const loop = this.level.plan.loops.get(item);
      const name = this.name(item);
      if (loop) {
        lines.push(
          `  .addNode(${q(name)}, ${about}.loop(${this.loop(loop)}, ${this.bodyName(loop)} as Builder))`,
          `  .addNode(${q(`${name}_over`)}, () => ({}))`,
        );
        edges.push(
          `  .addConditionalEdges(${q(name)}, ({ visits }) => (visits[${q(item)}] === -1 ? ${q(`${name}_over`)} : ${q(name)}), [${q(name)}, ${q(`${name}_over`)}])`,
        );
      } else lines.push(`  .addNode(${q(name)}, ${about}.node(${this.node(item)}))`);
      const before = this.before(body, item).map((one) => (this.level.plan.loops.has(one) ? `${this.name(one)}_over` : this.name(one)));
      edges.push(`  .addEdge(${before.length === 0 ? first : before.length === 1 ? q(before[0]) : q(before)}, ${q(name)})`);
    }
    return [...lines, ...edges].join("\n");
  }

  /** Regions are Spindle's way to ComfyUI; here their nodes are nodes. */
  private items(body: PlanBody): string[] {
    return body.items.flatMap((item) => this.level.plan.regions.get(item)?.nodes ?? [item]);
  }

  private before(body: PlanBody, item: string): string[] {
    const { plan } = this.level;
    const region = plan.regionOf.get(item);
    const outside = [...(body.predecessors.get(region?.id ?? item) ?? [])].flatMap((one) => plan.regions.get(one)?.nodes ?? [one]);
    const inside = [...(plan.shape.predecessors.get(item) ?? [])].filter((one) => region?.nodes.includes(one));
    return [...new Set([...outside, ...inside])];
  }

  /** A name that LangGraph takes, and that says what it is where the id allows it. */
  private name(item: string): string {
    const known = this.names.get(item);
    if (known) return known;
    const plain = /^[A-Za-z][\w-]*$/.test(item) && !RESERVED.has(item) && !item.endsWith("_over");
    const name = plain ? item : `n${this.names.size}_${item.replaceAll(/[^A-Za-z0-9]+/g, "_")}`;
    this.names.set(item, name);
    return name;
  }

  private bodyName = (loop: PlanBody): string => `${this.own}Body${[...this.level.plan.loops.keys()].indexOf(loop.id)}`;

  private loop({ id, head, tail, maxIterations: max, edge }: PlanBody): string {
    return `{ id: ${q(id)}, head: ${q(head)}, tail: ${q(tail)}, max: ${max}, edge: ${this.edge(edge as GraphEdge)} }`;
  }

  private edge(edge: GraphEdge): string {
    const { when, sourcePort, targetPort } = edgeMetadata(edge);
    const parts = [`from: ${q(edge.from)}, to: ${q(edge.to)}, kind: ${q(edge.kind ?? "normal")}`];
    if (when != null) parts.push(`when: cel(${q(when)}, ${q(this.level.graph.context ?? {})})`);
    if (this.level.branches.has(edge)) parts.push(`branch: ${q(sourcePort)}`);
    if (edgeMetadata(edge).loop && sourcePort && targetPort) parts.push(`sourcePort: ${q(sourcePort)}, targetPort: ${q(targetPort)}`);
    return `{ ${parts.join(", ")} }`;
  }

  private node(id: string): string {
    const { node, element: own, settings, sources, mapped, passes, isOff } = this.level.node(id) as ResolvedNode;
    const values = (own?.parameters ?? []).map(({ name, schema }) => [name, node.params?.[name] ?? schema.default] as const);
    const parameters = values.filter(([, value]) => value !== undefined);
    const inputs = sources.map((source) => [source.port.name, this.chain(source)] as const).filter(([, chain]) => chain.length > 0);
    const wired = sources.filter(({ kind, port }) => kind === "wire" || !givenByName(port)).map(({ port }) => port.name);
    const ports = passes ? "[]" : this.among.ports.nameOf(own?.inputs ?? []);
    const parts = [`id: ${q(id)}`, `title: ${q(nodeTitle(node))}`, `service: ${q(node.service)}`, `ports: ${ports}`];
    if (parameters.length > 0 && !passes) parts.push(`parameters: ${q(Object.fromEntries(parameters))}`);
    if (inputs.length > 0) parts.push(`inputs: ${q(Object.fromEntries(inputs))}`);
    if (wired.length > 0) parts.push(`wired: ${q(wired)}`);
    if (isOff) parts.push("instead: { off: true }");
    else if (passes) parts.push(`instead: { passes: ${q(Object.fromEntries(passes))} }`);
    else if (settings.pinned) parts.push(`instead: { pinned: ${q(settings.pinned)} }`);
    if (mapped) parts.push(`map: ${q(this.fanOut(mapped, own?.outputs.map((port) => port.name) ?? []))}`);
    if (own?.calls !== undefined && !passes) parts.push(`call: () => ${this.among.callee(own.calls)}`);
    if (own?.human && !passes) parts.push(`ask: askPerson(${q(this.form(node, own))})`);
    return `{ ${parts.join(", ")} }`;
  }

  /** Fields and buttons: what a person gives besides what every node of the capability gives. */
  private form({ plane, service }: GraphNode, { outputs }: NodeDefinition) {
    const declared = new Set(this.among.library.find(plane, service)?.outputs.map(({ name }) => name));
    const asked = outputs.filter(({ name }) => !declared.has(name));
    const fields = asked
      .filter(({ branch }) => !branch)
      .map(({ name, label, type, required, schema }) => ({ name, label, type, required, schema }));
    return { fields, buttons: asked.filter(({ branch }) => branch).map(({ name }) => name) };
  }

  private fanOut(edge: GraphEdge, outputs: string[]) {
    const { map, targetPort } = edgeMetadata(edge);
    const { limit, tolerate = 0 } = record(map) as { limit?: number; tolerate?: number };
    return { port: targetPort, ...(limit ? { limit } : {}), tolerate, outputs };
  }

  /** DESIGN G2, as `resolveInputs` has it: the first place that has a value. */
  private chain(source: InputSource): object[] {
    const { name, schema } = source.port;
    const value = (one: unknown) => (one === undefined || one === null ? [] : [{ value: one }]);
    const param = value(source.node.params?.[name]);
    const late = [{ input: name }, ...value(this.level.graph.context?.[name]), ...value(schema.default)];
    if (source.kind === "wire") return [{ from: source.from, output: source.output }];
    if (source.kind === "upstream") return [{ from: source.from, output: source.output }, ...param, ...late];
    if (source.kind === "param") return param;
    if (source.kind !== "interface") return late;
    const near = typeof source.otherwise === "object" ? [{ from: source.otherwise.from, output: source.otherwise.output }] : [];
    return [{ input: source.input }, ...near, ...param, ...late];
  }

  private outputs(graph: Graph): string {
    const declared = declaredInterface(graph).outputs.map(({ name, from }) => ({ name, from: from.node, port: from.port }));
    return `outputs: ${q(declared)},\n  ends: ${q(declared.length > 0 ? [] : endPrefixes(this.level.ends))}`;
  }
}

/** Names of nodes that LangGraph, or the program, keeps for itself: channels among them. */
const RESERVED: ReadonlySet<string> = new Set(["begin", "inputs", "results", "states", "failed", "visits", "scope"]);

/** Each loop after those inside it. */
function depthFirst(loops: readonly PlanBody[]): PlanBody[] {
  const depth = (loop: PlanBody): number => (loop.parent ? 1 + depth(loop.parent) : 0);
  return [...loops].sort((a, b) => depth(b) - depth(a));
}

const q = (value: unknown): string => JSON.stringify(value);
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 120);
