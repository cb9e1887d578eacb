// Two wires into one input, which has one (DESIGN C2): each person's page has put its own there before it heard of the other's.
import type * as Y from "yjs";
import { isObject } from "../graph.ts";
import { compare, edgesOf, isMap, type YMap } from "./layout.ts";
import { Undo } from "./undo.ts";

/** A wire as far as a person is told of it. */
export interface Wire {
  from: string;
  to: string;
  port: string;
}

/** Of two wires into one input the one that stays, and the one that goes. */
export interface SettledWires {
  stays: Wire;
  goes: Wire;
  /** Whether the one that goes is of this page. */
  isMine: boolean;
}

interface Found extends Wire {
  key: string;
  /** Of the page that made it. */
  client: number;
}

const SETTLED = "two wires into one input";

/**
 * Takes a wire of this page away where another's into the same input came meanwhile. Which one stays follows from their ids, so all
 * pages agree, and only the page that made the other one removes it. A wire that undo brings back goes if there is another by now.
 * @param tell is called on both pages
 * @returns a function that ends it
 */
export function settleWires(doc: Y.Doc, tell: (settled: SettledWires) => void): () => void {
  const edges = edgesOf(doc);
  const settle = ({ local, origin, changed }: Y.Transaction) => {
    const isUndo = origin instanceof Undo;
    const keys = changed.get(edges as never);
    if (!keys || (local && !isUndo)) return;
    const added = new Set([...keys].filter((key) => key !== null && edges.has(key)));
    if (added.size === 0) return;
    const mine: string[] = [];
    for (const wires of intoOneInput(edges)) {
      if (!wires.some(({ key }) => added.has(key))) continue;
      const [first, ...others] = wires.sort(
        (a, b) => (isUndo ? Number(added.has(a.key)) - Number(added.has(b.key)) : 0) || compare(a.key, b.key),
      );
      for (const goes of others) {
        const isMine = goes.client === doc.clientID;
        if (!first || isMine === (first.client === doc.clientID)) continue;
        if (isMine) mine.push(goes.key);
        if (!isUndo) tell({ stays: first, goes, isMine });
      }
    }
    if (mine.length > 0) doc.transact(() => mine.forEach((key) => void edges.delete(key)), SETTLED);
  };
  doc.on("afterTransaction", settle);
  return () => doc.off("afterTransaction", settle);
}

/** The wires of each input that has several. */
function intoOneInput(edges: YMap): Found[][] {
  const inputs = new Map<string, Found[]>();
  for (const [key, edge] of edges) {
    if (!isMap(edge)) continue;
    const metadata = edge.get("metadata");
    const [port, loop] = ["targetPort", "loop"].map((name) =>
      isMap(metadata) ? metadata.get(name) : isObject(metadata) ? metadata[name] : undefined,
    );
    const [from, to] = [edge.get("from"), edge.get("to")];
    if (typeof from !== "string" || typeof to !== "string" || typeof port !== "string") continue;
    const input = JSON.stringify([to, port, Boolean(loop)]);
    const wires = inputs.get(input) ?? [];
    wires.push({ key, from, to, port, client: edge._item?.id.client ?? 0 });
    inputs.set(input, wires);
  }
  return [...inputs.values()].filter(({ length }) => length > 1);
}
