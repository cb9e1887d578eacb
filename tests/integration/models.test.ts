// `spindle models` as a person calls it, with engines of this test and an HTTP server of this machine.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";

const PROGRAM = join(ROOT, "apps/runtime/bin/spindle.mjs");
const ENGINE = JSON.parse(readFileSync(join(ROOT, "schemas/samples/engine-definition/valid/whole.json"), "utf8")) as object;
const folder = mkdtempSync(join(tmpdir(), "spindle-models-cli-"));
const [engines, models, comfy] = [join(folder, "engines"), join(folder, "models"), join(folder, "comfy")];

/** A PyTorch archive by its first bytes. */
const archive = (bytes: number, value: number): Buffer => Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(bytes, value)]);
const FILES: Record<string, Buffer> = { "voice.bin": archive(3_000_000, 1), "big.pth": archive(6_000_000, 2) };
const etag = '"one"';

let asked: string[] = [];
/** What is sent before the server falls silent; undefined: everything. */
let until: number | undefined;
let waiting: ServerResponse[] = [];
const server = createServer((request, response) => {
  asked.push(`${request.url} ${request.headers.range ?? "whole"}`);
  const file = FILES[(request.url ?? "").slice(1)] ?? Buffer.alloc(0);
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (from > 0) response.writeHead(206, { etag, "content-range": `bytes ${from}-${file.length - 1}/${file.length}` });
  else response.writeHead(200, { etag, "content-length": file.length });
  if (until === undefined) response.end(file.subarray(from));
  else {
    response.write(file.subarray(from, until));
    waiting.push(response);
  }
});

beforeAll(() => new Promise<void>((done) => void server.listen(0, "127.0.0.1", done)));
beforeAll(() => {
  define("f5-tts", { voice: fileOf("voice.bin", "CC-BY-NC-4.0", false) });
  define("realesrgan", { x2: fileOf("big.pth", "MIT", true) });
  define("vast", { model: { ...fileOf("big.pth", "MIT", true), path: "vast/big.pth", bytes: Number.MAX_SAFE_INTEGER } });
});
afterAll(() => {
  for (const response of waiting) response.destroy();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  [asked, until, waiting] = [[], undefined, []];
  for (const place of [models, comfy]) rmSync(place, { recursive: true, force: true });
});

