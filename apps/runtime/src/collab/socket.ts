// The y-websocket protocol on `ws` (y-protocols sync and awareness), in front of the document host.
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { WebSocket } from "ws";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate, writeSyncStep1, writeSyncStep2, writeUpdate } from "y-protocols/sync";
import * as Y from "yjs";
import type { DocumentHost } from "./document-host.ts";

const SYNC = 0;
const AWARENESS = 1;
/** Ours: the server's state vector after an append, so that an editor can say that everything is saved. */
const SAVED = 4;
const PING_MS = 20_000;

interface Room {
  awareness: Awareness;
  sockets: Map<WebSocket, Set<number>>;
}

export class CollabSockets {
  private readonly rooms = new Map<string, Promise<Room>>();

  constructor(
    private readonly documents: DocumentHost,
    private readonly onError: (where: string, error: unknown) => void,
  ) {}

  async connect(id: string, socket: WebSocket): Promise<void> {
    const early: Uint8Array[] = [];
    const keep = (data: ArrayBuffer) => void early.push(new Uint8Array(data));
    socket.binaryType = "arraybuffer";
    socket.on("message", keep);
    const room = await this.room(id);
    const doc = await this.documents.open(id);
    room.sockets.set(socket, new Set());
    socket.off("message", keep);
    const receive = (bytes: Uint8Array) =>
      this.receive(id, room, doc, socket, bytes).catch((error) => {
        this.onError("collaboration", error);
        socket.close(1008, "The message is not valid.");
      });
    for (const bytes of early) await receive(bytes);
    socket.on("message", (data: ArrayBuffer) => void receive(new Uint8Array(data)));
    const ping = setInterval(() => socket.ping(), PING_MS);
    socket.on("close", () => {
      clearInterval(ping);
      const clients = room.sockets.get(socket) ?? new Set();
      room.sockets.delete(socket);
      removeAwarenessStates(room.awareness, [...clients], null);
    });
    send(socket, SYNC, (encoder) => writeSyncStep1(encoder, doc));
    const others = [...room.awareness.getStates().keys()];
    if (others.length > 0)
      send(socket, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(room.awareness, others)));
  }

  private room(id: string): Promise<Room> {
    const known = this.rooms.get(id);
    if (known) return known;
    const made = this.open(id);
    this.rooms.set(id, made);
    made.catch(() => this.rooms.delete(id));
    return made;
  }

  private async open(id: string): Promise<Room> {
    const doc = await this.documents.open(id);
    const awareness = new Awareness(doc);
    awareness.setLocalState(null);
    const room: Room = { awareness, sockets: new Map() };
    const toAll = (kind: number, write: (encoder: encoding.Encoder) => void) => {
      for (const socket of room.sockets.keys()) send(socket, kind, write);
    };
    doc.on("update", (update: Uint8Array) => {
      toAll(SYNC, (encoder) => writeUpdate(encoder, update));
      toAll(SAVED, (encoder) => encoding.writeVarUint8Array(encoder, Y.encodeStateVector(doc)));
    });
    awareness.on("update", ({ added, updated, removed }: Record<string, number[]>, origin: WebSocket | null) => {
      const own = origin && room.sockets.get(origin);
      if (own) for (const client of added ?? []) own.add(client);
      const changed = [...(added ?? []), ...(updated ?? []), ...(removed ?? [])];
      toAll(AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(awareness, changed)));
    });
    return room;
  }

  private async receive(id: string, room: Room, doc: Y.Doc, socket: WebSocket, bytes: Uint8Array): Promise<void> {
    const decoder = decoding.createDecoder(bytes);
    const kind = decoding.readVarUint(decoder);
    if (kind === AWARENESS) return applyAwarenessUpdate(room.awareness, decoding.readVarUint8Array(decoder), socket);
    if (kind !== SYNC) return;
    const step = decoding.readVarUint(decoder);
    const body = decoding.readVarUint8Array(decoder);
    if (step === messageYjsSyncStep1) {
      send(socket, SYNC, (encoder) => writeSyncStep2(encoder, doc, body));
      send(socket, SAVED, (encoder) => encoding.writeVarUint8Array(encoder, Y.encodeStateVector(doc)));
    } else if (step === messageYjsSyncStep2 || step === messageYjsUpdate) {
      if (addsSomething(doc, body)) await this.documents.append(id, body, socket);
    }
  }
}

/** The provider repeats what it knows on every reconnect; only news is worth a row. */
function addsSomething(doc: Y.Doc, update: Uint8Array): boolean {
  const known = Y.encodeStateVector(doc);
  const { structs, ds } = Y.decodeUpdate(Y.diffUpdate(update, known));
  return structs.length > 0 || ds.clients.size > 0;
}

function send(socket: WebSocket, kind: number, write: (encoder: encoding.Encoder) => void): void {
  if (socket.readyState !== socket.OPEN) return;
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, kind);
  write(encoder);
  socket.send(encoding.toUint8Array(encoder));
}
