// A workflow without what only ComfyUI's editor knows: subgraphs are taken apart, and a wire is followed through reroutes,
// primitives, Set/Get pairs and bypassed nodes to the node that gives its value.

import type { Position } from "../../graph.ts";
import { LIMITS } from "../../limits.ts";
import { BYPASSED, GETTERS, INPUT_NODE, MUTED, SETTERS, text, type UiGraph, type UiNode, type Workflow } from "./workflow.ts";

/** Where an input takes its value from. */
export type Source = { node: string; slot: number } | { value: unknown };

export interface FlatNode {
  /** `instance:inner` for what lies in subgraphs. */
  id: string;
  node: UiNode;
  /** On the canvas: what lies in a subgraph is laid out from where its instance is. */
  position: Position;
  /** Sources by the input's name. */
  sources: ReadonlyMap<string, Source>;
  /** Widget values that the subgraph's instance sets. */
  overrides: ReadonlyMap<string, unknown>;
  bypassed: boolean;
}

export interface Flat {
  nodes: FlatNode[];
  muted: number;
  /** Bypassed nodes that are left out. */
  bypassed: number;
  notes: UiNode[];
  problems: { node: string; message: string }[];
  /** More nodes than a graph may have: subgraphs multiply, so the rest was not taken apart. */
  tooMany: boolean;
}

interface Level {
  prefix: string;
  graph: UiGraph;
  origin: Position;
  outer?: { level: Level; instance: Instance };
  /** What has been followed, by the link and the type that is asked for, and the levels inside, by their instance: many inputs lead the same way. */
  followed: Map<string, Source | undefined>;
  inner: Map<string, Level>;
}

/** An instance of a subgraph, with what it says of the subgraph's inputs and widgets by their names. */
interface Instance {
  node: UiNode;
  inputs: ReadonlyMap<string, UiNode["inputs"][number]>;
  values: ReadonlyMap<string, unknown>;
  /** What it says of widgets inside, by the inner node. */
  overrides: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
}

const MAX_DEPTH = 32;
/** Of a workflow within the limits not all nodes stay: reroutes, notes and what is muted go. */
const MOST_SEEN = 4 * LIMITS.nodes;
/** Of subgraphs that contain each other every input leads another way. */
const MOST_FOLLOWED = 200_000;
/** Characters of all nodes in subgraphs, each instance's anew: more than any document may have. */
const MOST_CONTENT = 4 * LIMITS.bytes;
const sizes = new WeakMap<UiNode, number>();

function sizeOf(node: UiNode): number {
  const known = sizes.get(node) ?? writtenSize([node.title, node.type, node.inputs, node.outputs, node.widgets, node.properties]);
  sizes.set(node, known);
  return known;
}

function writtenSize(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    return Number.POSITIVE_INFINITY; // nested too deep to be written
  }
}

const NOTES = new Set(["Note", "MarkdownNote", "Note+ (mtb)", "Note Plus (mtb)"]);
const REROUTES = new Set(["Reroute", "Reroute (rgthree)"]);
/** The editor's own, and those of packs: they are wires with a name. */
const PASSES = new Set([...REROUTES, ...SETTERS, ...GETTERS, "PrimitiveNode"]);
/** Nodes of packs that act on the editor alone, in ways that are theirs to know. Others of the same packs run on the server. */
const UNKNOWN_VIRTUAL =
  /^(Anything Everywhere|Prompts Everywhere|Seed Everywhere|Fast (Groups )?(Muter|Bypasser)|Fast Actions Button|Bookmark|Label|Mute \/ Bypass|Node Co(llector|mbiner)|Random Unmuter)/;

/** @param keeps whether a bypassed node can stay: it would pass on as a node of the graph what it passes on in ComfyUI */
export function flatten(workflow: Workflow, keeps: (node: UiNode) => boolean): Flat {
  const flat: Flat = { nodes: [], muted: 0, bypassed: 0, notes: [], problems: [], tooMany: false };
  const flattener = new Flattener(workflow, flat, (node) => !workflow.subgraphs.has(node.type) && keeps(node));
  flattener.visit(level("", workflow.graph, { x: 0, y: 0 }), 0);
  flat.nodes.sort((a, b) => byId(a.id, b.id));
  flat.notes.sort((a, b) => byId(a.id, b.id));
  return flat;
}

/** Orders ids as numbers: `2` before `10`. */
export const byId = new Intl.Collator("en", { numeric: true }).compare;

const at = ({ origin }: Level, { position }: UiNode): Position => ({
  x: Math.round(origin.x + position.x),
  y: Math.round(origin.y + position.y),
});

