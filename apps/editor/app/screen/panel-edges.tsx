// The edges between the panels and the canvas: they are dragged, moved by the arrow keys, or put the panel away.
import { type KeyboardEvent, type PointerEvent, useState } from "react";
import type { Panels, SizedPanel } from "./use-panels";

interface Edge {
  panel: SizedPanel;
  label: string;
  selector: string;
  axis: "x" | "y";
  /** Whether the panel grows to the right or down. */
  way: 1 | -1;
  least: number;
  most: number;
}

const EDGES: readonly Edge[] = [
  { panel: "library", label: "Width of the library", selector: ".library", axis: "x", way: 1, least: 180, most: 480 },
  { panel: "inspector", label: "Width of the inspector", selector: ".inspector", axis: "x", way: -1, least: 260, most: 640 },
  { panel: "bottom", label: "Height of the run panel", selector: ".bottom", axis: "y", way: -1, least: 96, most: 560 },
];
const STEP = 16;
const KEYS: Readonly<Record<string, { axis: "x" | "y"; way: 1 | -1 }>> = {
  ArrowLeft: { axis: "x", way: -1 },
  ArrowRight: { axis: "x", way: 1 },
  ArrowUp: { axis: "y", way: -1 },
  ArrowDown: { axis: "y", way: 1 },
};

export const PanelEdges = ({ panels }: { panels: Panels }) =>
  EDGES.filter(({ panel }) => !panels.hidden.has(panel)).map((edge) => <PanelEdge key={edge.panel} edge={edge} panels={panels} />);

function PanelEdge({ edge: { panel, label, selector, axis, way, least, most }, panels }: { edge: Edge; panels: Panels }) {
  const [seen, setSeen] = useState<number>();
  const measure = () => {
    const box = document.querySelector(`.editor-page > ${selector}`)?.getBoundingClientRect();
    return Math.round((axis === "x" ? box?.width : box?.height) ?? 0);
  };
  const within = (size: number) => Math.round(Math.min(Math.max(size, least), most));
  const press = (event: KeyboardEvent) => {
    const key = KEYS[event.key];
    const next =
      key?.axis === axis
        ? within(measure() + key.way * way * STEP * (event.shiftKey ? 4 : 1))
        : event.key === "Home"
          ? least
          : event.key === "End"
            ? most
            : undefined;
    if (next !== undefined) panels.resize(panel, next);
    else if (event.key === "Enter") panels.toggle(panel);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const hold = (event: PointerEvent) => {
    if (event.button !== 0 || !(event.currentTarget instanceof HTMLElement)) return;
    event.currentTarget.focus();
    const pointAt = (moved: { clientX: number; clientY: number }) => (axis === "x" ? moved.clientX : moved.clientY);
    const [at, before] = [pointAt(event), measure()];
    const sizeAt = (moved: globalThis.PointerEvent) => before + way * (pointAt(moved) - at);
    const move = (moved: globalThis.PointerEvent) => panels.resize(panel, within(sizeAt(moved)));
    const end = (moved: globalThis.PointerEvent) => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      // A panel that is made as good as nothing is put away, and comes back as it was.
      if (moved.type === "pointercancel" || sizeAt(moved) > least / 2) return;
      panels.resize(panel, before);
      panels.toggle(panel);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  };
  const size = panels.sizes[panel] ?? seen ?? least;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that is moved is no line
    <div
      role="separator"
      className={`panel-edge of-${panel}`}
      tabIndex={0}
      aria-label={label}
      aria-orientation={axis === "x" ? "vertical" : "horizontal"}
      aria-valuenow={size}
      aria-valuemin={Math.min(least, size)}
      aria-valuemax={Math.max(most, size)}
      aria-valuetext={`${size} pixels`}
      title="Drag, or press the arrow keys. Enter puts the panel away, a double click gives it its first size."
      onFocus={() => setSeen(measure())}
      onKeyDown={press}
      onDoubleClick={() => panels.resize(panel, undefined)}
      onMouseDown={(event) => event.preventDefault()} // no text is selected on the way
      onPointerDown={hold}
    />
  );
}
