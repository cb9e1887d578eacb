// The y-websocket protocol on `ws` (y-protocols sync and awareness), in front of the document host.
import { CLOSE, EDIT_REFUSED, EditRefused, EditUnfit, EPOCH, KEPT, LAYOUT, SAVED, savedBy, savedOf } from "@spindle/graph-model/shared-doc";
import * as encoding from "lib0/encoding";
import type { WebSocket } from "ws";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate, writeSyncStep1, writeSyncStep2, writeUpdate } from "y-protocols/sync";
import type * as Y from "yjs";
import { Refused } from "../refused.ts";
import { MOST, type Share } from "../shares.ts";
import type { Author } from "./clients.ts";
import type { DocumentHost, Ending, OpenDocument } from "./document-host.ts";
import { Losses, MustWait } from "./losses.ts";
import { AWARENESS, asksForAll, isOpen, message, numberIn, parse, post, read, SYNC, send } from "./messages.ts";
import { Rate } from "./rate.ts";
import { keepRefused, type RefusedLog, refusedOf } from "./refused-edits.ts";
import { mayTell, Speaker } from "./speaker.ts";
import { DocumentLost } from "./update-log.ts";

/** Bytes that came by one socket and wait for their turn. No more is read from it meanwhile. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Messages, however short, that wait for their turn before no more is read. */
const MANY_MESSAGES = 1000;
/** What a socket has read by then may bring more, up to 64 KiB; an honest message has 20 bytes and more, so these are never that many. */
const MOST_MESSAGES = 8000;

/** Edits of one principal, over all its sockets. The next one waits for its moment, and behind it no more is read from its socket. */
const EDITS = { perSecond: 500, atOnce: 5000 };

const CROWDED = "More messages came at once than this server keeps. Connect again.";

/** Read also by a page of the release before, which shows it between "An edit was refused." and "It is not saved". */
const OLDER_PAGE = "This page was opened before Spindle was updated.";
const NEWER_PAGE = "This page is newer than the server that it reached.";

const OTHER_EPOCH = "The graph was restored or repaired since this page opened it.";

/** Messages of one socket that nobody may send. The last of them closes it. */
const MOST_HOSTILE = 3;

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
  sockets: Map<WebSocket, Speaker>;
  close(): void;
}

/** Of one socket. */
interface Connection {
  graph: string;
  socket: WebSocket;
  author: Author;
  /** Its principal's, over all its sockets. */
  share: object;
  /** Messages that nobody may send. */
  hostile: number;
}

/** Of each principal, over all its sockets. */
interface Spending {
  losses: Losses;
  edits: Rate;
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
  private readonly spendings = new WeakMap<object, Spending>();

