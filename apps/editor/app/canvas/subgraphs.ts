// A part of a graph becomes a subgraph, with one node that calls it in its place; and the other way round.
import {
  CALL,
  declaredInterface,
  definitionGraph,
  definitionNames,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type Issue,
  isLoopEdge,
  isMapEdge,
  type Level,
  type Library,
  labelOf,
  nodePosition,
  nodeSettings,
  type PortAddress,
  type Position,
  record,
  resolve,
  validate,
} from "@spindle/graph-model";
import {
  addNode,
  connect,
  copyOf,
  definitionOf,
  docOf,
  normalise,
  pasteNodes,
  remove,
  removeDefinition,
  type Sheet,
  setDefinition,
  setEdge,
  setEntry,
  setParam,
  sheetGraph,
  sheetOn,
} from "@spindle/graph-model/shared-doc";
import { ME } from "../session/use-document";
import { setBends } from "./bends";
import { freeName } from "./definitions";
import { titleIn } from "./edits";
import { withPlaces } from "./flow";
import { groupsOf } from "./groups";
import { subgraphOf } from "./levels";
import { reach } from "./reach";

interface Known {
  graph: Graph;
  library: Library;
}

/** Said instead of what was asked for. */
export interface Refusal {
  why: string;
}

/** A wire across the edge of a part. One without an edge is taken by name. */
interface Crossing {
  from: PortAddress;
  to: PortAddress;
  edge?: GraphEdge;
}

/** A port of the node that stands for a part, and what of the part it stands for. */
interface Input {
  name: string;
  label: string;
  to: PortAddress[];
}
interface Output {
  name: string;
  label: string;
  from: PortAddress;
}

const sameEnd = (one: PortAddress, other: PortAddress): boolean => one.node === other.node && one.port === other.port;

/** Every value that a node takes from another one, by a wire or by name, in the order of the nodes and of their inputs. */
function takings(graph: Graph, level: Level): Crossing[] {
  const wires = graph.edges.flatMap((edge): Crossing[] => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    if (!sourcePort || !targetPort) return [];
    return [{ from: { node: edge.from, port: sourcePort }, to: { node: edge.to, port: targetPort }, edge }];
  });
  const byName = level.nodes.flatMap(({ node, sources }) =>
    sources.flatMap((source) =>
      source.kind === "upstream"
        ? [{ from: { node: source.from, port: source.output }, to: { node: node.id, port: source.port.name } }]
        : [],
    ),
  );
  const place = ({ to }: Crossing) => {
    const inputs = level.node(to.node)?.definition?.inputs ?? [];
    return [level.wiring.index.get(to.node) ?? 0, inputs.findIndex(({ name }) => name === to.port)] as const;
  };
  return [...wires, ...byName]
    .map((crossing) => ({ crossing, at: place(crossing) }))
    .sort((one, other) => one.at[0] - other.at[0] || one.at[1] - other.at[1])
    .map(({ crossing }) => crossing);
}

/** Why the nodes cannot be one node: the graph would do something else. */
function whyNotOnePart(graph: Graph, ids: ReadonlySet<string>): string | undefined {
  const title = (id: string) => titleIn(graph, id);
  const ahead: Graph = { ...graph, edges: graph.edges.filter((edge) => !isLoopEdge(edge)) };
  const [behind, before] = [reach(ahead, ids, "downstream"), reach(ahead, ids, "upstream")];
  const between = graph.nodes.find(({ id }) => !ids.has(id) && behind.has(id) && before.has(id));
  if (between) return `${title(between.id)} lies between the selected nodes: select it, too.`;
  for (const edge of graph.edges) {
    const [from, to] = [ids.has(edge.from), ids.has(edge.to)];
    const ends = `from ${title(edge.from)} to ${title(edge.to)}`;
    if (isLoopEdge(edge)) {
      if (from !== to) return `The wire back ${ends} would be cut: select both of its ends, or neither.`;
      const start = reach(ahead, [edge.to], "downstream");
      const body = [...reach(ahead, [edge.from], "upstream")].filter((id) => start.has(id));
      if (!from && body.some((id) => ids.has(id)) && [...ids].some((id) => !body.includes(id)))
        return `Only some of the selected nodes are repeated by the wire ${ends}.`;
    }
    const why = from !== to ? whyNotAcross(edge, ends) : undefined;
    if (why) return why;
    const { when } = edgeMetadata(edge);
    if (from && to && typeof when === "string" && /\binputs\b/.test(when))
      return `The condition of the wire ${ends} reads the run's inputs, which a subgraph does not see.`;
  }
  return undefined;
}

