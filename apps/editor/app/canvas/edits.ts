// Edits of the canvas. Each is one step of undo.
import {
  CALL,
  canConnect,
  edgeId,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type GraphNode,
  type Library,
  type NodeDefinition,
  nodePosition,
  nodeSettings,
  nodeTitle,
  type PortAddress,
  type Position,
  portType,
  record,
  resolve,
  writtenDefinition,
} from "@spindle/graph-model";
import {
  addNode,
  changeService,
  connect,
  copyNodes,
  docOf,
  pasteNodes,
  remove,
  removeEntry,
  type Sheet,
  setEdge,
  setEntry,
  setSetting,
  sheetGraph,
} from "@spindle/graph-model/shared-doc";
import type { Note } from "@spindle/schemas";
import { ME } from "../session/use-document";
import { bringCalled, bringShared, calledFrom } from "./definitions";
import { type Join, type Joint, joinable, jointOfWire, keptWires } from "./joint";
import type { Selection } from "./selection";

const APART = 32;

export function titleIn(graph: Graph, id: string): string {
  const node = graph.nodes.find((one) => one.id === id);
  return node ? nodeTitle(node) : id;
}

interface Wire {
  from: PortAddress;
  to: PortAddress;
}

/** Copies the nodes and the wires between them a little lower to the right, or as far away as said. Returns the ids of the copies. */
export function duplicate(sheet: Sheet, ids: readonly string[], away: Position = { x: APART, y: APART }): string[] {
  const copied = copyNodes(sheet, ids);
  if (!copied) return [];
  const places = copied.nodes.map((node) => nodePosition(copied, node.id) ?? { x: 0, y: 0 });
  const at = { x: Math.min(...places.map(({ x }) => x)) + away.x, y: Math.min(...places.map(({ y }) => y)) + away.y };
  return pasteNodes(sheet, ME, copied, at);
}

/** The notes of a graph; those of an import have no id. */
export function notesOf(graph: Graph): Note[] {
  const { notes } = record(graph.metadata?.editor);
  const isPlaced = (note: Note) => typeof note?.position?.x === "number" && typeof note.position.y === "number";
  return Array.isArray(notes) ? (notes as Note[]).filter(isPlaced) : [];
}

/** What copy puts on the clipboard: the nodes with the wires between them, and the notes; undefined if nothing of that is selected. */
export function copySelected(sheet: Sheet, graph: Graph, selection: Pick<Selection, "nodes" | "notes">): Graph | undefined {
  const notes = notesOf(graph).filter(({ id }) => id !== undefined && selection.notes.has(id));
  const copied = copyNodes(sheet, [...selection.nodes]);
  if (!copied && notes.length === 0) return undefined;
  const whole = copied ?? { ...graph, nodes: [], edges: [] };
  const editor = record(whole.metadata?.editor);
  const { definitions: _, ...metadata } = record(whole.metadata);
  const called = calledFrom(whole.nodes, graph).map((name) => [name, writtenDefinition(graph, name)]);
  const definitions = called.length > 0 ? { definitions: Object.fromEntries(called) } : {};
  return { ...whole, metadata: { ...metadata, editor: { ...editor, notes }, ...definitions } } as Graph;
}

/** Adds what was copied under new ids, its upper left corner at `at`, with the subgraphs that it calls. Returns the new ids. */
export function pasteCopied(sheet: Sheet, copied: Graph, at: Position): { nodes: string[]; notes: string[] } {
  const notes = notesOf(copied);
  const cards = copied.nodes.map((node) => nodePosition(copied, node.id) ?? { x: 0, y: 0 });
  const corner = cornerOf([...cards, ...notes.map(({ position }) => position)]);
  const moved = (place: Position) => ({ x: at.x + place.x - corner.x, y: at.y + place.y - corner.y });
  return sheet.transact(
    () => ({
      nodes:
        cards.length > 0 ? pasteNodes(sheet, ME, { ...copied, nodes: bringCalled(docOf(sheet), ME, copied) }, moved(cornerOf(cards))) : [],
      notes: notes.map(({ id: _, position, ...fields }) =>
        setEntry(sheet, ME, "notes", undefined, { ...fields, position: moved(position) }),
      ),
    }),
    ME,
  );
}

