// What anybody may send to a server, against the real one: it answers everybody else, harms no document, and keeps nothing of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LAYOUT, MOST_MESSAGE_BYTES } from "@spindle/graph-model/shared-doc";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { oddText } from "../../apps/runtime/src/export/odd-graphs.testing.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import {
  craftAtRandom,
  damage,
  editAtRandom,
  type Random,
  updateOf,
} from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { addPreview, varUint } from "../support/documents.ts";
import { BOUNDARY, Door, partHead } from "../support/door.ts";
import { attackerSocket, bytesAtRandom, everySeed, inspected, pick, SEEDS, Watched } from "../support/hostile.ts";
import { bmp, PORTRAIT, VOICE } from "../support/samples.ts";
import { createGraph, graphOf, node, type Spindle, startSpindle, until } from "../support/spindle.ts";

/** Of each seed. */
const OF_EACH = { updates: 20, graphs: 5, calls: 25, sayings: 25, uploads: 5 };
const SYNC = 0;
const [ASK, ANSWER, UPDATE] = [0, 1, 2];
const AWARENESS = 1;

let spindle: Spindle;
let watched: Watched;
let door: Door;
let attacked: string;
let other: string;
let untouched: string;
let ada: { doc: Y.Doc; provider: WebsocketProvider };
beforeAll(async () => {
  const { port, route } = await inspected();
  spindle = await startSpindle({ worker: false, route });
  watched = new Watched(spindle, port);
  door = new Door(spindle);
  await door.warm();
  const graph = graphOf([node("a", "text.template", { template: "Hi {{text}}" }), node("b", "output.preview", { value: 1 })]);
  [attacked, other] = [await createGraph(spindle.url, graph), await createGraph(spindle.url, graph)];
  ada = await enter(attacked);
  untouched = await stateOf(other);
  vi.spyOn(console, "error").mockImplementation(() => {}); // Yjs says what it could not apply
}, 600_000);
afterAll(async () => {
  ada?.provider.destroy();
  await spindle?.stop();
});

const address = (graph: string) => `${spindle.url.replace("http", "ws")}/collab/${graph}?layout=${LAYOUT}`;

async function enter(graph: string): Promise<{ doc: Y.Doc; provider: WebsocketProvider }> {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${spindle.url.replace("http", "ws")}/collab`, `${graph}?layout=${LAYOUT}`, doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  });
  for (const kind of [5, 6, 7, 8]) provider.messageHandlers[kind] = () => {}; // which only the editor shows
  await until(async () => provider.synced, 60_000, "the document is here");
  return { doc, provider };
}

/** All that the server has of a document. */
async function stateOf(graph: string): Promise<string> {
  const { doc, provider } = await enter(graph);
  provider.destroy();
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString("base64");
}

const isOpen = (socket: WebSocket): boolean => socket.readyState === WebSocket.OPEN;

/** Sends on sockets of the attacker's, the next one where one was closed, and waits until all of it was looked at. */
async function sendAll(url: string, messages: readonly (Uint8Array | string)[], barrier: (socket: WebSocket) => Promise<unknown>) {
  const opened = async () => {
    const made = await attackerSocket(url);
    return { made, closed: new Promise((resolve) => made.once("close", resolve)) };
  };
  let { made: socket, closed } = await opened();
  for (const message of messages) {
    if (!isOpen(socket)) ({ made: socket, closed } = await opened());
    if (!isOpen(socket)) continue;
    socket.send(message);
    await Promise.race([closed, barrier(socket)]);
  }
  socket.terminate();
}

const ASK_AGAIN_MS = 100;

/**
 * The server answers the question what it has once it has looked at all that came before. It has one answer for whoever asks several times
 * at once, and none if the first of the questions cannot be read.
 */
const answersSync = (socket: WebSocket) =>
  new Promise<void>((resolve) => {
    const ask = () => isOpen(socket) && socket.send(Uint8Array.from([SYNC, ASK, 1, 0]));
    const again = setInterval(ask, ASK_AGAIN_MS);
    const end = () => {
      clearInterval(again);
      socket.off("message", hear);
      socket.off("close", end);
      resolve();
    };
    const hear = (data: ArrayBuffer) => {
      const [kind, step] = new Uint8Array(data);
      if (kind === SYNC && step === ANSWER) end();
    };
    socket.on("message", hear);
    socket.on("close", end);
    ask();
  });

const syncMessage = (step: number, body: Uint8Array) => Uint8Array.from([SYNC, step, ...varUint(body.length), ...body]);

test(`[C5] ${SEEDS * OF_EACH.updates} updates of every kind harm no other's edits or document`, async () => {
  const sent: Uint8Array[] = [Y.encodeStateAsUpdate(ada.doc)];
  const attack = async (next: Random) => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(ada.doc));
    const messages = Array.from({ length: OF_EACH.updates }, () => {
      const kind = next();
      if (kind < 0.2) sent.push(updateOf(doc, (copy) => editAtRandom(copy, next)));
      if (kind < 0.6) return syncMessage(UPDATE, damage(pick(next, sent), pick(next, sent), next));
      if (kind < 0.75) return syncMessage(UPDATE, craftAtRandom(doc, next));
      if (kind < 0.85) return bytesAtRandom(next, 300);
      if (kind < 0.95) return syncMessage(pick(next, [ASK, ANSWER, UPDATE, 3]), pick(next, [...sent, bytesAtRandom(next, 50)]));
      return damage(syncMessage(UPDATE, pick(next, sent)), sent[0] as Uint8Array, next);
    });
    if (sent.length > 50) sent.splice(1, 25);
    await watched.prompt(async () => {
      addPreview(ada.doc);
      await sendAll(address(attacked), messages, answersSync);
    });
  };
  await watched.warmUp(attack);
  await everySeed(attack);
  const clock = Y.getState(ada.doc.store, ada.doc.clientID);
  expect(clock).toBeGreaterThan(0);
  await until(
    async () => {
      const state = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(Buffer.from(await stateOf(attacked), "base64")));
      return (state.get(ada.doc.clientID) ?? 0) >= clock;
    },
    60_000,
    "all that Ada did is stored",
  );
  expect(ada.provider.wsconnected, "Ada is there").toBe(true);
  expect(await stateOf(other)).toBe(untouched);
  await watched.expectWhole();
});

