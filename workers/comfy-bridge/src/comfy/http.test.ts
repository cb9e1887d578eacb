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

describe("an answer of another shape", () => {
  async function asked(body: string) {
    const url = await serve(async (request, response) => {
      await bytesOf(request);
      response.end(body);
    });
    return new ComfyHttp(url);
  }
  async function* nothing() {}
  const ODD = /answers .+ with something else than ComfyUI does\. Look at what answers there/;
  test.each(["null", "{}", "[]", '{"name": 3}', '"a"'])("%s to an upload is no file's name", async (body) => {
    await expect((await asked(body)).upload(nothing(), 0, "a", "")).rejects.toThrow(ODD);
  });
  test.each(["null", "{}", '{"queue_running": null, "queue_pending": []}', '{"queue_running": [null], "queue_pending": [[1]]}', "3"])(
    "%s to the queue has no places",
    async (body) => {
      await expect((await asked(body)).placeOf("x")).rejects.toThrow(ODD);
    },
  );
  test.each(["null", "[]", '{"x": null}', '{"x": {}}', '{"x": {"outputs": null, "status": {"messages": [null, 3, ["a"], ["b", null]]}}}'])(
    "%s to the history is read as far as it goes",
    async (body) => {
      const history = await (await asked(body)).history("x");
      expect([undefined, { outputs: {}, messages: [] }]).toContainEqual(history);
    },
  );
  test.each(["null", "3", "[]"])("%s to a prompt is none", async (body) => {
    await expect((await asked(body)).submit({})).rejects.toThrow(ODD);
  });
});

test("a refusal without a word says so", async () => {
  const url = await serve((_, response) => response.writeHead(400).end());
  await expect(new ComfyHttp(url).view({ filename: "a..b.png", subfolder: "", type: "output" })).rejects.toThrow(
    "ComfyUI answers 400 to the file a..b.png, and gives no reason.",
  );
});

test("a file larger than any that is kept is refused before a byte of it is read", async () => {
  const size = 9 * 1024 ** 3;
  const url = await serve((_, response) => void response.writeHead(200, { "content-length": size }).write("x"));
  const viewing = new ComfyHttp(url).view({ filename: "film.mp4", subfolder: "", type: "output" });
  await expect(viewing).rejects.toThrow("ComfyUI answers the file film.mp4 with more than 8192 MiB.");
});
