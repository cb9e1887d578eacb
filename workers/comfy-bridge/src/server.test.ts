// What a ComfyUI offers, and why it offers nothing new, in words for people.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskEntry } from "@spindle/schemas";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeComfy } from "../test/fake/fake-comfy.ts";
import { TaskBench } from "../test/task-bench.ts";
import { ComfyHttp } from "./comfy/http.ts";
import { ComfySocket } from "./comfy/socket.ts";
import { ComfyServer, type ServerParts } from "./server.ts";

const INFO = JSON.stringify({ Draw: { input: {}, output: ["IMAGE"] } });
const LOGIN = `Basic ${Buffer.from("joe:secret").toString("base64")}`;
let http: Server | undefined;
afterEach(() => {
  vi.unstubAllGlobals();
  http?.closeAllConnections();
  http?.close();
});

/** A server that gives this answer to all that it is asked. */
async function comfy(answer: { status: number; body: string }, now?: () => number) {
  http = createServer((_, response) => response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body));
  await new Promise<void>((resolve) => http?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const lines: string[] = [];
  const server = new ComfyServer({ id: "a", url, log: (line: string) => void lines.push(line), now } as unknown as ServerParts);
  return { server, lines };
}

test("a server that falls silent, or answers something else, keeps what it offered, marked so, with the reason", async () => {
  const answer = { status: 200, body: INFO };
  const { server } = await comfy(answer);
  await server.refresh();
  expect(server.library).toMatchObject({ live: true });
  for (const [status, body, reason] of [
    [401, "", /needs a login \(401\).*COMFY_URL \(http:\/\/user:password@host:8188\)/],
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

test("a login is sent with all that is asked, and is in nothing that people read", async () => {
  const asked: (string | undefined)[] = [];
  http = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(request.headers.authorization === LOGIN ? 200 : 401).end(INFO);
  });
  http.on("upgrade", (request, socket) => {
    asked.push(request.headers.authorization);
    socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  });
  await new Promise<void>((resolve) => http?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const lines: string[] = [];
  const at = (authorization: string) =>
    new ComfyServer({ id: "a", url, authorization, log: (line: string) => void lines.push(line) } as unknown as ServerParts);
  const server = at(LOGIN);
  await server.refresh();
  expect(server.library).toMatchObject({ live: true });
  const comfy = new ComfyHttp(url, undefined, LOGIN);
  async function* pieces() {
    yield Buffer.from("x");
  }
  await comfy.upload(pieces(), 1, "a", "b").catch(() => {});
  await (await comfy.view({ filename: "a", subfolder: "", type: "output" })).pieces[Symbol.asyncIterator]().return?.();
  await expect(ComfySocket.open(comfy.server, "c")).rejects.toThrow(/401/);
  expect(asked.length).toBeGreaterThan(3);
  expect(new Set(asked)).toEqual(new Set([LOGIN]));
  const refused = at("Basic wrong");
  await refused.refresh();
  expect(refused.library.reason).toMatch(/does not take the login of COMFY_URL \(401\)\. Correct its user and password there/);
  expect(JSON.stringify([lines, server.library, server.report, refused.library, refused.report])).not.toMatch(/Basic|c2VjcmV0/);
});

test("a mistake of the bridge is not called the server's silence, and is in the log with its place", async () => {
  const { server, lines } = await comfy({ status: 200, body: INFO });
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("x is not a function")));
  await server.refresh();
  expect(server.library.reason).toMatch(/the bridge failed on what it said \(x is not a function\)/);
  expect(lines[0]).toMatch(/TypeError: x is not a function\n\s+at /);
});

test("a large server that changes at every reading is read a few times, and what it said last is read in the end", async () => {
  const large = (word: string) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`${word}${at}`, { description: "x".repeat(2000) }])));
  const answer = { status: 200, body: "" };
  let now = 0;
  const { server } = await comfy(answer, () => now);
  const read = new Set<object>();
  for (let reading = 0; reading < 20; reading++) {
    answer.body = large(`Class${reading}x`);
    now = reading * 15_000;
    await server.refresh();
    read.add(server.library.nodes);
    expect(server.library.live).toBe(true);
    if (reading === 0) expect(server.library.nodes.has("Class0x0")).toBe(true);
  }
  expect(read.size).toBeLessThan(12);
  for (let reading = 20; reading < 40; reading++) {
    now = reading * 15_000;
    await server.refresh();
    read.add(server.library.nodes);
  }
  expect(read.size).toBeLessThan(13);
  expect(server.library.nodes.has("Class19x0")).toBe(true);
  for (let reading = 40; reading < 60; reading++) {
    answer.body = `${reading} ${"x".repeat(4_000_000)}`; // whether it is read or not
    await server.refresh();
    expect(server.library).toMatchObject({ live: false, reason: expect.stringMatching(/is no ComfyUI/) });
  }
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

