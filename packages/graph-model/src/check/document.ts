// From anything to a graph: text, limits, schema. No library is needed to read a document.
import { type Graph, validateGraph } from "@spindle/schemas";
import { hasErrors, type Issue, issue } from "../issue.ts";
import { checkLimits, parseText } from "./limits.ts";

export interface Read {
  /** Absent if there is an error issue. */
  graph?: Graph;
  issues: Issue[];
}

export function readGraphText(text: string): Read {
  const { value, issues } = parseText(text);
  return hasErrors(issues) ? { issues } : readGraph(value);
}

export function readGraph(value: unknown): Read {
  const limits = checkLimits(value);
  if (hasErrors(limits)) return { issues: limits };
  const foreign = foreignFormat(value);
  if (foreign) return { issues: [foreign] };
  if (validateGraph(value)) return { graph: structuredClone(value), issues: [] };
  const errors = (validateGraph.errors ?? []).slice(0, 100);
  return { issues: errors.map((error) => schemaIssue(value, error)) };
}

/** What is wrong with the shape of a graph that was not read from text. */
export function readShape(graph: Graph): Issue[] {
  return validateGraph(graph) ? [] : (validateGraph.errors ?? []).slice(0, 20).map((error) => schemaIssue(graph, error));
}

function schemaIssue(value: unknown, error: { instancePath: string; message?: string; params: Record<string, unknown> }): Issue {
  const detail = Object.values(error.params)
    .filter((one) => typeof one === "string" || Array.isArray(one))
    .map(String)
    .join(", ");
  const message = `${error.instancePath || "The document"} ${error.message ?? "is not valid"}${detail ? ` (${detail})` : ""}.`;
  const [, list, index] = error.instancePath.split("/");
  const id = list === "nodes" ? (value as { nodes?: { id?: unknown }[] }).nodes?.[Number(index)]?.id : undefined;
  if (error.instancePath === "/nodes" && message.includes("fewer than 1"))
    return issue("error", "graph.empty", "The graph has no nodes.", { pointer: "/nodes" });
  return issue("error", "graph.schema", message, { pointer: error.instancePath, ...(typeof id === "string" ? { node: id } : {}) });
}

function foreignFormat(value: unknown): Issue | undefined {
  if (value === null || typeof value !== "object" || "schema" in value) return undefined;
  const ui = "nodes" in value && ("last_node_id" in value || "last_link_id" in value);
  const entries = Object.values(value);
  const api = entries.length > 0 && entries.every((one) => one !== null && typeof one === "object" && "class_type" in one);
  if (!ui && !api) return undefined;
  return issue("error", "feature.not_supported", "This is a ComfyUI workflow. Importing those is not supported yet.", { pointer: "" });
}
