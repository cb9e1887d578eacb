// Going to a place of the graph, on whatever level: it is seen, selected, and open in the inspector.
import type { Graph, Issue } from "@spindle/graph-model";
import { sheetOn } from "@spindle/graph-model/shared-doc";
import { useState } from "react";
import { groupsOf, setGroup } from "../canvas/groups";
import { addressOf, callsTo, issuesOf, levelAt } from "../canvas/levels";
import { type Selection, selectionOf } from "../canvas/selection";
import { placeOf } from "../run/causes";
import type { DocumentState } from "../session/use-document";
import { wishField } from "../ui/field-wish";
import type { ShownLevel } from "./use-level";
import type { Panels } from "./use-panels";

export interface Jumps {
  /** The card that the view goes to, and when it was asked to; undefined if that is on another level. */
  focus: { id: string; at: number } | undefined;
  /** Goes to a node of the level that the canvas shows. */
  jump(node: string): void;
  /** Goes to a node of the graph itself. */
  jumpOut(node: string): void;
  /** Goes to the place of an issue, and to the very field if there is one. */
  showIssue(issue: Issue): void;
}

export function useJumps(whole: DocumentState | undefined, level: ShownLevel, panels: Panels): Jumps {
  const [focus, setFocus] = useState<{ id: string; at: number; address: string }>();
  const goTo = (calls: readonly string[], node: string, selection?: Selection) => {
    if (!whole) return;
    const { graph, definition } = levelAt(whole.graph, calls);
    unfold(whole, graph, definition, node);
    setFocus({ id: node, at: Date.now(), address: addressOf(calls) });
    level.open(calls, selection ?? selectionOf({ nodes: [node] }));
  };
  const showIssue = (issue: Issue) => {
    const { definition } = issue.place;
    const calls = definition === level.definition ? level.calls : definition === undefined ? [] : whole && callsTo(whole.graph, definition);
    if (!whole || !calls) return;
    const [inside] = issuesOf([issue], definition);
    const { node, edge, field } = inside ? placeOf(levelAt(whole.graph, calls).graph, inside) : {};
    if (node === undefined) return;
    goTo(calls, node, edge === undefined ? undefined : selectionOf({ edges: [edge] }));
    if (edge === undefined && field !== undefined) wishField(node, field);
    panels.open("inspector");
  };
  return {
    focus: focus?.address === level.address ? focus : undefined,
    jump: (node) => goTo(level.calls, node),
    jumpOut: (node) => goTo([], node),
    showIssue,
  };
}

/** A card in a collapsed group is not drawn. */
function unfold({ sheet }: DocumentState, graph: Graph, definition: string | undefined, node: string): void {
  const folded = groupsOf(graph).find(({ collapsed, nodes }) => collapsed && nodes.includes(node));
  if (folded) setGroup(sheetOn(sheet, definition), folded.id, { collapsed: false });
}