const level = (prefix: string, graph: UiGraph, origin: Position, outer?: Level["outer"]): Level => ({
  prefix,
  graph,
  origin,
  ...(outer ? { outer } : {}),
  followed: new Map(),
  inner: new Map(),
});

class Flattener {
  private steps = 0;
  /** Nodes seen, those that are left out among them: a subgraph of nothing multiplies as well. */
  private seen = 0;

  constructor(
    private readonly workflow: Workflow,
    private readonly flat: Flat,
    private readonly keeps: (node: UiNode) => boolean,
  ) {}

  visit(level: Level, depth: number): void {
    const { lost } = level.graph;
    if (lost > 0) this.flat.problems.push({ node: "", message: `${lost} nodes have the id of another node, or none, and are left out.` });
    for (const node of level.graph.nodes.values()) {
      if (++this.seen > MOST_SEEN) this.flat.tooMany = true;
      if (this.flat.tooMany) return;
      const id = level.prefix + node.id;
      if (NOTES.has(node.type)) this.flat.notes.push({ ...node, position: at(level, node) });
      else if (PASSES.has(node.type)) continue;
      else if (node.mode === MUTED) this.flat.muted++;
      else if (node.mode === BYPASSED && !this.keeps(node)) this.flat.bypassed++;
      else if (UNKNOWN_VIRTUAL.test(node.type))
        this.flat.problems.push({
          node: id,
          message: `"${node.type.slice(0, 60)}" works in ComfyUI's editor only and is left out; wire what it did by hand.`,
        });
      else this.add(level, node, id, depth);
    }
  }

  private content = 0;

  private add(level: Level, node: UiNode, id: string, depth: number): void {
    const inner = this.workflow.subgraphs.get(node.type);
    if (inner && depth < MAX_DEPTH) {
      this.visit(this.inside(level, node, inner), depth + 1);
      return;
    }
    if (inner) {
      this.flat.problems.push({ node: id, message: "Its subgraphs contain each other without end." });
      return;
    }
    if (depth > 0) this.content += id.length + sizeOf(node); // the file's own nodes are there once
    if (this.content > MOST_CONTENT) this.flat.tooMany = true;
    if (this.flat.tooMany) return;
    const sources = node.inputs.flatMap(({ name, type, link }) => {
      const source = link === undefined ? undefined : this.follow(level, link, type, 0);
      return source ? [[name, source] as const] : [];
    });
    this.flat.nodes.push({
      id,
      node,
      position: at(level, node),
      sources: new Map(sources),
      overrides: level.outer?.instance.overrides.get(node.id) ?? new Map(),
      bypassed: node.mode === BYPASSED,
    });
  }

  /**
   * Follows a link back to the node that gives its value; undefined if none does.
   * @param asked the type of the input that the link leads to: a bypassed node passes on by it
   */
  private follow(level: Level, link: string, asked: string, steps: number): Source | undefined {
    const key = `${link}\n${asked}`;
    if (level.followed.has(key)) return level.followed.get(key);
    if (++this.steps > MOST_FOLLOWED) this.flat.tooMany = true;
    if (this.flat.tooMany || steps > 1000) return undefined;
    level.followed.set(key, undefined); // a link that leads to itself gives nothing
    const source = this.source(level, link, asked, steps);
    level.followed.set(key, source);
    return source;
  }

  private source(level: Level, link: string, asked: string, steps: number): Source | undefined {
    const found = level.graph.links.get(link);
    if (!found) return undefined;
    if (found.from === INPUT_NODE) return this.fromOutside(level, found.fromSlot, steps + 1);
    const node = level.graph.nodes.get(found.from);
    return node && this.output(level, node, found.fromSlot, asked, steps + 1);
  }

  private fromOutside({ graph, outer }: Level, slot: number, steps: number): Source | undefined {
    if (!outer) return undefined;
    const name = graph.inputs[slot];
    if (name === undefined) return undefined;
    const input = outer.instance.inputs.get(name); // not by position, for an instance may leave inputs out
    if (input?.link !== undefined) return this.follow(outer.level, input.link, input.type, steps);
    const value = outer.instance.values.get(name) ?? undefined;
    return value === undefined ? undefined : { value };
  }

