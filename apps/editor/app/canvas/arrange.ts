// Where cards go that are put in order: at one line, with equal gaps, or as the wires run.
import dagre from "@dagrejs/dagre";
import type { Position } from "@spindle/graph-model";
import { around, type Box } from "./box";

export type Line = "left" | "centre" | "right" | "top" | "middle" | "bottom";
export type Places = Record<string, Position>;

/** Puts the cards at one line: an edge of the box around them, or its middle. */
export function aligned(boxes: ReadonlyMap<string, Box>, line: Line): Places {
  const whole = around([...boxes.values()]);
  const at: Readonly<Record<Line, (box: Box) => Position>> = {
    left: ({ y }) => ({ x: whole.x, y }),
    centre: ({ y, width }) => ({ x: whole.x + (whole.width - width) / 2, y }),
    right: ({ y, width }) => ({ x: whole.x + whole.width - width, y }),
    top: ({ x }) => ({ x, y: whole.y }),
    middle: ({ x, height }) => ({ x, y: whole.y + (whole.height - height) / 2 }),
    bottom: ({ x, height }) => ({ x, y: whole.y + whole.height - height }),
  };
  return Object.fromEntries([...boxes].map(([id, box]) => [id, at[line](box)]));
}

const GAP = 24;

/** Leaves the same gap between each two cards. The first and the last stay, unless there is no room between them. */
export function distributed(boxes: ReadonlyMap<string, Box>, axis: "x" | "y"): Places {
  const size = axis === "x" ? "width" : "height";
  const row = [...boxes].sort(([, a], [, b]) => a[axis] - b[axis]);
  const [first, last] = [row[0]?.[1], row.at(-1)?.[1]];
  if (!first || !last) return {};
  const filled = row.reduce((sum, [, box]) => sum + box[size], 0);
  const gap = Math.max((last[axis] + last[size] - first[axis] - filled) / (row.length - 1), GAP);
  let at = first[axis];
  return Object.fromEntries(
    row.map(([id, box]) => {
      const place = { x: box.x, y: box.y, [axis]: at };
      at += box[size] + gap;
      return [id, place];
    }),
  );
}

/** What is laid out, as plain data: it goes to a worker. */
export interface LayoutTask {
  cards: readonly { id: string; width: number; height: number }[];
  wires: readonly (readonly [from: string, to: string])[];
}

/** From left to right, as the wires run; the upper left corner of all of them is at 0, 0. */
export function laidOut({ cards, wires }: LayoutTask): Places {
  const g = new dagre.graphlib.Graph().setGraph({ rankdir: "LR", nodesep: 48, ranksep: 96 }).setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of cards) g.setNode(id, { width, height });
  for (const [from, to] of wires) g.setEdge(from, to);
  dagre.layout(g);
  const corners = cards.map(({ id, width, height }) => ({ id, x: g.node(id).x - width / 2, y: g.node(id).y - height / 2 }));
  const [left, top] = [Math.min(...corners.map(({ x }) => x)), Math.min(...corners.map(({ y }) => y))];
  return Object.fromEntries(corners.map(({ id, x, y }) => [id, { x: x - left, y: y - top }]));
}
