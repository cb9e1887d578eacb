// Edits that the server refused and keeps for whoever made them (DESIGN C5).
import type { Graph } from "@spindle/graph-model";
import { KEPT, reader } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as Y from "yjs";

export interface RefusedEdits {
  edits: number;
  /** Why the last of them was refused, as a sentence. */
  reason: string;
  at: string;
  /** The graph as it is now, with them. */
  graph(): Graph;
  /** Makes them again, as one step of undo. Once they are stored, they are kept no more. */
  apply(): Promise<void>;
  discard(): void;
}

/** What the server says it keeps. `apply` makes the edits in the document, `forget` tells the server that they are wanted no more. */
export function readRefused(decoder: decoding.Decoder, doc: Y.Doc, send: (message: Uint8Array<ArrayBuffer>) => void) {
  const { last, edits, reason, at } = JSON.parse(decoding.readVarString(decoder)) as Record<"last" | "reason" | "at", string> & {
    edits: number;
  };
  const update = decoding.readVarUint8Array(decoder).slice();
  return {
    edits,
    reason,
    at,
    graph() {
      const copy = new Y.Doc();
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
      Y.applyUpdate(copy, update);
      return reader(copy)().graph;
    },
    apply: () => Y.applyUpdate(doc, update),
    forget() {
      const encoder = encoding.createEncoder();
      encoding.writeVarUint(encoder, KEPT);
      encoding.writeVarString(encoder, last);
      send(encoding.toUint8Array(encoder).slice());
    },
  };
}