const cornerOf = (places: readonly Position[]): Position => ({
  x: Math.min(...places.map(({ x }) => x)),
  y: Math.min(...places.map(({ y }) => y)),
});

/** As `duplicate`, for notes. */
export function duplicateNotes(sheet: Sheet, graph: Graph, ids: ReadonlySet<string>): string[] {
  const { notes } = record(graph.metadata?.editor) as { notes?: Note[] };
  return sheet.transact(
    () =>
      (notes ?? []).flatMap(({ id = "", position, ...fields }) =>
        ids.has(id)
          ? [setEntry(sheet, ME, "notes", undefined, { ...fields, position: { x: position.x + APART, y: position.y + APART } })]
          : [],
      ),
    ME,
  );
}

export function removeSelected(sheet: Sheet, { nodes, edges, notes }: Selection): void {
  sheet.transact(() => {
    remove(sheet, ME, [...nodes], [...edges]);
    for (const note of notes) removeEntry(sheet, ME, "notes", note);
  }, ME);
}

/** Removes the nodes, and wires what came into each of them to where its outputs went, as far as the types fit. */
export function removeAndReconnect(sheet: Sheet, graph: Graph, library: Library, nodes: ReadonlySet<string>): void {
  let left: Graph = {
    ...graph,
    nodes: graph.nodes.filter((node) => !nodes.has(node.id)) as Graph["nodes"],
    edges: graph.edges.filter((edge) => !nodes.has(edge.from) && !nodes.has(edge.to)),
  };
  sheet.transact(() => {
    remove(sheet, ME, [...nodes]);
    for (const wire of [...nodes].flatMap((id) => bridgesOver(graph, id, nodes))) {
      const isWired = left.edges.some((edge) => edge.to === wire.to.node && edgeMetadata(edge).targetPort === wire.to.port);
      if (!isWired) left = wireUp(sheet, left, library, wire);
    }
  }, ME);
}

/** Wires two ports if they fit in the graph as it is by then. Returns the graph with the wire. */
function wireUp(sheet: Sheet, graph: Graph, library: Library, { from, to }: Wire): Graph {
  const answer = canConnect(graph, library, from, to);
  if (!answer.ok) return graph;
  const id = connect(sheet, ME, from, to, answer.as);
  const others = graph.edges.filter((edge, index) => edgeId(edge, index) !== answer.replaces);
  const more = answer.as ? { [answer.as]: {} } : {};
  const made = { from: from.node, to: to.node, metadata: { id, sourcePort: from.port, targetPort: to.port, ...more } } as GraphEdge;
  return { ...graph, edges: [...others, made] };
}

/** Every pair of a wire's start before the node and a wire's end behind it, neither of which goes too. */
function bridgesOver(graph: Graph, id: string, gone: ReadonlySet<string>): Wire[] {
  const data = graph.edges.flatMap((edge) => {
    const { sourcePort, targetPort } = edgeMetadata(edge);
    return sourcePort && targetPort ? [{ from: { node: edge.from, port: sourcePort }, to: { node: edge.to, port: targetPort } }] : [];
  });
  const before = data.filter((wire) => wire.to.node === id && !gone.has(wire.from.node));
  const behind = data.filter((wire) => wire.from.node === id && !gone.has(wire.to.node));
  return behind.flatMap(({ to }) => before.map(({ from }) => ({ from, to })));
}

/** Adds one use of a capability; parameters start with their defaults in the schema, not as copies. */
export function place(sheet: Sheet, definition: NodeDefinition, position: Position): string {
  const { shared, label } = definition;
  if (shared)
    return sheet.transact(() => {
      const params = { definition: bringShared(docOf(sheet), ME, { ...shared, label }) };
      return addNode(sheet, ME, { service: CALL, plane: "node", name: label, position, params });
    }, ME);
  return addNode(sheet, ME, { service: definition.service, plane: definition.plane, name: definition.label, position });
}

