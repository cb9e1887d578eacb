// Definitions on their way into a graph: a call that is pasted brings what it calls, and so does a shared subgraph.
import {
  CALL,
  canonicalText,
  definitionNames,
  type Graph,
  type GraphNode,
  record,
  type SharedDefinition,
  writtenDefinition,
} from "@spindle/graph-model";
import { normalise, setDefinition } from "@spindle/graph-model/shared-doc";
import type { DefinitionLink } from "@spindle/schemas";
import type * as Y from "yjs";

/** A definition as it is written. */
type Written = Record<string, unknown>;

/** Takes the name, or the first one like it that is free. */
export function freeName(name: string, taken: Set<string> | readonly string[]): string {
  const known = new Set(taken);
  let free = name;
  for (let more = 2; known.has(free); more++) free = `${name} ${more}`;
  if (taken instanceof Set) taken.add(free);
  return free;
}

const nodesOf = (written: Written): GraphNode[] => (Array.isArray(written.nodes) ? (written.nodes as GraphNode[]) : []);
const isCall = (node: GraphNode): boolean => node?.service === CALL;
const nameIn = (node: GraphNode): unknown => record(node.params).definition;

/** The definitions that the nodes call, and what those call, in the order in which they are met. */
export function calledFrom(nodes: readonly GraphNode[], graph: Graph): string[] {
  const known = new Set(definitionNames(graph));
  const met = new Set<string>();
  const meet = (some: readonly GraphNode[]) => {
    for (const node of some) {
      const name = isCall(node) ? nameIn(node) : undefined;
      if (typeof name === "string" && known.has(name)) met.add(name);
    }
  };
  meet(nodes);
  for (const name of met) meet(nodesOf(record(writtenDefinition(graph, name)))); // the set grows while it is walked
  return [...met];
}

/** The same nodes, calling what is called otherwise by now. */
export const renameCalls = <T extends GraphNode>(nodes: readonly T[], renamed: ReadonlyMap<string, string>): T[] =>
  nodes.map((node) => {
    const name = isCall(node) ? renamed.get(String(nameIn(node))) : undefined;
    return name === undefined ? node : { ...node, params: { ...node.params, definition: name } };
  });

/** What a definition does, and what those do that it calls, whatever they are named, and wherever their cards lie. */
export function contentOf(written: Written, graph: Graph): string {
  const called = calledFrom(nodesOf(written), graph);
  const renamed = new Map(called.map((name, index) => [name, `#${index}`]));
  const plain = (part: Written) => {
    const { editor, definitions: _, ...metadata } = record(part.metadata);
    const { positions: __, ...view } = record(editor);
    return {
      nodes: renameCalls(nodesOf(part), renamed),
      edges: part.edges ?? [],
      context: record(part.context),
      metadata: { ...metadata, editor: view },
    };
  };
  return canonicalText([written, ...called.map((name) => record(writtenDefinition(graph, name)))].map(plain));
}

interface Brought {
  /** The names that the definitions have in the graph, by those that they come with. */
  renamed: ReadonlyMap<string, string>;
  /** What the graph does not have yet, by its name there. */
  made: ReadonlyMap<string, Written>;
}

/** Definitions of another graph under names that are free, or under those of the same ones that are there. */
export function broughtInto(graph: Graph, names: readonly string[], from: Graph): Brought {
  const taken = new Set(definitionNames(graph));
  const renamed = new Map<string, string>();
  const isThere = new Set<string>();
  for (const name of names) {
    const written = record(writtenDefinition(from, name));
    const isSame = taken.has(name) && contentOf(record(writtenDefinition(graph, name)), graph) === contentOf(written, from);
    if (isSame) isThere.add(name);
    renamed.set(name, isSame ? name : freeName(name, taken));
  }
  const made = names.flatMap((name) => {
    if (isThere.has(name)) return [];
    const written = record(writtenDefinition(from, name));
    return [[renamed.get(name) ?? name, { ...written, nodes: renameCalls(nodesOf(written), renamed) }] as const];
  });
  return { renamed, made: new Map(made) };
}

/** Brings what the nodes of the other graph call. Returns these nodes, calling it under its names here. */
export function bringCalled(doc: Y.Doc, origin: unknown, from: Graph): Graph["nodes"] {
  const names = calledFrom(from.nodes, from);
  if (names.length === 0) return from.nodes;
  const { renamed, made } = broughtInto(normalise(doc).graph, names, from);
  for (const [name, written] of made) setDefinition(doc, origin, name, written);
  return renameCalls(from.nodes, renamed) as Graph["nodes"];
}

/** What a graph is given so that it has a copy of a shared document: the copy, and what that calls. */
export function copyFor(graph: Graph, document: Graph, link: DefinitionLink): { written: Written; made: Brought["made"] } {
  const { renamed, made } = broughtInto(graph, calledFrom(document.nodes, document), document);
  const { definitions: _, ...metadata } = record(document.metadata);
  const context = Object.keys(record(document.context)).length > 0 ? { context: document.context } : {};
  return { written: { nodes: renameCalls(document.nodes, renamed), edges: document.edges, ...context, metadata, link }, made };
}

/** The copy's link to what is shared; undefined if the definition is the graph's own. */
export function linkOf(graph: Graph, name: string): DefinitionLink | undefined {
  const { link } = record(writtenDefinition(graph, name));
  const { definition, version } = record(link);
  return typeof definition === "string" && typeof version === "string" ? (link as DefinitionLink) : undefined;
}

/** Whether a copy does something else than the version that it is of. */
export const isEdited = (graph: Graph, name: string, document: Graph): boolean =>
  contentOf(record(writtenDefinition(graph, name)), graph) !== contentOf(document as unknown as Written, document);

/** Gives the graph a copy of a shared subgraph, unless it has one of that version that nobody edited. Returns the copy's name. */
export function bringShared(
  doc: Y.Doc,
  origin: unknown,
  { definition, version, document, label }: SharedDefinition & { label: string },
): string {
  const { graph } = normalise(doc);
  const there = definitionNames(graph).find((name) => {
    const link = linkOf(graph, name);
    return link?.definition === definition && link.version === version && !isEdited(graph, name, document);
  });
  if (there !== undefined) return there;
  const { written, made } = copyFor(graph, document, { definition, version });
  for (const [called, body] of made) setDefinition(doc, origin, called, body);
  const name = freeName(label, [...definitionNames(graph), ...made.keys()]);
  setDefinition(doc, origin, name, written);
  return name;
}
