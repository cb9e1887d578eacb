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

/** Nodes of packs (KJNodes, Easy-Use) that give a wire a name, and those that take it up by that. */
export const SETTERS: ReadonlySet<string> = new Set(["SetNode", "easy setNode"]);
export const GETTERS: ReadonlySet<string> = new Set(["GetNode", "easy getNode"]);

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
  /** Those of its inputs that set a widget inside. */
  promoted: ReadonlySet<string>;
}

export interface Workflow {
  graph: UiGraph;
  /** Subgraphs by the id that an instance has as its type. */
  subgraphs: ReadonlyMap<string, UiGraph>;
  /** Group nodes of older files by name, as the file has them. */
  groups: ReadonlyMap<string, Raw>;
}

export type Raw = Record<string, unknown>;
export const rawOf = (value: unknown): Raw => (value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Raw) : {});
export const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
/** What stands for a text in a file: an object may not even be made one. */
export const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

export const isUiFormat = (value: unknown): boolean => {
  const { nodes, schema } = rawOf(value);
  return schema === undefined && Array.isArray(nodes) && nodes.every((node) => typeof rawOf(node).type === "string" && "id" in rawOf(node));
};

export function readWorkflow(value: unknown): Workflow {
  const raw = rawOf(value);
  const definitions = itemsOf(rawOf(raw.definitions).subgraphs).map(rawOf);
  return {
    graph: readUiGraph(raw),
    subgraphs: new Map(definitions.map((definition) => [text(definition.id) ?? "", readUiGraph(definition)])),
    groups: new Map(Object.entries(rawOf(rawOf(raw.extra).groupNodes)).map(([name, group]) => [name, rawOf(group)])),
  };
}

function readUiGraph(raw: Raw): UiGraph {
  const all = itemsOf(raw.nodes).map((one) => readNode(rawOf(one)));
  const nodes = new Map(all.filter(({ id }) => id !== "").map((node) => [node.id, node]));
  const links = new Map(itemsOf(raw.links).flatMap(readLink));
  const inputs = itemsOf(raw.inputs).map((input) => text(rawOf(input).name) ?? "");
  const setters = [...nodes.values()].filter(({ type }) => SETTERS.has(type));
  return {
    nodes,
    lost: all.length - nodes.size,
    links,
    ends: endsOf(raw, nodes, links),
    setters: firstOf(setters.flatMap((node) => (Array.isArray(node.widgets) ? [[node.widgets[0], node] as const] : []))),
    corner: all.reduce<Position>(({ x, y }, { position }) => ({ x: Math.min(x, position.x), y: Math.min(y, position.y) }), FAR),
    frames: itemsOf(raw.groups).map((one) => readFrame(rawOf(one))),
    inputs,
    outputs: itemsOf(raw.outputs).map((one) => text(rawOf(one).name) ?? ""),
    promoted: promotedOf(inputs, nodes, links),
  };
}

type Nodes = UiGraph["nodes"];
type Links = UiGraph["links"];

/** An output names the links that lead to it. Files have others, too, of nodes that are gone. */
function endsOf(raw: Raw, nodes: Nodes, links: Links): UiGraph["ends"] {
  const leads = new Map([...links].filter(([, { from, to }]) => to === OUTPUT_NODE && (from === INPUT_NODE || nodes.has(from))));
  const named = itemsOf(raw.outputs).flatMap((output, slot) => itemsOf(rawOf(output).linkIds).map((id) => [slot, text(id) ?? ""] as const));
  return firstOf([...named.filter(([, id]) => leads.has(id)), ...[...leads].map(([id, { toSlot }]) => [toSlot, id] as const)]);
}

function promotedOf(inputs: readonly string[], nodes: Nodes, links: Links): UiGraph["promoted"] {
  const setsWidget = ([id, { from, to }]: [string, UiLink]) =>
    from === INPUT_NODE && nodes.get(to)?.inputs.find(({ link }) => link === id)?.widget !== undefined;
  return new Set([...links].filter(setsWidget).flatMap(([, { fromSlot }]) => inputs[fromSlot] ?? []));
}

const FAR: Position = { x: Number.POSITIVE_INFINITY, y: Number.POSITIVE_INFINITY };

/** Of several under one key the first. */
const firstOf = <Key, Value>(pairs: readonly (readonly [Key, Value])[]): Map<Key, Value> => new Map([...pairs].reverse());

/** Classes that ComfyUI renamed; its editor renames them in the files that it opens. */
const RENAMED = new Map([
  ["ConditioningAverage ", "ConditioningAverage"],
  ["T2IAdapterLoader", "ControlNetLoader"],
  ["SDV_img2vid_Conditioning", "SVD_img2vid_Conditioning"],
]);

export function readNode(raw: Raw): UiNode {
  const named = rawOf(raw.widgets_values_named);
  const listed = Array.isArray(raw.widgets_values) ? raw.widgets_values : rawOf(raw.widgets_values);
  const widgets = Object.keys(named).length > 0 ? named : listed;
  const title = text(raw.title);
  return {
    id: text(raw.id) ?? "",
    type: RENAMED.get(text(raw.type) ?? "") ?? text(raw.type) ?? "",
    ...(title ? { title } : {}),
    position: pair(raw.pos),
    size: { width: pair(raw.size).x, height: pair(raw.size).y },
    mode: count(raw.mode),
    inputs: itemsOf(raw.inputs).map((one) => readSlot(rawOf(one))),
    outputs: itemsOf(raw.outputs).map((one) => ({ name: text(rawOf(one).name) ?? "", type: typeName(rawOf(one).type) })),
    properties: rawOf(raw.properties),
    widgets,
  };
}

/** Types are compared for each wire. */
const LONGEST_TYPE = 200;
const typeName = (value: unknown): string => (Array.isArray(value) ? "COMBO" : (text(value) ?? "*").slice(0, LONGEST_TYPE));

function readSlot(raw: Raw): UiSlot {
  const link = text(raw.link);
  const widget = text(rawOf(raw.widget).name);
  return {
    name: text(raw.name) ?? "",
    type: typeName(raw.type),
    ...(link === undefined ? {} : { link }),
    ...(widget === undefined ? {} : { widget }),
  };
}

/** `[id, from, slot, to, slot, type]` or an object. */
function readLink(value: unknown): [string, UiLink][] {
  const raw = rawOf(value);
  const [id, from, fromSlot, to, toSlot] = Array.isArray(value)
    ? value
    : [raw.id, raw.origin_id, raw.origin_slot, raw.target_id, raw.target_slot];
  const [name, origin, target] = [text(id), text(from), text(to)];
  if (name === undefined || origin === undefined || target === undefined) return [];
  return [[name, { from: origin, fromSlot: count(fromSlot), to: target, toSlot: count(toSlot) }]];
}

function readFrame(raw: Raw): UiFrame {
  const [x, y, width, height] = itemsOf(raw.bounding).map(count);
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
