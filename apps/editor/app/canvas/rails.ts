// The ports of a subgraph as they are seen from within: a rail at either side of its nodes, and the wires between them.
import {
  canConnect,
  declaredInterface,
  edgeMetadata,
  type Graph,
  type Library,
  type PortAddress,
  resolve,
  typesFit,
} from "@spindle/graph-model";
import { removeEntry, type Sheet, setEntry } from "@spindle/graph-model/shared-doc";
import type { Edge } from "@xyflow/react";
import { ME } from "../session/use-document";
import { around, type Box } from "./box";
import { freeName } from "./definitions";
import { wireStyle } from "./flow";

/** Ids of what is drawn for them; no node and no edge of a graph has a space in its id. */
export const RAIL = { inputs: "rail inputs", outputs: "rail outputs" } as const;
export type RailSide = keyof typeof RAIL;
/** The port of a rail at which a wire makes a new one. */
export const NEW_PORT = "new port";

export interface RailPort {
  name: string;
  label: string;
  type: string;
  /** Inside: what an input feeds, or where an output comes from. */
  ends: readonly PortAddress[];
}
export type Rails = Record<RailSide, readonly RailPort[]>;

const sideOf = (node: string): RailSide | undefined => (node === RAIL.inputs ? "inputs" : node === RAIL.outputs ? "outputs" : undefined);
export const isRail = (node: string): boolean => sideOf(node) !== undefined;

/** @param graph of a subgraph */
export function railsOf(graph: Graph, library: Library): Rails {
  const level = resolve(graph, library).root;
  const byName = (name: string) =>
    level.nodes.flatMap(({ node, sources }) =>
      sources.flatMap(({ kind, port }) => (kind === "run" && port.name === name ? [{ node: node.id, port: name }] : [])),
    );
  const declared = declaredInterface(graph).outputs;
  const [end] = level.ends;
  return {
    inputs: level.inputs.map(({ name, label, type, to }) => ({ name, label, type, ends: to.length > 0 ? to : byName(name) })),
    outputs: level.call.outputs.map(({ name, label, type }) => ({
      name,
      label,
      type,
      ends: [declared.find((one) => one.name === name)?.from ?? { node: end?.id ?? "", port: name }],
    })),
  };
}

const ROW = 28;
const HEAD = 40;
const WIDTH = 208;
const APART = 120;

/** Where the rails lie: beside all cards. */
export function railBoxes(cards: readonly Box[], rails: Rails): Record<RailSide, Box> {
  const { x, y, width, height } = cards.length > 0 ? around(cards) : { x: 0, y: 0, width: 0, height: 0 };
  const box = (side: RailSide, left: number): Box => {
    const own = HEAD + ROW * (rails[side].length + 1) + 8;
    return { x: left, y: Math.round(y + Math.max(0, (Math.min(height, 2 * own) - own) / 2)), width: WIDTH, height: own };
  };
  return { inputs: box("inputs", x - APART - WIDTH), outputs: box("outputs", x + width + APART) };
}

const railWire = (side: RailSide, name: string, { node, port }: PortAddress): string => ["rail", side, name, node, port].join("\n");

/** The wires between the rails and the nodes. */
export function railWires(graph: Graph, rails: Rails): Edge[] {
  const nodes = new Set(graph.nodes.map(({ id }) => id));
  const wires = (side: RailSide) =>
    rails[side].flatMap(({ name, label, type, ends }) =>
      ends
        .filter(({ node }) => nodes.has(node))
        .map((end): Edge => {
          const at = { node: end.node, handle: end.port };
          const rail = { node: RAIL[side], handle: name };
          const [from, to] = side === "inputs" ? [rail, at] : [at, rail];
          return {
            id: railWire(side, name, end),
            source: from.node,
            sourceHandle: from.handle,
            target: to.node,
            targetHandle: to.handle,
            className: "of-rail",
            ariaLabel: `Wire of the subgraph's ${side === "inputs" ? "input" : "output"} ${label}`,
            domAttributes: { tabIndex: -1 },
            data: { type },
            style: wireStyle(type),
          } as Edge;
        }),
    );
  return [...wires("inputs"), ...wires("outputs")];
}

