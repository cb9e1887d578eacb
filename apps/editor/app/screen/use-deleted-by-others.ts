// Says so when another person deletes what is selected here, since its fields go with it.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { nodesOf } from "@spindle/graph-model/shared-doc";
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { toast } from "../ui/toast";

/** @param graph what the page shows @param selected the ids of nodes */
export function useDeletedByOthers(doc: Y.Doc | undefined, graph: Graph | undefined, selected: ReadonlySet<string>): void {
  const now = useRef({ graph, selected });
  now.current = { graph, selected };
  useEffect(() => {
    if (!doc) return;
    const announce = ({ keys }: Y.YMapEvent<unknown>["changes"]) => {
      const gone = [...keys].flatMap(([id, { action }]) => (action === "delete" && now.current.selected.has(id) ? [id] : []));
      const node = now.current.graph?.nodes.find(({ id }) => id === gone[0]);
      if (gone.length > 1) toast("info", `${gone.length} selected nodes were deleted by another person.`);
      else if (node) toast("info", `${nodeTitle(node)} was deleted by another person.`);
    };
    const nodes = nodesOf(doc);
    const hear = (event: Y.YMapEvent<unknown>, { local }: Y.Transaction) => {
      if (!local) announce(event.changes);
    };
    nodes.observe(hear as never);
    return () => nodes.unobserve(hear as never);
  }, [doc]);
}
