// What kind of file this really is, by its bytes; its name and its declared type are only claims.
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { PORT_TYPES } from "@spindle/schemas";
import { disableTypes, imageSize, types } from "image-size";
import { parseFromTokenizer } from "music-metadata";
import { BufferSizeError } from "strtok3";
import { CountedFile, TooManyReads } from "./counted-file.ts";
import { videoFacts } from "./probe-video.ts";

export const MAX_PIXELS = 50_000_000;

/** What is known of a file; `why` says why it is not usable. */
export type Probed = { mime: string; width?: number; height?: number; duration?: number } | { why: string };

/**
 * How files of each media type begin, as Latin-1. This is checked before any library sees a file: parsers of formats that nobody
 * needs have looped for ever on sixteen bytes. Pictures in MP4's container (HEIC, AVIF) are no videos.
 */
const BEGINNINGS: readonly (readonly [mime: string, beginning: string | RegExp])[] = [
  ["image/png", "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", "\xff\xd8\xff"],
  ["image/webp", /^RIFF.{4}WEBPVP8/s],
  ["image/gif", /^GIF8[79]a/],
  ["image/bmp", "BM"],
  ["image/tiff", "II*\0"],
  ["image/tiff", "MM\0*"],
  ["audio/wav", /^RIFF.{4}WAVE/s],
  ["audio/flac", "fLaC"],
  ["audio/ogg", "OggS"],
  ["audio/aiff", /^FORM.{4}AIF[FC]/s],
  ["audio/mpeg", /^(?:ID3|\xff[\xe0-\xff])/],
  ["video/mp4", /^.{4}ftyp(?!hei|hev|mif1|msf1|avi[fs])/s],
  ["video/webm", "\x1a\x45\xdf\xa3"],
];
const BEGINNING_BYTES = 16;
/** Containers of moving pictures that may hold nothing but sound. */
const SOUND_OF: Readonly<Record<string, string>> = { "video/mp4": "audio/mp4", "video/webm": "audio/webm" };

/** What may be read of a sound to learn what it is: where its parts begin, and what is said of it. */
const STRUCTURE = { reads: 100_000, bytes: 2 * 1024 * 1024 };
const STRUCTURE_OF: Readonly<Record<string, typeof STRUCTURE>> = {
  // The library joins pages at a price that grows with their square.
  "audio/ogg": { ...STRUCTURE, reads: 10_000 },
  // Each tag is a part of its own here, and a picture is one: large parts are few.
  "audio/mp4": { ...STRUCTURE, bytes: 4 * STRUCTURE.bytes },
  "audio/webm": { ...STRUCTURE, bytes: 4 * STRUCTURE.bytes },
};
/** What may be read of one that does not say how long it is: its frames, one after another, the ten minutes of an MP3. */
const FRAMES = { reads: 300_000, bytes: STRUCTURE.bytes * 4 };
/** Tags of a file (title, artist, each of what the library tells), and blocks of tags at the start of an MP3. */
const MOST_TOLD = 1000;
const MOST_TAGS = 100;
/** Where the header of a FLAC's first block is; its highest bit says that no other follows. */
const FLAC_BLOCK = 4;
/** The largest page of an Ogg. */
const OGG_PAGE = 27 + 255 + 255 * 255;

/** A picture's size is found in here, or it is not a picture that can be used. */
const HEAD_BYTES = 512 * 1024;
const SIZED = new Set(["png", "jpg", "webp", "gif", "bmp", "tiff"]);
disableTypes(types.filter((type) => !SIZED.has(type)));

/** The media type that a file's first bytes show; undefined if Spindle does not know the format. */
export function mediaType(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.subarray(0, BEGINNING_BYTES)).toString("latin1");
  return BEGINNINGS.find(([, beginning]) => (typeof beginning === "string" ? text.startsWith(beginning) : beginning.test(text)))?.[0];
}

/** Why a file that begins so is not of the media type it is said to be. Types without a known beginning are not doubted. */
export function whyNotMedia(claimed: string, head: Uint8Array): string | undefined {
  const isKnown = BEGINNINGS.some(([mime]) => mime === claimed) || Object.values(SOUND_OF).includes(claimed);
  const found = mediaType(head);
  if (!isKnown || found === claimed || (found && SOUND_OF[found] === claimed)) return undefined;
  return `the bytes are not ${claimed}`;
}

/**
 * @param kind the artifact type a port asks for: one whose media are pictures, sounds or videos is looked into; any other is taken as it is
 * @param signal ends the work with its reason
 */
export async function probe(file: FileHandle, kind: string, signal?: AbortSignal): Promise<Probed> {
  const { size } = await file.stat();
  if (size === 0) return { why: "the file is empty (0 bytes)" };
  const [media] = PORT_TYPES[kind]?.media ?? [];
  if (media === "image/") return probePicture(await head(file));
  if (media === "audio/") return probeSound(file, size, signal);
  if (media === "video/") return probeVideo(file, size, signal);
  return { mime: PORT_TYPES[kind]?.usual ?? "application/octet-stream" };
}

