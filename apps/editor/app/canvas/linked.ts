// Subgraphs that are copies of shared ones: what there is to add, what differs, and when a copy follows.
import {
  CALL,
  declaredInterface,
  definitionNames,
  edgeMetadata,
  type Graph,
  type Issue,
  type Library,
  labelOf,
  type NodeDefinition,
  nodeSettings,
  nodeTitle,
  record,
  resolve,
  type SharedDefinition,
  validate,
  writtenDefinition,
} from "@spindle/graph-model";
import { docOf, normalise, removeDefinition, type Sheet, setDefinition } from "@spindle/graph-model/shared-doc";
import type { DefinitionLink } from "@spindle/schemas";
import { ME } from "../session/use-document";
import { calledFrom, contentOf, copyFor, freeName, isEdited, linkOf } from "./definitions";
import { titleIn } from "./edits";
import { usesOf } from "./subgraphs";

/** The origin of what a graph follows: nobody's step of undo. */
const LIBRARY = { who: "the library" };

export interface NewestVersion extends Pick<SharedDefinition, "definition" | "version"> {
  label: string;
  description: string;
}

/** A shared subgraph as an entry of the library. */
export function sharedEntry({ definition, version, label, description }: NewestVersion, document: Graph, library: Library): NodeDefinition {
  const name = freeName(label, definitionNames(document));
  const call = { id: "call", service: CALL, plane: "node", status: "pending", params: { definition: name } };
  const { nodes, edges, context, metadata } = document;
  const definitions = { ...record(metadata?.definitions), [name]: { nodes, edges, context, metadata } };
  const graph = { schema: "langgraph.v1", workflowId: label, nodes: [call], edges: [], metadata: { definitions } } as unknown as Graph;
  const called = resolve(graph, library).root.node("call")?.definition;
  if (!called) throw new Error(`The shared subgraph ${label} cannot be called.`);
  const { calls: _, ...entry } = called;
  return {
    ...entry,
    label,
    description: description || "A subgraph that is shared with every graph.",
    docs: description,
    category: "Shared subgraphs",
    shared: { definition, version, document },
  };
}

/** A definition as one document, with all that it calls. */
export function documentOf(graph: Graph, name: string): Graph | undefined {
  const { nodes, edges, context, metadata } = record(writtenDefinition(graph, name));
  if (!Array.isArray(nodes)) return undefined;
  const called = calledFrom(nodes, graph).filter((inner) => inner !== name);
  const definitions = Object.fromEntries(called.map((inner) => [inner, writtenDefinition(graph, inner)]));
  return {
    schema: "langgraph.v1",
    workflowId: name,
    context: record(context),
    nodes,
    edges: Array.isArray(edges) ? edges : [],
    metadata: { ...record(metadata), ...(called.length > 0 ? { definitions } : {}) },
  } as Graph;
}

/** Makes the definition a copy of what is shared, or the graph's own. It stays as it is. */
export function setLink(sheet: Sheet, graph: Graph, name: string, link: DefinitionLink | undefined): void {
  const { link: _, ...written } = record(structuredClone(writtenDefinition(graph, name)));
  setDefinition(docOf(sheet), ME, name, link ? { ...written, link } : written);
}

function write(sheet: Sheet, origin: object, name: string, document: Graph, link: DefinitionLink): void {
  const doc = docOf(sheet);
  doc.transact(() => {
    const { graph } = normalise(doc);
    const before = documentOf(graph, name)?.nodes ?? [];
    const { written, made } = copyFor(graph, document, link);
    for (const [called, body] of [...made, [name, written] as const]) setDefinition(doc, origin, called, body);
    for (const called of calledFrom(before, graph)) if (usesOf(normalise(doc).graph, called) === 0) removeDefinition(doc, origin, called);
  }, origin);
}

/** Puts another version in the place of the copy, as a person's edit. */
export const updateTo = (sheet: Sheet, name: string, document: Graph, link: DefinitionLink): void => write(sheet, ME, name, document, link);

/** As `updateTo`, for a copy that follows by itself. */
export const follow = (sheet: Sheet, name: string, document: Graph, link: DefinitionLink): void =>
  write(sheet, LIBRARY, name, document, link);

/** Errors that the graph would have with another version of the copy, and has not now. */
export function errorsWith(graph: Graph, name: string, document: Graph, library: Library): string[] {
  const link = linkOf(graph, name);
  if (!link) return [];
  const { written, made } = copyFor(graph, document, link);
  const definitions = { ...record(graph.metadata?.definitions), ...Object.fromEntries(made), [name]: written };
  const errors = (of: Graph) => validate(of, library).filter(({ severity }: Issue) => severity === "error");
  const key = ({ code, message }: Issue) => `${code} ${message}`;
  const before = new Set(errors(graph).map(key));
  const after = errors({ ...graph, metadata: { ...graph.metadata, definitions } });
  return [...new Set(after.filter((issue) => !before.has(key(issue))).map(({ message }) => message))];
}