  private output(level: Level, node: UiNode, slot: number, asked: string, steps: number): Source | undefined {
    const through = (input: UiNode["inputs"][number] | undefined, type = input?.type ?? "*") =>
      input?.link === undefined ? undefined : this.follow(level, input.link, type, steps);
    // What is a wire to ComfyUI's editor is one where it is muted, too.
    if (node.type === "PrimitiveNode") return { value: Array.isArray(node.widgets) ? node.widgets[0] : undefined };
    if (GETTERS.has(node.type)) return this.fromSet(level, node, asked, steps);
    if (REROUTES.has(node.type) || SETTERS.has(node.type)) return through(node.inputs[0], asked);
    if (node.mode === MUTED) return undefined;
    if (node.mode === BYPASSED) {
      const passed = passedTo(node, slot, asked);
      const source = through(passed);
      const isUsual = passed === passedBy(node, slot);
      return source && isUsual && this.keeps(node) ? { node: level.prefix + node.id, slot } : source;
    }
    const inner = this.workflow.subgraphs.get(node.type);
    if (!inner) return { node: level.prefix + node.id, slot };
    const end = inner.ends.get(slot);
    return end === undefined ? undefined : this.follow(this.inside(level, node, inner), end, asked, steps);
  }

  private inside(outer: Level, node: UiNode, graph: UiGraph): Level {
    const known = outer.inner.get(node.id);
    if (known) return known;
    const { x, y } = at(outer, node);
    const origin = { x: x - graph.corner.x, y: y - graph.corner.y };
    const made = level(`${outer.prefix}${node.id}:`, graph, origin, { level: outer, instance: instanceOf(graph, node) });
    outer.inner.set(node.id, made);
    return made;
  }

  private fromSet(level: Level, node: UiNode, asked: string, steps: number): Source | undefined {
    const name = Array.isArray(node.widgets) ? node.widgets[0] : undefined;
    for (let at: Level | undefined = level; at; at = at.outer?.level) {
      const set = at.graph.setters.get(name);
      const link = set?.inputs[0]?.link;
      if (set) return link === undefined ? undefined : this.follow(at, link, asked, steps);
    }
    this.flat.problems.push({
      node: level.prefix + node.id,
      message: `${node.type} asks for "${(text(name) ?? "").slice(0, 60)}", which no node sets.`,
    });
    return undefined;
  }
}

/** The inputs of a bypassed node that may pass a value on, by the type that is asked for: many wires ask the same. */
const passing = new WeakMap<UiNode, Map<string, UiNode["inputs"][number] | undefined>>();

/** The input whose value a bypassed node passes on: of the same slot, else the first of that type, else of any that fits. */
export function passedBy(node: UiNode, slot: number) {
  const type = node.outputs[slot]?.type ?? "*";
  const same = node.inputs[slot];
  if (same && (same.type === type || type === "*")) return same;
  const known = passing.get(node) ?? new Map<string, UiNode["inputs"][number] | undefined>();
  passing.set(node, known);
  if (!known.has(type)) {
    const taken = type.split(",");
    const fits = (other: string) => other === "*" || type === "*" || other.split(",").some((one) => taken.includes(one));
    known.set(type, node.inputs.find((input) => input.type === type) ?? node.inputs.find((input) => fits(input.type)));
  }
  return known.get(type);
}

/** The same for an input that asks for a type: one that takes anything gets what is in the same place, whatever that is. */
const passedTo = (node: UiNode, slot: number, asked: string) =>
  asked === "*" || asked === "" ? node.inputs[node.inputs.length > slot ? slot : 0] : passedBy(node, slot);

/**
 * A promoted widget has its value by name, else in the order that the instance names, else in that of the definition: an instance may leave
 * out inputs that have no wire, and has their values all the same.
 */
function instanceOf(graph: UiGraph, node: UiNode): Instance {
  const { widgets } = node;
  const inputs = new Map([...node.inputs].reverse().map((input) => [input.name, input]));
  const pairs = proxies(node);
  const promoted = pairs.filter(([inner]) => inner === "-1").map(([, widget]) => widget);
  const order = promoted.length > 0 ? promoted : graph.inputs.filter((name) => inputs.get(name)?.widget ?? graph.promoted.has(name));
  const named = Array.isArray(widgets)
    ? [...order.entries()].reverse().map(([index, name]) => [name, widgets[index] as unknown] as const)
    : Object.entries(widgets as Record<string, unknown>);
  const overrides = new Map<string, Map<string, unknown>>();
  pairs.forEach(([inner, widget], index) => {
    const value: unknown = Array.isArray(widgets) ? widgets[index] : undefined;
    if (value === undefined || value === null) return;
    const known = overrides.get(inner) ?? new Map<string, unknown>();
    overrides.set(inner, known.set(widget, value));
  });
  return { node, inputs, values: new Map(named), overrides };
}

/** `[["-1", name]]` for an input of the subgraph, `[[inner node, widget]]` for a widget inside. */
function proxies({ properties }: UiNode): [string, string][] {
  const raw = Array.isArray(properties.proxyWidgets) ? properties.proxyWidgets : [];
  return raw.flatMap((pair): [string, string][] =>
    Array.isArray(pair) && pair.length >= 2 ? [[text(pair[0]) ?? "", text(pair[1]) ?? ""]] : [],
  );
}