/** A graph with its library. */
interface Known {
  graph: Graph;
  library: Library;
}

/** Adds a node and wires it as the joint says, or leaves it without wires if it does not fit. Returns its id, and how it is wired. */
export function insertNode(
  sheet: Sheet,
  { graph, library }: Known,
  definition: NodeDefinition,
  position: Position,
  joint: Joint,
): { id: string; join: Join | undefined } {
  return sheet.transact(() => {
    const id = place(sheet, definition, position);
    const join = joinable(graph, library, joint)(definition);
    if ("why" in join) return { id, join: undefined };
    const { shared } = definition;
    if (shared) return { id, join: wireIn(sheet, { graph: sheetGraph(sheet), library }, id, join, joint.wire) };
    const node: GraphNode = { id, service: definition.service, plane: definition.plane, status: "pending" };
    return { id, join: wireIn(sheet, { graph: { ...graph, nodes: [...graph.nodes, node] }, library }, id, join, joint.wire) };
  }, ME);
}

/** Puts a node that has no wires into a wire. Returns why it does not fit; undefined if it does. */
export function insertIntoWire(sheet: Sheet, { graph, library }: Known, id: string, wire: string): string | undefined {
  const joint = jointOfWire(graph, wire);
  const definition = resolve(graph, library).root.node(id)?.definition;
  if (!joint || !definition) return "Only a wire that carries a value takes a node.";
  const join = joinable(graph, library, joint)(definition);
  if ("why" in join) return join.why;
  sheet.transact(() => wireIn(sheet, { graph, library }, id, join, wire), ME);
  return undefined;
}

/**
 * @param wire what the node is put into: the first half keeps when it is taken, and whether that is after a failure
 * @returns what of the join is wired: an end that does not fit in the graph as it is by now stays open
 */
function wireIn(sheet: Sheet, { graph, library }: Known, id: string, join: Join, wire: string | undefined): Join {
  const old = wire === undefined ? undefined : graph.edges.find((edge, index) => edgeId(edge, index) === wire);
  let now = graph;
  if (old && wire !== undefined) {
    remove(sheet, ME, [], [wire]);
    now = { ...now, edges: now.edges.filter((edge) => edge !== old) };
  }
  if (join.in) now = wireUp(sheet, now, library, { from: join.in.from, to: { node: id, port: join.in.input } });
  const first = now.edges.at(-1);
  if (old && first?.to === id) {
    const { when } = edgeMetadata(old);
    setEdge(sheet, ME, edgeMetadata(first).id ?? "", { ...(old.kind ? { kind: old.kind } : {}), ...(when ? { when } : {}) });
  }
  const before = now;
  if (join.out) now = wireUp(sheet, now, library, { from: { node: id, port: join.out.output }, to: join.out.to });
  return {
    score: join.score,
    ...(join.in && first?.to === id ? { in: join.in } : {}),
    ...(join.out && now !== before ? { out: join.out } : {}),
  };
}

/**
 * Makes the node a use of another capability: its place, settings, parameters and wires stay as far as their names and types fit.
 * Returns how many wires went.
 */
