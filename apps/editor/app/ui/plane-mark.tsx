import type { Plane } from "@spindle/graph-model";
import { Braces, Cpu, Layers } from "lucide-react";

const SHAPES: Record<Plane, string> = {
  node: "M10 0a10 10 0 1 0 0 20a10 10 0 1 0 0-20z",
  python: "M3 0h14a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z",
  comfy: "M10 0l9 5v10l-9 5l-9-5V5z",
};
const ICONS = { node: Braces, python: Cpu, comfy: Layers };
export const PLANE_NAMES: Record<Plane, string> = { node: "Node plane", python: "Python plane", comfy: "Comfy plane" };

/** Shape first, colour second: the planes are told apart without colour. */
export function PlaneMark({ plane, small, off }: { plane: Plane; small?: boolean; off?: boolean }) {
  const Icon = ICONS[plane];
  return (
    <span className={`plane${small ? " small" : ""}${off ? " off" : ""}`} data-plane={plane} role="img" aria-label={PLANE_NAMES[plane]}>
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <path d={SHAPES[plane]} />
      </svg>
      <Icon className="glyph" aria-hidden="true" />
    </span>
  );
}
