// What is selected on the canvas. This is its only owner: React Flow draws it, and reports what a person changes of it.
import { edgeId, type Graph } from "@spindle/graph-model";

export interface Selection {
  nodes: ReadonlySet<string>;
  edges: ReadonlySet<string>;
  notes: ReadonlySet<string>;
}

interface Ids {
  nodes?: Iterable<string>;
  edges?: Iterable<string>;
  notes?: Iterable<string>;
}
export const selectionOf = ({ nodes = [], edges = [], notes = [] }: Ids): Selection => ({
  nodes: new Set(nodes),
  edges: new Set(edges),
  notes: new Set(notes),
});
export const isNothing = ({ nodes, edges, notes }: Selection): boolean => nodes.size + edges.size + notes.size === 0;

interface Change {
  type: string;
  id?: string;
  selected?: boolean;
}

/** The ids that are selected after the changes; of those selected before, only what is still there. */
export function afterChanges(now: ReadonlySet<string>, changes: readonly Change[], there: Iterable<string>): ReadonlySet<string> {
  const marks = changes.filter((change) => change.type === "select");
  if (marks.length === 0) return now;
  const present = new Set(there);
  const next = new Set([...now].filter((id) => present.has(id)));
  for (const { id = "", selected } of marks) {
    if (selected) next.add(id);
    else next.delete(id);
  }
  return next;
}

/** The node, or else the wire, that is selected alone: its settings are shown. */
export function selectedAlone({ nodes, edges }: Selection, graph: Graph | undefined): { node?: string; edge?: string } {
  const chosen = graph?.nodes.filter((node) => nodes.has(node.id)) ?? [];
  if (chosen[0]) return chosen.length === 1 ? { node: chosen[0].id } : {};
  const wires = graph?.edges.flatMap((edge, index) => (edges.has(edgeId(edge, index)) ? [edgeId(edge, index)] : [])) ?? [];
  return wires.length === 1 && wires[0] ? { edge: wires[0] } : {};
}
