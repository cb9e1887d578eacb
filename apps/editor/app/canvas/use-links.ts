// Links that are drawn from port to port: whether they fit, and what becomes of one that is dropped.
import type { Graph, Library, PortAddress, Position } from "@spindle/graph-model";
import { connect, type Sheet } from "@spindle/graph-model/shared-doc";
import type { Connection, Edge, OnConnectEnd } from "@xyflow/react";
import { useCallback } from "react";
import { ME } from "../session/use-document";
import type { FitQuestion } from "./fits";
import { converter } from "./joint";
import { answerOf, isRail, wireRail } from "./rails";
import { type Selection, selectionOf } from "./selection";
import type { Grip } from "./use-give-up";
import { useOpenAt } from "./use-palette";

interface Given {
  sheet: Sheet;
  graph: Graph;
  library: Library;
  grip: Grip;
  onSelect(next: Selection): void;
  /** Says why a link was not made. */
  refuse(why: string): void;
}

export interface Links {
  fits: FitQuestion;
  isValid(wire: Connection | Edge): boolean;
  join(wire: Connection): void;
  drop: OnConnectEnd;
}

const endsOf = ({ source, sourceHandle, target, targetHandle }: Connection | Edge): [PortAddress, PortAddress] => [
  { node: source, port: sourceHandle ?? "" },
  { node: target, port: targetHandle ?? "" },
];

export function useLinks({ sheet, graph, library, grip, onSelect, refuse }: Given): Links {
  const openPalette = useOpenAt();
  const fits = useCallback<FitQuestion>((from, to) => answerOf(graph, library, from, to).ok, [graph, library]);
  return {
    fits,
    isValid: (wire) => fits(...endsOf(wire)),
    join: (wire) => {
      if (grip.isGivenUp.current) return;
      const [from, to] = endsOf(wire);
      const answer = answerOf(graph, library, from, to);
      if (!answer.ok) return refuse(answer.reason);
      if (isRail(from.node) || isRail(to.node)) return wireRail(sheet, graph, library, from, to);
      const made = connect(sheet, ME, from, to, answer.as);
      // The edge became a loop or a map: its settings are shown.
      if (answer.as) onSelect(selectionOf({ edges: [made] }));
    },
    drop: (event, { isValid, fromNode, fromHandle, toNode, toHandle }) => {
      if (grip.release() || isValid || !fromNode || !fromHandle) return;
      const from = { node: fromNode.id, port: fromHandle.id ?? "" };
      const isOutput = fromHandle.type === "source";
      const { clientX, clientY } = "changedTouches" in event ? (event.changedTouches[0] as Touch) : event;
      const point: Position = { x: clientX, y: clientY };
      if (toNode && toHandle) {
        const to = { node: toNode.id, port: toHandle.id ?? "" };
        const joint = isOutput ? { from, to } : { from: to, to: from };
        const answer = answerOf(graph, library, joint.from, joint.to);
        if (answer.ok) return;
        const isConverter = converter(graph, library, joint);
        if (library.all().some((definition) => !("why" in isConverter(definition)))) openPalette(point, joint, "middle", answer.reason);
        else refuse(answer.reason);
      } else if (!isRail(from.node) && document.elementFromPoint(point.x, point.y)?.matches(".react-flow__pane"))
        openPalette(point, isOutput ? { from } : { to: from });
    },
  };
}
