// The shared document of a graph (DESIGN C1): a replica of the server's, its undo, and whether everything is saved.
import type { Graph, Issue } from "@spindle/graph-model";
import { EPOCH, LAYOUT, layoutOf, reader, SAVED, Undo, Unsaved } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import { useEffect, useState } from "react";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { type Closing, goesOn, isOfEdit, OTHER_EPOCH, REMOVED, reconnects, UNFIT } from "./closing";
import { OfflineCopy } from "./offline-copy";
import { socketUrl } from "./provider";
import { flushTyping } from "./typing";

/** The origin of this tab's edits: undo takes back only these. */
export const ME = { who: "this tab" };
/** Edits that follow each other sooner are one step of undo. */
const ONE_STEP_MS = 300;
const NOT_STORED = "The last edits are not stored, so they would not be part of the run. Reload the page, then run again.";
const TAKEN_BACK = "The last edits were refused and taken back, so they would not be part of the run. Look at the graph, then run again.";

export interface SharedDocument {
  doc: Y.Doc;
  undo: Undo;
}

/** Makes an edit that is a step of undo by itself, however soon it comes after another. Typing and arrow keys in one go share a step. */
export function asOwnStep<T>({ undo }: SharedDocument, edit: () => T): T {
  undo.stopCapturing();
  try {
    return edit();
  } finally {
    undo.stopCapturing();
  }
}

/** Edits that the server refused. The page goes on from what is stored; `graph` is what it showed with them. */
export interface TakenBack {
  closing: Closing;
  graph: Graph;
  /** The person has read of it: what this browser kept of it goes. */
  dismiss(): unknown;
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
  /** The last edits of this tab that were refused, if any were. */
  takenBack: TakenBack | undefined;
  canUndo: boolean;
  canRedo: boolean;
}

export function useDocument(id: string): DocumentState | undefined {
  const [state, setState] = useState<DocumentState>();
  useEffect(() => openDocument(id, setState), [id]);
  return state;
}

/**
 * Opens a document, and opens it afresh after a refusal: what builds on a refused edit cannot be stored either, and Yjs takes nothing
 * back that it has once put in. Returns how to close it.
 */
function openDocument(id: string, show: (state: DocumentState) => void): () => void {
  let takenBack: TakenBack | undefined;
  let refusals = 0;
  const open = (hasCopy: boolean) => openReplica(id, hasCopy, (state) => show({ ...state, takenBack }), takeBack);
  const takeBack: TakeBack = (closing, graph, dismiss) => {
    if (closing.code !== UNFIT) refusals++;
    if (!goesOn(closing, refusals)) return false;
    if (graph) takenBack = { closing, graph, dismiss };
    close = open(closing.code !== OTHER_EPOCH);
    return true;
  };
  let close = open(true);
  return () => close();
}

/** Whether the page goes on with another replica. `graph` is what it showed, if anything of that is not stored. */
type TakeBack = (closing: Closing, graph: Graph | undefined, dismiss: () => unknown) => boolean;

/** Returns how to close it. A replica that is closed before the server has every edit keeps its connection until it has. */
function openReplica(
  id: string,
  hasCopy: boolean,
  show: (state: Omit<DocumentState, "takenBack">) => void,
  takeBack: TakeBack,
): () => void {
  const doc = new Y.Doc();
  const undo = new Undo(doc, ME, ONE_STEP_MS);
  // Tabs of one browser exchange nothing by themselves: what the server refuses would come back from another tab.
  const provider = new WebsocketProvider(socketUrl("/collab"), id, doc, {
    connect: false,
    maxBackoffTime: 2000,
    disableBc: true,
    shouldReconnect: reconnects,
    params: { layout: String(LAYOUT) },
  });
  const unsaved = new Unsaved(doc);
  const copy = new OfflineCopy(id, doc);
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
  let epoch: string | undefined;
  provider.messageHandlers[EPOCH] = (_encoder, decoder) => {
    epoch = decoding.readVarString(decoder);
    provider.params.epoch = epoch;
  };
  doc.on("update", later);
  for (const name of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const) undo.on(name, later);
  provider.on("sync", (synced) => {
    loaded ||= synced;
    if (synced && epoch !== undefined && !closed) copy.keep(epoch);
    later();
  });
  provider.on("status", later);
  provider.on("closed", (why) => {
    if (!closed) flushTyping();
    const isOld = why.code === OTHER_EPOCH;
    const isAllStored = isOld && unsaved.isEmpty;
    // What was refused would come back from the copy. Of another epoch it stays until the person has read of it.
    if (isOfEdit(why) || why.code === REMOVED || isAllStored) copy.drop();
    const isTakenBack = !closed && takeBack(why, isAllStored ? undefined : read().graph, () => isOld && copy.drop());
    for (const { reject } of waiting) reject(new Error(isTakenBack ? TAKEN_BACK : NOT_STORED));
    waiting = [];
    if (isTakenBack) {
      closed = true;
      cancelAnimationFrame(frame);
      destroy();
      return;
    }
    closing = why;
    later();
    if (closed) destroy(); // the server stores no more edits of this document, so nothing is left to send
  });
  window.addEventListener("pagehide", handOver);
  document.addEventListener("visibilitychange", hide);
  window.addEventListener("beforeunload", ask);
  publish();
  const known = hasCopy ? copy.epoch : undefined;
  if (known !== undefined) provider.params.epoch = known;
  void (hasCopy ? copy.load() : Promise.resolve()).then(() => {
    if (closed) return;
    if (known !== undefined) unsaved.doubt();
    loaded ||= layoutOf(doc) === LAYOUT;
    later();
    provider.connect();
  });
  return () => {
    closed = true;
    cancelAnimationFrame(frame);
    if (unsaved.isEmpty || closing) destroy();
  };
}
