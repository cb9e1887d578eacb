// The shared document of a graph (DESIGN C1): a replica of the server's, its undo, and whether everything is saved.
import type { Graph, Issue } from "@spindle/graph-model";
import { normalise } from "@spindle/graph-model/shared-doc";
import { useEffect, useState } from "react";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { socketUrl } from "./provider";

/** The origin of this tab's edits: undo takes back only these. */
export const ME = { who: "this tab" };
const SAVED = 4;

export interface SharedDocument {
  doc: Y.Doc;
  undo: Y.UndoManager;
}

export interface DocumentState extends SharedDocument {
  graph: Graph;
  issues: Issue[];
  synced: boolean;
  online: boolean;
  saved: boolean;
  canUndo: boolean;
  canRedo: boolean;
}

export function useDocument(id: string): DocumentState | undefined {
  const [state, setState] = useState<DocumentState>();
  useEffect(() => {
    const doc = new Y.Doc();
    const undo = new Y.UndoManager([doc.getMap("nodes"), doc.getMap("edges"), doc.getMap("graph")], {
      trackedOrigins: new Set([ME]),
      captureTimeout: 300,
    });
    const provider = new WebsocketProvider(socketUrl("/collab"), id, doc, { maxBackoffTime: 2000 });
    let server: Map<number, number> = new Map();
    let frame = 0;
    let read = normalise(doc);
    let stale = false;
    const publish = () => {
      frame = 0;
      if (stale) read = normalise(doc);
      stale = false;
      const saved = [...Y.decodeStateVector(Y.encodeStateVector(doc))].every(([client, clock]) => (server.get(client) ?? 0) >= clock);
      setState({
        doc,
        undo,
        ...read,
        synced: provider.synced,
        online: provider.wsconnected,
        saved,
        canUndo: undo.undoStack.length > 0,
        canRedo: undo.redoStack.length > 0,
      });
    };
    const later = () => {
      frame ||= requestAnimationFrame(publish);
    };
    const changed = () => {
      stale = true;
      later();
    };
    provider.messageHandlers[SAVED] = (_encoder, decoder) => {
      server = Y.decodeStateVector(readBytes(decoder));
      later();
    };
    doc.on("update", changed);
    for (const name of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const) undo.on(name, later);
    provider.on("sync", changed);
    provider.on("status", later);
    publish();
    return () => {
      cancelAnimationFrame(frame);
      provider.destroy();
      undo.destroy();
      doc.destroy();
    };
  }, [id]);
  return state;
}

/** lib0's var-length byte array, read from the provider's decoder. */
function readBytes(decoder: { arr: Uint8Array; pos: number }): Uint8Array {
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = decoder.arr[decoder.pos++] ?? 0;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return decoder.arr.subarray(decoder.pos, decoder.pos + length);
}
