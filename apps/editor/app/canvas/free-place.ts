// Where a new card lies: beside what is selected or in the middle of the view, and never upon another.
import { nodePosition, type Position } from "@spindle/graph-model";
import { type Sheet, sheetGraph } from "@spindle/graph-model/shared-doc";
import type { ReactFlowState } from "@xyflow/react";
import type { Box } from "./box";
import { CARD } from "./flow";
import type { Selection } from "./selection";

const APART = { x: 96, y: 24 };

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width + APART.y && b.x < a.x + a.width + APART.y && a.y < b.y + b.height + APART.y && b.y < a.y + a.height + APART.y;

/** The wished place, or the free one that is nearest to it. */
export function freePlace(wished: Box, taken: readonly Box[]): Position {
  // In the nearest free place the card is level with what was wished, or just above or below another card.
  const rows = [wished.y, ...taken.flatMap((box) => [box.y + box.height + APART.y, box.y - wished.height - APART.y])];
  rows.sort((a, b) => Math.abs(a - wished.y) - Math.abs(b - wished.y) || b - a);
  let best: (Position & { far: number }) | undefined;
  for (const y of rows) {
    if (best && Math.abs(y - wished.y) >= best.far) break;
    for (const x of freeInRow({ ...wished, y }, taken)) {
      const far = Math.hypot(x - wished.x, y - wished.y);
      if (!best || far < best.far) best = { x, y, far };
    }
  }
  return best ? { x: best.x, y: best.y } : { x: wished.x, y: wished.y };
}

/** The nearest free places of the row: to the right and to the left. */
function freeInRow(wished: Box, taken: readonly Box[]): [right: number, left: number] {
  const row = taken.filter((box) => overlap({ ...wished, x: box.x }, box));
  const covers = (x: number, box: Box) => overlap({ ...wished, x }, box);
  let right = wished.x;
  for (const box of row.toSorted((a, b) => a.x - b.x)) if (covers(right, box)) right = box.x + box.width + APART.y;
  let left = wished.x;
  for (const box of row.toSorted((a, b) => b.x + b.width - a.x - a.width)) if (covers(left, box)) left = box.x - wished.width - APART.y;
  return [right, left];
}

/** The box of every card by its id. Places come from the document: React Flow learns of a new node a frame later. */
export function cardBoxes(sheet: Sheet, { nodeLookup }: ReactFlowState): Map<string, Box> {
  const graph = sheetGraph(sheet);
  return new Map(
    graph.nodes.map(({ id }) => {
      const drawn = nodeLookup.get(id);
      const { x, y } = nodePosition(graph, id) ?? drawn?.position ?? { x: 0, y: 0 };
      return [id, { x, y, width: drawn?.measured.width ?? CARD.width, height: drawn?.measured.height ?? CARD.height }];
    }),
  );
}

/** Where a new card goes that is wished for at a place. */
export const freeNear = (sheet: Sheet, flow: ReactFlowState, wished: Position): Position =>
  freePlace({ ...wished, ...CARD }, [...cardBoxes(sheet, flow).values()]);

/** How many pixels of the canvas are covered at two of its edges. */
export interface Covered {
  right: number;
  bottom: number;
}
export const NOTHING_COVERED: Covered = { right: 0, bottom: 0 };

/** The part of the graph that the canvas shows now. */
export function viewBox({ width, height, transform: [x, y, zoom] }: ReactFlowState, covered = NOTHING_COVERED): Box {
  return { x: -x / zoom, y: -y / zoom, width: (width - covered.right) / zoom, height: (height - covered.bottom) / zoom };
}

export function placeForNew(sheet: Sheet, flow: ReactFlowState, { nodes }: Selection): Position {
  const boxes = cardBoxes(sheet, flow);
  const view = viewBox(flow);
  const beside = [...nodes].flatMap((id) => boxes.get(id) ?? []).filter((box) => overlap(box, view));
  const wished =
    beside.length > 0
      ? { x: Math.max(...beside.map((box) => box.x + box.width)) + APART.x, y: Math.min(...beside.map((box) => box.y)) }
      : { x: view.x + (view.width - CARD.width) / 2, y: view.y + (view.height - CARD.height) / 2 };
  return freePlace({ ...wished, ...CARD }, [...boxes.values()]);
}
