// Wires as they are drawn. Where they are, only the page knows: React Flow keeps no places of them.
import type { Position } from "@spindle/graph-model";

const STEP = 8;
/** Where on a wire with bends something else may stand, as shares of its length, and how far from a bend is far enough. */
const BESIDE = [0.5, 0.3, 0.7, 0.15, 0.85];
const FAR = 40;

/** A place on a wire that is drawn, in the graph: its middle, or as far as can be from its bends and off its label. */
export function middleOfWire(wire: string): Position | undefined {
  const drawn = document.querySelector(`.react-flow__edge[data-id="${CSS.escape(wire)}"]`);
  const path = drawn?.querySelector<SVGPathElement>(".react-flow__edge-path");
  if (!path) return undefined;
  const bends = [...(drawn?.querySelectorAll<SVGGElement>(".wire-bend") ?? [])].map(({ transform }) => transform.baseVal.getItem(0).matrix);
  const shares = drawn?.querySelector(".react-flow__edge-text") ? [0.25, 0.75] : bends.length > 0 ? BESIDE : [0.5];
  const places = shares.map((share) => path.getPointAtLength(path.getTotalLength() * share));
  const room = ({ x, y }: Position) => Math.min(FAR, ...bends.map(({ e, f }) => Math.hypot(e - x, f - y)));
  const [best] = places.toSorted((one, other) => room(other) - room(one));
  return best && { x: best.x, y: best.y };
}

/** How far along a wire that is drawn the point next to `to` lies; both in the graph. */
export function lengthAt(wire: string, to: Position): number {
  const path = document.querySelector<SVGPathElement>(`.react-flow__edge[data-id="${CSS.escape(wire)}"] .react-flow__edge-path`);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  const whole = path?.getTotalLength() ?? 0;
  for (let length = 0; length <= whole; length += STEP) {
    const { x = 0, y = 0 } = path?.getPointAtLength(length) ?? {};
    const away = Math.hypot(x - to.x, y - to.y);
    if (away < least) [best, least] = [length, away];
  }
  return best;
}

/** The wire at a point of the window, whatever lies over it. */
export function wireAt({ x, y }: Position): string | undefined {
  for (const element of document.elementsFromPoint(x, y)) {
    const wire = element.closest(".react-flow__edge")?.getAttribute("data-id");
    if (wire) return wire;
  }
  return undefined;
}

/** The wire that a card lies upon: looked for from `top` to `bottom` of its middle. All in pixels of the window. */
export function wireUnder({ x, top, bottom }: { x: number; top: number; bottom: number }): string | undefined {
  for (let y = top; y <= bottom; y += STEP) {
    const wire = wireAt({ x, y });
    if (wire) return wire;
  }
  return undefined;
}