/** Why a wire cannot lead into a call or out of one: what it decides would be decided for the whole of it. */
function whyNotAcross(edge: GraphEdge, ends: string): string | undefined {
  const isConditional = Boolean(edgeMetadata(edge).when) || (edge.kind !== undefined && edge.kind !== "normal");
  if (isConditional) return `The wire ${ends} is followed only under a condition: select both of its ends, or neither.`;
  return isMapEdge(edge) ? `The wire ${ends} runs a node for each element of a list: select both of its ends, or neither.` : undefined;
}

/** Puts the nodes into a subgraph of their own, in one step. Its ports are made of the wires that cross its edge. */
export function makeSubgraph(sheet: Sheet, known: Known, nodes: readonly string[]): { id: string } | Refusal {
  const ids = new Set(nodes);
  const why = whyNotOnePart(known.graph, ids);
  if (why) return { why };
  return tried(sheet, known, (on) => ({ id: pack(on, known, ids) }));
}

/** Does it on a copy first: an edit after which the graph has errors that it had not is refused. */
function tried<T extends object>(sheet: Sheet, { graph, library }: Known, edit: (sheet: Sheet) => T | Refusal): T | Refusal {
  const copy = sheetOn(copyOf(docOf(sheet)), definitionOf(sheet));
  const trial = edit(copy);
  if ("why" in trial) return trial;
  const errors = (issues: readonly Issue[]) => issues.filter(({ severity }) => severity === "error");
  const before = new Set(errors(validate(graph, library)).map(({ code, message }) => `${code} ${message}`));
  const made = errors(validate(sheetGraph(copy), library)).find(({ code, message }) => !before.has(`${code} ${message}`));
  return made ? { why: made.message } : sheet.transact(() => edit(sheet), ME);
}

function pack(sheet: Sheet, { graph, library }: Known, ids: ReadonlySet<string>): string {
  const level = resolve(graph, library).root;
  const name = freeName("Subgraph", definitionNames(graph));
  const all = takings(graph, level);
  const into = all.filter(({ from, to }) => !ids.has(from.node) && ids.has(to.node));
  const outOf = all.filter(({ from, to }) => ids.has(from.node) && !ids.has(to.node));
  const declared = declaredInterface(graph);
  // What the run is asked for by name goes on being asked for by that name.
  const asked = level.nodes.flatMap(({ node, sources }) =>
    ids.has(node.id) ? sources.flatMap(({ kind, port }) => (kind === "run" ? [port.name] : [])) : [],
  );
  const inputNames = new Set([...asked, ...Object.keys(graph.context ?? {})]);
  const typeOf = ({ node, port }: PortAddress) => level.node(node)?.definition?.inputs.find((one) => one.name === port)?.type;
  const inputs: Input[] = [];
  const given = new Map<Input, PortAddress>();
  for (const { from, to } of into) {
    const shared = inputs.find(
      (input) => sameEnd(given.get(input) as PortAddress, from) && typeOf(input.to[0] as PortAddress) === typeOf(to),
    );
    if (shared) shared.to.push(to);
    else {
      const input = { ...named(level, to, "inputs", inputNames), to: [to] };
      inputs.push(input);
      given.set(input, from);
    }
  }
  const promised = declared.inputs.flatMap((input) => {
    const to = input.to.filter(({ node }) => ids.has(node));
    return to.length === 0 ? [] : [{ of: input, input: { name: freeName(input.name, inputNames), label: input.label, to } }];
  });
  const outputNames = new Set<string>();
  const outputs: Output[] = [];
  const outputAt = (from: PortAddress): Output => {
    const there = outputs.find((output) => sameEnd(output.from, from));
    if (there) return there;
    const made = { ...named(level, from, "outputs", outputNames), from };
    outputs.push(made);
    return made;
  };
  const leaving = outOf.map((crossing) => ({ ...crossing, output: outputAt(crossing.from) }));
  const shown = declared.outputs.filter(({ from }) => ids.has(from.node)).map((of) => ({ of, output: outputAt(of.from) }));
  for (const { id } of level.ends)
    if (ids.has(id)) for (const { name: port } of level.node(id)?.definition?.outputs ?? []) outputAt({ node: id, port });

  const part = graph.nodes.filter(({ id }) => ids.has(id));
  const inner = graph.edges.filter(({ from, to }) => ids.has(from) && ids.has(to));
  const places = part.flatMap(({ id }) => nodePosition(graph, id) ?? []);
  const settings = part.map(({ id }) => [id, nodeSettings(graph, id)] as const).filter(([, of]) => Object.keys(of).length > 0);
  setDefinition(docOf(sheet), ME, name, {
    nodes: part,
    edges: inner,
    metadata: {
      label: name,
      interface: { inputs: [...inputs, ...promised.map(({ input }) => input)], outputs },
      editor: { positions: Object.fromEntries(part.flatMap(({ id }) => (nodePosition(graph, id) ? [[id, nodePosition(graph, id)]] : []))) },
      ...(settings.length > 0 ? { nodes: Object.fromEntries(settings) } : {}),
    },
  });
  const id = addNode(sheet, ME, { service: CALL, plane: "node", name, params: { definition: name }, position: middle(places) });
  const orders = graph.edges.filter((edge) => !edgeMetadata(edge).sourcePort && ids.has(edge.from) !== ids.has(edge.to));
  const isWired = (from: string, to: string) => all.some((one) => one.from.node === from && one.to.node === to);
  remove(sheet, ME, [...ids]);
  for (const input of inputs) connect(sheet, ME, given.get(input) as PortAddress, { node: id, port: input.name });
  for (const { output, to, edge } of leaving) rewire(sheet, { node: id, port: output.name }, to, edge);
  const ordered = new Set<string>();
  for (const { from, to } of orders) {
    const [start, end] = [ids.has(from) ? id : from, ids.has(to) ? id : to];
    if (isWired(from, to) || ordered.has(`${start} ${end}`)) continue;
    ordered.add(`${start} ${end}`);
    connect(sheet, ME, { node: start }, { node: end });
  }
  for (const { of, input } of promised)
    setEntry(sheet, ME, "inputs", of.name, { to: [...of.to.filter(({ node }) => !ids.has(node)), { node: id, port: input.name }] });
  for (const { of, output } of shown) setEntry(sheet, ME, "outputs", of.name, { from: { node: id, port: output.name } });
  for (const group of groupsOf(graph))
    if (part.every((node) => group.nodes.includes(node.id)))
      setEntry(sheet, ME, "groups", group.id, { nodes: [...group.nodes.filter((one) => !ids.has(one)), id] });
  return id;
}

