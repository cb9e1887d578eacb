// The y-websocket protocol on `ws` (y-protocols sync and awareness), in front of the document host.
import { checkLimits } from "@spindle/graph-model";
import { CLOSE, EditRefused, EditUnfit, EPOCH, LAYOUT, SAVED, savedBy, savedOf } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { WebSocket } from "ws";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate, writeSyncStep1, writeSyncStep2, writeUpdate } from "y-protocols/sync";
import type * as Y from "yjs";
import { Refused } from "../refused.ts";
import { MOST, type Share } from "../shares.ts";
import type { DocumentHost, Ending, OpenDocument } from "./document-host.ts";
import { Losses, MustWait } from "./losses.ts";

/** Bytes that came by one socket and wait for their turn. No more is read from it meanwhile. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Messages, however short, that wait for their turn before no more is read. */
const MANY_MESSAGES = 1000;
/** What a socket has read by then may bring more, up to 64 KiB; an honest message has 20 bytes and more, so these are never that many. */
const MOST_MESSAGES = 8000;
/** A page says who is there, where the pointer is and what is selected; whoever comes in is told what all pages say. */
const MOST_AWARENESS_BYTES = 16 * 1024;
/** A page has one id, and another after it was reloaded on the same connection. */
const MOST_PAGES = 16;

const SYNC = 0;
const AWARENESS = 1;

const CROWDED = "More messages came at once than this server keeps. Connect again.";

/** Read also by a page of the release before, which shows it between "An edit was refused." and "It is not saved". */
const OLDER_PAGE = "This page was opened before Spindle was updated.";
const NEWER_PAGE = "This page is newer than the server that it reached.";

const OTHER_EPOCH = "The graph was put back to an earlier state since this page opened it.";

/** What a page says of itself in the address of its socket. */
export interface PageKnows {
  /** Release 0.1.0 named none; its documents were of layout 1. */
  layout: number;
  /** Of what it has of the document; absent while it has nothing. */
  epoch?: string;
}

export function knowsIn(query: string): PageKnows {
  const said = new URLSearchParams(query);
  const epoch = said.get("epoch");
  return { layout: Number(said.get("layout")) || 1, ...(epoch === null ? {} : { epoch }) };
}

interface Room {
  awareness: Awareness;
  /** With the awareness clients that came by each, and how many bytes each says of itself. */
  sockets: Map<WebSocket, Map<number, number>>;
  close(): void;
}

export interface Beat {
  /** Between pings. */
  pingMs: number;
  /** A socket that answers a ping no sooner is given up. */
  pongMs: number;
}

export class CollabSockets {
  private readonly rooms = new Map<Y.Doc, Room>();
  private turns = Promise.resolve();
  /** By each principal's share. */
  private readonly losses = new WeakMap<object, Losses>();

  constructor(
    private readonly documents: DocumentHost,
    private readonly onError: (where: string, error: unknown) => void,
    private readonly beat: Beat = { pingMs: 20_000, pongMs: 10_000 },
  ) {}

  /** How many documents have sockets. */
  get size(): number {
    return this.rooms.size;
  }

  /**
   * Everything that is listened for is listened for before the document is there: the socket may close meanwhile.
   * @param knows of a page: one of another layout would misread the document, so it is told to reload and keeps what it shows; what one
   *   of another epoch knows would be merged into a document that was put back, so it begins afresh
   * @param share its principal's, over all sockets
   */
  connect({ id, epoch }: { id: string; epoch: bigint }, socket: WebSocket, knows: PageKnows, share: Pick<Share, "waiting">): void {
    if (knows.layout !== LAYOUT) {
      socket.close(CLOSE.layout, knows.layout < LAYOUT ? OLDER_PAGE : NEWER_PAGE);
      return;
    }
    if (knows.epoch !== undefined && knows.epoch !== String(epoch)) {
      socket.close(CLOSE.epoch, OTHER_EPOCH);
      return;
    }
    const stopPinging = this.ping(socket);
    let isEnded = false;
    const opening = this.documents.open(id, (ending) => {
      isEnded = true;
      this.end(socket, ending);
    });
    const fail = (error: unknown) => {
      isEnded = true;
      this.fail(id, socket, error);
    };
    // One message after another, each after the document is there.
    let tail = opening.then((document) => void (isOpen(socket) && this.enter(document, socket, epoch))).catch(fail);
    socket.binaryType = "arraybuffer";
    let [waiting, messages] = [0, 0];
    let isAsked = false;
    const wait = (bytes: number) => {
      waiting += bytes;
      share.waiting += bytes;
      if (messages > MANY_MESSAGES || (waiting > 0 && (waiting > MOST_WAITING || share.waiting > MOST.waiting))) socket.pause();
      else if (messages === 0) socket.resume();
    };
    socket.on("message", (data: ArrayBuffer) => {
      if (!isOpen(socket)) return;
      const bytes = new Uint8Array(data);
      const asks = asksForAll(bytes);
      // The answer to a question of 4 bytes is all of the document. One under way is the answer to whoever asks again, too: what is
      // stored later is told anyway.
      if (asks && isAsked) return;
      isAsked ||= asks;
      messages++;
      wait(bytes.length);
      if (messages > MOST_MESSAGES) {
        isEnded = true;
        socket.close(CLOSE.crowded, CROWDED);
      }
      tail = tail
        .then(async () => {
          if (!isEnded) await this.turn();
          // What a page sent before it went is stored, too.
          if (!isEnded) await this.receive(await opening, socket, bytes, share);
        })
        .catch(fail)
        .finally(() => {
          if (asks) isAsked = false;
          messages--;
          wait(-bytes.length);
        });
    });
    socket.on("close", () => {
      stopPinging();
      opening.then(
        (document) => {
          this.leave(document.doc, socket);
          void tail.then(() => document.close());
        },
        () => {},
      );
    });
  }