/** Why a copy stays at its version; undefined if it follows. @param base what it is a copy of */
export function whyNotFollowed(graph: Graph, name: string, base: Graph, next: Graph, library: Library): string | undefined {
  const link = linkOf(graph, name);
  if (link?.held) return `It is held at version ${link.version}.`;
  if (isEdited(graph, name, base)) return "It was edited in this graph.";
  return errorsWith(graph, name, next, library)[0];
}

export interface Deviation {
  how: "added" | "removed" | "changed";
  what: string;
}

/** What another version does otherwise, in words: nodes, wires, ports, and the subgraphs in it. */
export function differences(before: Graph, after: Graph): Deviation[] {
  const nodes = compare(
    partsOf(before.nodes, ({ id }) => id),
    partsOf(after.nodes, ({ id }) => id),
    (node) => nodeTitle(node),
    (earlier, later) => {
      const names = changedKeys(record(earlier.params), record(later.params)).map((name) => labelOf(name, {}));
      if (earlier.service !== later.service) names.push("what it is");
      if (nodeTitle(earlier) !== nodeTitle(later)) names.push("its title");
      if (changedKeys(nodeSettings(before, earlier.id), nodeSettings(after, earlier.id)).length > 0) names.push("its settings");
      return names.length > 0 ? `${nodeTitle(later)}: ${names.join(", ")}` : undefined;
    },
  );
  const wireOf = (edge: Graph["edges"][number]) => {
    const { sourcePort = "", targetPort = "" } = edgeMetadata(edge);
    return [edge.from, sourcePort, edge.to, targetPort].join("\n");
  };
  const wire = (graph: Graph) => (edge: Graph["edges"][number]) =>
    `The wire from ${titleIn(graph, edge.from)} to ${titleIn(graph, edge.to)}`;
  const wires = compare(
    partsOf(before.edges, wireOf),
    partsOf(after.edges, wireOf),
    (edge, isAfter) => wire(isAfter ? after : before)(edge),
    (earlier, later) => {
      const plain = (edge: Graph["edges"][number]) => ({ ...edgeMetadata(edge), id: "", points: "", kind: edge.kind ?? "normal" });
      return changedKeys(plain(earlier), plain(later)).length > 0 ? wire(after)(later) : undefined;
    },
  );
  const ports = (["inputs", "outputs"] as const).flatMap((side) => {
    const title = ({ label }: { label: string }) => `The ${side.slice(0, -1)} ${label}`;
    const name = (port: { name: string; label: string }) => port.name;
    return compare<{ name: string; label: string }>(
      partsOf(declaredInterface(before)[side], name),
      partsOf(declaredInterface(after)[side], name),
      title,
      (earlier, later) => (changedKeys(earlier, later).length > 0 ? title(later) : undefined),
    );
  });
  const inner = (graph: Graph) =>
    new Map(definitionNames(graph).map((name) => [name, contentOf(record(writtenDefinition(graph, name)), graph)]));
  const [innerBefore, innerAfter] = [inner(before), inner(after)];
  const names = new Map([...innerBefore, ...innerAfter].map(([name]) => [name, name]));
  const subgraphs = [...names.keys()].flatMap((name): Deviation[] => {
    const [earlier, later] = [innerBefore.get(name), innerAfter.get(name)];
    if (earlier === later) return [];
    return [{ how: earlier === undefined ? "added" : later === undefined ? "removed" : "changed", what: `The subgraph ${name}` }];
  });
  return [...nodes, ...wires, ...ports, ...subgraphs];
}

const partsOf = <T>(list: readonly T[], key: (part: T) => string): Map<string, T> => new Map(list.map((part) => [key(part), part]));

function compare<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  title: (part: T, isAfter: boolean) => string,
  change: (earlier: T, later: T) => string | undefined,
): Deviation[] {
  const removed = [...before].flatMap(([key, part]): Deviation[] => (after.has(key) ? [] : [{ how: "removed", what: title(part, false) }]));
  const rest = [...after].flatMap(([key, part]): Deviation[] => {
    const old = before.get(key);
    if (old === undefined) return [{ how: "added", what: title(part, true) }];
    const what = change(old, part);
    return what === undefined ? [] : [{ how: "changed", what }];
  });
  return [...removed, ...rest];
}

function changedKeys(earlier: object, later: object): string[] {
  const [a, b] = [earlier as Record<string, unknown>, later as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
}
