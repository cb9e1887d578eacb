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
const sample = (name: string) => readFileSync(join(ROOT, "templates/samples", name));
/** Bytes from Latin-1 text and numbers; a number is one byte. */
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part, "latin1"))));

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
const MIB = 1024 * 1024;
/** An MP3 of frames without sound; VBR if the bit rates differ. The first frame may hold a Xing header. */
function mp3(frames: number, rates: readonly number[], first?: Buffer): Buffer {
  const lengths: Readonly<Record<number, number>> = { 9: 417, 10: 522, 11: 626 }; // 128, 160 and 192 kbit/s at 44.1 kHz
  const made = Array.from({ length: frames }, (_, n) => {
    const rate = rates[n % rates.length] as number;
    const frame = Buffer.alloc(lengths[rate] as number);
    frame.set([0xff, 0xfb, rate << 4, 0]);
    return frame;
  });
  if (first) first.copy(made[0] as Buffer, 36);
  return Buffer.concat(made);
}
const xing = (frames: number) => bytes("Xing", 0, 0, 0, 1, frames >> 24, (frames >> 16) & 255, (frames >> 8) & 255, frames & 255);
const id3 = (size: number) => bytes("ID3", 3, 0, 0, ...[21, 14, 7, 0].map((shift) => (size >> shift) & 127));
const page = (granule: number, flags: number, body: Buffer, number = 0) => {
  const head = bytes("OggS", 0, flags, "\0".repeat(8), 1, "\0".repeat(11), 1, body.length);
  head.writeUInt32LE(granule, 6);
  head.writeUInt32LE(number, 18);
  return Buffer.concat([head, body]);
};
const box = (type: string, ...inside: Buffer[]) => {
  const content = Buffer.concat(inside);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + content.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, content]);
};
const flac = () => bytes("fLaC", 0x80, 0, 0, 34, 16, 0, 16, 0, "\0".repeat(6), 0x0a, 0xc4, 0x42, 0xf0, 0, 1, 0x58, 0x88, "\0".repeat(16));
/** An Ogg page of comments, each of which names one more artist. */
const artists = (count: number) => {
  const body = bytes(
    "\x03vorbis",
    "\0".repeat(4),
    count & 255,
    count >> 8,
    0,
    0,
    ...Array.from({ length: count }, (_, n) => `\x0d\0\0\0ARTISTS=${10_000 + n}`),
    1,
  );
  const pages = Array.from({ length: Math.ceil(body.length / 65_025) }, (_, n) => {
    const part = body.subarray(n * 65_025, (n + 1) * 65_025);
    const segments = [...Array(Math.floor(part.length / 255)).fill(255), ...(part.length % 255 ? [part.length % 255] : [])];
    return Buffer.concat([
      bytes("OggS", 0, n > 0 ? 1 : 0, "\0".repeat(8), 1, 0, 0, 0, 1, "\0".repeat(7), segments.length, ...segments),
      part,
    ]);
  });
  return Buffer.concat(pages);
};
const OGG = [
  page(0, 2, bytes("\x01vorbis", 0, 0, 0, 0, 1, 0x44, 0xac, 0, 0, "\0".repeat(12), 0xb8, 1)),
  page(0, 0, bytes("\x03vorbis", "\0".repeat(8), 1)),
];

const u32 = (...values: number[]) => bytes(...values.flatMap((value) => [24, 16, 8, 0].map((shift) => (value >> shift) & 255)));
/** An M4A of 2 s with a picture of so many bytes. */
const m4a = (picture: number) => {
  const entry = box("mp4a", bytes("\0".repeat(6), 0, 1, "\0".repeat(8), 0, 2, 0, 16, 0, 0, 0, 0, 0xac, 0x44, 0, 0));
  const media = box(
    "mdia",
    box("mdhd", u32(0, 0, 0, 44_100, 88_200, 0)),
    box("hdlr", u32(0, 0), bytes("soun", "\0".repeat(13))),
    box("minf", box("stbl", box("stsd", u32(0, 1), entry), box("stsz", u32(0, 1, 0)))),
  );
  const cover = box("covr", box("data", u32(13, 0), Buffer.alloc(picture, "x")));
  const tags = box("udta", box("meta", u32(0), box("hdlr", u32(0, 0), bytes("mdirappl", "\0".repeat(9))), box("ilst", cover)));
  const movie = box("mvhd", u32(0, 0, 0, 44_100, 88_200), Buffer.alloc(80));
  const track = box("trak", box("tkhd", u32(0, 0, 0, 1), Buffer.alloc(68)), media);
  return Buffer.concat([box("ftyp", bytes("M4A \0\0\0\0isom")), box("moov", movie, track, tags)]);
};

