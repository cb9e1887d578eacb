import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { procedure, router } from "./trpc.ts";

type Answer = { id: number; error?: { message: string; data: { code: string } }; result?: { type: string; data?: unknown } };

const http = createServer();
const share = { calls: 0 };
let connection = { submitter: "", openCalls: 0, share };
beforeAll(async () => {
  applyWSSHandler({
    wss: new WebSocketServer({ server: http }),
    router: router({
      now: procedure.query(async () => 1),
      forever: procedure.subscription(async function* ({ signal }) {
        yield 1;
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      }),
      once: procedure.subscription(async function* () {
        yield 1;
      }),
    }),
    createContext: () => {
      connection = { submitter: "", openCalls: 0, share };
      return { connection } as never;
    },
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  http.close();
});

/** Sends calls on a connection of its own; `answered` waits until so many answers of a kind are there. */
async function calls() {
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const answers: Answer[] = [];
  socket.on("message", (text) => answers.push(JSON.parse(String(text))));
  await new Promise((resolve) => socket.once("open", resolve));
  const messages = (method: string, path: string, count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => ({ id: from + index, jsonrpc: "2.0", method, params: { path } }));
  const send = (message: unknown) => socket.send(JSON.stringify(message));
  const answered = async (count: number, is: (answer: Answer) => boolean) => {
    while (answers.filter(is).length < count) await new Promise((resolve) => setTimeout(resolve, 20));
    return answers.filter(is);
  };
  return { socket, messages, send, answered };
}
const refused = ({ error }: Answer) => error?.data.code === "TOO_MANY_REQUESTS";
const served = ({ result }: Answer) => result?.type === "data";
const stopped = ({ result }: Answer) => result?.type === "stopped";

test.each(["one by one", "in a batch"])("of 2,000 subscriptions %s a hundred are served; the others hear why not", async (how) => {
  const { socket, messages, send, answered } = await calls();
  const all = messages("subscription", "forever", 2_000);
  if (how === "in a batch") send(all);
  else for (const message of all) send(message);
  const [first] = await answered(1_900, refused);
  expect(first?.error?.message).toMatch(/100 calls open/);
  expect(await answered(100, served)).toHaveLength(100);
  send({ id: 0, jsonrpc: "2.0", method: "subscription.stop" });
  await answered(1, stopped);
  send(messages("query", "now", 1, 30_000));
  await answered(1, ({ id, result }) => id === 30_000 && result !== undefined);
  socket.close();
  await new Promise((resolve) => socket.once("close", resolve));
});
test("of many connections of one principal a thousand calls are served, and all are given back", async () => {
  const connections = await Promise.all(Array.from({ length: 12 }, calls));
  for (const { send, messages } of connections) send(messages("subscription", "forever", 100));
  const answers = await Promise.all(connections.map(({ answered }) => answered(100, (answer) => served(answer) || refused(answer))));
  expect(answers.flat().filter(served)).toHaveLength(1000);
  expect(answers.flat().find(refused)?.error?.message).toMatch(/1000 calls are open from here/);
  for (const { socket } of connections) socket.close();
  await Promise.all(connections.map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
  while (share.calls > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});
test("a subscription that is dropped, since its id is in use, takes no place", async () => {
  const { socket, messages, send, answered } = await calls();
  const [message] = messages("subscription", "forever", 1);
  for (let time = 0; time < 300; time++) send(message);
  await answered(299, ({ error }) => error?.message === "Duplicate id 0" || error?.data.code === "TOO_MANY_REQUESTS");
  send(messages("query", "now", 1, 30_000));
  expect(await answered(1, ({ id }) => id === 30_000)).toMatchObject([{ result: { data: 1 } }]);
  expect(connection.openCalls).toBe(1);
  send({ id: 0, jsonrpc: "2.0", method: "subscription.stop" });
  await answered(1, stopped);
  expect(connection.openCalls).toBe(0);
  socket.close();
  await new Promise((resolve) => socket.once("close", resolve));
});
test("queries in a batch count, and make room when they are answered", async () => {
  const { socket, messages, send, answered } = await calls();
  send(messages("query", "now", 500));
  expect(await answered(400, refused)).toHaveLength(400);
  await answered(100, served);
  expect(connection.openCalls).toBe(0);
  socket.close();
});
test("subscriptions that end by themselves count no longer", async () => {
  const { socket, messages, send, answered } = await calls();
  for (let from = 0; from < 300; from += 50) {
    send(messages("subscription", "once", 50, from));
    await answered(from + 50, stopped);
  }
  expect(connection.openCalls).toBe(0);
  socket.close();
  await new Promise((resolve) => socket.once("close", resolve));
});