  /** One message, of all sockets, is handled in each turn of the event loop, so that what else this process does goes on in between. */
  private turn(): Promise<void> {
    this.turns = this.turns.then(() => new Promise((resolve) => void setImmediate(resolve)));
    return this.turns;
  }

  /** A connection on which nothing answers is given up (docs/decisions/0011-limits-are-durations.md). */
  private ping(socket: WebSocket): () => void {
    let patience: NodeJS.Timeout | undefined;
    let asked = 0;
    // A client may send pongs that nobody asked for.
    socket.on("pong", (data: Buffer) => String(data) === String(asked) && clearTimeout(patience));
    const beat = setInterval(() => {
      clearTimeout(patience);
      patience = setTimeout(() => socket.terminate(), this.beat.pongMs);
      socket.ping(String(++asked));
    }, this.beat.pingMs);
    return () => {
      clearInterval(beat);
      clearTimeout(patience);
    };
  }

  private end(socket: WebSocket, ending: Ending): void {
    if (ending === "removed") socket.close(CLOSE.removed, "The graph was removed.");
    else socket.close(CLOSE.restart);
  }

  private lossesOf(share: object): Losses {
    const losses = this.losses.get(share) ?? new Losses();
    this.losses.set(share, losses);
    return losses;
  }

  private fail(id: string, socket: WebSocket, error: unknown): void {
    if (error instanceof MustWait) {
      socket.close(CLOSE.later, error.message);
      return;
    }
    const refused = error instanceof EditRefused;
    this.onError("collaboration", refused ? `An edit of graph ${id} was refused: ${error.message}` : error);
    if (refused) socket.close(error instanceof EditUnfit ? CLOSE.unfit : CLOSE.refused, error.message);
    else if (error instanceof Refused) socket.close(CLOSE.layout, error.message);
    else socket.close(CLOSE.broken);
  }