/** What a port of the call is called: as the port that it stands for, or with the title of its node where several are called so. */
function named(level: Level, { node, port }: PortAddress, side: "inputs" | "outputs", taken: Set<string>): { name: string; label: string } {
  const own = level.node(node)?.definition?.[side].find((one) => one.name === port)?.label ?? labelOf(port, {});
  const isTaken = taken.has(port);
  return { name: freeName(port, taken), label: isTaken ? `${own} of ${titleIn(level.graph, node)}` : own };
}

function middle(places: readonly Position[]): Position {
  if (places.length === 0) return { x: 0, y: 0 };
  const mean = (of: "x" | "y") =>
    Math.round((Math.min(...places.map((each) => each[of])) + Math.max(...places.map((each) => each[of]))) / 2);
  return { x: mean("x"), y: mean("y") };
}

/** A wire with what the old one carried that its target decides by. */
function rewire(sheet: Sheet, from: PortAddress, to: PortAddress, old: GraphEdge | undefined): void {
  const { map, points } = old ? edgeMetadata(old) : {};
  const made = connect(sheet, ME, from, to, map ? "map" : undefined);
  if (map) setEdge(sheet, ME, made, { map });
  if (Array.isArray(points)) setBends(sheet, made, points);
}

/** Puts what a node calls in its place, in one step. The subgraph goes with the last node that calls it. */
export function unpackSubgraph(sheet: Sheet, known: Known, id: string): { ids: string[] } | Refusal {
  const { graph, library } = known;
  const resolved = resolve(graph, library);
  const call = resolved.root.node(id);
  const name = call?.definition?.calls;
  const body = name === undefined ? undefined : definitionGraph(graph, name);
  if (!call || name === undefined || !body) return { why: "The node calls no subgraph." };
  const { disabled, pinned } = call.settings;
  if (disabled || pinned) return { why: "The node is off or pinned, which the nodes in it would not be." };
  if (Object.keys(record(record(record(graph.metadata?.definitions)[name]).context)).length > 0)
    return { why: "The subgraph has a context of its own, which its nodes would lose." };
  for (const edge of graph.edges) {
    if (edge.from !== id && edge.to !== id) continue;
    const why = isLoopEdge(edge)
      ? "A wire leads back into the node."
      : whyNotAcross(edge, `from ${titleIn(graph, edge.from)} to ${titleIn(graph, edge.to)}`);
    if (why) return { why };
  }
  const level = resolved.level(name);
  return tried(sheet, known, (on) => ({ ids: spread(on, known, id, name, level, body) }));
}