/** Whether a wire with an end at a rail may be drawn, and why not; undefined if neither end is one. */
export function railAnswer(
  graph: Graph,
  library: Library,
  from: PortAddress,
  to: PortAddress,
): { ok: true } | { ok: false; reason: string } | undefined {
  const [start, end] = [sideOf(from.node), sideOf(to.node)];
  if (!start && !end) return undefined;
  if (start && end) return { ok: false, reason: "A node belongs between an input and an output of the subgraph." };
  const level = resolve(graph, library).root;
  if (end) return level.node(from.node) ? { ok: true } : { ok: false, reason: "The output is gone." };
  const port = level.node(to.node)?.definition?.inputs.find(({ name }) => name === to.port);
  if (!port) return { ok: false, reason: "The input is gone." };
  const isWired = graph.edges.some((edge) => edge.to === to.node && edgeMetadata(edge).targetPort === to.port);
  if (isWired) return { ok: false, reason: "The input has a wire." };
  const known = railsOf(graph, library).inputs.find(({ name }) => name === from.port);
  const isFit = !known || known.ends.length === 0 || typesFit(known.type, port.type);
  return isFit ? { ok: true } : { ok: false, reason: `The subgraph's input is ${known.type}, and this one takes ${port.type}.` };
}

/** Whether two ports may be wired, on whatever level. */
export const answerOf = (graph: Graph, library: Library, from: PortAddress, to: PortAddress): ReturnType<typeof canConnect> =>
  (railAnswer(graph, library, from, to) as ReturnType<typeof canConnect> | undefined) ?? canConnect(graph, library, from, to);

/** Leads an input of the subgraph to a port of a node, or an output of it from one; either is made where it is new. */
export function wireRail(sheet: Sheet, graph: Graph, library: Library, from: PortAddress, to: PortAddress): void {
  const rails = railsOf(graph, library);
  const side: RailSide = sideOf(from.node) ?? "outputs";
  const [rail, end] = side === "inputs" ? [from.port, to] : [to.port, from];
  const taken = new Set(rails[side].map(({ name }) => name));
  const isNew = !taken.has(rail);
  const name = isNew ? freeName(end.port, taken) : rail;
  const node = resolve(graph, library).root.node(end.node);
  const label = node?.definition?.[side].find((port) => port.name === end.port)?.label ?? end.port;
  sheet.transact(() => {
    declare(sheet, graph, rails, side);
    const known = rails[side].find((port) => port.name === name);
    const others = (known?.ends ?? []).filter((one) => one.node !== end.node || one.port !== end.port);
    const named = isNew ? { label } : {};
    setEntry(sheet, ME, side, name, side === "inputs" ? { ...named, to: [...others, end] } : { ...named, from: end });
    if (side === "inputs") releaseInput(sheet, rails, name, end);
  }, ME);
}

/** An input of a node has one source: another input of the subgraph that leads there leads there no more. */
function releaseInput(sheet: Sheet, rails: Rails, name: string, end: PortAddress): void {
  for (const port of rails.inputs) {
    const left = port.ends.filter((one) => one.node !== end.node || one.port !== end.port);
    if (port.name !== name && left.length < port.ends.length) setEntry(sheet, ME, "inputs", port.name, { to: left });
  }
}

/** A subgraph that declares none of its outputs has those of its last node, and keeps them when one is declared. */
function declare(sheet: Sheet, graph: Graph, rails: Rails, side: RailSide): void {
  if (side === "inputs" || declaredInterface(graph).outputs.length > 0) return;
  for (const { name, label, ends } of rails.outputs) setEntry(sheet, ME, "outputs", name, { label, from: ends[0] });
}

export function renameRailPort(sheet: Sheet, graph: Graph, library: Library, side: RailSide, name: string, label: string): void {
  const rails = railsOf(graph, library);
  const port = rails[side].find((one) => one.name === name);
  sheet.transact(() => {
    declare(sheet, graph, rails, side);
    setEntry(sheet, ME, side, name, side === "inputs" ? { label, to: port?.ends ?? [] } : { label });
  }, ME);
}

/** Takes wires of the rails away; a port of the subgraph goes with its last one. */
export function removeRailWires(sheet: Sheet, graph: Graph, library: Library, wires: ReadonlySet<string>): void {
  if (![...wires].some((wire) => wire.startsWith("rail\n"))) return;
  const rails = railsOf(graph, library);
  sheet.transact(() => {
    for (const side of ["inputs", "outputs"] as const)
      for (const { name, ends } of rails[side]) {
        const left = ends.filter((end) => !wires.has(railWire(side, name, end)));
        if (left.length === ends.length) continue;
        declare(sheet, graph, rails, side);
        if (left.length === 0) removeEntry(sheet, ME, side, name);
        else setEntry(sheet, ME, side, name, { to: left });
      }
  }, ME);
}
