import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { CallSocket, isLongList } from "./bounded-messages.ts";

test.each([
  ["[1,2,3]", false],
  ["[1,2,3,4]", true],
  [" \n[{},{},{},{}]", true],
  ['[{"a":[1,2,3,4]},[1,2,3,4]]', false],
  ['["a,b,c,d","\\",,,,"]', false],
  ['{"a":1,"b":2,"c":3,"d":4}', false],
  ["[,,,", true],
  ["", false],
  ["]]]],,,,", false],
])("%s is a list of more than three: %s", (text, is) => expect(isLongList(Buffer.from(text), 3)).toBe(is));

test("no more of a long list is read than it takes to know", () => {
  let read = 0;
  const text = new Proxy(Buffer.from(`[${"{},".repeat(100_000)}{}]`), {
    get(target, at) {
      if (typeof at === "string" && /^\d+$/.test(at)) read++;
      return Reflect.get(target, at, target);
    },
  });
  expect(isLongList(text, 100)).toBe(true);
  expect(read).toBeLessThan(1000);
});

test("a message of too many calls closes its socket and reaches nobody; others pass", async () => {
  const http = createServer();
  const reached: string[] = [];
  const server = new WebSocketServer({ server: http, WebSocket: CallSocket });
  server.on("connection", (socket) => socket.on("message", (data) => reached.push(String(data))));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  await new Promise((resolve) => socket.once("open", resolve));
  const closed = new Promise<[number, Buffer]>((resolve) => socket.once("close", (...about) => resolve(about)));
  const few = JSON.stringify(Array(100).fill({}));
  socket.send(few);
  socket.send(JSON.stringify(Array(101).fill({})));
  const [code, why] = await closed;
  expect([code, String(why)]).toEqual([1008, "A message holds 100 calls at most."]);
  expect(reached).toEqual([few]);
  server.close();
  http.close();
});
