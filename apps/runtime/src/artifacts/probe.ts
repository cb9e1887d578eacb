// What kind of file this really is, by its bytes; its name and its declared type are only claims.
import { open } from "node:fs/promises";
import { imageSize } from "image-size";
import { parseFile } from "music-metadata";

export const MAX_PIXELS = 50_000_000;

/** What is known of a file; `why` says why it is not usable. */
export type Probed = { mime: string; width?: number; height?: number; duration?: number } | { why: string };

const IMAGES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  bmp: "image/bmp",
  tiff: "image/tiff",
};
const HEAD_BYTES = 512 * 1024;

/** @param kind the artifact type a port asks for: image, audio, video, or any other for a file taken as it is */
export async function probe(path: string, size: number, kind: string): Promise<Probed> {
  if (size === 0) return { why: "the file is empty (0 bytes)" };
  if (kind === "image" || kind === "mask") return probeImage(path);
  if (kind === "audio") return probeSound(path);
  if (kind === "video") return probeVideo(path);
  return { mime: kind === "text" ? "text/plain" : "application/octet-stream" };
}

async function head(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function probeImage(path: string): Promise<Probed> {
  try {
    const { width, height, type } = imageSize(await head(path));
    const mime = IMAGES[type ?? ""];
    if (!mime || !width || !height)
      return { why: `the file is no picture that can be used (${type ?? "unknown type"}); PNG, JPEG, WebP, GIF, BMP and TIFF can` };
    if (width * height > MAX_PIXELS)
      return { why: `the picture has ${Math.round((width * height) / 1e6)} megapixels; the limit is ${MAX_PIXELS / 1e6}` };
    return { mime, width, height };
  } catch {
    return { why: "the file is not a picture" };
  }
}

const SOUNDS: [RegExp, string][] = [
  [/^wave?$/i, "audio/wav"],
  [/mpeg/i, "audio/mpeg"],
  [/flac/i, "audio/flac"],
  [/ogg/i, "audio/ogg"],
  [/m4a|mp4|isom/i, "audio/mp4"],
  [/webm|matroska|ebml/i, "audio/webm"],
  [/aiff/i, "audio/aiff"],
];

async function probeSound(path: string): Promise<Probed> {
  try {
    const { format } = await parseFile(path, { duration: true, skipCovers: true });
    const mime = SOUNDS.find(([pattern]) => pattern.test(format.container ?? ""))?.[1];
    if (!mime || !format.sampleRate || !(Number(format.duration) > 0)) return { why: "the file has no sound" };
    return { mime, duration: Number(format.duration) };
  } catch {
    return { why: "the file is not sound" };
  }
}

async function probeVideo(path: string): Promise<Probed> {
  const bytes = await head(path);
  const mime =
    bytes.subarray(4, 8).toString("latin1") === "ftyp" ? "video/mp4" : bytes.readUInt32BE(0) === 0x1a45dfa3 ? "video/webm" : undefined;
  return mime ? { mime } : { why: "the file is not a video that can be used; MP4 and WebM can" };
}
