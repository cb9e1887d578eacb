// Groups as React Flow draws them: made of the places of their cards, which they take along when they are dragged.
import { type Graph, nodeTitle, type Position, words } from "@spindle/graph-model";
import { moveNodes, type Sheet, setEntry } from "@spindle/graph-model/shared-doc";
import type { Group } from "@spindle/schemas";
import type { Node, NodeChange } from "@xyflow/react";
import { ME } from "../session/use-document";
import { bendsMoved, setBends } from "./bends";
import type { Box } from "./box";
import { CARD } from "./flow";
import type { GroupNode } from "./group-card";
import { type FoldedPort, foldedPorts, foldedSize, frameAround, groupNodeId, groupOfNodeId } from "./groups";
import { noteOfNodeId } from "./note-card";

export function toGroupNodes(graph: Graph, groups: readonly Group[], nodes: readonly Node[], selected: ReadonlySet<string>): GroupNode[] {
  if (groups.length === 0) return [];
  const boxes = new Map<string, Box>(
    nodes.map(({ id, position, measured }) => [
      id,
      { ...position, width: measured?.width ?? CARD.width, height: measured?.height ?? CARD.height },
    ]),
  );
  const titles = new Map(graph.nodes.map((node) => [node.id, nodeTitle(node)]));
  const labelled = (ports: readonly FoldedPort[]) =>
    ports.map((port) => ({ ...port, label: `${titles.get(port.node)}${port.port ? `: ${words(port.port)}` : ""}` }));
  return groups.flatMap((group) => {
    const frame = frameAround(group, boxes);
    if (!frame) return [];
    const ports = group.collapsed ? foldedPorts(graph, group) : { inputs: [], outputs: [] };
    const [inputs, outputs] = [labelled(ports.inputs), labelled(ports.outputs)];
    const texts = [inputs, outputs].map((rows) => rows.map(({ label }) => label));
    const size = group.collapsed ? foldedSize(group.title, texts[0] ?? [], texts[1] ?? []) : { width: frame.width, height: frame.height };
    return [
      {
        id: groupNodeId(group.id),
        type: "group" as const,
        position: { x: frame.x, y: frame.y },
        ...size,
        measured: size,
        zIndex: group.collapsed ? 0 : -2,
        // What is below the frame is the canvas: only its head is taken hold of.
        ...(group.collapsed ? {} : { style: { pointerEvents: "none" as const } }),
        dragHandle: ".group-head",
        selectable: false,
        focusable: false,
        deletable: false,
        connectable: false,
        data: {
          group,
          inputs,
          outputs,
          isSelected: group.nodes.every((id) => selected.has(id)),
        },
      },
    ];
  });
}

/** Where a group and its cards were when it was taken. */
export interface GroupDrag {
  from: Position;
  members: ReadonlyMap<string, Position>;
}

/** The changes, with a group's own replaced by those of its cards. */
export function withMembers<N extends Node>(
  changes: readonly NodeChange<N>[],
  groups: readonly Group[],
  { current: drag }: { current: GroupDrag | undefined },
): NodeChange<N>[] {
  if (groups.length === 0) return [...changes];
  return changes.flatMap((change): NodeChange<N>[] => {
    if (!("id" in change) || groupOfNodeId(change.id) === undefined) return [change];
    if (change.type !== "position" || !change.position || !drag) return [];
    const away = { x: change.position.x - drag.from.x, y: change.position.y - drag.from.y };
    return [...drag.members].map(([id, at]) => ({ ...change, id, position: { x: at.x + away.x, y: at.y + away.y } }));
  });
}

/** Stores the places of cards and notes, and the bends of the wires between them, as one step. */
export function moveAll(sheet: Sheet, graph: Graph, moved: readonly (readonly [id: string, place: Position])[]): void {
  const bent = bendsMoved(graph, new Map(moved));
  sheet.transact(() => {
    moveNodes(sheet, ME, Object.fromEntries(moved.filter(([id]) => noteOfNodeId(id) === undefined)));
    for (const [id, { x, y }] of moved) {
      const note = noteOfNodeId(id);
      if (note !== undefined) setEntry(sheet, ME, "notes", note, { position: { x: Math.round(x), y: Math.round(y) } });
    }
    for (const { wire, bends } of bent) setBends(sheet, wire, bends);
  }, ME);
}
