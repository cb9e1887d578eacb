import { type FitViewOptions, type ReactFlowInstance, useReactFlow, useStore } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { useEffect } from "react";
import { Tip } from "../ui/tip";

interface Size {
  width: number;
  height: number;
}

const MOST_ZOOM = 1;
/** What lies over the canvas at its edges stays free of cards. */
const EDGES = { top: 48, right: 48, bottom: 72, left: 72 };
const GAP = 12;
const MOST_UNZOOM = 2.5;

/** The room at the edges of a view of `shown`; the corner of the minimap is left free where that costs less, beside it or above it. */
export function fitEdges(shown: Size, view: Size, minimap: Size | undefined): typeof EDGES {
  if (!minimap) return EDGES;
  const zoom = ({ top, right, bottom, left }: typeof EDGES) =>
    Math.min((view.width - left - right) / shown.width, (view.height - top - bottom) / shown.height, MOST_ZOOM);
  const beside = { ...EDGES, right: minimap.width + 2 * GAP };
  const above = { ...EDGES, bottom: minimap.height + 2 * GAP };
  return zoom(beside) > zoom(above) ? beside : above;
}

/** How a view of what is so large is fitted into the canvas as it is now. */
export function fitOptions(shown: Size): FitViewOptions {
  const size = (of: string): Size | undefined => {
    const { width = 0, height = 0 } = document.querySelector(of)?.getBoundingClientRect() ?? {};
    return width > 0 ? { width, height } : undefined;
  };
  const { top, right, bottom, left } = fitEdges(shown, size(".react-flow") ?? { width: 0, height: 0 }, size(".react-flow__minimap"));
  return { maxZoom: MOST_ZOOM, padding: { top: `${top}px`, right: `${right}px`, bottom: `${bottom}px`, left: `${left}px` } };
}

/** Shows the whole graph, or the nodes named. */
export function fit(flow: ReactFlowInstance, ids?: Iterable<string>): void {
  const nodes = ids ? [...ids].map((id) => ({ id })) : flow.getNodes();
  void flow.fitView({ duration: 280, ...fitOptions(flow.getNodesBounds(nodes.map(({ id }) => id))), ...(ids ? { nodes } : {}) });
}

export function CanvasTools() {
  const flow = useReactFlow();
  const zoom = useStore((store) => Math.round(store.transform[2] * 100));
  const canvas = useStore((store) => store.domNode);
  // What is pressed on a card stays large enough for that while the card is small; in steps, since each draws the cards again.
  const unzoom = Math.min(MOST_UNZOOM, Math.max(1, Math.ceil(400 / zoom) / 4));
  useEffect(() => canvas?.style.setProperty("--unzoom", String(unzoom)), [canvas, unzoom]);
  return (
    <div className="floating zoom-tools" role="toolbar" aria-label="Zoom">
      <Tip text="Zoom out">
        <button type="button" className="button icon" aria-label="Zoom out" onClick={() => void flow.zoomOut()}>
          <Minus size={16} />
        </button>
      </Tip>
      <span className="text-small digits zoom-share">{zoom}%</span>
      <Tip text="Zoom in">
        <button type="button" className="button icon" aria-label="Zoom in" onClick={() => void flow.zoomIn()}>
          <Plus size={16} />
        </button>
      </Tip>
      <Tip text="Fit the graph">
        <button type="button" className="button icon" aria-label="Fit the graph" onClick={() => fit(flow)}>
          <Maximize size={16} />
        </button>
      </Tip>
    </div>
  );
}
