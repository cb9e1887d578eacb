// A ComfyUI whose many classes are others at every reading: how often the runtime's library changes, and pages are told, by it.
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type ComfySpindle, startComfySpindle } from "../support/comfy.ts";
import { until } from "../support/spindle.ts";

const READINGS = 20;
let spindle: ComfySpindle;
let socket: WebSocket;
/** What the page is told, by the hash of the definitions. */
const news: (string | undefined)[] = [];

beforeAll(async () => {
  spindle = await startComfySpindle({ env: { SPINDLE_COMFY_LIBRARY_MS: "500" } });
  socket = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`);
  socket.on("message", (data) => {
    const { result } = JSON.parse(String(data)) as { result?: { type: string; data: { definitions?: string } } };
    if (result?.type === "data") news.push(result.data.definitions);
  });
  socket.once("open", () =>
    socket.send(JSON.stringify({ id: 1, jsonrpc: "2.0", method: "subscription", params: { path: "library.watch" } })),
  );
  await until(async () => news.at(-1), 10_000, "the page is told where the library is");
});
afterAll(async () => {
  socket?.terminate();
  await spindle?.stop();
});

test("[M2] twenty changed readings of a large library are a few libraries for everybody else", async () => {
  const { fake } = spindle;
  let readings = 0;
  const restless = () => {
    readings++;
    const info = { description: `${readings} ${"x".repeat(1000)}`, input: {}, output: ["IMAGE"] };
    return JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`Class${at}`, info])));
  };
  Object.defineProperty(fake, "objectInfo", { get: restless });
  const before = news.length;
  await until(async () => readings >= READINGS, 60_000, "the server was read so often");
  const libraries = new Set(news.slice(before));
  expect(libraries.size).toBeGreaterThan(0);
  expect(libraries.size).toBeLessThan(READINGS / 3);
});
