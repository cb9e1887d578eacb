// Says so when another person deletes what is selected here, since its fields go with it.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { docOf, nodeIdsOf, type Sheet } from "@spindle/graph-model/shared-doc";
import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { toast } from "../ui/toast";

/** @param graph what the page shows @param selected the ids of nodes */
export function useDeletedByOthers(sheet: Sheet | undefined, graph: Graph | undefined, selected: ReadonlySet<string>): void {
  const now = useRef({ graph, selected });
  now.current = { graph, selected };
  useEffect(() => {
    if (!sheet) return;
    const announced = new Set<string>();
    const hear = ({ local, changed }: Y.Transaction) => {
      const { graph: seen, selected: chosen } = now.current;
      if (local || changed.size === 0 || chosen.size === 0) return;
      const present = new Set(nodeIdsOf(sheet));
      const gone = seen?.nodes.filter(({ id }) => chosen.has(id) && !present.has(id) && !announced.has(id)) ?? [];
      for (const { id } of gone) announced.add(id);
      if (gone.length > 1) toast("info", `${gone.length} selected nodes were deleted by another person.`);
      else if (gone[0]) toast("info", `${nodeTitle(gone[0])} was deleted by another person.`);
    };
    const doc = docOf(sheet);
    doc.on("afterTransaction", hear);
    return () => doc.off("afterTransaction", hear);
  }, [sheet]);
}
