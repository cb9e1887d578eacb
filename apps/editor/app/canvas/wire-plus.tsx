// The + on a wire that the pointer is on, or that is selected: it opens the palette for a node in between.
import type { Graph } from "@spindle/graph-model";
import { useInternalNode, useStore, ViewportPortal } from "@xyflow/react";
import { Plus } from "lucide-react";
import { useEffect, useLayoutEffect, useState } from "react";
import { middleOfWire } from "./drawn-wires";
import { type Joint, jointOfWire } from "./joint";
import { useOpenAt } from "./use-palette";

/** Cards that are only boxes have no room between them. */
const FROM_ZOOM = 0.4;

export function WirePlus({ graph, selected }: { graph: Graph; selected: string | undefined }) {
  const canvas = useStore((state) => state.domNode);
  const [under, setUnder] = useState<string>();
  useEffect(() => {
    const point = ({ target }: PointerEvent) => {
      if (!(target instanceof Element) || target.closest(".wire-plus")) return;
      setUnder(target.closest(".react-flow__edge")?.getAttribute("data-id") ?? undefined);
    };
    canvas?.addEventListener("pointerover", point);
    return () => canvas?.removeEventListener("pointerover", point);
  }, [canvas]);
  const wire = under ?? selected;
  const joint = wire === undefined ? undefined : jointOfWire(graph, wire);
  return wire !== undefined && joint ? <PlusAt wire={wire} joint={joint} /> : null;
}

function PlusAt({ wire, joint }: { wire: string; joint: Joint }) {
  const openAt = useOpenAt();
  const zoom = useStore((state) => (state.connection.inProgress ? 0 : state.transform[2]));
  // The wire moves with the cards at its ends.
  useInternalNode(joint.from?.node ?? "");
  useInternalNode(joint.to?.node ?? "");
  const [place, setPlace] = useState<{ x: number; y: number }>();
  useLayoutEffect(() => {
    const next = middleOfWire(wire);
    setPlace((now) => (now?.x === next?.x && now?.y === next?.y ? now : next));
  });
  if (!place || zoom < FROM_ZOOM) return null;
  return (
    <ViewportPortal>
      <button
        type="button"
        tabIndex={-1}
        className="wire-plus nopan"
        aria-label="Insert a node into this wire"
        style={{ transform: `translate(${place.x}px, ${place.y}px) translate(-50%, -50%) scale(${1 / zoom})` }}
        onClick={({ currentTarget }) => {
          const box = currentTarget.getBoundingClientRect();
          openAt({ x: box.x + box.width / 2, y: box.y + box.height / 2 }, joint);
        }}
      >
        <Plus size={14} />
      </button>
    </ViewportPortal>
  );
}
