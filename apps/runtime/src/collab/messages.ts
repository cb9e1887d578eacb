// The messages of a document's socket, read and written.
import { EditRefused, KEPT } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { WebSocket } from "ws";
import { messageYjsSyncStep1 } from "y-protocols/sync";

export const SYNC = 0;
export const AWARENESS = 1;

/** @throws Error if it is no message of this protocol */
export function parse(bytes: Uint8Array): { kind: number; step: number; body: Uint8Array } | undefined {
  const decoder = decoding.createDecoder(bytes);
  const kind = decoding.readVarUint(decoder);
  if (kind !== SYNC && kind !== AWARENESS && kind !== KEPT) return undefined;
  return { kind, step: kind === SYNC ? decoding.readVarUint(decoder) : 0, body: decoding.readVarUint8Array(decoder) };
}

/** @throws Error if it is none */
export function numberIn(body: Uint8Array): string {
  const text = Buffer.from(body).toString();
  if (!/^\d{1,18}$/.test(text)) throw new Error("It is no number.");
  return text;
}

/** Whether a message is the first step of a sync, which is answered with all that its sender lacks. */
export function asksForAll(bytes: Uint8Array): boolean {
  try {
    const said = parse(bytes);
    return said?.kind === SYNC && said.step === messageYjsSyncStep1;
  } catch {
    return false; // its sender hears of it when its turn comes
  }
}

/** What comes from outside; only its sender is to blame if it cannot be read. */
export function read<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new EditRefused("It is no message of this protocol.", { cause });
  }
}

export function message(kind: number, write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, kind);
  write(encoder);
  return encoding.toUint8Array(encoder);
}

export const send = (socket: WebSocket, kind: number, write: (encoder: encoding.Encoder) => void): void => {
  if (isOpen(socket)) post(socket, message(kind, write));
};

export function post(socket: WebSocket, bytes: Uint8Array): void {
  if (isOpen(socket)) socket.send(bytes);
}

export const isOpen = (socket: WebSocket): boolean => socket.readyState === socket.OPEN;
