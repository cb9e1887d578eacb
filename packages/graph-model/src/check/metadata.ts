// What the schema of the document leaves open: the parts of `metadata` that Spindle reads (DESIGN G1).
import type { Graph } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";

export const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const PARTS = ["nodes", "editor", "definitions", "interface"] as const;

export function checkMetadata(graph: Graph): Issue[] {
  const metadata: Record<string, unknown> = isObject(graph.metadata) ? graph.metadata : {};
  return [
    ...PARTS.filter((key) => metadata[key] !== undefined && !isObject(metadata[key])).map((key) =>
      bad(`/metadata/${key}`, `is ${kind(metadata[key])}, not an object`, metadata[key] === null),
    ),
    ...(isObject(metadata.nodes) ? checkSettings(metadata.nodes) : []),
    ...(isObject(metadata.interface) ? checkInterfaceShape(metadata.interface) : []),
  ];
}

/** What is null is taken as absent, so that it stands in nobody's way. */
const bad = (pointer: string, what: string, isNull = false): Issue =>
  issue(
    isNull ? "warning" : "error",
    pointer.startsWith("/metadata/interface") ? "interface.invalid" : "graph.schema",
    `${pointer} ${what}.`,
    {
      pointer,
    },
  );

const checkSettings = (nodes: Record<string, unknown>): Issue[] =>
  Object.entries(nodes).flatMap(([id, settings]) =>
    isObject(settings) ? [] : [{ ...bad(`/metadata/nodes/${id}`, `is ${kind(settings)}, not an object of settings`, settings === null) }],
  );

function checkInterfaceShape(raw: Record<string, unknown>): Issue[] {
  return (["inputs", "outputs"] as const).flatMap((side) => {
    const list = raw[side];
    const pointer = `/metadata/interface/${side}`;
    if (list === undefined) return [];
    if (!Array.isArray(list)) return [bad(pointer, `is ${kind(list)}, not a list`, list === null)];
    return list.flatMap((one: unknown, index) => {
      const why = side === "inputs" ? whyNoInput(one) : whyNoOutput(one);
      return why ? [bad(`${pointer}/${index}`, why)] : [];
    });
  });
}

const isName = (value: unknown): boolean => typeof value === "string" && value !== "";
const isAddress = (value: unknown): boolean => isObject(value) && typeof value.node === "string" && typeof value.port === "string";

function whyNoInput(one: unknown): string | undefined {
  if (!isObject(one) || !isName(one.name)) return "is no input: an object with a name";
  if (one.to !== undefined && !(Array.isArray(one.to) && one.to.every(isAddress)))
    return "goes to no ports: `to` lists a node and a port each";
  return undefined;
}

function whyNoOutput(one: unknown): string | undefined {
  if (!isObject(one) || !isName(one.name)) return "is no output: an object with a name";
  return isAddress(one.from) ? undefined : "comes from no port: `from` is a node and a port";
}

const kind = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