function spread(sheet: Sheet, { graph, library }: Known, id: string, name: string, inner: Level, body: Graph): string[] {
  const level = resolve(graph, library).root;
  const call = level.node(id);
  const targets = new Map(
    inner.inputs.map(({ name: input, to }) => {
      const byName = inner.nodes.flatMap(({ node, sources }) =>
        sources.flatMap(({ kind, port }) => (kind === "run" && port.name === input ? [{ node: node.id, port: port.name }] : [])),
      );
      return [input, to.length > 0 ? to : byName] as const;
    }),
  );
  const declared = declaredInterface(body);
  const [end] = inner.ends;
  const origins = new Map(
    (call?.definition?.outputs ?? []).map(({ name: output }) => {
      const from = declared.outputs.find((one) => one.name === output)?.from;
      return [output, from ?? { node: end?.id ?? "", port: output }] as const;
    }),
  );
  const all = takings(graph, level);
  const orders = graph.edges.filter((edge) => !edgeMetadata(edge).sourcePort && (edge.from === id || edge.to === id));
  const starts = body.nodes.filter((node) => !body.edges.some(({ to, ...edge }) => to === node.id && !isLoopEdge({ to, ...edge })));
  const uses = usesOf(normalise(docOf(sheet)).graph, name);
  remove(sheet, ME, [id]);
  const placed = withPlaces(body);
  const places = body.nodes.flatMap((node) => nodePosition(placed, node.id) ?? []);
  const [at, centre] = [nodePosition(graph, id) ?? { x: 0, y: 0 }, middle(places)];
  const corner = { x: Math.min(...places.map(({ x }) => x)), y: Math.min(...places.map(({ y }) => y)) };
  const ids = pasteNodes(sheet, ME, placed, { x: at.x + corner.x - centre.x, y: at.y + corner.y - centre.y });
  const renamed = new Map(body.nodes.map((node, index) => [node.id, ids[index] ?? node.id]));
  const moved = ({ node, port }: PortAddress): PortAddress => ({ node: renamed.get(node) ?? node, port });
  const inputsOf = (port: string) => (targets.get(port) ?? []).map(moved);
  const originOf = (port: string) => moved(origins.get(port) ?? { node: "", port });
  for (const { from, to, edge } of all) {
    if (to.node === id) for (const target of inputsOf(to.port)) rewire(sheet, from, target, edge);
    else if (from.node === id) rewire(sheet, originOf(from.port), to, edge);
  }
  for (const { kind, port } of call?.sources ?? []) {
    const value = kind === "param" ? call?.node.params?.[port.name] : kind === "default" ? port.schema.default : undefined;
    if (value !== undefined) for (const { node, port: input } of inputsOf(port.name)) setParam(sheet, ME, node, input, value);
  }
  for (const { from, to } of orders) {
    if (to === id) for (const start of starts) connect(sheet, ME, { node: from }, { node: renamed.get(start.id) ?? "" });
    else for (const last of inner.ends) connect(sheet, ME, { node: renamed.get(last.id) ?? "" }, { node: to });
  }
  const own = declaredInterface(graph);
  for (const { name: input, to } of own.inputs) {
    if (!to.some(({ node }) => node === id)) continue;
    setEntry(sheet, ME, "inputs", input, { to: to.flatMap((at) => (at.node === id ? inputsOf(at.port) : [at])) });
  }
  for (const { name: output, from } of own.outputs)
    if (from.node === id) setEntry(sheet, ME, "outputs", output, { from: originOf(from.port) });
  for (const group of groupsOf(graph))
    if (group.nodes.includes(id)) setEntry(sheet, ME, "groups", group.id, { nodes: [...group.nodes.filter((one) => one !== id), ...ids] });
  if (uses === 1) removeDefinition(docOf(sheet), ME, name);
  return ids;
}

/** How many nodes call a subgraph, in the graph and in its other subgraphs. @param graph the whole */
export function usesOf(graph: Graph, name: string): number {
  const bodies = [graph, ...definitionNames(graph).flatMap((one) => definitionGraph(graph, one) ?? [])];
  return bodies.flatMap(({ nodes }) => nodes).filter(({ service, params }) => service === CALL && params?.definition === name).length;
}

/** Gives the node a copy of what it calls, which changes with no other node, and follows nothing. */
export function makeUnique(sheet: Sheet, graph: Graph, id: string): void {
  const name = subgraphOf(graph, id);
  if (name === undefined) return;
  const { link: _, ...written } = record(record(graph.metadata?.definitions)[name]);
  const copy = freeName(name, definitionNames(graph));
  sheet.transact(() => {
    setDefinition(docOf(sheet), ME, copy, {
      ...structuredClone(written),
      metadata: { ...structuredClone(record(written.metadata)), label: copy },
    });
    setParam(sheet, ME, id, "definition", copy);
  }, ME);
}
