// Where a new card lies: beside what is selected or in the middle of the view, and never upon another.
import { nodePosition, type Position } from "@spindle/graph-model";
import { normalise } from "@spindle/graph-model/shared-doc";
import type { ReactFlowState } from "@xyflow/react";
import type * as Y from "yjs";
import { CARD } from "./flow";
import type { Selection } from "./selection";

export interface Box extends Position {
  width: number;
  height: number;
}

const APART = { x: 96, y: 24 };

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width + APART.y && b.x < a.x + a.width + APART.y && a.y < b.y + b.height + APART.y && b.y < a.y + a.height + APART.y;

export const contains = (outer: Box, inner: Box): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

/** The wished place, or the nearest free one straight below it. */
export function freePlace(wished: Box, taken: readonly Box[]): Position {
  for (let y = wished.y; ; ) {
    const inTheWay = taken.filter((box) => overlap({ ...wished, y }, box));
    if (inTheWay.length === 0) return { x: wished.x, y };
    y = Math.min(...inTheWay.map((box) => box.y + box.height)) + APART.y;
  }
}

/** The box of every card by its id. Places come from the document: React Flow learns of a new node a frame later. */
export function cardBoxes(doc: Y.Doc, { nodeLookup }: ReactFlowState): Map<string, Box> {
  const { graph } = normalise(doc);
  return new Map(
    graph.nodes.map(({ id }) => {
      const drawn = nodeLookup.get(id);
      const { x, y } = nodePosition(graph, id) ?? drawn?.position ?? { x: 0, y: 0 };
      return [id, { x, y, width: drawn?.measured.width ?? CARD.width, height: drawn?.measured.height ?? CARD.height }];
    }),
  );
}

/** The part of the graph that the canvas shows now. */
export function viewBox({ width, height, transform: [x, y, zoom] }: ReactFlowState): Box {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}

export function placeForNew(doc: Y.Doc, flow: ReactFlowState, { nodes }: Selection): Position {
  const boxes = cardBoxes(doc, flow);
  const view = viewBox(flow);
  const beside = [...nodes].flatMap((id) => boxes.get(id) ?? []).filter((box) => overlap(box, view));
  const wished =
    beside.length > 0
      ? { x: Math.max(...beside.map((box) => box.x + box.width)) + APART.x, y: Math.min(...beside.map((box) => box.y)) }
      : { x: view.x + (view.width - CARD.width) / 2, y: view.y + (view.height - CARD.height) / 2 };
  return freePlace({ ...wished, ...CARD }, [...boxes.values()]);
}
