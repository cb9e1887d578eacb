// Every door of the server, knocked on badly: uploads, sockets, calls. Each is answered in words, and nothing is left behind.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { taskToken } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { buildEditor } from "../../infra/launch/build.ts";
import { PORTRAIT, talkForm } from "../support/samples.ts";
import { ended, graphOf, health, node, type Spindle, startSpindle, submit, until } from "../support/spindle.ts";

let spindle: Spindle;
let port: number;
beforeAll(async () => {
  await buildEditor(); // some of the addresses are the pages'
  spindle = await startSpindle({ worker: false });
  port = Number(new URL(spindle.url).port);
  await Promise.all(Array.from({ length: 40 }, () => status("/api/jobs"))); // the pool of connections to PostgreSQL is full now
}, 600_000);
afterAll(() => spindle?.stop());

const status = async (path: string, init: RequestInit = {}): Promise<number> => {
  const answer = await fetch(spindle.url + path, { ...init, headers: { connection: "close", ...init.headers } });
  await answer.arrayBuffer();
  return answer.status;
};

/** What the runtime holds open. */
function descriptors(): { all: number; uploads: number } {
  const folder = `/proc/${spindle.processes.runtime?.pid}/fd`;
  const targets = readdirSync(folder).flatMap((file) => {
    try {
      return [readlinkSync(join(folder, file))];
    } catch {
      return []; // closed meanwhile
    }
  });
  return { all: targets.length, uploads: targets.filter((target) => target.startsWith(uploads())).length };
}
const uploads = () => join(spindle.home, "uploads");
const files = () => (existsSync(uploads()) ? readdirSync(uploads()) : []);

/** Connections of the runtime's port that still stand, at either end. */
function connections(): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  return lines.filter((line) => line.split(/\s+/)[2]?.endsWith(`:${hex}`) && line.split(/\s+/)[4] === "01").length;
}

/** Does something hostile, and sees that every descriptor comes back. */
async function leavesNothing(act: () => Promise<unknown>): Promise<void> {
  await until(async () => connections() === 0, 10_000, "earlier connections are closed");
  const before = descriptors().all;
  const { pid } = spindle.processes.runtime ?? {};
  await act();
  await until(async () => descriptors().all <= before && descriptors().uploads === 0, 10_000, `${before} descriptors are open again`).catch(
    (error) => {
      throw new Error(`${error.message} ${JSON.stringify(descriptors())}`);
    },
  );
  expect(files()).toEqual([]);
  expect(await status("/health")).toBe(200);
  expect(spindle.processes.runtime?.pid, spindle.processes.runtime?.lastLines.join("\n")).toBe(pid);
}

async function open(): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Sends text as it is; returns the first line of the answer, "" if the connection is closed without one. */
async function send(text: string | Buffer): Promise<string> {
  const socket = await open();
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("latin1").split("\r\n")[0] ?? "";
}

