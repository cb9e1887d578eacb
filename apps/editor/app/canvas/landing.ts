// A card that an edit brought: it is seen wholly, and keys go on at it, as soon as it is drawn.
import { nodeIdsOf, type Sheet } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { useEffect } from "react";
import { create } from "zustand";
import { focusCanvas, isFocusFree } from "../ui/focus";
import { around } from "./box";
import { CARD } from "./flow";
import { type Covered, NOTHING_COVERED, viewBox } from "./free-place";

interface Landing {
  /** The first of them takes the focus. */
  nodes: readonly string[];
  /** The view moves as far as the cards are not seen in it. */
  isRevealed: boolean;
}

const useLanding = create<{ landing: Landing | undefined }>(() => ({ landing: undefined }));
const end = () => useLanding.setState({ landing: undefined });

/** The cards are new: the view shows them wholly, and the first takes the focus unless a field or another panel has it. */
export const land = (...nodes: string[]): void =>
  useLanding.setState({ landing: nodes.length === 0 ? undefined : { nodes, isRevealed: true } });

/** The focus goes to the first of the nodes that is there, or to the canvas, unless a field or another panel has it. */
export function goOnAt(sheet: Sheet, nodes: Iterable<string>): void {
  const present = new Set(nodeIdsOf(sheet));
  const node = [...nodes].find((id) => present.has(id));
  useLanding.setState({ landing: node === undefined ? undefined : { nodes: [node], isRevealed: false } });
  if (node === undefined && isFocusFree()) document.querySelector<HTMLElement>(".canvas")?.focus({ preventScroll: true });
}

const MARGIN = 24;

/** For the canvas. A landing is used once: a card that is drawn again later takes nothing. */
export function useLandings(): void {
  const landing = useLanding((state) => state.landing);
  const flow = useReactFlow();
  const store = useStoreApi();
  const first = landing?.nodes[0] ?? "";
  const isKnown = useStore((state) => landing?.nodes.every((node) => state.nodeLookup.has(node)) === true);
  // React Flow knows the size first, and hides the card again, which takes its focus, if it is given the card without the size meanwhile.
  const isDrawn = useStore((state) => state.nodeLookup.get(first)?.internals.userNode.measured?.width !== undefined);
  useEffect(() => end, []);
  useEffect(() => {
    if (!landing || !isKnown) return;
    const state = store.getState();
    if (landing.isRevealed) {
      const cards = landing.nodes.flatMap((node) => state.nodeLookup.get(node) ?? []);
      const box = around(
        cards.map(({ internals, measured }) => ({
          ...internals.positionAbsolute,
          width: measured.width ?? CARD.width,
          height: measured.height ?? CARD.height,
        })),
      );
      const [x, y, zoom] = state.transform;
      const view = viewBox(state, covered(state.domNode));
      const move = { x: way(box.x, box.width, view.x, view.width), y: way(box.y, box.height, view.y, view.height) };
      if (move.x !== 0 || move.y !== 0) void flow.setViewport({ x: x + move.x * zoom, y: y + move.y * zoom, zoom });
    }
    if (!isDrawn) return;
    if (isFocusFree()) {
      const drawn = document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(first)}"]`);
      if (drawn) drawn.focus({ preventScroll: true });
      else focusCanvas();
    }
    end();
  }, [landing, first, isKnown, isDrawn, flow, store]);
}

/** How far the view goes, so that what lies from `at` on is in it. What is larger than the view is seen from its beginning. */
function way(at: number, size: number, from: number, room: number): number {
  if (at >= from && at + size <= from + room) return 0;
  if (at < from || size + 2 * MARGIN > room) return from + MARGIN - at;
  return from + room - MARGIN - (at + size);
}

/** How many pixels of the canvas the inspector covers: at the right, or at the bottom where it is a sheet. */
function covered(canvas: HTMLElement | null): Covered {
  const view = canvas?.getBoundingClientRect();
  const inspector = document.querySelector(".inspector")?.getBoundingClientRect();
  if (!view || !inspector || inspector.width === 0) return NOTHING_COVERED;
  return inspector.left <= view.left
    ? { right: 0, bottom: Math.max(0, view.bottom - inspector.top) }
    : { right: Math.max(0, view.right - inspector.left), bottom: 0 };
}
