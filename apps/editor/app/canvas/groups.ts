// Groups: nodes with a frame drawn around them, or, while collapsed, one card with the wires that cross the frame.
import { edgeMetadata, type Graph, type GraphEdge, record } from "@spindle/graph-model";
import { removeEntry, type Sheet, setEntry } from "@spindle/graph-model/shared-doc";
import type { Group } from "@spindle/schemas";
import type { Edge } from "@xyflow/react";
import { ME } from "../session/use-document";
import { around, type Box } from "./box";

const PADDING = 20;
export const GROUP_HEAD = 36;
/** What the head of a collapsed group's card and each row of its ports take. */
const FOLDED = { head: 44, row: 24, least: 240, most: 440 };

/** The size of a collapsed group's card. Its labels are read as far as that is not too wide. */
export function foldedSize(title: string, inputs: readonly string[], outputs: readonly string[]): { width: number; height: number } {
  const rows = Math.max(inputs.length, outputs.length);
  const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
  const column = LETTER * Math.max(longest(inputs), longest(outputs)) + 24;
  const ports = inputs.length > 0 && outputs.length > 0 ? 2 * column : column;
  const width = Math.ceil(Math.max(LETTER * title.length + HEAD_BUTTONS, ports));
  return {
    width: Math.min(FOLDED.most, Math.max(FOLDED.least, width)),
    height: FOLDED.head + (rows > 0 ? 10 + rows * FOLDED.row : 0),
  };
}

/** The mean width of a letter, and what the number of nodes and the buttons take. */
const LETTER = 7.2;
const HEAD_BUTTONS = 190;

/** Colours that are seen on a dark canvas and on a light one. */
export const COLOURS = ["#7c8cff", "#2fb5a8", "#d97ab5", "#d99a2b", "#d9605a", "#8a93a0"] as const;

/** The groups that are drawn: each with the nodes that are there, and each node in the first group that names it. */
export function groupsOf(graph: Graph): Group[] {
  const { groups } = record(graph.metadata?.editor);
  const free = new Set(graph.nodes.map((node) => node.id));
  return (Array.isArray(groups) ? (groups as Group[]) : []).flatMap((group) => {
    if (typeof group?.id !== "string" || !Array.isArray(group.nodes)) return [];
    const nodes = group.nodes.filter((id) => free.delete(id));
    return nodes.length > 0 ? [{ ...group, nodes }] : [];
  });
}

/** The frame around the nodes; undefined while none of them has a place. */
export function frameAround(group: Group, boxes: ReadonlyMap<string, Box>): Box | undefined {
  const inside = group.nodes.flatMap((id) => boxes.get(id) ?? []);
  if (inside.length === 0) return undefined;
  const { x, y, width, height } = around(inside);
  return {
    x: x - PADDING,
    y: y - PADDING - GROUP_HEAD,
    width: width + 2 * PADDING,
    height: height + 2 * PADDING + GROUP_HEAD,
  };
}

export const groupNodeId = (group: string): string => `group ${group}`;
export const groupOfNodeId = (id: string): string | undefined => (id.startsWith("group ") ? id.slice("group ".length) : undefined);
const portOf = (node: string, port: string | undefined): string => `${node}\n${port ?? ""}`;

/** A port of a collapsed group: one of a node in it, to which a wire from outside leads. */
export interface FoldedPort {
  id: string;
  node: string;
  port: string;
}

/** The ports that wires across the frame of a collapsed group lead to. */
export function foldedPorts(graph: Graph, group: Group): { inputs: FoldedPort[]; outputs: FoldedPort[] } {
  const inside = new Set(group.nodes);
  const ports = (side: "from" | "to") => {
    const crossing = graph.edges.filter((edge) => inside.has(edge[side]) && !inside.has(edge[side === "from" ? "to" : "from"]));
    const named = crossing.map((edge) => ({ node: edge[side], port: portName(edge, side) ?? "" }));
    return [...new Map(named.map((one) => [portOf(one.node, one.port), one]))].map(([id, one]) => ({ id, ...one }));
  };
  return { inputs: ports("to"), outputs: ports("from") };
}

