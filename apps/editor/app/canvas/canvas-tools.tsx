import { type FitViewOptions, useReactFlow, useStore } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { Tip } from "../ui/tip";

/** What lies over the canvas at its edges stays free of cards. */
export const FIT = { maxZoom: 1, padding: { top: "48px", right: "48px", bottom: "72px", left: "72px" } } as const;

/** The view of the whole graph, or of the nodes named. */
export const fitOptions = (nodes?: Iterable<string>): FitViewOptions => ({
  duration: 280,
  ...FIT,
  ...(nodes ? { nodes: [...nodes].map((id) => ({ id })) } : {}),
});

export function CanvasTools() {
  const flow = useReactFlow();
  const zoom = useStore((store) => Math.round(store.transform[2] * 100));
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
        <button type="button" className="button icon" aria-label="Fit the graph" onClick={() => void flow.fitView(fitOptions())}>
          <Maximize size={16} />
        </button>
      </Tip>
    </div>
  );
}
