import { getViewportForBounds, type ReactFlowInstance, useNodesInitialized, useReactFlow, useStore, type Viewport } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { useEffect, useRef } from "react";
import { create } from "zustand";
import { moving } from "../ui/motion";
import { Tip } from "../ui/tip";
import { around, BOX_BELOW, type Box } from "./box";
import { CARD } from "./flow";

interface Size {
  width: number;
  height: number;
}

/** How far a view is zoomed out at most, and how far in when it is fitted. */
export const LEAST_ZOOM = 0.05;
const MOST_ZOOM = 1;
/** What lies over the canvas at its edges stays free of cards. */
const EDGES = { top: 48, right: 48, bottom: 72, left: 72 };
const GAP = 12;
/** Given to React Flow as its style, from which it takes the scale of the map, too. */
export const MAP = { width: 168, height: 108 };
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

function sizeOf(element: string): Size | undefined {
  const { width = 0, height = 0 } = document.querySelector(element)?.getBoundingClientRect() ?? {};
  return width > 0 ? { width, height } : undefined;
}

function viewOf(shown: Box, canvas: Size, minimap: Size | undefined): Viewport {
  const { top, right, bottom, left } = fitEdges(shown, canvas, minimap);
  const padding = { top: `${top}px`, right: `${right}px`, bottom: `${bottom}px`, left: `${left}px` } as const;
  return getViewportForBounds(shown, canvas.width, canvas.height, LEAST_ZOOM, MOST_ZOOM, padding);
}

/** Of more cards only those in view are drawn, and a graph of more is opened as boxes. */
export const MANY_CARDS = 150;

/**
 * The view of a graph that is opened, before any card is drawn: React Flow would fit it once it has drawn and measured every card at
 * full size, which are boxes in that view. Few cards are drawn so, since their true sizes may let them be read.
 */
export function firstView(boxes: readonly Box[], hasMinimap: boolean): Viewport {
  const canvas = sizeOf(".canvas");
  if (!canvas || boxes.length === 0) return { x: 0, y: 0, zoom: 1 };
  const view = viewOf(around(boxes), canvas, hasMinimap ? MAP : undefined);
  return boxes.length > MANY_CARDS ? view : { ...view, zoom: Math.max(view.zoom, BOX_BELOW) };
}

/** Where the view is in which the whole graph was fitted last. */
const useFitted = create<{ view: Viewport | undefined }>(() => ({ view: undefined }));

/** Shows the whole graph, or the nodes named. @param duration in ms */
export async function fit(flow: ReactFlowInstance, ids?: Iterable<string>, duration = 280): Promise<void> {
  const named = ids && new Set(ids);
  const isFarAway = flow.getZoom() < BOX_BELOW;
  const boxes = flow.getNodes().flatMap(({ id, type, position, measured, hidden }) => {
    if (hidden || (named && !named.has(id))) return [];
    const { width = CARD.width, height = CARD.height } = measured ?? {};
    // The fitted view may be so near that what is a box now is a card.
    const isCard = type === "card" && isFarAway;
    return [{ ...position, width: isCard ? Math.max(width, CARD.width) : width, height: isCard ? Math.max(height, CARD.height) : height }];
  });
  const canvas = sizeOf(".react-flow");
  if (boxes.length === 0 || !canvas) return;
  const viewport = viewOf(around(boxes), canvas, sizeOf(".react-flow__minimap"));
  if (!ids) useFitted.setState({ view: viewport });
  if (isSameView(viewport, flow.getViewport())) return; // a move to where the view is would draw everything again
  await flow.setViewport(viewport, { duration: moving(duration) });
}

/** A view that shows the whole graph does so in a canvas of another size, too, as long as nobody has moved it. */
function useStayingFit(flow: ReactFlowInstance, isFittedAtStart: boolean): void {
  const width = useStore((store) => store.width);
  const height = useStore((store) => store.height);
  const hasCards = useStore((store) => store.nodes.some(({ type }) => type === "card"));
  const isDrawn = useNodesInitialized() && hasCards;
  const isFirst = useRef(isFittedAtStart);
  useEffect(() => {
    // Until React Flow has the cards of this canvas it may still tell of those of the one before.
    const hasOwn = flow.getNodes().some(({ type }) => type === "card");
    if (!isDrawn || !hasOwn || !isFirst.current) return;
    isFirst.current = false;
    // The first view fits what the cards were taken for; by now their sizes are known, and where that leaves the view.
    void fit(flow, undefined, 0);
  }, [flow, isDrawn]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another size is what asks for it
  useEffect(() => {
    const { view } = useFitted.getState();
    if (view && isSameView(view, flow.getViewport())) void fit(flow, undefined, 0);
  }, [width, height]);
  useEffect(() => () => useFitted.setState({ view: undefined }), []);
}

const isSameView = (before: Viewport, now: Viewport): boolean =>
  Math.abs(before.x - now.x) < 0.5 && Math.abs(before.y - now.y) < 0.5 && Math.abs(before.zoom - now.zoom) < 0.001;

/** Whether a card lies under the minimap in a view that shows the whole graph and that nobody has moved: then the map goes. */
export function useIsMapOver(): boolean {
  const fitted = useFitted(({ view }) => view);
  return useStore(({ transform: [x, y, zoom], width, height, nodeLookup }) => {
    if (!fitted || !isSameView(fitted, { x, y, zoom })) return false;
    const left = (width - MAP.width - GAP - x) / zoom;
    const top = (height - MAP.height - GAP - y) / zoom;
    for (const { internals, measured, hidden } of nodeLookup.values()) {
      const at = internals.positionAbsolute;
      if (!hidden && at.x + (measured.width ?? 0) > left && at.y + (measured.height ?? 0) > top) return true;
    }
    return false;
  });
}

export function CanvasTools({ isFittedAtStart }: { isFittedAtStart: boolean }) {
  const flow = useReactFlow();
  useStayingFit(flow, isFittedAtStart);
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
        <button type="button" className="button icon" aria-label="Fit the graph" onClick={() => void fit(flow)}>
          <Maximize size={16} />
        </button>
      </Tip>
    </div>
  );
}
