// The shared document of a graph (DESIGN C1): a replica of the server's, its undo, and whether everything is saved.
import type { Graph, Issue } from "@spindle/graph-model";
import { LAYOUT, reader, rootsOf, SAVED, Unsaved } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import { useEffect, useState } from "react";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { type Closing, reconnects } from "./closing";
import { socketUrl } from "./provider";
import { flushTyping } from "./typing";

/** The origin of this tab's edits: undo takes back only these. */
export const ME = { who: "this tab" };
const NOT_STORED = "The last edits are not stored, so they would not be part of the run. Reload the page, then run again.";

export interface SharedDocument {
  doc: Y.Doc;
  undo: Y.UndoManager;
}

export interface DocumentState extends SharedDocument {
  graph: Graph;
  issues: Issue[];
  /** The server's document has arrived. It stays so while the connection is away: the replica is edited on its own and merges later. */
  loaded: boolean;
  online: boolean;
  saved: boolean;
  /** Resolves as soon as the server has stored every edit made so far. @throws Error if it takes no more of them */
  stored(): Promise<void>;
  /** Set once the server has ended the connection for good. */
  closing: Closing | undefined;
  canUndo: boolean;
  canRedo: boolean;
}

export function useDocument(id: string): DocumentState | undefined {
  const [state, setState] = useState<DocumentState>();
  useEffect(() => openDocument(id, setState), [id]);
  return state;
}

/** Returns how to close it. A document that is closed before the server has every edit keeps its connection until it has. */
function openDocument(id: string, show: (state: DocumentState) => void): () => void {
  const doc = new Y.Doc();
  const undo = new Y.UndoManager(rootsOf(doc), { trackedOrigins: new Set([ME]), captureTimeout: 300 });
  // The server turns away a page of another layout. The layout is in the name of the room because tabs of one room exchange edits
  // among themselves as well.
  const provider = new WebsocketProvider(socketUrl("/collab"), `${id}?layout=${LAYOUT}`, doc, {
    maxBackoffTime: 2000,
    shouldReconnect: reconnects,
  });
  const unsaved = new Unsaved(doc);
  let frame = 0;
  const read = reader(doc);
  let loaded = false;
  let closed = false;
  let closing: Closing | undefined;
  let waiting: { resolve(): void; reject(why: Error): void }[] = [];
  const stored = () => {
    if (unsaved.isEmpty) return Promise.resolve();
    if (closing) return Promise.reject(new Error(NOT_STORED));
    return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const publish = () => {
    frame = 0;
    show({
      doc,
      undo,
      ...read(),
      loaded,
      online: provider.wsconnected,
      saved: unsaved.isEmpty,
      closing,
      stored,
      canUndo: undo.undoStack.length > 0,
      canRedo: undo.redoStack.length > 0,
    });
  };
  const later = () => {
    if (!closed) frame ||= requestAnimationFrame(publish);
  };
  const handOver = () => flushTyping();
  const hide = () => document.visibilityState === "hidden" && flushTyping();
  const ask = (event: BeforeUnloadEvent) => {
    flushTyping();
    if (!unsaved.isEmpty && !closing) event.preventDefault();
  };
  const destroy = () => {
    window.removeEventListener("pagehide", handOver);
    document.removeEventListener("visibilitychange", hide);
    window.removeEventListener("beforeunload", ask);
    provider.destroy();
    undo.destroy();
    doc.destroy();
  };
  provider.messageHandlers[SAVED] = (_encoder, decoder) => {
    unsaved.acknowledge(decoding.readVarUint8Array(decoder));
    later();
    if (!unsaved.isEmpty) return;
    for (const { resolve } of waiting) resolve();
    waiting = [];
    if (closed) destroy();
  };
  doc.on("update", later);
  for (const name of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const) undo.on(name, later);
  provider.on("sync", (synced) => {
    loaded ||= synced;
    later();
  });
  provider.on("status", later);
  provider.on("closed", (why) => {
    closing = why;
    for (const { reject } of waiting) reject(new Error(NOT_STORED));
    waiting = [];
    later();
    if (closed) destroy(); // the server stores no more edits of this document, so nothing is left to send
  });
  window.addEventListener("pagehide", handOver);
  document.addEventListener("visibilitychange", hide);
  window.addEventListener("beforeunload", ask);
  publish();
  return () => {
    closed = true;
    cancelAnimationFrame(frame);
    if (unsaved.isEmpty || closing) destroy();
  };
}