const ODD_TEXTS = [
  "",
  "x",
  "null",
  "0",
  "[]",
  "{}",
  "\u0000",
  "💥\ud800",
  "../../etc/passwd",
  "__proto__",
  "x".repeat(20_000),
  "-1",
  "NaN",
  "1e999",
];
const odd = (next: Random): unknown =>
  pick<unknown>(next, [
    null,
    true,
    0,
    -1,
    1e308,
    [],
    {},
    [[]],
    { id: null },
    { toString: 1 },
    { __proto__: null, length: -1 },
    ...ODD_TEXTS,
  ]);
const CALLS = [
  ...[
    "graphs.list",
    "graphs.duplicate",
    "graphs.get",
    "graphs.create",
    "graphs.rename",
    "graphs.deleted",
    "graphs.restore",
    "graphs.import",
  ],
  ...[
    "runs.list",
    "runs.get",
    "runs.start",
    "runs.plan",
    "runs.fork",
    "runs.clearCache",
    "runs.cancel",
    "runs.cancelNode",
    "runs.nodeRuns",
  ],
  ...["runs.logs", "runs.questions", "runs.answer", "runs.resume", "runs.watch", "templates.list", "templates.get", "templates.start"],
  ...["templates.open", "library.watch", "graphs", "", "__proto__", "graphs.constructor", "graphs.list.toString", "x".repeat(3000)],
];
const FIELDS = ["id", "name", "text", "graphId", "inputs", "options", "path", "limit", "node", "lastEventId", "answer", "from", "direct"];
const input = (next: Random): unknown =>
  next() < 0.2
    ? odd(next)
    : Object.fromEntries(
        FIELDS.filter(() => next() < 0.5).map((field) => [field, /id$/i.test(field) && next() < 0.6 ? attacked : odd(next)]),
      );

