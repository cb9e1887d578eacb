// The shared document of a graph (DESIGN C1): a replica of the server's, its undo, and whether everything is saved.
import type { Graph, Issue } from "@spindle/graph-model";
import {
  applyDifference,
  type Difference,
  differenceTo,
  EDIT_REFUSED,
  EPOCH,
  KEPT,
  LAYOUT,
  layoutOf,
  reader,
  SAVED,
  type Sheet,
  Undo,
  Unsaved,
} from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import { useEffect, useState } from "react";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { type Closing, GONE, goesOn, isOfEdit, OTHER_EPOCH, REMOVED, reconnects, UNFIT } from "./closing";
import { copiesLeft, type LeftCopy, OfflineCopy } from "./offline-copy";
import { socketUrl } from "./provider";
import { type RefusedEdits, readRefused } from "./refused-edits";
import { flushTyping } from "./typing";

/** The origin of this tab's edits: undo takes back only these. */
export const ME = { who: "this tab" };
/** Edits that follow each other sooner are one step of undo. */
const ONE_STEP_MS = 300;
const NOT_STORED = "The last edits are not stored, so they would not be part of the run. Reload the page, then run again.";
const PUT_BACK = { code: OTHER_EPOCH, reason: "The graph was restored or repaired since this page opened it." };
const TAKEN_BACK = "The last edits were refused and taken back, so they would not be part of the run. Look at the graph, then run again.";

export interface SharedDocument {
  undo: Undo;
  /** What of it is edited: its graph, or the definition that the canvas shows. */
  sheet: Sheet;
}

/** Makes an edit that is a step of undo by itself, however soon it comes after another. Typing and arrow keys in one go share a step. */
export function asOwnStep<T>({ undo }: Pick<SharedDocument, "undo">, edit: () => T): T {
  undo.stopCapturing();
  try {
    return edit();
  } finally {
    undo.stopCapturing();
  }
}

/** Edits that the server refused or would refuse. The page goes on from what is stored; `graph` is what it showed with them. */
export interface TakenBack {
  closing: Closing;
  graph: Graph;
  /** Of what was edited on another epoch: what the graph lacks of it. */
  difference?: Difference;
  /** Brings the difference to the graph, which keeps what only it has. */
  apply(): void;
  /** The person has read of it: what this browser kept of it goes. */
  dismiss(): void;
}

export interface DocumentState extends SharedDocument {
  graph: Graph;
  issues: Issue[];
  /** The server's document has arrived. It stays so while the connection is away: the replica is edited on its own and merges later. */
  loaded: boolean;
  online: boolean;
  saved: boolean;
  /** Whether edits outlive the page before they are saved: this browser keeps a copy. Undefined until that shows. */
  isKept: boolean | undefined;
  /** Resolves as soon as the server has stored every edit made so far. @throws Error if it takes no more of them */
  stored(): Promise<void>;
  /** Set once the server has ended the connection for good. */
  closing: Closing | undefined;
  /** Edits of this browser that were refused and that the server keeps. */
  refused: RefusedEdits | undefined;
  /** Removes what this browser keeps of a document that is no more. */
  forget(): void;
  /** The last edits of this tab that were refused, if any were. */
  takenBack: TakenBack | undefined;
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
  let state: Omit<DocumentState, "takenBack"> | undefined;
  let notices: (TakenBack & { kept: Kept | undefined })[] = [];
  let refusals = 0;
  let isClosed = false;
  const publish = () => {
    const last = notices.at(-1);
    if (!state || isClosed) return;
    if (last?.closing.code === OTHER_EPOCH && state.loaded) last.difference ??= differenceTo(state.sheet, last.graph);
    show({ ...state, takenBack: last && { ...last } });
  };
  const tell = (closing: Closing, graph: Graph, kept?: Kept) => {
    const notice: (typeof notices)[number] = {
      closing,
      graph,
      kept,
      apply() {
        const now = state;
        if (!now) return;
        asOwnStep(now, () => applyDifference(now.sheet, ME, graph));
        // Until it is stored, the copy is all that there is of it.
        void now.stored().then(notice.dismiss, () => {});
      },
      dismiss() {
        notices = notices.filter((one) => one !== notice);
        kept?.remove();
        publish();
      },
    };
    // A refusal follows from the one before. What is of another epoch lies in the browser until it is dismissed.
    notices = [...notices.filter((one) => one.closing.code === OTHER_EPOCH), notice];
  };
  const open = (left?: Promise<LeftCopy | undefined>) =>
    openReplica(
      id,
      left,
      (next) => {
        state = next;
        publish();
      },
      takeBack,
    );
  const takeBack: TakeBack = (closing, graph, kept) => {
    if (closing.code !== UNFIT) refusals++;
    if (!goesOn(closing, refusals)) return false;
    if (graph) tell(closing, graph, kept);
    close = open();
    return true;
  };
  const left = copiesLeft(id);
  let close = open(left.then(([latest]) => latest));
  void left.then(([, ...earlier]) => {
    for (const copy of earlier) {
      const doc = new Y.Doc();
      copy.putInto(doc);
      if (isClosed) copy.release();
      else tell(PUT_BACK, reader(doc)().graph, copy);
    }
    publish();
  });
  return () => {
    isClosed = true;
    for (const { kept } of notices) kept?.release();
    close();
  };
}