const B = "boundary";
const partHead = (name: string, file = "a.bin") => `--${B}\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"\r\n\r\n`;
const postHead = (length: number | "chunked", path = "/api/artifacts") =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=${B}\r\n${
    length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`
  }\r\n\r\n`;

describe("a picture", () => {
  const icns = Buffer.concat([Buffer.from("icns\0\0\0\xff", "latin1"), Buffer.from("ICN#\0\0\0\0")]);
  const file = (bytes: Uint8Array, name = "p.png") => new File([bytes as BlobPart], name, { type: "image/png" });
  const form = (fields: Record<string, File | string>) => {
    const made = new FormData();
    for (const [name, value] of Object.entries(fields)) made.set(name, value);
    return made;
  };
  const graph = JSON.stringify(graphOf([node("a", "output.preview", { value: 1 })]));
  test.each<[string, string, () => FormData]>([
    ["the store of artifacts", "/api/artifacts?kind=image", () => form({ file: file(icns) })],
    ["the store of artifacts, as a mask", "/api/artifacts?kind=mask", () => form({ file: file(icns) })],
    ["a template", "/api/templates/infinitetalk/runs", () => form({ portrait: file(icns) })],
    ["the seed's call", "/api/infinitetalk", () => talkForm({ image: file(icns) })],
    ["a run", "/api/runs?kind.portrait=image", () => form({ graph, portrait: file(icns) })],
  ])("that would keep a parser busy for ever is refused by %s", async (_, path, body) => {
    const answer = await fetch(spindle.url + path, {
      method: "POST",
      body: body(),
      signal: AbortSignal.timeout(10_000),
      headers: { connection: "close" },
    });
    expect(answer.status).toBe(422);
    expect((await answer.json()).error.message).toMatch(/not a picture.*PNG/);
    expect(files()).toEqual([]);
  });
  test("that is none is refused by the node that stores Base64 texts, and a real one has its own media type", async () => {
    const store = async (bytes: Buffer) => {
      const images = [bytes.toString("base64")];
      const { body } = await submit(spindle.url, graphOf([node("a", "artifacts.upload_artifact", { images })]));
      return ended(spindle.url, body.run);
    };
    expect(await store(icns)).toMatchObject({ state: "failed", error: { message: expect.stringMatching(/Image 1.*not a picture/) } });
    const { nodes } = await store(readFileSync(PORTRAIT));
    expect(nodes[0]?.output).toMatchObject({ objects: { images: [{ mime: "image/jpeg" }] } });
  });
});

describe("an upload that is cut off", () => {
  const whole = `${partHead("file")}${"x".repeat(200_000)}\r\n--${B}--\r\n`;
  const stages: [string, () => string][] = [
    ["before its headers end", () => postHead(whole.length).slice(0, -20)],
    ["after its headers", () => postHead(whole.length)],
    ["in the head of a part", () => postHead(whole.length) + whole.slice(0, 40)],
    ["after the head of a part", () => postHead(whole.length) + partHead("file")],
    ["in the file", () => postHead(whole.length) + whole.slice(0, 150_000)],
    ["after its last byte, without the boundary that ends it", () => postHead(whole.length) + whole.slice(0, -`\r\n--${B}--\r\n`.length)],
    ["in a chunk", () => `${postHead("chunked")}ffff\r\n${whole.slice(0, 20_000)}`],
    ["before a second file", () => `${postHead(whole.length * 2)}${whole.slice(0, -4)}\r\n${partHead("file", "b.bin")}x`],
  ];
  test.each(stages)("%s leaves no file and no descriptor", async (_, text) => {
    await leavesNothing(async () => {
      const sockets = await Promise.all(Array.from({ length: 8 }, open));
      for (const socket of sockets) socket.write(text());
      await until(async () => sockets.every((socket) => socket.writableLength === 0), 5000, "all is sent");
      await until(async () => connections() >= sockets.length, 5000, "the server has them");
      for (const [index, socket] of sockets.entries())
        if (index % 2) socket.destroy();
        else socket.resetAndDestroy();
    });
  });
  test("60 times leaves no file and no descriptor", async () => {
    await leavesNothing(async () => {
      const sockets = await Promise.all(Array.from({ length: 60 }, open));
      for (const socket of sockets) socket.write(postHead(10_000_000) + partHead("file") + "x".repeat(100_000));
      await until(async () => descriptors().uploads === 60, 10_000, "60 files are open");
      for (const socket of sockets) socket.destroy();
    });
  });
  test("by a worker leaves no file and no descriptor", async () => {
    await leavesNothing(async () => {
      const hash = "0".repeat(64);
      const key = `Authorization: Bearer ${taskToken(`manifest:${hash}`, String(spindle.env.SPINDLE_WORKER_KEY))}\r\nX-Spindle-SHA256: ${hash}`;
      const line = `PUT /workers/comfy/manifest HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n${key}\r\nContent-Length: 999\r\n\r\n{`;
      const socket = await open();
      socket.write(line);
      await until(async () => connections() >= 1, 5000, "the server has it");
      socket.destroy();
    });
  });
});

describe("an upload", () => {
  test("that promises more than it sends, or sends more than it promised, is refused", async () => {
    await leavesNothing(async () => {
      const part = `${partHead("file")}short`;
      expect(await send(postHead(part.length) + part), "the form is not ended").toMatch(/^HTTP\/1.1 400/);
      expect(await send(`${postHead(10) + part}\r\n--${B}--\r\n`), "the form goes on after its length").toMatch(/^HTTP\/1.1 400/);
      expect(await send(postHead(Number.NaN)), "a length that is no number").toMatch(/^HTTP\/1.1 400/);
    });
  });
  test("that is too large is refused with the limit", async () => {
    await leavesNothing(async () => {
      const form = new FormData();
      form.set("file", new File([new Uint8Array(100 * 1024 * 1024 + 1)], "large.bin"));
      const answer = await fetch(`${spindle.url}/api/artifacts`, { method: "POST", body: form, headers: { connection: "close" } });
      expect(answer.status).toBe(413);
      expect((await answer.json()).error.message).toMatch(/file: .*larger than 100 MiB/);
    });
  });
  test("of a client that sends byte by byte is taken whole", async () => {
    await leavesNothing(async () => {
      const text = `${partHead("file")}slow\r\n--${B}--\r\n`;
      const socket = await open();
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.setNoDelay(true);
      socket.write(postHead(text.length));
      for (const letter of text) await new Promise((resolve) => socket.write(letter, () => setImmediate(resolve)));
      await new Promise((resolve) => socket.once("close", resolve));
      expect(answer).toMatch(/^HTTP\/1.1 201 .*"size":4/s);
    });
  });
  test.each([
    ["/api/artifacts", 'form-data; filename="a.txt"', 422],
    ["/api/artifacts", 'form-data; name="__proto__"; filename="a.txt"', 422],
    ["/api/runs", 'form-data; filename="a.txt"', 422],
    ["/api/infinitetalk", 'form-data; filename="a.txt"', 422],
    ["/api/templates/infinitetalk/runs", "form-data; filename=", 422],
    ["/api/runs", "form-data", 422],
    ["/api/runs?kind.f[toString]=x&kind.f[valueOf]=y", 'form-data; name="f"; filename="a.txt"', 422],
    ["/api/runs?kind.f=image&kind.f=video", 'form-data; name="f"; filename="a.txt"', 422],
  ])("to %s by a part with %s is refused, and the server goes on", async (path, disposition, expected) => {
    const pid = spindle.processes.runtime?.pid;
    const body = `--${B}\r\nContent-Disposition: ${disposition}\r\nContent-Type: text/plain\r\n\r\nx\r\n--${B}--\r\n`;
    const answer = await fetch(spindle.url + path, {
      method: "POST",
      body,
      headers: { "content-type": `multipart/form-data; boundary=${B}` },
    });
    expect(answer.status).toBe(expected);
    expect(spindle.processes.runtime?.pid).toBe(pid);
    expect(files()).toEqual([]);
  });
  test.each([
    ["fields", 101, (index: number) => `--${B}\r\nContent-Disposition: form-data; name="f${index}"\r\n\r\n1\r\n`, /100 fields/],
    [
      "fields, by the thousand",
      5000,
      (index: number) => `--${B}\r\nContent-Disposition: form-data; name="f${index}"\r\n\r\n1\r\n`,
      /100 fields/,
    ],
    ["files", 17, (index: number) => `${partHead(`f${index}`)}1\r\n`, /16 files/],
  ])("with too many %s is refused, not read in part", async (_, count, part, why) => {
    const body = `${Array.from({ length: count }, (__, index) => part(index)).join("")}--${B}--\r\n`;
    const answer = await fetch(`${spindle.url}/api/runs`, {
      method: "POST",
      body,
      headers: { "content-type": `multipart/form-data; boundary=${B}` },
    });
    expect(answer.status).toBe(413);
    expect((await answer.json()).error.message).toMatch(why);
    expect(files()).toEqual([]);
  });
});

describe("a socket", () => {
  const upgrade = (path: string, host = `127.0.0.1:${port}`) =>
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  const nowhere = "00000000-0000-4000-8000-000000000000";
  test.each([
    "//",
    "///",
    "http://[",
    "http://[::1",
    "*",
    "/",
    "/nothing",
    "/%",
    "/%ff%00",
    "/collab/%zz",
    `/collab/${"-".repeat(36)}`,
    `/collab/${nowhere}`,
    `/collab/${nowhere}/more`,
  ])("to %s is closed", async (path) => {
    await leavesNothing(async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => send(upgrade(path))));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 40[04] /);
    });
  });
  test("whose host has a port that no address has is closed", async () => {
    await leavesNothing(async () => {
      expect(await send(upgrade("/trpc", "127.0.0.1:99999"))).toMatch(/^HTTP\/1.1 4/);
    });
  });
  test("whose client keeps its half open is closed", async () => {
    await leavesNothing(async () => {
      const before = descriptors().all;
      const sockets = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
            .on("error", () => {})
            .resume();
          socket.write(upgrade("/nothing"));
          await new Promise((resolve) => socket.once("end", resolve));
          return socket;
        }),
      );
      await until(async () => descriptors().all <= before, 5000, "the server lets them go");
      for (const socket of sockets) socket.destroy();
    });
  });
  test("has a hundred open calls, and the page beside it its own", async () => {
    const refusals = () =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`);
        let [answers, refused] = [0, 0];
        socket.onmessage = ({ data }) => {
          const { result, error } = JSON.parse(String(data)) as { result?: { type: string }; error?: { data: { code: string } } };
          if (result?.type === "started" || error) answers++;
          if (error?.data.code === "TOO_MANY_REQUESTS") refused++;
          if (answers < 120) return;
          socket.onclose = () => resolve(refused);
          socket.close();
        };
        socket.onopen = () => {
          for (let id = 0; id < 120; id++)
            socket.send(JSON.stringify({ id, jsonrpc: "2.0", method: "subscription", params: { path: "library.watch" } }));
        };
      });
    await leavesNothing(async () => expect(await Promise.all([refusals(), refusals()])).toEqual([20, 20]));
  });
  test("for a graph is closed while the database is away", async () => {
    await leavesNothing(async () => {
      process.kill(spindle.processes.postgres?.pid as number, "SIGKILL");
      const answers = await Promise.all(Array.from({ length: 12 }, () => send(upgrade(`/collab/${nowhere}`))));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 (503|404) /);
      await until(async () => (await status("/health")) === 200, 30_000, "PostgreSQL is back");
    });
  });
});

describe("a call", () => {
  const lines = (method: string, path: string, more = "") =>
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n${more}\r\n`;
  test.each(["TRACE", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "SUBSCRIBE"])("by the method %s is refused", async (method) => {
    expect(await send(lines(method, "/"))).toMatch(/^HTTP\/1.1 405/);
  });
  test.each([
    "//",
    "///x",
    "/%",
    "/%00",
    "/%ff",
    "/..%2f..%2f",
    "*",
    "http://[",
    "http://x/",
    "/?%",
    "/assets/%",
    "/assets/%00",
    "/api/%",
    "/api/templates/infinitetalk/files/a%0d%0a%2fb",
  ])("of %s is no failure of the server", async (path) => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
      expect(await send(lines(method, path, "Content-Length: 0\r\n")), method).toMatch(/^HTTP\/1.1 [234]/);
  });
  test("with a host whose port no address has is no failure of the server", async () => {
    for (const path of ["/", "/api/jobs", "/trpc/graphs.list", "/graphs"])
      expect(await send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:99999\r\nConnection: close\r\n\r\n`), path).toMatch(/^HTTP\/1.1 [234]/);
  });
  test("that names what cannot be stored is refused", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    expect(await status(`/api/runs/${id}/logs?path=%00`)).toBe(422);
    expect(await status(`/api/runs/${id}/nodes?node=%00`)).toBe(422);
    const post = (path: string, body: object) =>
      status(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    expect(await post(`/api/runs/${id}/cancel-node`, { path: "\0" })).toBe(422);
    expect(await post(`/api/runs/${id}/answers`, { path: "\0" })).toBe(422);
    expect(await post(`/api/runs/${id}/resume`, { path: "\0" })).toBe(422);
    const input = encodeURIComponent(JSON.stringify({ id, path: "\0" }));
    expect(await status(`/trpc/runs.logs?input=${input}`)).toBe(422);
  });
  test.each([
    ["fork", "fork", { params: [] }, "params", "params: the value must be object."],
    ["fork", "fork", { node: "a", nodes: "b" }, "nodes", "nodes: there is no such field."],
    ["fork", "fork", { outputs: { a: { b: 1 }, c: null } }, "outputs.c", "outputs.c: the value must be object."],
    ["answers", "answer", { values: {} }, "path", "path: a value is needed."],
    ["answers", "answer", { path: "a", button: 1 }, "button", "button: the value must be string."],
    ["resume", "resume", { path: "\0" }, "path", "path: the character U+0000 is not allowed."],
    ["cancel-node", "cancelNode", { path: "" }, "path", "path: the value must not have fewer than 1 characters."],
  ])("to %s is refused over HTTP as it is by runs.%s: %j", async (path, procedure, body, field, message) => {
    const id = "00000000-0000-4000-8000-000000000000";
    const post = async (address: string, given: object) => {
      const init = { method: "POST", body: JSON.stringify(given), headers: { "content-type": "application/json" } };
      const answer = await fetch(spindle.url + address, init);
      return [answer.status, ((await answer.json()) as { error: object }).error];
    };
    expect(await post(`/api/runs/${id}/${path}`, body)).toEqual([422, { code: "request.invalid", message, field }]);
    const data = expect.objectContaining({ httpStatus: 422, refused: { code: "request.invalid", field } });
    expect(await post(`/trpc/runs.${procedure}`, { id, ...body })).toEqual([422, expect.objectContaining({ message, data })]);
  });
});

test("what clients ask for wrongly is a line each in the log, without a stack", async () => {
  const log = spindle.processes.runtime?.lastLines ?? [];
  log.length = 0;
  const ask = async (method: string, path: string) => `${method} ${path} ${await status(path, { method })}`;
  expect([
    await ask("GET", "/__manifest?p=/&version=x"),
    await ask("POST", "/__manifest"),
    await ask("POST", "/"),
    await ask("GET", "/%00"),
    await ask("GET", "/nowhere.data"),
    await ask("POST", "/nowhere.data"),
    await ask("GET", "/?_data=root"),
    await ask("GET", "/_root.data?_routes=none"),
    await ask("DELETE", "/the-last-one"),
  ]).toEqual([
    "GET /__manifest?p=/&version=x 404",
    "POST /__manifest 404",
    "POST / 405",
    "GET /%00 404",
    "GET /nowhere.data 404",
    "POST /nowhere.data 404",
    "GET /?_data=root 400",
    "GET /_root.data?_routes=none 200",
    "DELETE /the-last-one 404",
  ]);
  await until(async () => log.some((line) => line.includes("/the-last-one")), 5000, "the log has the last of them");
  expect(log).toEqual([
    "[GET /__manifest] 404 Not Found",
    "[POST /__manifest] 404 Not Found",
    "[POST /] 405 Method Not Allowed",
    "[GET /%00] 404 Not Found",
    "[GET /nowhere.data] 404 Not Found",
    "[POST /nowhere.data] 404 Not Found",
    "[DELETE /the-last-one] 404 Not Found",
  ]);
});

test("what a killed runtime left of uploads is gone once the next one is up", async () => {
  await mkdir(uploads(), { recursive: true });
  await writeFile(join(uploads(), "left"), "x");
  process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
  await until(async () => (await health(spindle.url)).parts.postgres === "up", 20_000, "the runtime is back");
  expect(files()).toEqual([]);
});