  private enter({ doc }: OpenDocument, socket: WebSocket, epoch: bigint): void {
    const room = this.rooms.get(doc) ?? this.open(doc);
    room.sockets.set(socket, new Map());
    send(socket, EPOCH, (encoder) => encoding.writeVarString(encoder, String(epoch)));
    send(socket, SYNC, (encoder) => writeSyncStep1(encoder, doc));
    const others = [...room.awareness.getStates().keys()];
    if (others.length > 0)
      send(socket, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(room.awareness, others)));
  }

  private leave(doc: Y.Doc, socket: WebSocket): void {
    const room = this.rooms.get(doc);
    const clients = room?.sockets.get(socket);
    if (!room || !clients) return;
    room.sockets.delete(socket);
    removeAwarenessStates(room.awareness, [...clients.keys()], null);
    // The library remembers each id for good, those among them of which nothing was ever said but that they are gone.
    for (const client of clients.keys()) room.awareness.meta.delete(client);
    if (room.sockets.size === 0) room.close();
  }

  private open(doc: Y.Doc): Room {
    const awareness = new Awareness(doc);
    awareness.setLocalState(null);
    const sockets: Room["sockets"] = new Map();
    const toAll = (kind: number, write: (encoder: encoding.Encoder) => void) => {
      const bytes = message(kind, write);
      for (const socket of sockets.keys()) post(socket, bytes);
    };
    const tell = (update: Uint8Array) => {
      toAll(SYNC, (encoder) => writeUpdate(encoder, update));
      toAll(SAVED, (encoder) => encoding.writeVarUint8Array(encoder, savedBy(doc, update)));
    };
    doc.on("update", tell);
    awareness.on("update", ({ added, updated, removed }: Record<string, number[]>) => {
      const changed = [...(added ?? []), ...(updated ?? []), ...(removed ?? [])];
      toAll(AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(awareness, changed)));
    });
    const close = () => {
      this.rooms.delete(doc);
      doc.off("update", tell);
      awareness.destroy();
    };
    const room: Room = { awareness, sockets, close };
    this.rooms.set(doc, room);
    return room;
  }

  private async receive(document: OpenDocument, socket: WebSocket, bytes: Uint8Array, share: object): Promise<void> {
    const { doc } = document;
    const said = read(() => parse(bytes));
    if (!said) return;
    const { kind, step, body } = said;
    if (kind === AWARENESS) {
      const room = isOpen(socket) && this.rooms.get(doc);
      if (room && read(() => mayTell(room, socket, body))) read(() => applyAwarenessUpdate(room.awareness, body, socket));
    } else if (step === messageYjsSyncStep1) {
      read(() => send(socket, SYNC, (encoder) => writeSyncStep2(encoder, doc, body)));
      send(socket, SAVED, (encoder) => encoding.writeVarUint8Array(encoder, savedOf(doc)));
    } else if (step === messageYjsSyncStep2 || step === messageYjsUpdate) {
      const whole = await document.append(body, socket, this.lossesOf(share));
      // What the update builds on may be under way by another socket; the answer to this brings all that is missing then. An answer
      // with a gap of its own gets none, or the two would ask each other for ever.
      if (!whole && step === messageYjsUpdate) send(socket, SYNC, (encoder) => writeSyncStep1(encoder, doc));
    }
  }
}

/** @throws Error if it is no message of this protocol */
function parse(bytes: Uint8Array): { kind: number; step: number; body: Uint8Array } | undefined {
  const decoder = decoding.createDecoder(bytes);
  const kind = decoding.readVarUint(decoder);
  if (kind !== SYNC && kind !== AWARENESS) return undefined;
  return { kind, step: kind === SYNC ? decoding.readVarUint(decoder) : 0, body: decoding.readVarUint8Array(decoder) };
}

/** Whether a message is the first step of a sync, which is answered with all that its sender lacks. */
function asksForAll(bytes: Uint8Array): boolean {
  try {
    const said = parse(bytes);
    return said?.kind === SYNC && said.step === messageYjsSyncStep1;
  } catch {
    return false; // its sender hears of it when its turn comes
  }
}

/** What comes from outside; only its sender is to blame if it cannot be read. */
function read<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new EditRefused("It is no message of this protocol.", { cause });
  }
}

/**
 * Whether a socket may say what it says of its pages. What a page says under the id of another one has no effect: after a broken
 * connection it says so again on its new one.
 * @throws Error if no page of ours says it
 */
function mayTell({ sockets }: Room, socket: WebSocket, body: Uint8Array): boolean {
  if (body.length > MOST_AWARENESS_BYTES) throw new Error("It says more of its page than a page has to say.");
  const decoder = decoding.createDecoder(body);
  const pages = new Map(sockets.get(socket));
  const others = [...sockets].filter(([other]) => other !== socket).map(([, clients]) => clients);
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const client = decoding.readVarUint(decoder);
    decoding.readVarUint(decoder); // its clock
    const text = decoding.readVarString(decoder);
    const state: unknown = JSON.parse(text);
    if (checkLimits(state).length > 0) throw new Error("What it says is nested too deep.");
    if (others.some((clients) => clients.has(client))) return false;
    if (pages.set(client, text.length).size > MOST_PAGES) throw new Error("It speaks for more pages than a connection has.");
  }
  if ([...pages.values()].reduce((sum, bytes) => sum + bytes, 0) > MOST_AWARENESS_BYTES)
    throw new Error("It says more of its pages than a page has to say.");
  sockets.set(socket, pages);
  return true;
}

function message(kind: number, write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, kind);
  write(encoder);
  return encoding.toUint8Array(encoder);
}

const send = (socket: WebSocket, kind: number, write: (encoder: encoding.Encoder) => void): void => {
  if (isOpen(socket)) post(socket, message(kind, write));
};

function post(socket: WebSocket, bytes: Uint8Array): void {
  if (isOpen(socket)) socket.send(bytes);
}

const isOpen = (socket: WebSocket): boolean => socket.readyState === socket.OPEN;
