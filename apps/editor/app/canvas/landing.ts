// A card that an edit brought: it is seen wholly, and keys go on at it, as soon as it is drawn.
import { nodesOf } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { useEffect } from "react";
import type * as Y from "yjs";
import { create } from "zustand";
import { focusCanvas, isFocusFree } from "../ui/focus";
import { CARD } from "./flow";
import { viewBox } from "./free-place";

interface Landing {
  node: string;
  /** The view moves as far as the card is not seen in it. */
  isRevealed: boolean;
}

const useLanding = create<{ landing: Landing | undefined }>(() => ({ landing: undefined }));
const end = () => useLanding.setState({ landing: undefined });

/** The card is new: the view shows it wholly, and it takes the focus unless a field or another panel has it. */
export const land = (node: string | undefined): void =>
  useLanding.setState({ landing: node === undefined ? undefined : { node, isRevealed: true } });

/** The focus goes to the first of the nodes that is there, or to the canvas, unless a field or another panel has it. */
export function goOnAt(doc: Y.Doc, nodes: Iterable<string>): void {
  const node = [...nodes].find((id) => nodesOf(doc).has(id));
  useLanding.setState({ landing: node === undefined ? undefined : { node, isRevealed: false } });
  if (node === undefined && isFocusFree()) document.querySelector<HTMLElement>(".canvas")?.focus({ preventScroll: true });
}

const MARGIN = 24;

/** For the canvas. A landing is used once: a card that is drawn again later takes nothing. */
export function useLandings(): void {
  const landing = useLanding((state) => state.landing);
  const flow = useReactFlow();
  const store = useStoreApi();
  const node = landing?.node ?? "";
  const isKnown = useStore((state) => state.nodeLookup.has(node));
  const isDrawn = useStore((state) => state.nodeLookup.get(node)?.measured.width !== undefined);
  useEffect(() => end, []);
  useEffect(() => {
    if (!landing || !isKnown) return;
    const state = store.getState();
    const card = state.nodeLookup.get(landing.node);
    if (landing.isRevealed && card) {
      const box = {
        ...card.internals.positionAbsolute,
        width: card.measured.width ?? CARD.width,
        height: card.measured.height ?? CARD.height,
      };
      const [x, y, zoom] = state.transform;
      const view = viewBox(state, coveredOnTheRight(state.domNode));
      const move = { x: way(box.x, box.width, view.x, view.width), y: way(box.y, box.height, view.y, view.height) };
      if (move.x !== 0 || move.y !== 0) void flow.setViewport({ x: x + move.x * zoom, y: y + move.y * zoom, zoom });
    }
    if (!isDrawn) return;
    if (isFocusFree()) {
      const drawn = document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(landing.node)}"]`);
      if (drawn) drawn.focus({ preventScroll: true });
      else focusCanvas();
    }
    end();
  }, [landing, isKnown, isDrawn, flow, store]);
}

/** How far the view goes, so that what lies from `at` on is in it. What is larger than the view is seen from its beginning. */
function way(at: number, size: number, from: number, room: number): number {
  if (at >= from && at + size <= from + room) return 0;
  if (at < from || size + 2 * MARGIN > room) return from + MARGIN - at;
  return from + room - MARGIN - (at + size);
}

/** How many pixels of the canvas the inspector covers. */
function coveredOnTheRight(canvas: HTMLElement | null): number {
  const right = canvas?.getBoundingClientRect().right ?? 0;
  const inspector = document.querySelector(".inspector")?.getBoundingClientRect();
  return inspector && inspector.width > 0 ? Math.max(0, right - inspector.left) : 0;
}