const SOUNDS: [what: string, file: Buffer, duration: number | undefined][] = [
  ["an MP3 of one bit rate", mp3(400, [9]), 10.45],
  ["an MP3 of several bit rates that says how long it is", mp3(400, [9, 10, 11], xing(400)), 10.45],
  ["an MP3 of several bit rates whose frames must be counted", mp3(400, [9, 10, 11]), 10.45],
  [
    "an MP3 behind half a million tags",
    Buffer.concat([id3(11 * 100_000), Buffer.alloc(11 * 100_000, "TALB\0\0\0\x01\0\0\0"), mp3(400, [9])]),
    10.45,
  ],
  ["an hour of MP3 of several bit rates, whose frames are too many to count", mp3(137_812, [9, 10, 11]), undefined],
  ["an M4A with a large picture", m4a(5 * MIB), 2],
  ["a FLAC", flac(), 2],
  ["a FLAC of empty blocks", Buffer.concat([flac().fill(0, 4, 5), Buffer.alloc(MIB, bytes(1, 0, 0, 0))]), 2],
  [
    "an Ogg of 60,000 pages",
    Buffer.concat([
      ...OGG,
      ...Array.from({ length: 60_000 }, (_, n) => page(n, 0, Buffer.alloc(40), 2 + n)),
      page(44_100, 4, Buffer.alloc(40)),
    ]),
    1,
  ],
];
test.each(SOUNDS)("%s is taken, with its duration if it can be known", async (_, file, duration) => {
  const found = await probed(file, "audio");
  expect(found).toEqual(
    duration === undefined ? { mime: "audio/mpeg" } : { mime: expect.stringMatching(/^audio/), duration: expect.closeTo(duration, 1) },
  );
});

const repeated = (pattern: Buffer, size: number) => Buffer.alloc(size, pattern);
const ENDLESS: [what: string, file: Buffer][] = [
  ["an MP3 of frames that are none", repeated(bytes(0xff), MIB)],
  ["an MP3 of frames that end where they begin", repeated(bytes(0xff, 0xe0), MIB)],
  ["an ID3 tag behind each ID3 tag", repeated(id3(0), MIB)],
  ["an MP4 of empty boxes", Buffer.concat([box("ftyp", bytes("isom\0\0\0\0isom")), repeated(box("free"), MIB)])],
  [
    "a WebM of empty elements",
    Buffer.concat([bytes(0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 1, "\xff".repeat(7)), repeated(bytes(0xec, 0x80), MIB)]),
  ],
  ["a RIFF of empty chunks", Buffer.concat([bytes("RIFF\xff\xff\xff\xffWAVE"), repeated(bytes("aaaa\0\0\0\0"), MIB)])],
  ["an Ogg of more comments than anybody reads", Buffer.concat([OGG[0] as Buffer, artists(5000)])],
];
test.each(ENDLESS)("%s is refused after so many steps", async (_, file) => {
  expect(await probed(file, "audio")).toEqual({
    why: expect.stringMatching(
      /structure cannot be read within 100?,000 steps and [28] MiB: it is damaged, or its tags are very large; save it again/,
    ),
  });
});
test("the work on a sound ends with the upload that asked for it", async () => {
  const path = join(folder, "left");
  await writeFile(path, repeated(bytes(0xff), MIB));
  const file = await open(path);
  const gone = new AbortController();
  const work = probe(file, "audio", gone.signal);
  setImmediate(() => gone.abort(new Error("gone")));
  await expect(work).rejects.toThrow("gone");
  await file.close();
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