export function replaceNode(sheet: Sheet, { graph, library }: Known, id: string, definition: NodeDefinition): number {
  const { node, definition: before, settings } = resolve(graph, library).root.node(id) ?? {};
  if (!node) return 0;
  const { shared, label } = definition;
  const called = shared && bringShared(docOf(sheet), ME, { ...shared, label });
  if (called !== undefined) graph = sheetGraph(sheet);
  const known = new Map([...(before?.parameters ?? []), ...(before?.inputs ?? [])].map(({ name, schema }) => [name, portType(schema)]));
  const taken = new Map([...definition.parameters, ...definition.inputs].map(({ name, schema }) => [name, portType(schema)]));
  const keeps = (name: string) => taken.has(name) && (known.get(name) ?? taken.get(name)) === taken.get(name);
  const params = Object.fromEntries(Object.entries(node.params ?? {}).filter(([name]) => keeps(name)));
  if (called !== undefined) params.definition = called;
  const name = node.name && node.name !== before?.label ? node.name : definition.label;
  const next = { ...node, service: definition.service, plane: definition.plane, name, params };
  const nodes = graph.nodes.map((one) => (one.id === id ? next : one)) as Graph["nodes"];
  const isOwn = (edge: GraphEdge) => edge.from === id || edge.to === id;
  let now: Graph = { ...graph, nodes, edges: graph.edges.filter((edge) => !isOwn(edge)) };
  const wires = keptWires(graph, library, id)(definition);
  const moved: { id: string; edge: GraphEdge }[] = [];
  const lost: string[] = [];
  for (const { edge, id: wire, ports } of wires) {
    const { sourcePort, targetPort, ...rest } = edgeMetadata(edge);
    if (!ports) lost.push(wire);
    else if (!ports.sourcePort || !ports.targetPort) now = { ...now, edges: [...now.edges, edge] };
    else {
      const [from, to] = [
        { node: edge.from, port: ports.sourcePort },
        { node: edge.to, port: ports.targetPort },
      ];
      if (!canConnect(now, library, from, to).ok) lost.push(wire);
      else {
        const kept = { ...edge, metadata: { ...rest, ...ports } } as GraphEdge;
        now = { ...now, edges: [...now.edges, kept] };
        if (sourcePort !== ports.sourcePort || targetPort !== ports.targetPort) moved.push({ id: wire, edge: kept });
      }
    }
  }
  sheet.transact(() => {
    changeService(sheet, ME, id, { service: next.service, plane: next.plane, name, params });
    remove(sheet, ME, [], [...lost, ...moved.map((wire) => wire.id)]);
    for (const { edge } of moved) {
      const { sourcePort = "", targetPort = "", when, map, loop } = edgeMetadata(edge);
      const as = loop ? "loop" : map ? "map" : undefined;
      const made = connect(sheet, ME, { node: edge.from, port: sourcePort }, { node: edge.to, port: targetPort }, as);
      setEdge(sheet, ME, made, {
        ...(edge.kind ? { kind: edge.kind } : {}),
        ...(when ? { when } : {}),
        ...(map ? { map } : {}),
        ...(loop ? { loop } : {}),
      });
    }
    if (settings?.pinned !== undefined) setSetting(sheet, ME, id, "pinned", undefined);
    if (settings?.engine !== undefined && !definition.engines.some((engine) => engine.id === settings.engine))
      setSetting(sheet, ME, id, "engine", undefined);
  }, ME);
  return lost.length;
}

/** Sets a setting of every node alike: to `value`, or away if all of them have it already. */
export function toggleSetting(
  sheet: Sheet,
  graph: Graph,
  ids: readonly string[],
  name: "disabled" | "bypassed" | "breakpoint",
  value: true | "before",
): void {
  const next = ids.every((id) => nodeSettings(graph, id)[name] === value) ? undefined : value;
  sheet.transact(() => {
    for (const id of ids) setSetting(sheet, ME, id, name, next);
  }, ME);
}

/** Pins what each node gave; unpins them all if all are pinned. @param outputsOf what a node gave in the run that is looked at */
export function togglePins(sheet: Sheet, graph: Graph, ids: readonly string[], outputsOf: (id: string) => object | undefined): void {
  const isPinned = ids.every((id) => nodeSettings(graph, id).pinned);
  sheet.transact(() => {
    for (const id of ids) {
      if (isPinned) setSetting(sheet, ME, id, "pinned", undefined);
      else if (outputsOf(id) && !nodeSettings(graph, id).pinned) setSetting(sheet, ME, id, "pinned", outputsOf(id));
    }
  }, ME);
}