test(`${SEEDS * OF_EACH.calls} calls are answered, over the socket and over HTTP, and none as a fault of the server`, async () => {
  const url = `${spindle.url.replace("http", "ws")}/trpc`;
  const last = "the last";
  const answersCall = (socket: WebSocket) =>
    new Promise<void>((resolve) => {
      const hear = (data: ArrayBuffer) => {
        const text = Buffer.from(data).toString();
        if (text === "PONG") return;
        for (const { id, error } of [JSON.parse(text)].flat()) {
          watched.answeredCall(error, text.slice(0, 500));
          if (id !== last) continue;
          socket.off("message", hear);
          resolve();
        }
      };
      socket.on("message", hear);
      socket.send(JSON.stringify({ id: last, jsonrpc: "2.0", method: "query", params: { path: "graphs.get", input: { id: attacked } } }));
    });
  const call = (next: Random) => ({
    id: pick(next, [1, "1", null, -1, 1e308, {}]),
    jsonrpc: pick(next, ["2.0", "1.0", undefined]),
    method: pick(next, ["query", "mutation", "subscription", "subscription.stop", "x", null]),
    params: next() < 0.9 ? { path: pick(next, CALLS), input: input(next), lastEventId: odd(next) } : odd(next),
  });
  const message = (next: Random): string | Uint8Array => {
    const kind = next();
    if (kind < 0.7) return JSON.stringify(call(next));
    if (kind < 0.8) return JSON.stringify(Array.from({ length: Math.floor(next() * 130) }, () => call(next)));
    if (kind < 0.9) return Buffer.from(damage(Buffer.from(JSON.stringify(call(next))), bytesAtRandom(next, 50), next)).toString("latin1");
    return bytesAtRandom(next, 300);
  };
  const attack = async (next: Random) => {
    const messages = Array.from({ length: OF_EACH.calls }, () => message(next));
    const paths = Array.from({ length: 5 }, () => {
      const names = Array.from({ length: 1 + Math.floor(next() * 3) }, () => encodeURIComponent(pick(next, CALLS).slice(0, 100))).join(",");
      const given = JSON.stringify(next() < 0.5 ? { 0: input(next) } : input(next)).slice(0, 4000);
      return `/trpc/${names}?batch=${pick(next, ["1", "0", "x"])}&input=${encodeURIComponent(Buffer.from(given).toString())}`;
    });
    await watched.prompt(async () => {
      await sendAll(url, messages, answersCall);
      for (const path of paths) await watched.ask(path, next() < 0.5 ? {} : { method: "POST", body: JSON.stringify(input(next)) });
    });
  };
  await watched.warmUp(attack);
  await everySeed(attack);
  expect(await stateOf(other)).toBe(untouched);
  await watched.expectWhole();
});

test(`[C5] ${SEEDS * OF_EACH.sayings} sayings about pages harm none that is there`, async () => {
  const said = { user: { name: "Ada" } };
  ada.provider.awareness.setLocalState(said);
  const own = ada.doc.clientID;
  const text = (value: string) => [...varUint(Buffer.byteLength(value)), ...Buffer.from(value)];
  const message = (next: Random): Uint8Array => {
    if (next() < 0.2) return Uint8Array.from([AWARENESS, ...bytesAtRandom(next, 200)]);
    const pages = Array.from({ length: Math.floor(next() * 24) }, () => [
      ...varUint(next() < 0.3 ? own : Math.floor(next() * 2 ** 32)),
      ...varUint(pick(next, [0, 1, 2 ** 20, 2 ** 31])),
      ...text(pick(next, [JSON.stringify(odd(next)), "null", "{", JSON.stringify({ user: odd(next), pointer: odd(next) })])),
    ]);
    const body = Uint8Array.from([...varUint(next() < 0.8 ? pages.length : Math.floor(next() * 1e6)), ...pages.flat()]);
    return Uint8Array.from([AWARENESS, ...varUint(body.length), ...body]);
  };
  const attack = async (next: Random) => {
    const messages = Array.from({ length: OF_EACH.sayings }, () => message(next));
    await watched.prompt(() => sendAll(address(attacked), messages, answersSync));
  };
  await watched.warmUp(attack);
  await everySeed(attack);
  const ben = await enter(attacked);
  await until(async () => ben.provider.awareness.getStates().has(own), 60_000, "Ben sees Ada");
  expect(ben.provider.awareness.getStates().get(own)).toEqual(said);
  await until(async () => ben.provider.awareness.getStates().size === 2, 60_000, "nobody else is there");
  ben.provider.destroy();
  expect(await stateOf(other)).toBe(untouched);
  await watched.expectWhole();
});