function fileOf(name: string, licence: string, commercial: boolean) {
  const bytes = FILES[name] ?? Buffer.alloc(0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`;
  return { path: `tiny/${name}`, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex"), licence, commercial, url };
}

function define(name: string, files: object): void {
  mkdirSync(join(engines, name), { recursive: true });
  writeFileSync(join(engines, name, "engine.json"), JSON.stringify({ ...ENGINE, draft: false, label: name, files }));
}

const environment = { ...process.env, SPINDLE_ENGINES: engines, SPINDLE_MODELS: models, SPINDLE_COMFY_MODELS: comfy };

interface Done {
  code: number | null;
  out: string;
  err: string;
}

function call(
  command: string,
  args: readonly string[],
  whileRunning?: (kill: (signal: NodeJS.Signals) => void) => Promise<void>,
): Promise<Done> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, out, err }));
    void whileRunning?.((signal) => void child.kill(signal));
  });
}
const spindle = (args: string, ...more: Parameters<typeof call> extends [unknown, unknown, ...infer Rest] ? Rest : never): Promise<Done> =>
  call(process.execPath, [PROGRAM, "models", ...args.split(" ").filter(Boolean)], ...more);

const untilSize = async (file: string, bytes: number): Promise<void> => {
  while (!existsSync(file) || readFileSync(file).length < bytes) await new Promise((done) => setTimeout(done, 20));
};

test("[M4] list says what is missing, how large it is, its licence and the command; fetch, what comes; check, that it is right", async () => {
  const before = await spindle("list infinitetalk");
  expect(before.code, before.err).toBe(0);
  expect(before.out).toMatch(/^f5-tts: f5-tts for generate\.f5_to_tts$/m);
  expect(before.out).toMatch(/missing +3 MB +tiny\/voice\.bin +\(CC-BY-NC-4\.0, no commercial use\)/);
  expect(before.out).toContain("6 MB to fetch: npx spindle models fetch realesrgan");
  expect(before.out).not.toContain("vast");

  const own = await spindle("list realesrgan");
  expect(own.code, own.err).toBe(0);
  expect(own.out.match(/^\S+: /gm)).toEqual(["realesrgan: "]);
  const absent = await spindle("check realesrgan");
  expect(absent.code).toBe(0);
  expect(absent.out).toMatch(/^missing {2}.*tiny\/big\.pth: npx spindle models fetch realesrgan\n0 of 1 files are there\.$/m);

  const fetched = await spindle("fetch realesrgan");
  expect(fetched.code, fetched.err).toBe(0);
  expect(fetched.out).toMatch(/1 file, 6 MB, for realesrgan\n.*tiny\/big\.pth +\(6 MB, MIT\)\n/);
  expect(fetched.out).toMatch(/ {2}100 %, 6 MB of 6 MB\n {2}there; its SHA-256 is the right one/);
  expect(readFileSync(join(models, "tiny/big.pth")).equals(FILES["big.pth"] as Buffer)).toBe(true);

  expect((await spindle("fetch realesrgan")).out).toContain("Nothing is missing: realesrgan.");
  expect(asked).toHaveLength(1);
  expect((await spindle("check")).out).toMatch(/^right {2}.*big\.pth\n1 of \d+ files are there\.$/m);
  writeFileSync(join(models, "tiny/big.pth"), archive(6_000_000, 3));
  const checked = await spindle("check realesrgan");
  expect(checked.code).toBe(1);
  expect(checked.out).toMatch(/wrong {2}.*big\.pth: its SHA-256 is [0-9a-f]{64} instead of .*npx spindle models fetch realesrgan/);
});

test("[M4] a licence that forbids commercial use is accepted by its name, or nothing is asked for", async () => {
  for (const args of ["fetch f5-tts", "fetch f5-tts --accept-licence MIT"]) {
    const refused = await spindle(args);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("The licence CC-BY-NC-4.0 forbids commercial use. Nothing was fetched.");
    expect(refused.err).toMatch(/npx spindle models fetch f5-tts.* --accept-licence CC-BY-NC-4\.0$/m);
  }
  expect(asked).toEqual([]);
  expect((await spindle("fetch f5-tts --accept-licence CC-BY-NC-4.0")).code).toBe(0);
  expect(readdirSync(join(models, "tiny"))).toEqual(["voice.bin"]);
});

test("[M4] a killed fetch goes on where it was, and an interrupted one says so", async () => {
  const part = join(models, "tiny/big.pth.part");
  until = 2_000_000;
  const killed = await spindle("fetch realesrgan", async (kill) => {
    await untilSize(part, 2_000_000);
    kill("SIGKILL");
  });
  expect(killed.code).toBeNull();
  until = 4_000_000;
  const interrupted = await spindle("fetch realesrgan", async (kill) => {
    await untilSize(part, 4_000_000);
    kill("SIGINT");
  });
  expect(interrupted.code).toBe(130);
  expect(interrupted.err).toContain("interrupted. The same command goes on from there: npx spindle models fetch realesrgan");
  until = undefined;
  expect((await spindle("fetch realesrgan")).code).toBe(0);
  expect(asked).toEqual(["/big.pth whole", "/big.pth bytes=2000000-", "/big.pth bytes=4000000-"]);
  expect(readdirSync(join(models, "tiny"))).toEqual(["big.pth"]);
});

test("[M4] a disk that is too full is told before anything is asked for", async () => {
  const refused = await spindle("fetch vast");
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/9010000 GB are needed on the disk of .*, and .* are free\. Nothing was fetched\./);
  expect(asked).toEqual([]);
});

test("[M4] for a template, one engine of each capability is fetched, and none where one is there already", async () => {
  const listed = (await spindle("list infinitetalk")).out;
  const inComfy = /^comfy\/infinitetalk: .*\n((?: .*\n)+)/m.exec(listed)?.[1] ?? "";
  const bytes = JSON.parse(readFileSync(join(ROOT, "templates/comfy/infinitetalk.json"), "utf8")) as {
    models: { file: string; folder: string; bytes: number }[];
  };
  expect(inComfy.match(/missing/g)).toHaveLength(bytes.models.length);
  for (const { file, folder: below, bytes: size } of bytes.models) {
    const place = join(comfy, below, file);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, "");
    truncateSync(place, size); // without taking room on the disk
  }
  const fetched = await spindle("fetch --for infinitetalk --accept-licence CC-BY-NC-4.0");
  expect(fetched.err).toBe("");
  expect(fetched.out).toContain("2 files, 9 MB, for f5-tts, realesrgan, comfy/infinitetalk");
  expect(asked).toEqual(["/voice.bin whole", "/big.pth whole"]);
});

test("[M4] on a terminal there is a bar with what has come and how long it takes", async () => {
  const { out, code } = await call("script", ["-qec", `${process.execPath} ${PROGRAM} models fetch realesrgan`, "/dev/null"]);
  expect(code, out).toBe(0);
  expect(out).toMatch(/\d+% +[\d.]+ (?:bytes|kB|MB) of 6 MB +\S+ left/);
  expect(out).toContain("there; its SHA-256 is the right one");
});

test.each([
  ["fetch", /Name an engine, as in: spindle models fetch f5-tts\./],
  ["fetch nothing", /There are no models called "nothing"\. There are: f5-tts, realesrgan, vast, comfy\//],
  ["fetch --for nothing", /There is no template "nothing"\. There are: infinitetalk, [a-z, -]+\./],
  [
    "list nothing",
    /There is neither a template nor an engine "nothing"\. Templates: infinitetalk, .+\. Engines: f5-tts, realesrgan, vast, comfy\//,
  ],
])("[M4] %s: one sentence that says what is there", async (args, words) => {
  const { code, err } = await spindle(args);
  expect(code).toBe(1);
  expect(err).toMatch(words);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("[M4] list says of which file the SHA-256 is not known, so that only its form can be checked", async () => {
  const { code, out, err } = await spindle("list comfy/wan-infinitetalk");
  expect(code, err).toBe(0);
  expect(out).toMatch(/MelBandRoformer_fp16\.safetensors +\(MIT; its SHA-256 is not known\)$/m);
  expect(out).toMatch(/clip_vision_h\.safetensors +\(MIT\)$/m);
  expect(out).toMatch(/^ {2}Where the SHA-256 is not known, only the form of a file is checked: another file of the same form passes\.$/m);
  expect((await spindle("list realesrgan")).out).not.toContain("not known,");
});
