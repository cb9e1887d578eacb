// The downloader against an HTTP server of this machine that cuts, lies and changes its mind.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { download, type Wanted } from "./download.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A file in the safetensors format, with one tensor of so many bytes. */
function safetensors(bytes: number, value = 7): Buffer {
  const header = Buffer.from(JSON.stringify({ weight: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes, value)]);
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const FILE = safetensors(400_000);
const OTHER = safetensors(400_000, 8);
const HALF = 150_000;

/** What the server does at each request, in turn; the last one again and again. */
let answers: Answer[] = [];
let asked: IncomingMessage["headers"][] = [];
const server = createServer((request, response) => {
  asked.push(request.headers);
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  answer?.(request, response);
});
let [base, folder, place] = ["", "", ""];

beforeAll(() => new Promise<void>((done) => void server.listen(0, "127.0.0.1", done)));
beforeAll(() => {
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  folder = mkdtempSync(join(tmpdir(), "spindle-models-"));
  place = join(folder, "deep/model.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rangeOf = (request: IncomingMessage): number => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);

/** As a good server does: the rest of the file, if it is still the same one. */
const good =
  (file = FILE, etag = '"one"'): Answer =>
  (request, response) => {
    const from = request.headers["if-range"] === etag ? rangeOf(request) : 0;
    if (from > 0) response.writeHead(206, { etag, "content-range": `bytes ${from}-${file.length - 1}/${file.length}` });
    else response.writeHead(200, { etag, "content-length": file.length });
    response.end(file.subarray(from));
  };

/** Until so many bytes lie there: what a broken connection had still on its way is lost. */
async function untilArrived(bytes: number): Promise<void> {
  while (!existsSync(`${place}.part`) || readFileSync(`${place}.part`).length < bytes) await new Promise((done) => setTimeout(done, 5));
}

/** Half of the file; then the connection is gone. */
const cut =
  (file = FILE, headers: Record<string, string> = { etag: '"one"' }): Answer =>
  (_, response) => {
    response.writeHead(200, { ...headers, "content-length": file.length }).write(file.subarray(0, HALF));
    void untilArrived(HALF).then(() => response.destroy());
  };

const says =
  (status: number, headers: Record<string, string | number>, body: Buffer | string = ""): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  place,
  url: `${base}/model.safetensors`,
  bytes: FILE.length,
  exact: true,
  sha256: sha256(FILE),
  ...more,
});

async function fetched(
  more: Partial<Wanted> = {},
  signal = new AbortController().signal,
  stallMs = 60_000,
): Promise<{ notes: string[]; most: number }> {
  const notes: string[] = [];
  let most = 0;
  const listener = {
    progress: (bytes: number) => {
      most = Math.max(most, bytes);
    },
    note: (sentence: string) => void notes.push(sentence),
  };
  await download(wanted(more), listener, signal, { tries: 3, pauseMs: 1, stallMs });
  return { notes, most };
}

const left = (): string[] => (existsSync(dirname(place)) ? readdirSync(dirname(place)).sort() : []);

describe("a model file", () => {
  test("is at its place once it is whole and its hash is right, and nothing else is left", async () => {
    answers = [good()];
    const { most } = await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
    expect(most).toBe(FILE.length);
    expect(left()).toEqual(["model.safetensors"]);
  });

  test("goes on where the connection was cut, if it is still the same file there", async () => {
    answers = [cut(), good()];
    await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
    expect(asked[1]).toMatchObject({ range: `bytes=${HALF}-`, "if-range": '"one"' });
  });

  test("is tried again only so often where nothing more comes, and as often again once more has come", async () => {
    answers = [says(503, {}), says(503, {}), cut(), says(503, {}), says(503, {}), good()];
    const { notes } = await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
    expect(notes.length).toBe(5);
    rmSync(place);
    asked = [];
    answers = [cut(), says(503, {}), says(503, {}), says(503, {}), good()];
    await expect(fetched()).rejects.toThrow(/answers 503.*goes on from there/);
    expect(asked.length).toBe(4);
  });

  test("goes on in the next process, and until then the old file stays at its place", async () => {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, "old");
    answers = [cut(FILE, { etag: '"one"' }), says(503, {})];
    await expect(fetched()).rejects.toThrow(/answers 503.*goes on from there/);
    expect(readFileSync(place, "utf8")).toBe("old");
    answers = [good()];
    asked = [];
    await fetched();
    expect(asked[0]?.range).toBe(`bytes=${HALF}-`);
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test("starts again where it has changed between two parts", async () => {
    answers = [cut(OTHER, { etag: '"old"' }), good(FILE, '"new"')];
    await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test("starts again where a server sends the rest of another version", async () => {
    const rest: Answer = (request, response) => {
      const from = rangeOf(request);
      response
        .writeHead(206, { etag: '"new"', "content-range": `bytes ${from}-${FILE.length - 1}/${FILE.length}` })
        .end(FILE.subarray(from));
    };
    answers = [cut(OTHER, { etag: '"old"' }), rest, good(FILE, '"new"')];
    const { notes } = await fetched();
    expect(notes.join(" ")).toContain("has changed meanwhile");
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test("starts again where the parts of two versions were put together unseen", async () => {
    const rest: Answer = (request, response) => {
      const from = rangeOf(request);
      response
        .writeHead(206, { etag: '"one"', "content-range": `bytes ${from}-${FILE.length - 1}/${FILE.length}` })
        .end(FILE.subarray(from));
    };
    answers = [cut(OTHER), rest, good()];
    const { notes } = await fetched();
    expect(notes.join(" ")).toContain("do not fit together");
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test.each([
    ["ranges are ignored", [cut(), says(200, { etag: '"one"', "content-length": FILE.length }, FILE)]],
    ["there is no validator", [cut(FILE, {}), says(200, { "content-length": FILE.length }, FILE)]],
    ["only a weak validator is there", [cut(FILE, { etag: 'W/"one"' }), says(200, { "content-length": FILE.length }, FILE)]],
    ["the part cannot be had", [cut(), says(416, {}), good()]],
    [
      "another part comes than was asked for",
      [cut(), says(206, { etag: '"one"', "content-range": `bytes 5-9/${FILE.length}` }, FILE.subarray(5, 10)), good()],
    ],
    ["the server is busy", [says(503, {}), says(429, {}), good()]],
  ] as [string, Answer[]][])("is fetched as a whole where %s", async (_, script) => {
    answers = script;
    await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
    expect(left()).toEqual(["model.safetensors"]);
  });

  test("is given up after tries that brought nothing more, and what has come stays", async () => {
    answers = [cut(), says(500, {})];
    await expect(fetched()).rejects.toThrow(/answers 500.*the same command goes on from there/);
    expect(asked).toHaveLength(1 + 3);
    expect(left()).toEqual(["model.safetensors.part", "model.safetensors.part.json"]);
  });

  test("counts as cut where a server falls silent", async () => {
    answers = [
      (_, response) => void response.writeHead(200, { etag: '"one"', "content-length": FILE.length }).write(FILE.subarray(0, HALF)),
      good(),
    ];
    const { notes } = await fetched({}, undefined, 1000);
    expect(notes.join(" ")).toContain("nothing came for");
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test("is whole after one answer that comes slowly, as long as no pause in it is too long", async () => {
    const pieces = 12;
    let asked = 0;
    answers = Array.from({ length: 3 }, () => async (_: unknown, response: ServerResponse) => {
      asked++;
      response.writeHead(200, { "content-length": FILE.length });
      for (let at = 0; at < pieces; at++) {
        response.write(FILE.subarray((FILE.length * at) / pieces, (FILE.length * (at + 1)) / pieces));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      response.end();
    });
    const { notes } = await fetched({}, undefined, 1000);
    expect([asked, notes]).toEqual([1, []]);
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test("is stopped by a signal, and what has come stays", async () => {
    const stop = new AbortController();
    answers = [
      (_, response) => {
        response.writeHead(200, { etag: '"one"', "content-length": FILE.length }).write(FILE.subarray(0, HALF));
        void untilArrived(HALF).then(() => stop.abort());
      },
    ];
    await expect(fetched({}, stop.signal)).rejects.toThrow();
    expect(left()).toEqual(["model.safetensors.part", "model.safetensors.part.json"]);
    expect(readFileSync(`${place}.part`).equals(FILE.subarray(0, HALF))).toBe(true);
  });

  test("follows redirects that keep the scheme", async () => {
    answers = [says(302, { location: "/elsewhere" }), good()];
    await fetched();
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });
});

describe("is refused, and nothing of it is kept:", () => {
  test.each([
    ["a redirect to another scheme", says(302, { location: "ftp://example.org/model.safetensors" }), /redirects to ftp:/],
    ["a redirect to a file of this machine", says(302, { location: "file:///etc/passwd" }), /redirects to file:/],
    ["redirects without end", says(302, { location: "/again" }), /redirects more than/],
    ["a web page", says(200, { "content-type": "text/html; charset=utf-8" }, "<!doctype html>"), /gives a web page/],
    [
      "a web page that says it is a file",
      says(
        200,
        { "content-type": "application/octet-stream" },
        Buffer.concat([Buffer.from("<!DOCTYPE html><title>Sign in"), FILE]).subarray(0, FILE.length),
      ),
      /gives a web page for model.safetensors/,
    ],
    ["another size than is known", says(200, { "content-length": OTHER.length - 1 }, OTHER.subarray(1)), /it has \d+ bytes instead of/],
    [
      "more bytes than the file has",
      says(200, { "transfer-encoding": "chunked" }, Buffer.concat([FILE, Buffer.from("more")])),
      /sends more than/,
    ],
    ["another file of the same size", good(OTHER), /its SHA-256 is [0-9a-f]{64} instead of/],
    ["bytes that are no such file", good(Buffer.alloc(FILE.length, 1)), /no safetensors file/],
    ["a compressed answer", says(200, { "content-encoding": "gzip" }, "x"), /sends the file as gzip/],
    ["a file that is gone", says(404, {}), /answers 404/],
    ["a file that wants an account", says(401, {}), /not open to everybody/],
  ] as [string, Answer, RegExp][])("%s", async (_, answer, words) => {
    answers = [answer];
    await expect(fetched()).rejects.toThrow(words);
    expect(left()).toEqual([]);
  });

  test.each([
    ["model.ckpt", undefined, /of no known kind/],
    ["model.py", sha256(FILE), /of no known kind/],
    ["model.pth", undefined, /may hold code.*SHA-256/],
    ["model.bin", undefined, /may hold code/],
  ])("%s with hash %s, before anything is asked", async (name, hash, words) => {
    answers = [good()];
    await expect(fetched({ place: join(folder, name), sha256: hash })).rejects.toThrow(words);
    expect(asked).toEqual([]);
  });

  test.each([
    ["a process of this machine", () => `${process.ppid} ${hostname()}`, new Date()],
    ["one of another machine that wrote to it just now", () => "5 elsewhere", new Date()],
  ])("a file that is being fetched by %s", async (_, owner, written) => {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(`${place}.part`, "half");
    utimesSync(`${place}.part`, written, written);
    writeFileSync(`${place}.part.lock`, owner());
    await expect(fetched()).rejects.toThrow(`Process ${owner().replace(" ", " of ")} is fetching model.safetensors. Wait for it.`);
    expect(readFileSync(`${place}.part`, "utf8")).toBe("half");
  });

  test("a folder that cannot be made", async () => {
    writeFileSync(join(folder, "deep"), "a file");
    await expect(fetched()).rejects.toThrow(/deep cannot be made: .*Set another models folder/);
  });
});

test.each([
  ["a process that is gone", () => `2147483646 ${hostname()}`],
  ["a process with the number of this one, as containers have them", () => `${process.pid} ${hostname()}`],
  ["another machine that has not written for long", () => "5 elsewhere"],
])("what was left behind by %s does not keep the file from being fetched", async (_, owner) => {
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(`${place}.part`, "half");
  utimesSync(`${place}.part`, new Date(0), new Date(0));
  writeFileSync(`${place}.part.lock`, owner());
  answers = [good()];
  await fetched();
  expect(left()).toEqual(["model.safetensors"]);
});

describe("a file whose hash and exact size are not known", () => {
  const unknown = { exact: false, bytes: 390_000, sha256: undefined };

  test("is taken where its form is right and its size is about right", async () => {
    answers = [cut(), good()];
    await fetched(unknown);
    expect(readFileSync(place).equals(FILE)).toBe(true);
  });

  test.each([
    ["it is much larger", FILE, { ...unknown, bytes: 300_000 }, /bytes instead of about 300000/],
    ["its header tells of more than there is", FILE.subarray(0, FILE.length - 1), unknown, /its header tells of/],
    ["its header is none", Buffer.concat([FILE.subarray(0, 9), Buffer.alloc(FILE.length - 9, 0x20)]), unknown, /its header is no JSON/],
  ])("is refused where %s", async (_, file, more, words) => {
    answers = [good(file)];
    await expect(fetched(more)).rejects.toThrow(words);
    expect(left()).toEqual([]);
  });
});
