// Files that are larger than what the bridge may hold, from ComfyUI to the store and from there to ComfyUI, each a server that counts.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { solidPng } from "../../test/fake/png.ts";
import { ComfyHttp } from "../comfy/http.ts";
import { Collector } from "./outputs.ts";
import { withFiles } from "./run-task.ts";
import { sha256, TaskRuntime } from "./runtime.ts";

const MEBIBYTE = 1024 * 1024;
const PIECE = randomBytes(MEBIBYTE);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const inUse = async (): Promise<number> => {
  collectGarbage();
  await nextTurn(); // what is free by now is counted after it
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
};

/** Bytes that one side has sent, the other has got, and the most that lay between them, the network's buffers included. */
let [sent, got, most] = [0, 0, 0];
/** Bytes of buffers that are in use when the store has a file, and were not before. */
let inBuffers: number;
let stored: Record<string, { size: number; sha256: string; length: string | undefined }>;
/** Answers to PUT that come before those of the store. */
let failures: number[];
let servers: Server[];
beforeEach(() => {
  [sent, got, most] = [0, 0, 0];
  [stored, failures, servers] = [{}, [], []];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<string> {
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** As slowly as it is taken. */
async function send(response: ServerResponse, pieces: Iterable<Buffer>): Promise<void> {
  const closed = new AbortController();
  const over = once(response, "close").then(() => closed.abort());
  for (const piece of pieces) {
    if (response.destroyed) return;
    sent += piece.length;
    if (!response.write(piece)) await Promise.race([once(response, "drain", { signal: closed.signal }), over]);
    most = Math.max(most, sent - got);
  }
  response.end();
}

async function receive(request: IncomingMessage): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    hash.update(piece);
    size += piece.length;
    got += piece.length;
  }
  return { size, sha256: hash.digest("hex") };
}

/** A runtime whose store counts. @param held what may be read of it */
const runtimeWith = async (held: Readonly<Record<string, readonly Buffer[]>> = {}) => {
  const runtimeUrl = await serve(async (request, response) => {
    const name = (request.url ?? "").split("/").at(-1) ?? "";
    if (request.method === "POST") {
      let text = "";
      for await (const piece of request) text += piece;
      const wish = JSON.parse(text) as { artifact?: string };
      const artifact = wish.artifact ?? `made-${Object.keys(stored).length}`;
      return void response.end(JSON.stringify({ url: `${runtimeUrl}/bytes/${artifact}`, headers: {}, artifact, key: artifact }));
    }
    if (request.method === "GET") return send(response, held[name] ?? []);
    const before = await inUse();
    const received = await receive(request);
    inBuffers = (await inUse()) - before;
    const status = failures.shift();
    if (status === undefined) stored[name] = { ...received, length: request.headers["content-length"] };
    response.writeHead(status ?? 200).end();
  });
  return new TaskRuntime({ task: "t", inputSha256: "" }, { runtimeUrl, workerKey: "k".repeat(32) });
};

const WATCH = { signal: new AbortController().signal, onLimited: () => {}, onSilence: () => () => {} };
const ID = "00000000-0000-4000-8000-000000000001";
const many = (count: number): Buffer[] => Array.from({ length: count }, () => PIECE);
const hashOf = (pieces: readonly Buffer[]): string => {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
};

/** A picture of so many MiB, with the workflow in the middle and without. */
function largePicture(count: number): { labelled: Buffer[]; kept: Buffer[] } {
  const chunk = (type: string, data: readonly Buffer[]) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.reduce((sum, { length }) => sum + length, 0));
    head.write(type, 4, "latin1");
    return [head, ...data, Buffer.alloc(4)];
  };
  const small = solidPng(5, 4, 0xff);
  const [begin, end] = [small.subarray(0, 33), small.subarray(-12)];
  const pixels = chunk("IDAT", many(count / 2));
  return {
    labelled: [begin, ...chunk("tEXt", [Buffer.from("prompt\0{}")]), ...pixels, ...chunk("iTXt", many(2)), ...pixels, end],
    kept: [begin, ...pixels, ...pixels, end],
  };
}

