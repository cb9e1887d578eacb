// What each principal has of this process over all its connections: sockets, open calls, bytes that lie here. A principal is whom the
// proxy names, else the address that a connection comes from.
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { Config } from "./config.ts";
import { Refused } from "./refused.ts";

const MIB = 1024 * 1024;

/** A tab has two sockets, and some five calls open on them. */
export const MOST = {
  sockets: 128,
  socketsInAll: 4096,
  calls: 1000,
  /** Bytes that were sent and are not read: on one socket, by one principal, by all. A client that asks and does not read fills the memory. */
  unreadBySocket: 32 * MIB,
  unread: 64 * MIB,
  unreadInAll: 256 * MIB,
  /** Bytes that came and wait for their turn. */
  waiting: 32 * MIB,
} as const;
/** The sums are worked out again after so many bytes were sent. */
const STEP = MIB;
/** Principals that have nothing are forgotten when there are more than these. */
const MOST_IDLE = 1000;

/** Of one principal. */
export interface Share {
  places: number;
  calls: number;
  /** Bytes of messages that came and wait for their turn. */
  waiting: number;
}

export function principalOf(request: IncomingMessage, { proxySecret }: Pick<Config, "proxySecret">): string {
  const address = request.socket.remoteAddress ?? "";
  if (!proxySecret) return address;
  const { "x-spindle-user": user, "x-forwarded-for": forwarded } = request.headers;
  // Each proxy adds whom it saw: what stands before that anybody can say.
  return (
    String(
      user ??
        String(forwarded ?? "")
          .split(",")
          .at(-1)
          ?.trim() ??
        "",
    ).slice(0, 200) || address
  );
}

export class Shares {
  private readonly shares = new Map<string, Share>();
  private readonly sockets = new Map<WebSocket, Share>();
  private places = 0;
  private sent = 0;

  of(principal: string): Share {
    const share = this.shares.get(principal) ?? { places: 0, calls: 0, waiting: 0 };
    if (this.shares.size >= MOST_IDLE && !this.shares.has(principal))
      for (const [name, { places, calls }] of this.shares) if (places === 0 && calls === 0) this.shares.delete(name);
    this.shares.set(principal, share);
    return share;
  }

  /** Takes a place for a socket that is about to be opened. Returns how to give it back. @throws Refused */
  enter(share: Share): () => void {
    if (share.places >= MOST.sockets)
      throw new Refused(429, "request.invalid", `${MOST.sockets} sockets are open from here, which is the limit. Close some pages.`);
    if (this.places >= MOST.socketsInAll)
      throw new Refused(
        429,
        "request.invalid",
        `${MOST.socketsInAll} sockets are open, which is the limit of this server. Try again later.`,
      );
    share.places++;
    this.places++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      share.places--;
      this.places--;
    };
  }

  /** Counts what is sent on a socket until it closes. */
  watch(socket: WebSocket, share: Share): void {
    this.sockets.set(socket, share);
    socket.once("close", () => this.sockets.delete(socket));
    const send = socket.send.bind(socket) as (data: string | Uint8Array, ...rest: unknown[]) => void;
    socket.send = (data: string | Uint8Array, ...rest: unknown[]) => {
      send(data, ...rest);
      if (socket.bufferedAmount > MOST.unreadBySocket) socket.terminate();
      this.sent += data.length;
      if (this.sent < STEP) return;
      this.sent = 0;
      this.endGreediest();
    };
  }

  /** Ends the sockets with the most unread bytes, first of whoever has too many, then of all. */
  private endGreediest(): void {
    const unread = [...this.sockets]
      .map(([socket, share]) => ({ socket, share, bytes: socket.bufferedAmount }))
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes);
    const sums = new Map<Share, number>();
    let all = 0;
    for (const { share, bytes } of unread) {
      sums.set(share, (sums.get(share) ?? 0) + bytes);
      all += bytes;
    }
    for (const { socket, share, bytes } of unread) {
      const sum = sums.get(share) as number;
      if (sum <= MOST.unread && all <= MOST.unreadInAll) continue;
      sums.set(share, sum - bytes);
      all -= bytes;
      socket.terminate();
    }
  }
}