  constructor(
    private readonly documents: DocumentHost,
    private readonly refused: RefusedLog,
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
   * @param author whose what comes by it is
   */
  connect(
    { id, epoch }: { id: string; epoch: bigint },
    socket: WebSocket,
    knows: PageKnows,
    share: Pick<Share, "waiting">,
    author: Author,
  ): void {
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
    const connection: Connection = { graph: id, socket, author, share, hostile: 0 };
    const fail = (error: unknown) => {
      isEnded ||= this.fail(connection, error);
    };
    // One message after another, each after the document is there.
    let tail = opening.then((document) => void (isOpen(socket) && this.enter(document, connection, epoch))).catch(fail);
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
          if (!isEnded) await this.receive(await opening, connection, bytes);
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

  private spendingOf(share: object): Spending {
    const spending = this.spendings.get(share) ?? { losses: new Losses(), edits: new Rate(EDITS) };
    this.spendings.set(share, spending);
    return spending;
  }

  /** Whether the connection is over by that. */
  private fail(connection: Connection, error: unknown): boolean {
    const { socket } = connection;
    if (error instanceof MustWait) {
      socket.close(CLOSE.later, error.message);
      return true;
    }
    if (error instanceof EditRefused) return this.refuse(connection, error);
    // The page connects again, and is led to the runtime that has it.
    if (error instanceof DocumentLost) {
      socket.close(CLOSE.restart);
      return true;
    }
    this.onError("collaboration", error);
    if (error instanceof Refused) socket.close(CLOSE.layout, error.message);
    else socket.close(CLOSE.broken);
    return true;
  }

  /** Says why, so that a page lets go of what was refused: it would send it again for ever. */
  private refuse(connection: Connection, error: EditRefused): boolean {
    const { graph, socket } = connection;
    const code = error instanceof EditUnfit ? CLOSE.unfit : CLOSE.refused;
    this.onError("collaboration", `An edit of graph ${graph} was refused: ${error.message}`);
    if (code === CLOSE.refused && ++connection.hostile >= MOST_HOSTILE) {
      socket.close(code, error.message);
      return true;
    }
    send(socket, EDIT_REFUSED, (encoder) => encoding.writeVarString(encoder, JSON.stringify({ code, reason: error.message })));
    return false;
  }

  private enter({ doc }: OpenDocument, { graph, socket, author }: Connection, epoch: bigint): void {
    const room = this.rooms.get(doc) ?? this.open(doc);
    room.sockets.set(socket, new Speaker());
    send(socket, EPOCH, (encoder) => encoding.writeVarString(encoder, String(epoch)));
    send(socket, SYNC, (encoder) => writeSyncStep1(encoder, doc));
    const others = [...room.awareness.getStates().keys()];
    if (others.length > 0)
      send(socket, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(room.awareness, others)));
    this.tellRefused(graph, socket, author).catch((error) => this.onError("collaboration", error));
  }

  /** What is kept of an author's edits that were refused. */
  private async tellRefused(graph: string, socket: WebSocket, author: Author): Promise<void> {
    const kept = await refusedOf(this.refused, graph, author);
    if (!kept) return;
    const { update, ...about } = kept;
    send(socket, KEPT, (encoder) => {
      encoding.writeVarString(encoder, JSON.stringify(about));
      encoding.writeVarUint8Array(encoder, update);
    });
  }

  private leave(doc: Y.Doc, socket: WebSocket): void {
    const room = this.rooms.get(doc);
    const speaker = room?.sockets.get(socket);
    if (!room || !speaker) return;
    room.sockets.delete(socket);
    speaker.stop();
    removeAwarenessStates(room.awareness, [...speaker.pages.keys()], null);
    // The library remembers each id for good, those among them of which nothing was ever said but that they are gone.
    for (const client of speaker.pages.keys()) room.awareness.meta.delete(client);
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

  private async receive(document: OpenDocument, connection: Connection, bytes: Uint8Array): Promise<void> {
    const { doc } = document;
    const { graph, socket, author } = connection;
    const said = read(() => parse(bytes));
    if (!said) return;
    const { kind, step, body } = said;
    if (kind === AWARENESS) {
      const room = isOpen(socket) && this.rooms.get(doc);
      const isOwn = (client: number, isThere: boolean) => document.isOf(author, client, isThere);
      if (room && read(() => mayTell(room.sockets, socket, body, isOwn)))
        room.sockets.get(socket)?.say(body, (update) => read(() => applyAwarenessUpdate(room.awareness, update, socket)));
    } else if (kind === KEPT) {
      const last = read(() => numberIn(body));
      await this.refused.forget(graph, [...author.names], last);
    } else if (step === messageYjsSyncStep1) {
      read(() => send(socket, SYNC, (encoder) => writeSyncStep2(encoder, doc, body)));
      send(socket, SAVED, (encoder) => encoding.writeVarUint8Array(encoder, savedOf(doc)));
    } else if (step === messageYjsSyncStep2 || step === messageYjsUpdate) {
      const whole = await this.append(document, connection, body);
      // What the update builds on may be under way by another socket; the answer to this brings all that is missing then. An answer
      // with a gap of its own gets none, or the two would ask each other for ever.
      if (!whole && step === messageYjsUpdate) send(socket, SYNC, (encoder) => writeSyncStep1(encoder, doc));
    }
  }

  /** @throws EditRefused after what does not go with the document was kept for its author */
  private async append(document: OpenDocument, { graph, author, share }: Connection, update: Uint8Array): Promise<boolean> {
    const { edits, losses } = this.spendingOf(share);
    const wait = edits.count();
    if (wait > 0) await new Promise((resolve) => void setTimeout(resolve, wait));
    try {
      return await document.append(update, author, losses);
    } catch (error) {
      if (error instanceof EditUnfit) {
        const mayWrite = (client: number) => document.isOf(author, client, false);
        await keepRefused(this.refused, graph, { doc: document.doc, update, author, reason: error.message, mayWrite });
      }
      throw error;
    }
  }
}
