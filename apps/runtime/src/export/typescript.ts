// A graph as a program of its own: TypeScript that needs LangGraph and the services' functions, and nothing of Spindle.
import { readFileSync } from "node:fs";
import {
  declaredInterface,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  givenByName,
  type InputSource,
  type Level,
  type Library,
  type PlanBody,
  type Resolved,
  type ResolvedNode,
  record,
  resolve,
} from "@spindle/graph-model";
import { endPrefixes } from "../engine/outputs.ts";

/** Text of a prelude without the part that is for its own file. */
const prelude = (name: string): string => {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return text.slice(text.indexOf("import "), text.indexOf("\n// ---\n"));
};

/** @returns a module that exports `run(services, inputs)`; the graph has been validated */
export function exportTypeScript(graph: Graph, library: Library): string {
  const resolved = resolve(graph, library);
  const names = definitionsUsed(resolved);
  const own = new Map(names.map((name, index) => [name, `graph${index}`]));
  const parts = names.map((name) => new LevelText(resolved.level(name), own.get(name) as string, (one) => own.get(one) as string));
  const services = [...new Set(parts.flatMap((part) => part.services))].sort();
  const hasConditions = parts.some((part) => part.hasConditions);
  return [
    `// ${oneLine(graph.workflowId)}, exported from Spindle.`,
    `// It needs @langchain/langgraph${hasConditions ? " and @bufbuild/cel" : ""}, and a function for each service:`,
    ...services.map((service) => `//   ${oneLine(service)}`),
    prelude("prelude.ts").trimEnd(),
    ...(hasConditions ? ["", prelude("prelude-condition.ts").trimEnd()] : []),
    ...parts.map((part) => `\n${part.text()}`),
    "",
    "/** Runs the graph. @param services by name, those listed at the top */",
    "export async function run(services: ServiceTable, inputs: Values = {}) {",
    '  const { outputs, states, failed } = await runLevel(graph0, services, inputs, "");',
    '  return { status: failed.length > 0 ? ("failed" as const) : ("succeeded" as const), outputs, states, failed };',
    "}",
    "",
  ].join("\n");
}

/** The graph itself, and each definition that a call needs. */
function definitionsUsed(resolved: Resolved): string[] {
  const names = new Set([""]);
  for (const name of names) // grows meanwhile
    for (const { element, passes } of resolved.level(name).nodes) if (element?.calls !== undefined && !passes) names.add(element.calls);
  return [...names];
}

class LevelText {
  readonly services: string[];
  readonly hasConditions: boolean;
  private readonly names = new Map<string, string>();

  constructor(
    private readonly level: Level,
    private readonly own: string,
    private readonly other: (definition: string) => string,
  ) {
    this.services = level.nodes.filter(({ element, passes }) => element?.calls === undefined && !passes).map(({ node }) => node.service);
    this.hasConditions = level.graph.edges.some((edge) => edgeMetadata(edge).when != null);
  }

  text(): string {
    const { graph, plan } = this.level;
    const bodies = [...plan.loops.values()].reverse(); // an inner loop before the one around it
    const forward = graph.edges.filter((edge) => !edgeMetadata(edge).loop);
    const about = `${this.own}Level`;
    return [
      `const ${about} = level([${forward.map((edge) => `\n  ${this.edge(edge)},`).join("")}\n]);`,
      ...depthFirst(bodies).map((loop) => `const ${this.bodyName(loop)} = ${this.stateGraph(loop, about)};`),
      `const ${this.own}: Level = {\n  graph: ${indent(this.stateGraph(plan.root, about))},\n  ${this.outputs(graph)},\n};`,
    ].join("\n\n");
  }

  private stateGraph(body: PlanBody, about: string): string {
    const lines = ["new StateGraph(State)"];
    const edges: string[] = [];
    for (const item of this.items(body)) {
      const loop = this.level.plan.loops.get(item);
      const name = this.name(item);
      if (loop) {
        lines.push(
          `  .addNode(${q(name)}, ${about}.loop(${this.loop(loop)}, ${this.bodyName(loop)}))`,
          `  .addNode(${q(`${name}_over`)}, () => ({}))`,
        );
        edges.push(
          `  .addConditionalEdges(${q(name)}, ({ visits }) => (visits[${q(item)}] === -1 ? ${q(`${name}_over`)} : ${q(name)}), [${q(name)}, ${q(`${name}_over`)}])`,
        );
      } else lines.push(`  .addNode(${q(name)}, ${about}.node(${this.node(item)}))`);
      const before = this.before(body, item).map((one) => (this.level.plan.loops.has(one) ? `${this.name(one)}_over` : this.name(one)));
      edges.push(`  .addEdge(${before.length === 0 ? "START" : before.length === 1 ? q(before[0]) : q(before)}, ${q(name)})`);
    }
    return [...lines, ...edges, "  .compile() as Compiled"].join("\n");
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
    const plain = /^[A-Za-z][\w-]*$/.test(item) && !["results", "states", "failed", "visits"].includes(item) && !item.endsWith("_over");
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
    const required = sources.filter(({ port }) => port.required).map(({ port }) => port.name);
    const wired = sources.filter(({ kind, port }) => kind === "wire" || !givenByName(port)).map(({ port }) => port.name);
    const parts = [`id: ${q(id)}`, `service: ${q(node.service)}`];
    if (parameters.length > 0 && !passes) parts.push(`parameters: ${q(Object.fromEntries(parameters))}`);
    if (inputs.length > 0) parts.push(`inputs: ${q(Object.fromEntries(inputs))}`);
    if (required.length > 0 && !passes) parts.push(`required: ${q(required)}`);
    if (wired.length > 0) parts.push(`wired: ${q(wired)}`);
    if (isOff) parts.push("off: true");
    if (passes) parts.push(`passes: ${q(Object.fromEntries(passes))}`);
    else if (settings.pinned) parts.push(`pinned: ${q(settings.pinned)}`);
    if (mapped) parts.push(`map: ${q(this.fanOut(mapped, own?.outputs.map((port) => port.name) ?? []))}`);
    if (own?.calls !== undefined && !passes) parts.push(`call: () => ${this.other(own.calls)}`);
    return `{ ${parts.join(", ")} }`;
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

/** Each loop after those inside it. */
function depthFirst(loops: readonly PlanBody[]): PlanBody[] {
  const depth = (loop: PlanBody): number => (loop.parent ? 1 + depth(loop.parent) : 0);
  return [...loops].sort((a, b) => depth(b) - depth(a));
}

const q = (value: unknown): string => JSON.stringify(value);
const indent = (text: string): string => text.replaceAll("\n", "\n  ");
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 120);
