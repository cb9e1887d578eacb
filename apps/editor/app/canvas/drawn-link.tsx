// A wire that is not there yet: from a port to a point of the window, or to another port.
import type { Position as Point, PortAddress } from "@spindle/graph-model";
import { getBezierPath, Position, type ReactFlowState, useStoreApi, ViewportPortal } from "@xyflow/react";

interface Props {
  from: PortAddress | { node: string; port?: string };
  isOutput: boolean;
  to: PortAddress | Point;
}

export function DrawnLink({ from, isOutput, to }: Props) {
  const store = useStoreApi();
  const state = store.getState();
  const start = portAt(state, from, isOutput);
  const end = "node" in to ? portAt(state, to, !isOutput) : inGraph(state, to);
  if (!start || !end) return null;
  const [d] = getBezierPath({
    sourceX: start.x,
    sourceY: start.y,
    sourcePosition: isOutput ? Position.Right : Position.Left,
    targetX: end.x,
    targetY: end.y,
    targetPosition: isOutput ? Position.Left : Position.Right,
  });
  return (
    <ViewportPortal>
      <svg className="palette-link" aria-hidden="true">
        <path d={d} />
      </svg>
    </ViewportPortal>
  );
}

function portAt({ nodeLookup }: ReactFlowState, { node, port }: { node: string; port?: string }, isOutput: boolean): Point | undefined {
  const card = nodeLookup.get(node);
  const handle = card?.internals.handleBounds?.[isOutput ? "source" : "target"]?.find(({ id }) => id === port);
  if (!card || !handle) return undefined;
  const { x, y } = card.internals.positionAbsolute;
  return { x: x + handle.x + handle.width / 2, y: y + handle.y + handle.height / 2 };
}

function inGraph({ domNode, transform: [x, y, zoom] }: ReactFlowState, at: Point): Point | undefined {
  const box = domNode?.getBoundingClientRect();
  return box && { x: (at.x - box.left - x) / zoom, y: (at.y - box.top - y) / zoom };
}
