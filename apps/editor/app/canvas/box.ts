import type { Position } from "@spindle/graph-model";

/** What something covers on the canvas, in the graph. */
export interface Box extends Position {
  width: number;
  height: number;
}

/** The smallest box around some, of which there is one at least. */
export function around(boxes: readonly Box[]): Box {
  const [x, y] = [Math.min(...boxes.map((box) => box.x)), Math.min(...boxes.map((box) => box.y))];
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

/** The zoom below which a card is drawn as a box, which is smaller. */
export const BOX_BELOW = 0.4;