describe("a server without a task of ours", () => {
  const work = (fake: FakeComfy, id: string) => {
    const prompt = {
      wait: { class_type: "KSampler", inputs: { steps: 1000, delay: 20, seed: 1 } },
      show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
    };
    return fetch(`${fake.url}/prompt`, { method: "POST", body: JSON.stringify({ prompt, client_id: id, prompt_id: id }) });
  };
  /** A server that is served, and has nothing to take. */
  async function served() {
    const fake = await FakeComfy.start();
    const taken = vi.fn(async () => undefined);
    const parts = { id: "a", url: fake.url, patienceMs: 300, bus: { claim: taken }, log: () => {}, bell: () => sleep(10) };
    const server = new ComfyServer(parts as unknown as ServerParts);
    await server.refresh();
    const [shutdown, over] = [new AbortController(), new AbortController()];
    const serving = server.serve(shutdown.signal, over.signal);
    const stop = async () => {
      shutdown.abort();
      fake.faults = {};
      await serving;
      await fake.stop();
    };
    return { fake, server, taken, stop };
  }

  test("says what it has to do for others, and that it has nothing to do", async () => {
    const { fake, server, stop } = await served();
    await work(fake, "x");
    await expect.poll(() => server.busy?.reason).toMatch(/^ComfyUI at \S+ has another prompt to do first\.$/);
    await work(fake, "y");
    await expect.poll(() => server.busy).toMatchObject({ reason: expect.stringMatching(/has 2 other prompts to do first/), hangs: false });
    fake.restart();
    await expect.poll(() => server.busy).toBeUndefined();
    await stop();
  });
  test("[E13] that does not answer says so, and is given nothing until it answers", async () => {
    const { fake, server, taken, stop } = await served();
    await expect.poll(() => taken.mock.calls.length).toBeGreaterThan(0);
    fake.faults = { silent: true };
    await expect.poll(() => server.busy).toMatchObject({ reason: expect.stringMatching(/does not answer\.$/), hangs: true });
    const before = taken.mock.calls.length;
    const since = server.busy?.since;
    const asked = fake.calls.length;
    await expect.poll(() => fake.calls.length).toBeGreaterThan(asked + 1);
    expect([taken.mock.calls.length, server.busy?.since]).toEqual([before, since]);
    fake.faults = {};
    await expect.poll(() => taken.mock.calls.length).toBeGreaterThan(before);
    expect(server.busy).toBeUndefined();
    await stop();
  });
});

