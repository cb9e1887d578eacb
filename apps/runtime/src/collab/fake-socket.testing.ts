// The end of a connection that a page has.
import { EventEmitter } from "node:events";
import * as encoding from "lib0/encoding";

export class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  binaryType = "";
  answers = true;
  closed: [number, string?] | undefined;
  sent: Uint8Array[] = [];
  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  ping(data: string): void {
    if (this.answers) this.emit("pong", Buffer.from(data));
  }
  terminate(): void {
    this.end();
  }
  close(code: number, reason?: string): void {
    this.closed = [code, reason];
    this.end();
  }
  end(): void {
    this.readyState = 3;
    this.emit("close");
  }
}

/** An update, as y-websocket sends it. */
export const messageOf = (update: Uint8Array): ArrayBuffer => {
  const encoder = encoding.createEncoder();
  for (const part of [0, 2]) encoding.writeVarUint(encoder, part);
  encoding.writeVarUint8Array(encoder, update);
  return encoding.toUint8Array(encoder).slice().buffer;
};
