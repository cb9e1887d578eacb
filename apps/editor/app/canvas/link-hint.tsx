// Beside the port that a link is dragged to: whether it fits, and why not.
import type { Graph, Library } from "@spindle/graph-model";
import { useConnection, useStore, ViewportPortal } from "@xyflow/react";
import { Check, X } from "lucide-react";
import { useMemo } from "react";
import { answerOf } from "./rails";

export function LinkHint({ graph, library }: { graph: Graph; library: Library }) {
  const aimed = useConnection((connection) => {
    if (!connection.inProgress || !connection.fromHandle || !connection.toHandle) return undefined;
    const ends = [
      [connection.fromNode.id, connection.fromHandle.id],
      [connection.toNode?.id, connection.toHandle.id],
    ];
    // Text, since an object would be another one at each move of the pointer.
    return JSON.stringify({ ends: connection.fromHandle.type === "source" ? ends : ends.reverse(), at: connection.to });
  });
  return aimed === undefined ? null : <Hint {...JSON.parse(aimed)} graph={graph} library={library} />;
}

interface HintProps {
  ends: [[node: string, port: string], [node: string, port: string]];
  at: { x: number; y: number };
  graph: Graph;
  library: Library;
}

function Hint({ ends, at, graph, library }: HintProps) {
  const zoom = useStore((state) => state.transform[2]);
  const [[fromNode, fromPort], [toNode, toPort]] = ends;
  const answer = useMemo(
    () => answerOf(graph, library, { node: fromNode, port: fromPort }, { node: toNode, port: toPort }),
    [graph, library, fromNode, fromPort, toNode, toPort],
  );
  return (
    <ViewportPortal>
      <output
        className={`link-hint${answer.ok ? "" : " bad"}`}
        style={{ transform: `translate(${at.x}px, ${at.y}px) scale(${1 / zoom}) translate(-50%, calc(-100% - 14px))` }}
      >
        {answer.ok ? <Check size={12} /> : <X size={12} />} <span>{answer.ok ? fitWords(answer) : answer.reason}</span>
      </output>
    </ViewportPortal>
  );
}

function fitWords({ as, replaces }: { as?: "loop" | "map"; replaces?: string }): string {
  const how = as === "loop" ? "Leads back: it repeats." : as === "map" ? "Runs once for each element." : "Fits.";
  return replaces === undefined ? how : `${how} It takes the place of the wire that is there.`;
}
