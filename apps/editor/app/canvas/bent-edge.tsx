// A wire with bends: each is a point that can be taken hold of, or moved and removed by keys.
import type { Position } from "@spindle/graph-model";
import { BaseEdge, type Edge, type EdgeProps, useInternalNode, useReactFlow } from "@xyflow/react";
import { useEffect, useState } from "react";
import { pathThrough, setBends } from "./bends";
import { useCanvas } from "./canvas-context";

export type BentEdgeData = {
  bends: readonly Position[];
  /** Where the nodes at its ends are stored to lie. */
  from: Position | undefined;
  to: Position | undefined;
};

const STEP = 5;
const WAYS: Readonly<Record<string, Position>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export function BentEdge(props: EdgeProps<Edge<BentEdgeData>>) {
  const { id, source, target, sourceX, sourceY, targetX, targetY, label, style, selected, interactionWidth = 20 } = props;
  const { bends: stored = [], from, to } = props.data ?? {};
  const { sheet } = useCanvas();
  const flow = useReactFlow();
  const away = useWayOfBoth(source, target, from, to);
  const [held, hold] = useState<{ index: number; at: Position }>();
  const isHeld = held !== undefined;
  useEffect(() => {
    if (!isHeld) return;
    const giveUp = ({ key }: KeyboardEvent) => key === "Escape" && hold(undefined);
    document.addEventListener("keydown", giveUp, true);
    return () => document.removeEventListener("keydown", giveUp, true);
  }, [isHeld]);
  const bends = stored.map(({ x, y }, index) => (held?.index === index ? held.at : { x: x + away.x, y: y + away.y }));
  const change = (index: number, at: Position) =>
    setBends(
      sheet,
      id,
      stored.map((bend, one) => (one === index ? at : bend)),
    );
  const [before, behind] = [bends[Math.floor((bends.length - 1) / 2)], bends[Math.ceil((bends.length - 1) / 2)]];
  return (
    <>
      <BaseEdge
        id={id}
        path={pathThrough({ x: sourceX, y: sourceY }, bends, { x: targetX, y: targetY })}
        label={label}
        labelX={((before?.x ?? 0) + (behind?.x ?? 0)) / 2}
        labelY={((before?.y ?? 0) + (behind?.y ?? 0)) / 2}
        labelBgPadding={[6, 3]}
        labelBgBorderRadius={4}
        interactionWidth={interactionWidth}
        {...(style ? { style } : {})}
      />
      {bends.map(({ x, y }, index) => (
        // biome-ignore lint/a11y/useSemanticElements: HTML has no place in a drawing
        <g
          // A bend is its place among the others.
          key={index}
          role="button"
          className="wire-bend nopan"
          data-wire={id}
          data-bend={index}
          transform={`translate(${x} ${y})`}
          tabIndex={selected ? 0 : -1}
          aria-label={`Bend ${index + 1} of ${bends.length}`}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.stopPropagation();
            event.currentTarget.setPointerCapture(event.pointerId);
            hold({ index, at: { x, y } });
          }}
          onPointerMove={({ clientX, clientY }) =>
            held?.index === index && hold({ index, at: flow.screenToFlowPosition({ x: clientX, y: clientY }) })
          }
          onPointerUp={() => {
            if (held && (held.at.x !== stored[index]?.x || held.at.y !== stored[index]?.y)) change(index, held.at);
            hold(undefined);
          }}
          onPointerCancel={() => hold(undefined)}
          onDoubleClick={(event) => {
            event.stopPropagation();
            setBends(sheet, id, stored.toSpliced(index, 1));
          }}
          onKeyDown={(event) => {
            const way = WAYS[event.key];
            const at = stored[index];
            if (!way || !at) return;
            event.preventDefault();
            event.stopPropagation();
            const step = event.shiftKey ? 4 * STEP : STEP;
            change(index, { x: at.x + step * way.x, y: at.y + step * way.y });
          }}
        >
          <circle className="hit" r={12} />
          <circle r={5} />
        </g>
      ))}
    </>
  );
}

/** How far both ends have been dragged together from where they are stored; nothing if only one of them was. */
function useWayOfBoth(source: string, target: string, from: Position | undefined, to: Position | undefined): Position {
  const [start, end] = [useInternalNode(source), useInternalNode(target)].map((node) => node?.internals.positionAbsolute);
  if (!from || !to || !start || !end) return STAYS;
  const [x, y] = [start.x - from.x, start.y - from.y];
  const isOneWay = Math.abs(end.x - to.x - x) < 1 && Math.abs(end.y - to.y - y) < 1;
  return isOneWay ? { x, y } : STAYS;
}
const STAYS: Position = { x: 0, y: 0 };

/** The bend that has the focus, as the wire and the bend's place on it. */
export function focusedBend(): { wire: string; index: number } | undefined {
  const { wire, bend } = (document.activeElement?.closest(".wire-bend") as SVGElement | null | undefined)?.dataset ?? {};
  return wire === undefined ? undefined : { wire, index: Number(bend) };
}
