import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { crc32 } from "./crc32.ts";
import { embedGraph, extractGraph } from "./embed.ts";

const text = JSON.stringify({ note: "ä".repeat(40_000) });
const bytes = (...parts: (Uint8Array | string | number[])[]) =>
  new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))));
const chunk = (name: string, data: Uint8Array) => {
  const body = bytes(name, data);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  return bytes(size, body, crc);
};
const png = bytes(
  [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10],
  chunk("IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])),
  chunk("IDAT", deflateSync(bytes([0, 0]))),
  chunk("IEND", bytes([])),
);
const mp4 = bytes([0, 0, 0, 16], "ftypisom", [0, 0, 0, 1], [0, 0, 0, 8], "mdat");
const wav = bytes(
  "RIFF",
  [38, 0, 0, 0],
  "WAVEfmt ",
  [16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0, 0, 2, 0, 16, 0],
  "data",
  [2, 0, 0, 0, 0, 0],
);
const jpeg = bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xda, 0, 2, 1, 2, 0xff, 0xd9]);

describe.each([
  ["PNG", png],
  ["MP4", mp4],
  ["WAV", wav],
  ["JPEG", jpeg],
] as const)("%s", (_, file) => {
  test("[G8] carries a graph and gives it back", () => expect(extractGraph(embedGraph(file, text) as Uint8Array)).toBe(text));
  test("has none of its own", () => expect(extractGraph(file)).toBeUndefined());
  test("[G8] is not misread when cut off", () =>
    expect(() => extractGraph((embedGraph(file, text) as Uint8Array).subarray(0, 60))).not.toThrow());
});

test("a WAV stays a RIFF file of the right size", () => {
  const out = embedGraph(wav, text) as Uint8Array;
  expect(new DataView(out.buffer).getUint32(4, true)).toBe(out.length - 8);
});
test("other formats carry none", () => expect(embedGraph(bytes("plain text, long enough"), text)).toBeUndefined());
test("the checksum is the one zlib computes", () => expect(crc32(bytes("123456789"))).toBe(0xcbf43926));
