// Files as they are and as they are forged: what is usable is measured, what is not is refused, and no parser ever loops.
import { readFileSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { solidPng } from "../../../../workers/comfy-bridge/test/fake/png.ts";
import { random } from "../engine/random-graphs.testing.ts";
import { ROOT } from "../root.ts";
import { mediaType, type Probed, probe, whyNotMedia } from "./probe.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spindle-probe-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function probed(bytes: Uint8Array, kind: string): Promise<Probed> {
  const path = join(folder, "file");
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    return await probe(file, kind);
  } finally {
    await file.close();
  }
}
const sample = (name: string) => readFileSync(join(ROOT, "templates/infinitetalk/samples", name));
/** Bytes from Latin-1 text and numbers; a number is one byte. */
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((one) => (typeof one === "number" ? Buffer.of(one) : Buffer.from(one, "latin1"))));

const PICTURES: [mime: string, bytes: Buffer][] = [
  ["image/png", solidPng(7, 5, 0xff)],
  ["image/gif", bytes("GIF89a", 7, 0, 5, 0, 0, 0, 0)],
  ["image/bmp", bytes("BM", "\0".repeat(12), 40, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0, "\0".repeat(28))],
  ["image/webp", bytes("RIFF", "\0\0\0\0", "WEBPVP8X", 10, 0, 0, 0, "\0\0\0\0", 6, 0, 0, 4, 0, 0, "\0".repeat(8))],
  ["image/tiff", bytes("II*\0", 8, 0, 0, 0, 2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 1, 3, 0, 1, 0, 0, 0, 5, 0, 0, 0, "\0".repeat(8))],
  ["image/jpeg", bytes("\xff\xd8\xff\xe0\0\x10JFIF\0", "\0".repeat(9), "\xff\xc0\0\x11\x08\0\x05\0\x07", "\0".repeat(20))],
];
test.each(PICTURES)("%s is measured", async (mime, file) => {
  expect(await probed(file, "image")).toEqual({ mime, width: 7, height: 5 });
});

/** Formats that the picture library reads and Spindle does not want, with lengths of nothing where they have lengths. */
const UNWANTED: [string, Buffer][] = [
  ["ICNS", bytes("icns\0\0\0\xff", "ICN#\0\0\0\0")],
  ["HEIC", bytes("\0\0\0\x18ftypheic", "\0".repeat(60))],
  ["AVIF", bytes("\0\0\0\x18ftypavif", "\0".repeat(60))],
  ["JPEG XL", bytes("\0\0\0\x0cJXL \r\n\x87\n", "\0\0\0\x14ftypjxl ", "\0\0\0\0jxlp", "\0".repeat(60))],
  ["JPEG XL codestream", bytes("\xff\x0a", "\0".repeat(60))],
  ["JPEG 2000", bytes("\0\0\0\x0cjP  \r\n\x87\n", "\0\0\0\0ftypjp2 ", "\0".repeat(60))],
  ["JPEG 2000 codestream", bytes("\xff\x4f\xff\x51", "\0".repeat(60))],
  ["ICO", bytes("\0\0\x01\0\xff\xff", "\0".repeat(60))],
  ["CUR", bytes("\0\0\x02\0\xff\xff", "\0".repeat(60))],
  ["PSD", bytes("8BPS\0\x01", "\0".repeat(60))],
  ["SVG", bytes("<svg width='10' height='10'>", "<".repeat(1000))],
  ["DDS", bytes("DDS ", "\0".repeat(60))],
  ["KTX", bytes("\xabKTX 11\xbb\r\n\x1a\n", "\0".repeat(60))],
  ["PNM", bytes("P6\n10 10\n255\n")],
  ["TGA", bytes("\0\0\x02", "\0".repeat(60))],
  ["BigTIFF", bytes("II+\0\x08\0\0\0", "\0".repeat(60))],
  ["HTML", bytes("<html><img src=x>")],
];
test.each(UNWANTED)("%s is no picture, sound or video", async (_, file) => {
  expect(mediaType(file)).toBeUndefined();
  for (const kind of ["image", "mask", "audio", "video"])
    expect(await probed(file, kind)).toEqual({ why: expect.stringMatching(/not a picture|not sound|not a video/) });
});

test("a beginning alone is no file", async () => {
  for (const [, file] of PICTURES) expect(await probed(file.subarray(0, 9), "image")).toEqual({ why: expect.any(String) });
  for (const start of ["RIFF\0\0\0\0WAVE", "fLaC", "OggS", "FORM\0\0\0\0AIFF", "ID3", "\xff\xfb", "\0\0\0\0ftypM4A ", "\x1a\x45\xdf\xa3"])
    expect(await probed(bytes(start), "audio"), start).toEqual({ why: expect.stringMatching(/sound/) });
});
test("sound is measured", async () => {
  expect(await probed(sample("voice.wav"), "audio")).toMatchObject({ mime: "audio/wav", duration: expect.closeTo(3.77, 2) });
});
test("formats that only the sound library knows never reach it", async () => {
  const guid = "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
  for (const start of [guid, "MPCK", "wvpk", "DSD ", "FRM8", "MAC "])
    expect(await probed(bytes(start, "\0".repeat(200)), "audio")).toEqual({ why: expect.stringMatching(/not sound/) });
});
test("[W6] a claim is held against the bytes, where the format is known", () => {
  expect(whyNotMedia("image/png", solidPng(1, 1, 0))).toBeUndefined();
  expect(whyNotMedia("audio/mp4", bytes("\0\0\0\x18ftypM4A "))).toBeUndefined();
  expect(whyNotMedia("video/mp4", bytes("\0\0\0\x18ftypisom"))).toBeUndefined();
  expect(whyNotMedia("model/gltf-binary", bytes("glTF"))).toBeUndefined();
  for (const mime of ["image/png", "image/gif", "audio/mp4", "video/webm"]) expect(whyNotMedia(mime, bytes("<script>"))).toMatch(mime);
  expect(whyNotMedia("image/png", Buffer.alloc(0))).toMatch(/image\/png/);
});

test("files of every format with bytes changed at random are measured or refused, all of them", async () => {
  const draw = random(11);
  const below = (n: number) => Math.floor(draw() * n);
  const seeds = [...PICTURES.map(([, file]) => file), sample("portrait.jpg"), ...UNWANTED.map(([, file]) => file)];
  const sounds = [
    sample("voice.wav").subarray(0, 4000),
    bytes("ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0", "\0".repeat(2000)),
    bytes("OggS\0\x02", "\0".repeat(300)),
    bytes("fLaC\0\0\0\x22", "\0".repeat(200)),
    bytes("FORM\0\0\0\x40AIFFCOMM\0\0\0\x12", "\0".repeat(60)),
    bytes("\0\0\0\x18ftypM4A \0\0\0\0moov", "\0".repeat(100)),
    bytes("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x80", "\0".repeat(100)),
  ];
  const changed = (file: Buffer) => {
    const copy = Buffer.from(file.subarray(0, 8 + below(file.length)));
    for (let n = 1 + below(12); n > 0; n--) copy[below(Math.min(copy.length, 400))] = [0, 1, 255, below(256)][below(4)] as number;
    return copy;
  };
  for (let round = 0; round < 15; round++) {
    for (const file of seeds) expect(await probed(changed(file), "image")).toBeTypeOf("object");
    for (const file of sounds) expect(await probed(changed(file), "audio")).toBeTypeOf("object");
  }
});
