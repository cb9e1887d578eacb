// The end of a connection that a page has.
import { EventEmitter } from "node:events";
import { EDIT_REFUSED } from "@spindle/graph-model/shared-doc";
import * as decoding from "lib0/decoding";
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

/** The last refusal that a page was told of, or with which it was closed. */
export function refusalOf({ closed, sent }: FakeSocket): [number, string?] | undefined {
  const last = sent.findLast(([kind]) => kind === EDIT_REFUSED);
  if (closed || !last) return closed;
  const { code, reason } = JSON.parse(decoding.readVarString(decoding.createDecoder(last.subarray(1))));
  return [code, reason];
}

/** An update, as y-websocket sends it. */
export const messageOf = (update: Uint8Array): ArrayBuffer => {
  const encoder = encoding.createEncoder();
  for (const part of [0, 2]) encoding.writeVarUint(encoder, part);
  encoding.writeVarUint8Array(encoder, update);
  return encoding.toUint8Array(encoder).slice().buffer;
};

/** An awareness message: of a page its id and its state as JSON. */
export const awarenessOf = ([client, state]: [client: number, state: string], clock = 1): ArrayBuffer =>
  awarenessOfAll([[client, state]], clock);

/** An awareness message: of each page its id and its state as JSON. */
export function awarenessOfAll(pages: readonly [client: number, state: string][], clock: number): ArrayBuffer {
  const body = encoding.createEncoder();
  encoding.writeVarUint(body, pages.length);
  for (const [client, state] of pages) {
    encoding.writeVarUint(body, client);
    encoding.writeVarUint(body, clock);
    encoding.writeVarString(body, state);
  }
  const whole = encoding.createEncoder();
  encoding.writeVarUint(whole, 1);
  encoding.writeVarUint8Array(whole, encoding.toUint8Array(body));
  return encoding.toUint8Array(whole).slice().buffer;
}
