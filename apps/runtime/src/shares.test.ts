import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { MOST, principalOf, Shares } from "./shares.ts";

const MIB = 1024 * 1024;

/** A client that does not read. */
class DeafSocket extends EventEmitter {
  bufferedAmount = 0;
  isOpen = true;
  send(data: Uint8Array): void {
    this.bufferedAmount += data.length;
  }
  terminate(): void {
    this.isOpen = false;
    this.bufferedAmount = 0;
    this.emit("close");
  }
}
const open = (shares: Shares, principal: string): DeafSocket => {
  const socket = new DeafSocket();
  shares.watch(socket as unknown as WebSocket, shares.of(principal));
  return socket;
};
const say = (socket: DeafSocket, mib: number) => {
  for (let sent = 0; sent < mib; sent++) if (socket.isOpen) socket.send(new Uint8Array(MIB));
};

describe("a client that asks and does not read", () => {
  test("is given up before it fills the memory", () => {
    const shares = new Shares();
    const socket = open(shares, "a");
    say(socket, 32);
    expect(socket.isOpen).toBe(true);
    say(socket, 1);
    expect(socket.isOpen).toBe(false);
  });
  test("loses its sockets, the fullest first, when all of them together hold too much, and others keep theirs", () => {
    const shares = new Shares();
    const sockets = Array.from({ length: 20 }, () => open(shares, "a"));
    const other = open(shares, "b");
    say(other, 20);
    for (const [index, socket] of sockets.entries()) say(socket, index === 3 ? 6 : 4);
    expect(sockets.map(({ isOpen }) => isOpen).filter(Boolean).length).toBeLessThan(20);
    expect(sockets[3]?.isOpen, "the fullest").toBe(false);
    expect(sockets.reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0)).toBeLessThanOrEqual(MOST.unread);
    expect([other.isOpen, other.bufferedAmount]).toEqual([true, 20 * MIB]);
  });
  test("of many principals is given up when all of them hold too much", () => {
    const shares = new Shares();
    const sockets = Array.from({ length: 40 }, (_, index) => open(shares, `address ${index}`));
    for (const socket of sockets) say(socket, 10);
    expect(sockets.reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0)).toBeLessThanOrEqual(MOST.unreadInAll);
    expect(sockets.filter(({ isOpen }) => isOpen).length).toBeGreaterThan(20);
  });
});

test("a principal has so many sockets and no more, and each that closes gives its place back once", () => {
  const shares = new Shares();
  const leave = Array.from({ length: MOST.sockets }, () => shares.enter(shares.of("a")));
  expect(() => shares.enter(shares.of("a"))).toThrow(/128 sockets are open from here.*Close some pages/);
  shares.enter(shares.of("b"));
  leave[0]?.();
  leave[0]?.();
  shares.enter(shares.of("a"));
  expect(() => shares.enter(shares.of("a"))).toThrow(/128 sockets/);
});
test("all principals together have so many sockets and no more", () => {
  const shares = new Shares();
  for (let count = 0; count < MOST.socketsInAll; count++) shares.enter(shares.of(`address ${count % 1000}`));
  expect(() => shares.enter(shares.of("another"))).toThrow(/4096 sockets are open.*Try again later/);
});
test("principals that have nothing are forgotten; one that has something keeps its share", () => {
  const shares = new Shares();
  const held = shares.of("a");
  shares.enter(held);
  for (let count = 0; count < 5000; count++) shares.of(`address ${count}`);
  expect(shares.of("a")).toBe(held);
  expect((shares as unknown as { shares: Map<string, unknown> }).shares.size).toBeLessThanOrEqual(1001);
});

test.each<[string, string, Record<string, string>, string]>([
  ["the address", "", { "x-spindle-user": "eve", "x-forwarded-for": "9.9.9.9" }, "10.0.0.1"],
  ["whom the proxy names", "secret", { "x-spindle-user": "ada", "x-forwarded-for": "9.9.9.9" }, "ada"],
  ["the address that the last proxy saw", "secret", { "x-forwarded-for": "1.1.1.1, 9.9.9.9" }, "9.9.9.9"],
  ["the proxy's own address if it says nothing", "secret", {}, "10.0.0.1"],
])("a principal is %s", (_, proxySecret, headers, principal) => {
  const request = { socket: { remoteAddress: "10.0.0.1" }, headers } as unknown as IncomingMessage;
  expect(principalOf(request, { proxySecret })).toBe(principal);
});