/** Whether the page goes on with another replica. `graph` is what it showed, if anything of that is not stored. */
type TakeBack = (closing: Closing, graph: Graph | undefined, kept: Kept | undefined) => boolean;

/** What this browser has of it. */
type Kept = Pick<OfflineCopy, "remove" | "release">;

/** Returns how to close it. A replica that is closed before the server has every edit keeps its connection until it has. */
function openReplica(
  id: string,
  left: Promise<LeftCopy | undefined> | undefined,
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
  let copy: OfflineCopy | undefined;
  let frame = 0;
  const read = reader(doc);
  let loaded = false;
  let closed = false;
  let closing: Closing | undefined;
  let waiting: { resolve(): void; reject(why: Error): void }[] = [];
  let refused: RefusedEdits | undefined;
  const stored = () => {
    if (unsaved.isEmpty) return Promise.resolve();
    if (closing) return Promise.reject(new Error(NOT_STORED));
    return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const publish = () => {
    frame = 0;
    show({
      undo,
      sheet: doc,
      ...read(),
      loaded,
      online: provider.wsconnected,
      saved: unsaved.isEmpty,
      isKept: copy?.isKept,
      closing,
      stored,
      refused,
      forget: () => copy?.remove(),
    });
  };
  const later = () => {
    if (!closed) frame ||= requestAnimationFrame(publish);
  };
  const handOver = () => flushTyping();
  const comeBack = ({ persisted }: PageTransitionEvent) => persisted && location.reload(); // its copy is another page's by now
  const pressed = () => undo.stopCapturing(); // what is done by two presses of the pointer is two steps, however soon one follows the other
  const hide = () => document.visibilityState === "hidden" && flushTyping();
  const ask = (event: BeforeUnloadEvent) => {
    flushTyping();
    if (!unsaved.isEmpty && !closing) event.preventDefault();
  };
  const destroy = () => {
    window.removeEventListener("pagehide", handOver);
    window.removeEventListener("pageshow", comeBack);
    document.removeEventListener("visibilitychange", hide);
    window.removeEventListener("beforeunload", ask);
    window.removeEventListener("pointerdown", pressed, true);
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
    if (synced && epoch !== undefined && !closed) copy ??= new OfflineCopy(doc, id, epoch, undefined, later);
    later();
  });
  provider.on("status", later);
  const end = (why: Closing) => {
    if (closing) return;
    if (!closed) flushTyping();
    const isOld = why.code === OTHER_EPOCH;
    const isAllStored = isOld && unsaved.isEmpty;
    // What was refused would come back from the copy. Of another epoch it stays until the person has read of it; of a deleted graph, for
    // the case that the graph is restored, or until the person needs it no more.
    const isDeleted = why.code === REMOVED || why.code === GONE;
    if (isOfEdit(why) || (isDeleted && unsaved.isEmpty) || isAllStored) copy?.remove();
    const isTakenBack = !closed && takeBack(why, isAllStored ? undefined : read().graph, isOld ? copy : undefined);
    for (const { reject } of waiting) reject(new Error(isTakenBack ? TAKEN_BACK : NOT_STORED));
    waiting = [];
    if (isTakenBack) {
      closed = true;
      cancelAnimationFrame(frame);
      destroy();
      return;
    }
    closing = why;
    provider.disconnect();
    later();
    if (closed) destroy(); // the server stores no more edits of this document, so nothing is left to send
  };
  provider.on("closed", end);
  // The connection goes on, but nothing that builds on what was refused can be stored.
  provider.messageHandlers[EDIT_REFUSED] = (_encoder, decoder) => end(JSON.parse(decoding.readVarString(decoder)));
  provider.messageHandlers[KEPT] = (_encoder, decoder) => {
    const { apply, forget, ...about } = readRefused(decoder, doc, (message) => provider.ws?.send(message));
    const leave = () => {
      forget();
      refused = undefined;
      later();
    };
    refused = {
      ...about,
      discard: leave,
      async apply() {
        asOwnStep({ undo }, () => doc.transact(apply, ME));
        await stored().then(leave, () => {}); // why it is refused again is said by then
      },
    };
    later();
  };
  window.addEventListener("pagehide", handOver);
  window.addEventListener("pageshow", comeBack);
  document.addEventListener("visibilitychange", hide);
  window.addEventListener("beforeunload", ask);
  window.addEventListener("pointerdown", pressed, true);
  publish();
  void Promise.resolve(left).then((copies) => {
    if (closed) return copies?.release();
    if (copies) {
      copies.putInto(doc);
      unsaved.doubt();
      provider.params.epoch = copies.epoch;
      copy = new OfflineCopy(doc, id, copies.epoch, copies, later);
    }
    loaded ||= layoutOf(doc) === LAYOUT;
    later();
    provider.connect();
  });
  return () => {
    closed = true;
    cancelAnimationFrame(frame);
    copy?.release();
    if (unsaved.isEmpty || closing) destroy();
  };
}
