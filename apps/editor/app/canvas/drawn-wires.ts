// Where wires are drawn: only the page knows, since React Flow keeps no places of them.
import type { Position } from "@spindle/graph-model";

/** The middle of a wire that is drawn, in the graph; off the middle where its label is. */
export function middleOfWire(wire: string): Position | undefined {
  const drawn = document.querySelector(`.react-flow__edge[data-id="${CSS.escape(wire)}"]`);
  const path = drawn?.querySelector<SVGPathElement>(".react-flow__edge-path");
  if (!path) return undefined;
  const { x, y } = path.getPointAtLength(path.getTotalLength() * (drawn?.querySelector(".react-flow__edge-text") ? 0.25 : 0.5));
  return { x, y };
}

/** The wire at a point of the window, whatever lies over it. */
export function wireAt({ x, y }: Position): string | undefined {
  for (const element of document.elementsFromPoint(x, y)) {
    const wire = element.closest(".react-flow__edge")?.getAttribute("data-id");
    if (wire) return wire;
  }
  return undefined;
}

const STEP = 8;

/** The wire that a card lies upon: looked for from `top` to `bottom` of its middle. All in pixels of the window. */
export function wireUnder({ x, top, bottom }: { x: number; top: number; bottom: number }): string | undefined {
  for (let y = top; y <= bottom; y += STEP) {
    const wire = wireAt({ x, y });
    if (wire) return wire;
  }
  return undefined;
}
