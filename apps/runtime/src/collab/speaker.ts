// What a socket may say of its pages (awareness), and how often it is passed on.
import { checkLimits } from "@spindle/graph-model";
import * as decoding from "lib0/decoding";
import type { WebSocket } from "ws";
import { Rate } from "./rate.ts";

/** A page says who is there, where the pointer is and what is selected; whoever comes in is told what all pages say. */
const MOST_BYTES = 16 * 1024;
/** A page has one id, and another after it was reloaded on the same connection. */
const MOST_PAGES = 16;
/** In between the last that was said waits: what was said before it is of no more use. */
const SAYINGS = { perSecond: 30, atOnce: 60 };

/** Of one socket. */
export class Speaker {
  /** The awareness clients that came by it, and how many bytes each says of itself. */
  pages: ReadonlyMap<number, number> = new Map();
  private readonly rate = new Rate(SAYINGS);
  /** What was said last and waits for its moment. */
  private waiting: { body: Uint8Array; timer: NodeJS.Timeout } | undefined;

  /** Passes on what was said, or the last of it as soon as the socket may say more. */
  say(body: Uint8Array, pass: (body: Uint8Array) => void): void {
    if (this.waiting) {
      this.waiting.body = body;
      return;
    }
    const wait = this.rate.count();
    if (wait === 0) {
      pass(body);
      return;
    }
    const timer = setTimeout(() => {
      const last = this.waiting?.body;
      this.waiting = undefined;
      if (last) pass(last);
    }, wait);
    this.waiting = { body, timer };
  }

  stop(): void {
    clearTimeout(this.waiting?.timer);
  }
}

/**
 * Whether a socket may say what it says of its pages. What a page says under the id of another one has no effect: after a broken
 * connection it says so again on its new one.
 * @param isOwn whether an id is its sender's
 * @throws Error if no page of ours says it
 */
export function mayTell(
  sockets: ReadonlyMap<WebSocket, Speaker>,
  socket: WebSocket,
  body: Uint8Array,
  isOwn: (client: number, isThere: boolean) => boolean,
): boolean {
  if (body.length > MOST_BYTES) throw new Error("It says more of its page than a page has to say.");
  const decoder = decoding.createDecoder(body);
  const speaker = sockets.get(socket);
  const pages = new Map(speaker?.pages);
  const others = [...sockets].filter(([other]) => other !== socket).map(([, other]) => other.pages);
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const client = decoding.readVarUint(decoder);
    decoding.readVarUint(decoder); // its clock
    const text = decoding.readVarString(decoder);
    const state: unknown = JSON.parse(text);
    if (checkLimits(state).length > 0) throw new Error("What it says is nested too deep.");
    if (others.some((clients) => clients.has(client)) || !isOwn(client, state !== null)) return false;
    if (pages.set(client, text.length).size > MOST_PAGES) throw new Error("It speaks for more pages than a connection has.");
  }
  if ([...pages.values()].reduce((sum, bytes) => sum + bytes, 0) > MOST_BYTES)
    throw new Error("It says more of its pages than a page has to say.");
  if (speaker) speaker.pages = pages;
  return true;
}