describe("a prompt whose task was lost", () => {
  let fake: FakeComfy;
  let bench: TaskBench;
  beforeEach(async () => {
    [fake, bench] = [await FakeComfy.start(), await TaskBench.start()];
  });
  afterEach(() => Promise.all([fake.stop(), bench.stop()]));
  /** Steps of 20 ms. */
  const sampled = (steps: number) => ({
    wait: { class_type: "KSampler", inputs: { steps, delay: 20, seed: 1 } },
    show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
  });
  /** The server is served; its first task is lost while it runs, and then there is another one. */
  async function lostThen(next: TaskEntry) {
    const waiting = [bench.entry(sampled(60), { task: "first", nodeRun: "n" })];
    const bus = bench.bus(waiting);
    const claim = vi.spyOn(bus, "claim");
    const server = new ComfyServer({ id: "a", url: fake.url, bus, runtime: bench.runtime, log: () => {}, bell: () => sleep(10) });
    await server.refresh();
    const [shutdown, over] = [new AbortController(), new AbortController()];
    const serving = server.serve(shutdown.signal, over.signal);
    await expect.poll(() => fake.queue.running).toBe(1);
    bench.answer = "lost";
    await expect.poll(() => claim.mock.calls.length).toBeGreaterThan(1);
    bench.answer = "ok";
    waiting.push(next);
    await expect.poll(() => bench.results.length, { timeout: 20_000 }).toBe(1);
    shutdown.abort();
    await serving;
  }
  test("is gone on with by the next attempt of its node run, and sent once", async () => {
    await lostThen(bench.entry(sampled(60), { task: "second", nodeRun: "n" }));
    expect(bench.results).toMatchObject([{ task: "second", outcome: "succeeded" }]);
    expect(fake.prompts).toHaveLength(1);
    expect(fake.calls).not.toContain("POST /interrupt");
  });
  test("is ended before another node run's begins, which does not wait behind it", async () => {
    await lostThen(bench.entry(sampled(2), { task: "second", nodeRun: "other" }));
    expect(bench.results).toMatchObject([{ task: "second", outcome: "succeeded" }]);
    expect(fake.prompts).toHaveLength(2);
    expect(fake.calls.filter((call) => call === "POST /interrupt")).toHaveLength(1);
  });
});

test("[E13] a prompt that was cancelled and goes on keeps its server from tasks until it is over, and is cancelled again meanwhile", async () => {
  const [fake, bench] = [await FakeComfy.start(), await TaskBench.start()];
  const prompt = (steps: number) => ({
    wait: { class_type: "KSampler", inputs: { steps, delay: 20, seed: 1 } },
    show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
  });
  const waiting = [bench.entry(prompt(2000), { task: "first" })];
  const bus = bench.bus(waiting);
  const claim = vi.spyOn(bus, "claim");
  const server = new ComfyServer({ id: "a", url: fake.url, bus, runtime: bench.runtime, log: () => {}, bell: () => sleep(10) });
  await server.refresh();
  const [shutdown, over] = [new AbortController(), new AbortController()];
  const serving = server.serve(shutdown.signal, over.signal);
  await expect.poll(() => fake.queue.running).toBe(1);
  fake.faults = { deafTo: Number.POSITIVE_INFINITY };
  bench.answer = "cancel";
  await expect.poll(() => bench.results.length, { timeout: 20_000 }).toBe(1);
  bench.answer = "ok";
  await expect.poll(() => server.busy).toMatchObject({ reason: expect.stringMatching(/cannot be stopped there/), hangs: true });
  const [claims, cancels] = [claim.mock.calls.length, () => fake.calls.filter((call) => call === "POST /interrupt").length];
  const before = cancels();
  waiting.push(bench.entry(prompt(2), { task: "second" }));
  await expect.poll(cancels).toBeGreaterThan(before + 2);
  expect([claim.mock.calls.length, fake.prompts.length]).toEqual([claims, 1]);
  fake.faults = {};
  await expect.poll(() => bench.results.length, { timeout: 20_000 }).toBe(2);
  expect(bench.results).toMatchObject([
    { task: "first", outcome: "cancelled" },
    { task: "second", outcome: "succeeded" },
  ]);
  expect(server.busy).toBeUndefined();
  shutdown.abort();
  await serving;
  await Promise.all([fake.stop(), bench.stop()]);
});
