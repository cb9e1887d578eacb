// What the palette is open for. It is kept beside the canvas, so that opening it draws no card again.

import type { Graph, PortAddress, Position } from "@spindle/graph-model";
import type { Sheet } from "@spindle/graph-model/shared-doc";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import type { RefObject } from "react";
import { create } from "zustand";
import { middleOfWire } from "./drawn-wires";
import { CARD } from "./flow";
import { placeForNew, viewBox } from "./free-place";
import { type Joint, jointOfWire } from "./joint";
import { type Selection, selectedAlone } from "./selection";
import type { Pointer } from "./use-pointer";

export interface Aim {
  /** In the window: the palette opens beside this point, or beside this card. */
  at: Position & { width?: number; height?: number };
  /** In the graph: the wished upper left corner of the card. */
  corner: Position;
  joint: Joint;
  /** The node that becomes another one. */
  replaces?: string;
  /** Why the two ends of the joint cannot be wired: only what makes one of the other is offered. */
  unfit?: string;
}

export const usePalette = create<{ aim: Aim | undefined }>(() => ({ aim: undefined }));
const open = (aim: Aim) => usePalette.setState({ aim });
export const closePalette = () => usePalette.setState({ aim: undefined });

/** From the upper edge of a card to the middle of its first port. */
const FIRST_PORT = 78;
/** Which part of the new card comes to the point. */
const HELD = {
  corner: { x: 0, y: 0 },
  input: { x: 0, y: FIRST_PORT },
  output: { x: CARD.width, y: FIRST_PORT },
  middle: { x: CARD.width / 2, y: FIRST_PORT },
};

/** @param held the part of the new card that comes to the point of the window; `joint` with one of its ports is a link that was dropped there */
export function useOpenAt(): (at: Position, joint: Joint, held?: keyof typeof HELD, unfit?: string) => void {
  const flow = useReactFlow();
  return (at, joint, held = joint.wire ? "middle" : joint.from ? "input" : joint.to ? "output" : "corner", unfit) => {
    const { x, y } = flow.screenToFlowPosition(at);
    open({ at, corner: { x: x - HELD[held].x, y: y - HELD[held].y }, joint, ...(unfit === undefined ? {} : { unfit }) });
  };
}

/** Opens the palette for a node that is named: for what takes its place, or for what gives an input of it. */
export function useOpenFor(): { replace(node: string): void; feed(to: PortAddress): void } {
  const flow = useReactFlow();
  const store = useStoreApi();
  const openAt = useOpenAt();
  const cornerOf = (id: string): Position => store.getState().nodeLookup.get(id)?.internals.positionAbsolute ?? { x: 0, y: 0 };
  return {
    replace: (node) => open({ at: flow.flowToScreenPosition(cornerOf(node)), corner: cornerOf(node), joint: {}, replaces: node }),
    feed: (to) => {
      const { x, y } = cornerOf(to.node);
      openAt(flow.flowToScreenPosition({ x: x - APART, y: y + FIRST_PORT }), { to });
    },
  };
}
/** Between a new card and the one that it gives a value to. */
const APART = 96;

export interface PaletteOpener {
  /** For a node after the one that is selected, for one in the wire that is selected, or for a free one. */
  add(): void;
  /** For another node instead of the one that is selected. */
  replace(): void;
}

export function usePaletteOpener(
  sheet: Sheet | undefined,
  graph: Graph | undefined,
  pointer: RefObject<Pointer | undefined>,
  selection: Selection,
): PaletteOpener {
  const flow = useReactFlow();
  const store = useStoreApi();
  const openAt = useOpenAt();
  const { node, edge } = selectedAlone(selection, graph);
  /** The point of the window, or the nearest that is seen. */
  const seen = (place: Position): Position => {
    const { x, y, width, height } = viewBox(store.getState());
    return flow.flowToScreenPosition({ x: Math.min(Math.max(place.x, x), x + width), y: Math.min(Math.max(place.y, y), y + height) });
  };
  const cornerOf = (id: string): Position => store.getState().nodeLookup.get(id)?.internals.positionAbsolute ?? { x: 0, y: 0 };
  return {
    add: () => {
      if (!sheet || !graph) return;
      const joint = edge === undefined ? undefined : jointOfWire(graph, edge);
      if (joint && edge !== undefined) return openAt(seen(middleOfWire(edge) ?? cornerOf(joint.from?.node ?? "")), joint);
      const next: Joint = node === undefined ? {} : { from: { node } };
      const under = pointer.current;
      if (under?.isOverPane) return openAt(under, next, "corner");
      const corner = placeForNew(sheet, store.getState(), selection);
      open({ at: seen(corner), corner, joint: next });
    },
    replace: () => {
      if (node === undefined) return;
      const { width = CARD.width, height = CARD.height } = store.getState().nodeLookup.get(node)?.measured ?? {};
      const zoom = flow.getZoom();
      const at = { ...seen(cornerOf(node)), width: width * zoom, height: height * zoom };
      open({ at, corner: cornerOf(node), joint: {}, replaces: node });
    },
  };
}