test(`[G6] ${SEEDS * OF_EACH.graphs} graphs in odd shapes are stored, exported and run, or refused with what is wrong`, async () => {
  const attack = async (next: Random) => {
    const texts = Array.from({ length: OF_EACH.graphs }, () => {
      const known = oddText(Math.floor(next() * 2 ** 30));
      return next() < 0.8 ? known : Buffer.from(damage(Buffer.from(known), bytesAtRandom(next, 50), next)).toString("utf8");
    });
    await watched.prompt(async () => {
      for (const text of texts) {
        const stored = await watched.ask("/api/graphs", { method: "POST", body: text });
        expect([201, 413, 422], stored.text).toContain(stored.status);
        const { id } = JSON.parse(stored.text) as { id?: string };
        for (const to of id ? ["json", "mermaid", "langgraph", "comfyui", "%00"] : [])
          await watched.ask(`/api/graphs/${id}/export?to=${to}`);
        if (id) await watched.ask(`/api/graphs/${id}/picture.svg`);
        const form = new FormData();
        form.set("graph", text);
        const started = await watched.ask(`/api/runs?dry=${next() < 0.5 ? 1 : 0}`, { method: "POST", body: form });
        const { run } = JSON.parse(started.text) as { run?: string };
        if (run) await watched.ask(`/api/runs/${run}`, { method: "GET" });
      }
    });
  };
  await watched.warmUp(attack);
  await everySeed(attack);
  expect(await stateOf(other)).toBe(untouched);
  await watched.expectWhole();
});

test(`[A2] ${SEEDS * OF_EACH.uploads} uploads that are cut, lie or are odd leave no file and no descriptor`, async () => {
  const files = [
    readFileSync(PORTRAIT),
    readFileSync(VOICE),
    readFileSync(join(ROOT, "workers/comfy-bridge/test/fake/small.mp4")),
    Buffer.from(bmp(8, 8)),
    Buffer.from(bmp(60_000, 60_000, 100)),
    ...[
      "\x89PNG\r\n\x1a\n",
      "RIFF....WEBPVP8X",
      "GIF89a",
      "II*\0",
      "MM\0*",
      "fLaC",
      "OggS",
      "ID3",
      "FORM....AIFF",
      "\x1a\x45\xdf\xa3",
      "....ftypisom",
    ].map((head) => Buffer.concat([Buffer.from(head, "latin1"), Buffer.alloc(2000, 0xff)])),
    Buffer.alloc(0),
  ];
  const attack = async (next: Random) => {
    const uploads = Array.from({ length: OF_EACH.uploads }, () => {
      const known = pick(next, files);
      const bytes = known.length > 0 && next() < 0.8 ? damage(known.subarray(0, 60_000), pick(next, files).subarray(0, 50), next) : known;
      const kind = pick(next, ["image", "mask", "audio", "video", "model", "text", "file", "x", ""]);
      return { bytes, kind, name: pick(next, ODD_TEXTS), type: pick(next, ["image/png", "text/html", "x", "audio/wav"]), cutAt: next() };
    });
    await watched.prompt(async () => {
      for (const { bytes, kind, name, type, cutAt } of uploads) {
        const form = new FormData();
        form.set("file", new File([bytes as BlobPart], name, { type }));
        // A client that does not keep the connection may lose an answer that comes before all is sent.
        const headers = { connection: "keep-alive" };
        const { status, text } = await watched.ask(`/api/artifacts?kind=${kind}`, { method: "POST", body: form, headers });
        expect([201, 400, 413, 422], text).toContain(status);
        const whole = `${partHead("file")}${Buffer.from(bytes).toString("latin1")}\r\n--${BOUNDARY}--\r\n`;
        const socket = await door.open();
        socket.write(Buffer.from((door.postHead(whole.length) + whole).slice(0, Math.floor(cutAt * (whole.length + 300))), "latin1"), () =>
          socket.destroy(),
        );
        await new Promise((resolve) => socket.once("close", resolve));
      }
    });
  };
  await watched.warmUp(attack);
  ada.provider.disconnect(); // so that nothing but the attacker's is counted
  await door.leavesNothing(() => everySeed(attack));
  ada.provider.connect();
  expect(await stateOf(other)).toBe(untouched);
  await watched.expectWhole();
});

test("a message of the largest size, of each kind, holds nobody up", async () => {
  const large = new Uint8Array(MOST_MESSAGE_BYTES - 100).fill(0x5b);
  await watched.prompt(async () => {
    for (const head of [[SYNC, UPDATE], [SYNC, ASK], [AWARENESS], [8]])
      await sendAll(address(attacked), [Uint8Array.from([...head, ...varUint(large.length)]), large], answersSync);
    await sendAll(`${spindle.url.replace("http", "ws")}/trpc`, [large], async () => {});
  });
  expect(await stateOf(other)).toBe(untouched);
  expect(watched.measured, "windows in which this process was not held up").toBeGreaterThan(0);
});
