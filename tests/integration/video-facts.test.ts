// Videos as ffmpeg writes them, and forged ones: what is said is measured, and no file makes more than a bounded piece of work.
import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Artifacts } from "../../apps/runtime/src/artifacts/artifacts.ts";
import { folderStore } from "../../apps/runtime/src/artifacts/folder-store.ts";
import { type Probed, probe } from "../../apps/runtime/src/artifacts/probe.ts";
import { random } from "../../apps/runtime/src/engine/random-graphs.testing.ts";
import type { Database } from "../../apps/runtime/src/store/database.ts";
import { buildPython, PYTHON } from "../../infra/launch/build.ts";

let folder: string;
let ffmpeg: string;
beforeAll(async () => {
  await buildPython("requirements.txt");
  folder = await mkdtemp(join(tmpdir(), "spindle-video-"));
  ffmpeg = execFileSync(PYTHON, ["-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"], { encoding: "utf8" }).trim();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function probed(bytes: Uint8Array, kind = "video"): Promise<Probed> {
  const path = join(folder, "probed");
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    return await probe(file, kind);
  } finally {
    await file.close();
  }
}
async function made(name: string, options: string, picture = "testsrc=size=64x48:rate=25:duration=0.4"): Promise<Buffer> {
  const path = join(folder, name);
  const sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=duration=0.4"];
  execFileSync(ffmpeg, ["-v", "error", "-y", ...sources, "-pix_fmt", "yuv420p", ...options.split(" ").filter(Boolean), path]);
  return await readFile(path);
}
async function rotated(): Promise<Buffer> {
  await made("upright.mp4", "");
  const turned = join(folder, "turned.mp4");
  execFileSync(ffmpeg, ["-v", "error", "-y", "-display_rotation", "90", "-i", join(folder, "upright.mp4"), "-c", "copy", turned]);
  return await readFile(turned);
}

const VIDEOS: [name: string, make: () => Promise<Buffer>, facts: object][] = [
  ["an MP4", () => made("a.mp4", ""), { mime: "video/mp4", width: 64, height: 48 }],
  ["an MP4 whose index comes first", () => made("f.mp4", "-movflags +faststart"), { mime: "video/mp4", width: 64, height: 48 }],
  ["an MP4 in fragments", () => made("g.mp4", "-movflags frag_keyframe"), { mime: "video/mp4", width: 64, height: 48 }],
  ["a phone's", rotated, { mime: "video/mp4", width: 48, height: 64 }],
  ["one with pixels that are not square", () => made("s.mp4", "-vf setsar=2/1"), { mime: "video/mp4", width: 128, height: 48 }],
  ["a MOV", () => made("a.mov", "-c:a pcm_s16le"), { mime: "video/mp4", width: 64, height: 48 }],
  ["a WebM", () => made("a.webm", "-c:v libvpx -c:a libopus"), { mime: "video/webm", width: 64, height: 48 }],
];
test.each(VIDEOS)("[A1] %s says its size as it is shown and its duration", async (_, make, facts) => {
  expect(await probed(await make())).toEqual({ ...facts, duration: expect.closeTo(0.44, 1) });
});

test("[A1] a WebM of a browser's recorder says no duration, and its size", async () => {
  const live = await made("live.webm", "-c:v libvpx -c:a libopus -live 1");
  expect(await probed(live)).toEqual({ mime: "video/webm", width: 64, height: 48 });
});

test("[A1] sound without a picture in a video's container says nothing of one", async () => {
  expect(await probed(await made("sound.mp4", "-map 1:a"))).toEqual({ mime: "video/mp4" });
});

test("[A1] a video whose index is larger than is read, or that ends before it, is one of which nothing is known", async () => {
  const head = Buffer.from("\0\0\0\x18ftypisom\0\0\0\0isomiso2", "latin1");
  const huge = Buffer.alloc(40 * 1024 * 1024);
  huge.writeUInt32BE(huge.length, 0);
  huge.write("moov", 4, "latin1");
  expect(await probed(Buffer.concat([head, huge]))).toEqual({ mime: "video/mp4" });
  expect(await probed(head)).toEqual({ mime: "video/mp4" });
  const whole = await made("whole.mp4", "");
  expect(await probed(whole.subarray(0, whole.length / 2))).toEqual({ mime: "video/mp4" });
});

test("[W6] a video that a worker stored is looked into when it is committed, and what the worker said stays", async () => {
  const store = folderStore(join(folder, "store"));
  const artifacts = new Artifacts(store, undefined as unknown as Database, join(folder, "scratch")); // no row is read or written here
  const bytes = await made("stored.mp4", "");
  const ref = { artifact: randomUUID(), mime: "video/mp4", sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length };
  await store.put("input/a", bytes, bytes.length, ref.mime);
  expect(await artifacts.examine("input/a", ref)).toEqual({ ref: { ...ref, width: 64, height: 48, duration: expect.closeTo(0.44, 1) } });
  expect(await artifacts.examine("input/a", { ...ref, width: 7 })).toMatchObject({ ref: { width: 7, height: 48 } });
});

test("[W6] a sound that ComfyUI made is committed with its duration, so that the next node knows how long it is", async () => {
  const store = folderStore(join(folder, "sounds"));
  const artifacts = new Artifacts(store, undefined as unknown as Database, join(folder, "scratch")); // no row is read or written here
  for (const [name, mime] of Object.entries({ "a.wav": "audio/wav", "a.flac": "audio/flac", "a.mp3": "audio/mpeg" })) {
    const path = join(folder, name);
    execFileSync(ffmpeg, ["-v", "error", "-y", "-f", "lavfi", "-i", "sine=duration=1.5", path]);
    const bytes = await readFile(path);
    const ref = { artifact: randomUUID(), mime, sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length };
    await store.put(`input/${name}`, bytes, bytes.length, mime);
    expect(await artifacts.examine(`input/${name}`, ref), name).toEqual({ ref: { ...ref, duration: expect.closeTo(1.5, 1) } });
  }
});

test("[A1] videos with bytes changed at random are measured or not, and within bounds", async () => {
  const draw = random(19);
  const below = (n: number) => Math.floor(draw() * n);
  const seeds = [await made("r.mp4", "-movflags +faststart"), await made("r.webm", "-c:v libvpx -c:a libopus"), await rotated()];
  for (let round = 0; round < 60; round++)
    for (const seed of seeds) {
      const copy = Buffer.from(seed);
      for (let n = 1 + below(12); n > 0; n--) copy[12 + below(copy.length - 12)] = [0, 1, 127, 255, below(256)][below(5)] as number;
      const found = await probed(copy);
      if ("why" in found) continue;
      for (const side of [found.width ?? 1, found.height ?? 1])
        expect(side).toSatisfy((n: number) => Number.isInteger(n) && n >= 1 && n < 65_536);
      expect(found.duration ?? 1).toSatisfy((seconds: number) => seconds > 0 && seconds <= 30 * 24 * 3600);
    }
}, 60_000);
