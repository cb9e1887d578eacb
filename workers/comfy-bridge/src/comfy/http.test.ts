// What goes over HTTP as it comes, against servers that take and give it in odd ways.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { ComfyHttp, sendPieces } from "./http.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

describe("what is sent as it comes", () => {
  test.each<[string, string[]]>([
    ["no piece", []],
    ["an empty piece", [""]],
    ["an empty piece between others", ["", "a", "", "b", ""]],
  ])("ends with %s", async (_, words) => {
    let got = "";
    const url = await serve(async (request, response) => {
      got = String(await bytesOf(request));
      response.end();
    });
    async function* pieces() {
      for (const word of words) yield Buffer.from(word);
    }
    const size = words.join("").length;
    const response = await sendPieces(url, { method: "PUT", headers: { "content-length": String(size) } }, pieces());
    expect([response.status, got]).toEqual([200, words.join("")]);
  });

  test("of an empty file is uploaded", async () => {
    let got = "";
    const url = await serve(async (request, response) => {
      got = String(await bytesOf(request));
      response.end(JSON.stringify({ name: "a.txt", subfolder: "spindle" }));
    });
    async function* nothing() {
      yield Buffer.alloc(0);
    }
    expect(await new ComfyHttp(url).upload(nothing(), 0, "a.txt", "spindle")).toBe("spindle/a.txt");
    expect(got).toContain('filename="a.txt"\r\n\r\n\r\n--');
  });
});

test("what a node showed is read as Python writes it, with its NaN", async () => {
  const url = await serve((_, response) =>
    response.end('{"x": {"outputs": {"1": {"score": [NaN, -Infinity], "text": ["well"]}}, "status": {"messages": []}}}'),
  );
  const history = await new ComfyHttp(url).history("x");
  expect(history?.outputs).toEqual({ "1": { score: [Number.NaN, Number.NEGATIVE_INFINITY], text: ["well"] } });
});
