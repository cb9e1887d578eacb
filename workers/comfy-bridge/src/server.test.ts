// What a ComfyUI offers, and why it offers nothing new, in words for people.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { ComfyHttp } from "./comfy/http.ts";
import { ComfyServer, type ServerParts } from "./server.ts";

const INFO = JSON.stringify({ Draw: { input: {}, output: ["IMAGE"] } });
let http: Server | undefined;
afterEach(() => {
  vi.unstubAllGlobals();
  http?.closeAllConnections();
  http?.close();
});

/** A server that gives this answer to all that it is asked. */
async function comfy(answer: { status: number; body: string }) {
  http = createServer((_, response) => response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body));
  await new Promise<void>((resolve) => http?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const lines: string[] = [];
  const server = new ComfyServer({ id: "a", url, log: (line: string) => void lines.push(line) } as unknown as ServerParts);
  return { server, lines };
}

test("a server that falls silent, or answers something else, keeps what it offered, marked so, with the reason", async () => {
  const answer = { status: 200, body: INFO };
  const { server } = await comfy(answer);
  await server.refresh();
  expect(server.library).toMatchObject({ live: true });
  for (const [status, body, reason] of [
    [401, "", /needs a login \(401\)/],
    [403, "", /refuses the bridge \(403\): it needs a login, or takes requests of one origin alone/],
    [404, "", /is no ComfyUI: it has no \/object_info/],
    [500, "", /answers 500/],
    [200, "<html>", /is no ComfyUI: \/object_info is no JSON object/],
  ] as const) {
    Object.assign(answer, { status, body });
    await server.refresh();
    expect([[...server.library.nodes.keys()], server.library.live]).toEqual([["Draw"], false]);
    expect(server.library.reason).toMatch(reason);
  }
  http?.closeAllConnections();
  await new Promise((resolve) => http?.close(resolve));
  await server.refresh();
  expect([[...server.library.nodes.keys()], server.library.live]).toEqual([["Draw"], false]);
  expect(server.library.reason).toMatch(/does not answer\. Start ComfyUI there/);
});

test("a mistake of the bridge is not called the server's silence, and is in the log with its place", async () => {
  const { server, lines } = await comfy({ status: 200, body: INFO });
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("x is not a function")));
  await server.refresh();
  expect(server.library.reason).toMatch(/the bridge failed on what it said \(x is not a function\)/);
  expect(lines[0]).toMatch(/TypeError: x is not a function\n\s+at /);
});

/** A server whose answer is what `respond` writes. */
async function comfyThat(respond: (response: ServerResponse) => void, options: object = {}) {
  http = createServer((_, response) => respond(response));
  await new Promise<void>((resolve) => http?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server = new ComfyServer({ id: "a", url, log: () => {}, ...options } as unknown as ServerParts);
  return { server, url };
}

test("a server that answers 100 MB is said to, and no more of it is read than a library may have", async () => {
  const piece = Buffer.alloc(1024 * 1024, 0x20);
  let sent = 0;
  const { server, url } = await comfyThat((response) => {
    const send = () => {
      while (sent < 100 * piece.length && !response.destroyed) {
        sent += piece.length;
        if (!response.write(piece)) return void response.once("drain", send);
      }
      response.end();
    };
    send();
  });
  await server.refresh();
  expect(server.library).toMatchObject({ live: false, reason: expect.stringMatching(/answers \/object_info with more than 64 MiB/) });
  expect(sent).toBeLessThan(90 * piece.length);
  sent = 0;
  await expect(new ComfyHttp(url).history("x")).rejects.toThrow(/answers \/history\/x with more than 32 MiB/);
});

test("a server that accepts and never answers, or stops within its answer, is said to be silent", async () => {
  for (const begins of [false, true]) {
    const { server } = await comfyThat(
      (response) => {
        if (begins) response.writeHead(200, { "content-type": "application/json" }).write('{"Draw":');
      },
      { patienceMs: 200 },
    );
    await server.refresh();
    expect(server.library).toMatchObject({ live: false, reason: expect.stringMatching(/does not answer/) });
    http?.closeAllConnections();
    http?.close();
  }
});
