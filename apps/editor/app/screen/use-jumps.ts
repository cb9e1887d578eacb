// Going to a place of the graph: it is seen, selected, and open in the inspector.
import type { Graph, Issue } from "@spindle/graph-model";
import { useState } from "react";
import type * as Y from "yjs";
import { groupsOf, setGroup } from "../canvas/groups";
import { type Selection, selectionOf } from "../canvas/selection";
import { placeOf } from "../run/causes";
import { wishField } from "../ui/field-wish";
import type { Panels } from "./use-panels";

export interface Jumps {
  /** The card that the view goes to, and when it was asked to. */
  focus: { id: string; at: number } | undefined;
  jump(node: string): void;
  /** Goes to the place of an issue, and to the very field if there is one. */
  showIssue(issue: Issue): void;
}

export function useJumps(doc: Y.Doc | undefined, graph: Graph | undefined, panels: Panels, select: (next: Selection) => void): Jumps {
  const [focus, setFocus] = useState<Jumps["focus"]>();
  const jump = (node: string) => {
    // A card in a collapsed group is not drawn.
    const folded = graph && groupsOf(graph).find(({ collapsed, nodes }) => collapsed && nodes.includes(node));
    if (doc && folded) setGroup(doc, folded.id, { collapsed: false });
    setFocus({ id: node, at: Date.now() });
    select(selectionOf({ nodes: [node] }));
  };
  const showIssue = (issue: Issue) => {
    const { node, edge, field } = graph ? placeOf(graph, issue) : {};
    if (node === undefined) return;
    jump(node);
    if (edge !== undefined) select(selectionOf({ edges: [edge] }));
    else if (field !== undefined) wishField(node, field);
    panels.open("inspector");
  };
  return { focus, jump, showIssue };
}