/** The bytes of an open file from its start; the file stays open. */
export function bytesOf(file: FileHandle): Readable {
  async function* chunks() {
    for (let position = 0; ; ) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(64 * 1024), position });
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

async function head(file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES), position: 0 });
  return buffer.subarray(0, bytesRead);
}

export function probePicture(bytes: Buffer): Probed {
  const mime = mediaType(bytes);
  if (!mime?.startsWith("image/")) return { why: "the file is not a picture that can be used; PNG, JPEG, WebP, GIF, BMP and TIFF can" };
  try {
    // The bytes are copied: the library reads past the end of a view, into whatever memory the view is part of.
    const { width, height } = imageSize(Uint8Array.from(bytes));
    if (!width || !height) return { why: "the picture has no size" };
    if (width * height > MAX_PIXELS)
      return { why: `the picture has ${Math.round((width * height) / 1e6)} megapixels; the limit is ${MAX_PIXELS / 1e6}` };
    return { mime, width, height };
  } catch {
    return { why: "the picture is damaged: its size cannot be read" };
  }
}

async function probeSound(file: FileHandle, size: number, signal?: AbortSignal): Promise<Probed> {
  const found = mediaType(await head(file)) ?? "";
  const mime = SOUND_OF[found] ?? found;
  if (!mime.startsWith("audio/")) return { why: "the file is not sound that can be used; WAV, MP3, FLAC, Ogg, AIFF, MP4 and WebM can" };
  const read = async (most: typeof STRUCTURE, jump?: { at: number; to: number }) => {
    const from = mime === "audio/mpeg" ? await endOfTags(file, size) : 0;
    const counted = new CountedFile(file, { size, mimeType: mime }, most, from, signal);
    if (jump) counted.jump(jump.at, jump.to);
    // All that is wanted of a FLAC is in its first block; as its last one it is the only one read.
    if (mime === "audio/flac") counted.change(FLAC_BLOCK, (byte) => byte | 0x80);
    let tags = 0;
    const observer = ({ tag }: { tag: { type: string } }) => {
      if (tag.type === "common" && ++tags > MOST_TOLD) throw new TooManyReads();
    };
    const options = { duration: most === FRAMES || jump !== undefined, skipCovers: true, observer };
    // With the media type named, the library's guessing, which reads many more formats, is never asked.
    const { format } = await parseFromTokenizer(counted, options);
    return { format, end: counted.position };
  };
  const structure = STRUCTURE_OF[mime] ?? STRUCTURE;
  try {
    const { format, end } = await read(structure);
    if (!format.sampleRate) return { why: "the file has no sound" };
    let duration = Number(format.duration);
    if (!(duration > 0) && mime === "audio/mpeg")
      try {
        duration = Number((await read(FRAMES)).format.duration);
      } catch (error) {
        if (error instanceof TooManyReads) return { mime }; // the file is sound, but has too many frames to count them all
        throw error;
      }
    if (!(duration > 0) && mime === "audio/ogg")
      duration = Number((await read(structure, { at: end, to: await lastPages(file, size, end) })).format.duration);
    return duration > 0 ? { mime, duration } : { why: "the file has no sound" };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof TooManyReads || error instanceof BufferSizeError) {
      const [reads, mib] = [structure.reads.toLocaleString("en"), structure.bytes / 1024 / 1024];
      return {
        why: `the sound's structure cannot be read within ${reads} steps and ${mib} MiB: it is damaged, or its tags are very large; save it again without them`,
      };
    }
    return { why: "the sound is damaged: it cannot be read" };
  }
}

/** Where the last pages of an Ogg begin: the last one says how long it is, and none of those between has to be read. */
async function lastPages(file: FileHandle, size: number, from: number): Promise<number> {
  const position = Math.max(from, size - 2 * OGG_PAGE);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(2 * OGG_PAGE), position });
  const at = buffer.subarray(0, bytesRead).indexOf("OggS\0", 0, "latin1");
  return at < 0 ? size : position + at;
}

/** Where the tags at the start of an MP3 (title, cover) end: nothing of them is needed, and there may be hundreds of thousands. */
async function endOfTags(file: FileHandle, size: number): Promise<number> {
  let end = 0;
  for (let tags = 0; tags < MOST_TAGS; tags++) {
    const { buffer } = await file.read({ buffer: Buffer.alloc(10), position: end });
    if (buffer.toString("latin1", 0, 3) !== "ID3") break;
    // Each byte of the size gives seven bits.
    end = Math.min(size, end + 10 + buffer.subarray(6).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0));
  }
  return end;
}

async function probeVideo(file: FileHandle, size: number, signal?: AbortSignal): Promise<Probed> {
  const mime = mediaType(await head(file));
  return mime?.startsWith("video/")
    ? { mime, ...(await videoFacts(file, size, signal)) }
    : { why: "the file is not a video that can be used; MP4 and WebM can" };
}
