// ComfyUI's UI format, 0.4 and 1.0, as one shape: nodes and links by id, subgraphs as definitions of the same shape.
import type { Position } from "../../graph.ts";

export const MUTED = 2;
export const BYPASSED = 4;
/** The nodes of a subgraph from which its inputs come, and to which its outputs go. */
export const INPUT_NODE = "-10";
export const OUTPUT_NODE = "-20";

export interface UiSlot {
  name: string;
  type: string;
  link?: string;
  /** The slot belongs to a widget of that name. */
  widget?: string;
}

export interface UiNode {
  id: string;
  type: string;
  title?: string;
  position: Position;
  size: { width: number; height: number };
  mode: number;
  inputs: UiSlot[];
  outputs: { name: string; type: string }[];
  properties: Record<string, unknown>;
  /** Values of the widgets, by position or by name. */
  widgets: readonly unknown[] | Record<string, unknown>;
}

export interface UiLink {
  from: string;
  fromSlot: number;
  to: string;
  toSlot: number;
}

export interface UiFrame {
  title: string;
  position: Position;
  size: { width: number; height: number };
  colour?: string;
}

export interface UiGraph {
  nodes: ReadonlyMap<string, UiNode>;
  /** How many nodes have the id of another one, or none, and are left out. */
  lost: number;
  links: ReadonlyMap<string, UiLink>;
  /** The links that give a subgraph's outputs, by slot. */
  ends: ReadonlyMap<number, string>;
  /** The nodes that set a name for others to get, by the name. */
  setters: ReadonlyMap<unknown, UiNode>;
  /** Where its nodes begin. */
  corner: Position;
  frames: readonly UiFrame[];
  /** The inputs and outputs of a subgraph, by slot. */
  inputs: readonly string[];
  outputs: readonly string[];
}

export interface Workflow {
  graph: UiGraph;
  /** Subgraphs by the id that an instance has as its type. */
  subgraphs: ReadonlyMap<string, UiGraph>;
  /** Group nodes of older files, which nothing here can take apart. */
  groupNodes: readonly string[];
}

type Raw = Record<string, unknown>;
const object = (value: unknown): Raw => (value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Raw) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
/** What stands for a text in a file: an object may not even be made one. */
export const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

export const isUiFormat = (value: unknown): boolean => {
  const { nodes, schema } = object(value);
  return (
    schema === undefined && Array.isArray(nodes) && nodes.every((node) => typeof object(node).type === "string" && "id" in object(node))
  );
};

export function readWorkflow(value: unknown): Workflow {
  const raw = object(value);
  const definitions = list(object(raw.definitions).subgraphs).map(object);
  return {
    graph: readUiGraph(raw),
    subgraphs: new Map(definitions.map((definition) => [text(definition.id) ?? "", readUiGraph(definition)])),
    groupNodes: Object.keys(object(object(raw.extra).groupNodes)),
  };
}

function readUiGraph(raw: Raw): UiGraph {
  const all = list(raw.nodes).map((one) => readNode(object(one)));
  const nodes = new Map(all.filter(({ id }) => id !== "").map((node) => [node.id, node]));
  const links = new Map(list(raw.links).flatMap(readLink));
  const setters = [...nodes.values()].filter(({ type }) => type === "SetNode");
  return {
    nodes,
    lost: all.length - nodes.size,
    links,
    ends: firstOf([...links].filter(([, { to }]) => to === OUTPUT_NODE).map(([id, { toSlot }]) => [toSlot, id])),
    setters: firstOf(setters.flatMap((node) => (Array.isArray(node.widgets) ? [[node.widgets[0], node] as const] : []))),
    corner: all.reduce<Position>(({ x, y }, { position }) => ({ x: Math.min(x, position.x), y: Math.min(y, position.y) }), FAR),
    frames: list(raw.groups).map((one) => readFrame(object(one))),
    inputs: list(raw.inputs).map((one) => text(object(one).name) ?? ""),
    outputs: list(raw.outputs).map((one) => text(object(one).name) ?? ""),
  };
}

const FAR: Position = { x: Number.POSITIVE_INFINITY, y: Number.POSITIVE_INFINITY };

/** Of several under one key the first. */
const firstOf = <Key, Value>(pairs: readonly (readonly [Key, Value])[]): Map<Key, Value> => new Map([...pairs].reverse());

function readNode(raw: Raw): UiNode {
  const named = object(raw.widgets_values_named);
  const listed = Array.isArray(raw.widgets_values) ? raw.widgets_values : object(raw.widgets_values);
  const widgets = Object.keys(named).length > 0 ? named : listed;
  const title = text(raw.title);
  return {
    id: text(raw.id) ?? "",
    type: text(raw.type) ?? "",
    ...(title ? { title } : {}),
    position: pair(raw.pos),
    size: { width: pair(raw.size).x, height: pair(raw.size).y },
    mode: count(raw.mode),
    inputs: list(raw.inputs).map((one) => readSlot(object(one))),
    outputs: list(raw.outputs).map((one) => ({ name: text(object(one).name) ?? "", type: typeName(object(one).type) })),
    properties: object(raw.properties),
    widgets,
  };
}

/** Types are compared for each wire. */
const LONGEST_TYPE = 200;
const typeName = (value: unknown): string => (Array.isArray(value) ? "COMBO" : (text(value) ?? "*").slice(0, LONGEST_TYPE));

function readSlot(raw: Raw): UiSlot {
  const link = text(raw.link);
  const widget = text(object(raw.widget).name);
  return {
    name: text(raw.name) ?? "",
    type: typeName(raw.type),
    ...(link === undefined ? {} : { link }),
    ...(widget === undefined ? {} : { widget }),
  };
}

/** `[id, from, slot, to, slot, type]` or an object. */
function readLink(value: unknown): [string, UiLink][] {
  const raw = object(value);
  const [id, from, fromSlot, to, toSlot] = Array.isArray(value)
    ? value
    : [raw.id, raw.origin_id, raw.origin_slot, raw.target_id, raw.target_slot];
  const [name, origin, target] = [text(id), text(from), text(to)];
  if (name === undefined || origin === undefined || target === undefined) return [];
  return [[name, { from: origin, fromSlot: count(fromSlot), to: target, toSlot: count(toSlot) }]];
}

function readFrame(raw: Raw): UiFrame {
  const [x, y, width, height] = list(raw.bounding).map(count);
  const colour = text(raw.color);
  return {
    title: text(raw.title) ?? "",
    position: { x: x ?? 0, y: y ?? 0 },
    size: { width: width ?? 0, height: height ?? 0 },
    ...(colour ? { colour } : {}),
  };
}

/** `[x, y]`, or `{0: x, 1: y}` as older files have it. */
function pair(value: unknown): Position {
  const { 0: x, 1: y } = Object(value) as Record<number, unknown>;
  return { x: count(x), y: count(y) };
}
