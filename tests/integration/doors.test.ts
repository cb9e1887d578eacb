// Sockets and calls that are odd: each is answered in words, and nothing is left behind.
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { buildEditor } from "../../infra/launch/build.ts";
import { Door } from "../support/door.ts";
import { type Spindle, startSpindle, until } from "../support/spindle.ts";

let spindle: Spindle;
let door: Door;
beforeAll(async () => {
  await buildEditor(); // some of the addresses are the pages'
  spindle = await startSpindle({ worker: false, ownPostgres: true });
  door = new Door(spindle);
  await door.warm();
}, 600_000);
afterAll(() => spindle?.stop());

test.each([
  ["/health", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/metrics", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/api/capabilities", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/api/nothing", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/api/artifacts/00000000-0000-4000-8000-000000000000", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/trpc/graphs.list", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/workers/nothing", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["/", expect.stringMatching(/^default-src 'self'; script-src 'self' 'nonce-.*frame-ancestors 'none'/)],
])("[S3] the answer of %s is no page of another site, and runs nothing", async (path, policy) => {
  const { headers } = await fetch(spindle.url + path);
  expect(Object.fromEntries(headers)).toMatchObject({
    "content-security-policy": policy,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
  });
});

describe("a socket", () => {
  const upgrade = (path: string, host = `127.0.0.1:${door.port}`) =>
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
    `/collab/${nowhere}/more`,
  ])("to %s is closed", async (path) => {
    await door.leavesNothing(async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => door.send(upgrade(path))));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 40[04] /);
    });
  });
  test("to a graph that there is not opens to say so, and is closed whether or not that is heard", async () => {
    await door.leavesNothing(async () => {
      const socket = new WebSocket(`${spindle.url.replace("http", "ws")}/collab/${nowhere}`);
      expect((await once(socket, "close"))[0]).toBe(4410);
      const answers = await Promise.all(Array.from({ length: 12 }, () => door.send(upgrade(`/collab/${nowhere}`))));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 101 /);
    });
  });
  test("whose host has a port that no address has is closed", async () => {
    await door.leavesNothing(async () => {
      expect(await door.send(upgrade("/trpc", "127.0.0.1:99999"))).toMatch(/^HTTP\/1.1 4/);
    });
  });
  test("whose client keeps its half open is closed", async () => {
    await door.leavesNothing(async () => {
      const before = door.descriptors().all;
      const sockets = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const socket = connect({ port: door.port, host: "127.0.0.1", allowHalfOpen: true })
            .on("error", () => {})
            .resume();
          socket.write(upgrade("/nothing"));
          await new Promise((resolve) => socket.once("end", resolve));
          return socket;
        }),
      );
      await until(async () => door.descriptors().all <= before, 60_000, "the server lets them go");
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
    await door.leavesNothing(async () => expect(await Promise.all([refusals(), refusals()])).toEqual([20, 20]));
  });
  test("is closed by a message of too many calls, known or not, and none is answered", async () => {
    const socket = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`);
    const answers: unknown[] = [];
    const call = (id: number) => ({ id, jsonrpc: "2.0", method: "query", params: { path: "no.such" } });
    socket.on("message", (data) => answers.push(String(data)));
    socket.once("open", () => socket.send(JSON.stringify(Array.from({ length: 101 }, (_, id) => call(id)))));
    const [code] = await new Promise<[number]>((resolve) => socket.once("close", (...about) => resolve([about[0]])));
    expect([code, answers]).toEqual([1008, []]);
  });
  test("for a graph is closed while the database is away", async () => {
    await door.leavesNothing(async () => {
      process.kill(spindle.processes.postgres?.pid as number, "SIGKILL");
      const answers = await Promise.all(Array.from({ length: 12 }, () => door.send(upgrade(`/collab/${nowhere}`))));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 (503|101) /);
      await until(async () => (await door.status("/health")) === 200, 60_000, "PostgreSQL is back");
    });
  });
});

describe("a call", () => {
  const lines = (method: string, path: string, more = "") =>
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\nConnection: close\r\n${more}\r\n`;
  test.each(["TRACE", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "SUBSCRIBE"])("by the method %s is refused", async (method) => {
    expect(await door.send(lines(method, "/"))).toMatch(/^HTTP\/1.1 405/);
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
      expect(await door.send(lines(method, path, "Content-Length: 0\r\n")), method).toMatch(/^HTTP\/1.1 [234]/);
  });
  test("with a host whose port no address has is no failure of the server", async () => {
    for (const path of ["/", "/api/jobs", "/trpc/graphs.list", "/graphs"])
      expect(await door.send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:99999\r\nConnection: close\r\n\r\n`), path).toMatch(
        /^HTTP\/1.1 [234]/,
      );
  });
  test("is one of a hundred at most in an address", async () => {
    const calls = (count: number) => `/trpc/${Array(count).fill("graphs.list").join(",")}?batch=1&input=%7B%7D`;
    expect([await door.status(calls(100)), await door.status(calls(101))]).toEqual([200, 400]);
  });
  test("that names what cannot be stored is refused", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    expect(await door.status(`/api/runs/${id}/logs?path=%00`)).toBe(422);
    expect(await door.status(`/api/runs/${id}/nodes?node=%00`)).toBe(422);
    const post = (path: string, body: object) =>
      door.status(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    expect(await post(`/api/runs/${id}/cancel-node`, { path: "\0" })).toBe(422);
    expect(await post(`/api/runs/${id}/answers`, { path: "\0" })).toBe(422);
    expect(await post(`/api/runs/${id}/resume`, { path: "\0" })).toBe(422);
    const input = encodeURIComponent(JSON.stringify({ id, path: "\0" }));
    expect(await door.status(`/trpc/runs.logs?input=${input}`)).toBe(422);
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
  const ask = async (method: string, path: string) => `${method} ${path} ${await door.status(path, { method })}`;
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
  await until(async () => log.some((line) => line.includes("/the-last-one")), 60_000, "the log has the last of them");
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
