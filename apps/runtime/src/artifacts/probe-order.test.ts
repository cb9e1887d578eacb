// A file's first bytes are looked at before any library is: parsers have looped for ever on files of formats that nobody needs.
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageSize } from "image-size";
import { parseFromTokenizer } from "music-metadata";
import { expect, test, vi } from "vitest";
import { solidPng } from "../../../../workers/comfy-bridge/test/fake/png.ts";
import { probe } from "./probe.ts";
import { videoFacts } from "./probe-video.ts";

vi.mock("image-size", async (original) => {
  const library = await original<typeof import("image-size")>();
  return { ...library, imageSize: vi.fn(library.imageSize) };
});
vi.mock("music-metadata", async (original) => {
  const library = await original<typeof import("music-metadata")>();
  return { ...library, parseFromTokenizer: vi.fn(library.parseFromTokenizer) };
});
vi.mock("./probe-video.ts", () => ({ videoFacts: vi.fn(async () => ({})) }));
const PARSERS = [imageSize, parseFromTokenizer, videoFacts];

test("no parser sees a file of which the first bytes are none of its media type", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-probe-"));
  const wave = Buffer.concat([
    Buffer.from("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0", "latin1"),
  ]);
  const parsersCalled = async (bytes: Uint8Array, kind: string) => {
    for (const parser of PARSERS) vi.mocked(parser).mockClear();
    await writeFile(join(folder, "file"), bytes);
    const file = await open(join(folder, "file"));
    await probe(file, kind).finally(() => file.close());
    return PARSERS.map((parser) => vi.mocked(parser).mock.calls.length > 0);
  };
  try {
    expect(await parsersCalled(solidPng(7, 5, 0xff), "image"), "a picture").toEqual([true, false, false]);
    expect(await parsersCalled(wave, "audio"), "a sound").toEqual([false, true, false]);
    expect(await parsersCalled(Buffer.from("\0\0\0\x18ftypisom", "latin1"), "video"), "a video").toEqual([false, false, true]);
    for (const beginning of ["icns\0\0\0\xffICN#\0\0\0\0", "\0\0\0\x18ftypheic", "\0\0\x01\0\xff\xff", "<svg>", "P6\n10 10\n255\n", "DDS "])
      for (const kind of ["image", "audio", "video"])
        expect(await parsersCalled(Buffer.from(beginning + "\0".repeat(60), "latin1"), kind), `${beginning} as ${kind}`).toEqual([
          false,
          false,
          false,
        ]);
    expect(await parsersCalled(wave, "image"), "a sound as a picture").toEqual([false, false, false]);
    expect(await parsersCalled(solidPng(7, 5, 0xff), "audio"), "a picture as a sound").toEqual([false, false, false]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