describe("a file of 256 MiB", () => {
  const collect = async (pieces: readonly Buffer[], filename: string, isSized: boolean) => {
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    const url = await serve(async (_, response) => {
      response.writeHead(200, { "content-type": "video/mp4", ...(isSized ? { "content-length": size } : {}) });
      [sent, got] = [0, 0]; // each reading begins anew
      await send(response, pieces);
    });
    const collector = new Collector(new ComfyHttp(url), await runtimeWith(), WATCH);
    const [ref] = await collector.files({ gifs: [{ filename, subfolder: "", type: "output" }] }, "n");
    return ref;
  };

  test("goes from ComfyUI to the store as it comes, with its size said before", async () => {
    const ref = await collect(many(256), "long.mp4", true);
    const whole = { size: 256 * MEBIBYTE, sha256: hashOf(many(256)) };
    expect(ref).toMatchObject({ mime: "video/mp4", ...whole });
    expect(Object.values(stored)).toEqual([{ ...whole, length: String(whole.size) }]);
    expect(most).toBeLessThan(48 * MEBIBYTE);
    expect(inBuffers).toBeLessThan(48 * MEBIBYTE);
  });
  test("is read again where the store fails, or where ComfyUI does not say its size", async () => {
    failures = [503];
    const ref = await collect(many(64), "long.mp4", false);
    expect(ref).toMatchObject({ size: 64 * MEBIBYTE, sha256: hashOf(many(64)) });
    expect(Object.values(stored)).toMatchObject([{ size: 64 * MEBIBYTE, sha256: hashOf(many(64)) }]);
  });
  test("that is a picture loses what it tells of the workflow on its way, and has its size", async () => {
    const { labelled, kept } = largePicture(64);
    const ref = await collect(labelled, "large.png", true);
    const whole = { size: kept.reduce((sum, { length }) => sum + length, 0), sha256: hashOf(kept) };
    expect(ref).toMatchObject({ mime: "image/png", width: 5, height: 4, ...whole });
    expect(Object.values(stored)).toMatchObject([whole]);
  });

  const uploaded = async (pieces: readonly Buffer[], said: { size: number; sha256: string }, mime = "video/mp4") => {
    let whole = 0;
    const url = await serve(async (request, response) => {
      whole = (await receive(request)).size;
      response.end(JSON.stringify({ name: "given.mp4", subfolder: "spindle" }));
    });
    const runtime = await runtimeWith({ [ID]: pieces });
    const prompt = { load: { class_type: "LoadVideo", inputs: { file: { artifact: ID, mime, ...said } } } };
    return { name: (await withFiles({ prompt }, runtime, new ComfyHttp(url), WATCH)).load?.inputs.file, whole: () => whole };
  };
  test("goes from the store to ComfyUI as it comes", async () => {
    const { name, whole } = await uploaded(many(256), { size: 256 * MEBIBYTE, sha256: hashOf(many(256)) });
    expect(name).toBe("spindle/given.mp4");
    expect(whole()).toBeGreaterThan(256 * MEBIBYTE);
    expect(most).toBeLessThan(48 * MEBIBYTE);
  });
  test("whose bytes are others is given to nobody", async () => {
    await expect(uploaded(many(16), { size: 16 * MEBIBYTE, sha256: sha256("another") })).rejects.toMatchObject({
      error: { code: "task.bad_result" },
    });
  });
  test("that is a text is refused at its node, and none of it is read", async () => {
    await expect(uploaded(many(16), { size: 256 * MEBIBYTE, sha256: sha256("x") }, "text/plain")).rejects.toMatchObject({
      error: { code: "comfy.rejected", details: { node: "load" }, message: expect.stringContaining("256 MiB") },
    });
    expect(sent).toBe(0);
  });
});
