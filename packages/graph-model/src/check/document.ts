// From anything to a graph: text, limits, schema. No library is needed to read a document.
import { type Graph, validateGraph } from "@spindle/schemas";
import { importComfy, isComfyFormat } from "../comfy/import/import.ts";
import { record } from "../graph.ts";
import { hasErrors, type Issue, issue } from "../issue.ts";
import type { Library } from "../library.ts";
import { checkLimits, parseText } from "../limits.ts";
import { checkExtent } from "./extent.ts";

export interface ReadResult {
  /** The graph; absent if an issue is an error. */
  graph?: Graph;
  issues: Issue[];
}

export function readGraphText(text: string): ReadResult {
  const { value, issues } = parseText(text);
  if (hasErrors(issues)) return { issues };
  const limits = checkLimits(value);
  return hasErrors(limits) ? { issues: limits } : readOwn(value);
}

/** A graph, or a ComfyUI workflow that becomes one; `name` is what an imported one is called. */
export function readAnyText(text: string, library: Library, name?: string): ReadResult {
  const { value, issues } = parseText(text);
  if (hasErrors(issues)) return { issues };
  const limits = checkLimits(value); // this comes first: a document may be nested deeper than a reader can follow
  if (hasErrors(limits)) return { issues: limits };
  return isComfyFormat(value) ? importComfy(value, library, name) : readOwn(value);
}

export function readGraph(value: unknown): ReadResult {
  const limits = checkLimits(value);
  return hasErrors(limits) ? { issues: limits } : readOwn(structuredClone(value));
}

/** A value within the limits, which nobody else holds: what is read is that very value, its edges named. */
function readOwn(value: unknown): ReadResult {
  if (isComfyFormat(value))
    return { issues: [issue("error", "feature.not_supported", "This is a ComfyUI workflow. Import it first.", { pointer: "" })] };
  if (validateGraph(value)) {
    const extent = checkExtent(value);
    if (hasErrors(extent)) return { issues: extent };
    for (const edges of edgeLists(value)) nameApart(edges);
    return { graph: value, issues: [] };
  }
  const errors = (validateGraph.errors ?? []).slice(0, 100);
  return { issues: errors.map((error) => schemaIssue(value, error)) };
}

/** What is wrong with the shape of a graph that was not read as a document of its own. */
export function readShape(graph: unknown): Issue[] {
  return validateGraph(graph) ? [] : (validateGraph.errors ?? []).slice(0, 20).map((error) => schemaIssue(graph, error));
}

/** The edges of the graph, and of the definitions in it that are shaped like one. */
function edgeLists(graph: Graph): Graph["edges"][] {
  const definitions = Object.values(record(graph.metadata?.definitions) as Record<string, { edges?: unknown } | null>);
  return [
    graph.edges,
    ...definitions.flatMap((definition) => (Array.isArray(definition?.edges) ? [definition.edges as Graph["edges"]] : [])),
  ];
}

function idOf(edge: Graph["edges"][number] | undefined): string | undefined {
  const { id } = record(edge?.metadata);
  return typeof id === "string" ? id : undefined;
}

/** An edge without an id, or with one that is no text, is called by its place in the list; where another one has that very id, it gets one of its own. */
function nameApart(edges: Graph["edges"]): void {
  const taken = new Set(edges.map(idOf));
  edges.forEach((edge, index) => {
    let id = `e${index}`;
    if (Object(edge) !== edge || idOf(edge) !== undefined || !taken.has(id)) return;
    while (taken.has(id)) id += "_";
    taken.add(id);
    edge.metadata = { ...Object(edge.metadata), id };
  });
}

function schemaIssue(value: unknown, error: { instancePath: string; message?: string; params: Record<string, unknown> }): Issue {
  const detail = Object.values(error.params)
    .filter((part) => typeof part === "string" || Array.isArray(part))
    .map(String)
    .join(", ");
  const message = `${error.instancePath || "The document"} ${error.message ?? "is not valid"}${detail ? ` (${detail})` : ""}.`;
  const [, list, index] = error.instancePath.split("/");
  const id = list === "nodes" ? (value as { nodes?: { id?: unknown }[] }).nodes?.[Number(index)]?.id : undefined;
  if (error.instancePath === "/nodes" && message.includes("fewer than 1"))
    return issue("error", "graph.empty", "The graph has no nodes.", { pointer: "/nodes" });
  return issue("error", "graph.schema", message, { pointer: error.instancePath, ...(typeof id === "string" ? { node: id } : {}) });
}