const portName = (edge: GraphEdge, side: "from" | "to"): string | undefined =>
  edgeMetadata(edge)[side === "from" ? "sourcePort" : "targetPort"];

/** The wires as they are drawn while groups are collapsed: those inside are not, those across the frame end at it. */
export function folded(edges: readonly Edge[], groups: readonly Group[]): Edge[] {
  const holder = new Map(groups.filter(({ collapsed }) => collapsed).flatMap(({ id, nodes }) => nodes.map((node) => [node, id] as const)));
  if (holder.size === 0) return [...edges];
  return edges.flatMap((edge) => {
    const [from, to] = [holder.get(edge.source), holder.get(edge.target)];
    if (from === undefined && to === undefined) return [edge];
    if (from === to) return [];
    return [
      {
        ...edge,
        ...(edge.type === "bent" ? { type: "default" } : {}),
        ...(from === undefined
          ? {}
          : {
              source: groupNodeId(from),
              sourceHandle: portOf(edge.source, edge.className?.includes("order") ? "" : (edge.sourceHandle ?? "")),
            }),
        ...(to === undefined
          ? {}
          : {
              target: groupNodeId(to),
              targetHandle: portOf(edge.target, edge.className?.includes("order") ? "" : (edge.targetHandle ?? "")),
            }),
      },
    ];
  });
}

/** Puts the nodes into a new group, and takes them out of those that they are in. Returns its id. */
export function makeGroup(sheet: Sheet, graph: Graph, ids: readonly string[]): string {
  const groups = groupsOf(graph);
  return sheet.transact(() => {
    takeOut(sheet, groups, new Set(ids));
    const colour = COLOURS[groups.length % COLOURS.length];
    return setEntry(sheet, ME, "groups", undefined, { title: "Group", nodes: [...ids], colour });
  }, ME);
}

/** Takes the nodes out of their groups; a group that is left empty goes. */
function takeOut(sheet: Sheet, groups: readonly Group[], ids: ReadonlySet<string>): void {
  for (const group of groups) {
    const left = group.nodes.filter((id) => !ids.has(id));
    if (left.length === group.nodes.length) continue;
    if (left.length === 0) removeEntry(sheet, ME, "groups", group.id);
    else setEntry(sheet, ME, "groups", group.id, { nodes: left });
  }
}

/** Dissolves every group that has one of the nodes. */
export function ungroup(sheet: Sheet, graph: Graph, ids: ReadonlySet<string>): void {
  sheet.transact(() => {
    for (const group of groupsOf(graph)) if (group.nodes.some((id) => ids.has(id))) removeEntry(sheet, ME, "groups", group.id);
  }, ME);
}

/** Puts nodes that were dropped upon a group's frame into it. */
export function joinGroup(sheet: Sheet, graph: Graph, group: string, ids: readonly string[]): void {
  const groups = groupsOf(graph);
  const known = groups.find(({ id }) => id === group);
  if (!known) return;
  sheet.transact(() => {
    takeOut(
      sheet,
      groups.filter(({ id }) => id !== group),
      new Set(ids),
    );
    setEntry(sheet, ME, "groups", group, { nodes: [...new Set([...known.nodes, ...ids])] });
  }, ME);
}

export const setGroup = (sheet: Sheet, id: string, fields: Partial<Pick<Group, "title" | "colour" | "collapsed">>): void =>
  void setEntry(sheet, ME, "groups", id, fields);

/** Collapses the groups that have one of the nodes, or opens them if all are collapsed. */
export function toggleCollapsed(sheet: Sheet, graph: Graph, ids: ReadonlySet<string>): void {
  const groups = groupsOf(graph).filter(({ nodes }) => nodes.some((id) => ids.has(id)));
  const collapsed = !groups.every((group) => group.collapsed);
  sheet.transact(() => {
    for (const group of groups) setGroup(sheet, group.id, { collapsed });
  }, ME);
}
