// Uploads that are cut off, lie or are odd: each is answered in words, and leaves no file and no descriptor.
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { taskToken } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BOUNDARY, Door, partHead } from "../support/door.ts";
import { PORTRAIT, talkForm } from "../support/samples.ts";
import { ended, graphOf, health, node, type Spindle, startSpindle, submit, until } from "../support/spindle.ts";

let spindle: Spindle;
let door: Door;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
  door = new Door(spindle);
  await door.warm();
}, 600_000);
afterAll(() => spindle?.stop());

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
    expect(door.files()).toEqual([]);
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
  const whole = `${partHead("file")}${"x".repeat(200_000)}\r\n--${BOUNDARY}--\r\n`;
  const stages: [string, () => string][] = [
    ["before its headers end", () => door.postHead(whole.length).slice(0, -20)],
    ["after its headers", () => door.postHead(whole.length)],
    ["in the head of a part", () => door.postHead(whole.length) + whole.slice(0, 40)],
    ["after the head of a part", () => door.postHead(whole.length) + partHead("file")],
    ["in the file", () => door.postHead(whole.length) + whole.slice(0, 150_000)],
    [
      "after its last byte, without the boundary that ends it",
      () => door.postHead(whole.length) + whole.slice(0, -`\r\n--${BOUNDARY}--\r\n`.length),
    ],
    ["in a chunk", () => `${door.postHead("chunked")}ffff\r\n${whole.slice(0, 20_000)}`],
    ["before a second file", () => `${door.postHead(whole.length * 2)}${whole.slice(0, -4)}\r\n${partHead("file", "b.bin")}x`],
  ];
  test.each(stages)("%s leaves no file and no descriptor", async (_, text) => {
    await door.leavesNothing(async () => {
      const sockets = await Promise.all(Array.from({ length: 8 }, () => door.open()));
      for (const socket of sockets) socket.write(text());
      await until(async () => sockets.every((socket) => socket.writableLength === 0), 60_000, "all is sent");
      await until(async () => door.connections() >= sockets.length, 60_000, "the server has them");
      for (const [index, socket] of sockets.entries())
        if (index % 2) socket.destroy();
        else socket.resetAndDestroy();
    });
  });
  test("60 times leaves no file and no descriptor", async () => {
    await door.leavesNothing(async () => {
      const sockets = await Promise.all(Array.from({ length: 60 }, () => door.open()));
      for (const socket of sockets) socket.write(door.postHead(10_000_000) + partHead("file") + "x".repeat(100_000));
      await until(async () => door.descriptors().uploads === 60, 60_000, "60 files are open");
      for (const socket of sockets) socket.destroy();
    });
  });
  test("by a worker leaves no file and no descriptor", async () => {
    await door.leavesNothing(async () => {
      const hash = "0".repeat(64);
      const key = `Authorization: Bearer ${taskToken(`manifest:${hash}`, String(spindle.env.SPINDLE_WORKER_KEY))}\r\nX-Spindle-SHA256: ${hash}`;
      const line = `PUT /workers/comfy/manifest HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\nContent-Type: application/json\r\n${key}\r\nContent-Length: 999\r\n\r\n{`;
      const socket = await door.open();
      socket.write(line);
      await until(async () => door.connections() >= 1, 60_000, "the server has it");
      socket.destroy();
    });
  });
});

describe("an upload", () => {
  test("that promises more than it sends, or sends more than it promised, is refused", async () => {
    await door.leavesNothing(async () => {
      const part = `${partHead("file")}short`;
      expect(await door.send(door.postHead(part.length) + part), "the form is not ended").toMatch(/^HTTP\/1.1 400/);
      expect(await door.send(`${door.postHead(10) + part}\r\n--${BOUNDARY}--\r\n`), "the form goes on after its length").toMatch(
        /^HTTP\/1.1 400/,
      );
      expect(await door.send(door.postHead(Number.NaN)), "a length that is no number").toMatch(/^HTTP\/1.1 400/);
    });
  });
  test("[A1] has no part of its name in its key or in a path", async () => {
    for (const name of ["../../../etc/passwd", "evil.png", "evil.png"]) {
      const form = new FormData();
      form.set("file", new File([PORTRAIT as BlobPart], name, { type: "image/png" }));
      expect(await door.status("/api/artifacts", { method: "POST", body: form })).toBe(201);
    }
    const { rows } = await spindle.db.query<{ key: string; name: string }>("select key, name from artifact where purpose = 'input'");
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(["passwd", "evil.png"]));
    for (const { key } of rows) expect(key).toMatch(/^input\/[0-9a-f-]{36}$/);
  });
  test("that is too large is refused with the limit", async () => {
    await door.leavesNothing(async () => {
      const form = new FormData();
      form.set("file", new File([new Uint8Array(100 * 1024 * 1024 + 1)], "large.bin"));
      const answer = await fetch(`${spindle.url}/api/artifacts`, { method: "POST", body: form, headers: { connection: "close" } });
      expect(answer.status).toBe(413);
      expect((await answer.json()).error.message).toMatch(/file: .*larger than 100 MiB/);
    });
  });
  test("of a client that sends byte by byte is taken whole", async () => {
    await door.leavesNothing(async () => {
      const text = `${partHead("file")}slow\r\n--${BOUNDARY}--\r\n`;
      const socket = await door.open();
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.setNoDelay(true);
      socket.write(door.postHead(text.length));
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
    const body = `--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\nContent-Type: text/plain\r\n\r\nx\r\n--${BOUNDARY}--\r\n`;
    const answer = await fetch(spindle.url + path, {
      method: "POST",
      body,
      headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
    });
    expect(answer.status).toBe(expected);
    expect(spindle.processes.runtime?.pid).toBe(pid);
    expect(door.files()).toEqual([]);
  });
  test.each([
    ["fields", 101, (index: number) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f${index}"\r\n\r\n1\r\n`, /100 fields/],
    [
      "fields, by the thousand",
      5000,
      (index: number) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f${index}"\r\n\r\n1\r\n`,
      /100 fields/,
    ],
    ["files", 17, (index: number) => `${partHead(`f${index}`)}1\r\n`, /16 files/],
  ])("with too many %s is refused, not read in part", async (_, count, part, why) => {
    const body = `${Array.from({ length: count }, (__, index) => part(index)).join("")}--${BOUNDARY}--\r\n`;
    const answer = await fetch(`${spindle.url}/api/runs`, {
      method: "POST",
      body,
      headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
    });
    expect(answer.status).toBe(413);
    expect((await answer.json()).error.message).toMatch(why);
    expect(door.files()).toEqual([]);
  });
});

test("what a killed runtime left of uploads is gone once the next one is up", async () => {
  await mkdir(door.folder, { recursive: true });
  await writeFile(join(door.folder, "left"), "x");
  process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
  await until(async () => (await health(spindle.url)).parts.postgres === "up", 60_000, "the runtime is back");
  expect(door.files()).toEqual([]);
});
