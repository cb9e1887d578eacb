// DESIGN G8: a downloaded picture, video or sound carries its graph inside the file. Stored bytes never do.
import { crc32 } from "./crc32.ts";

const KEYWORD = "spindle.graph";
const MAX_GRAPH = 2 * 1024 * 1024;
const utf8 = new TextEncoder();
const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

function join(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function u32(value: number, littleEndian = false): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, littleEndian);
  return out;
}

interface Format {
  matches(file: Uint8Array): boolean;
  embed(file: Uint8Array, text: Uint8Array): Uint8Array;
  /** Byte ranges that may hold the text, after its keyword. */
  find(file: Uint8Array): Uint8Array | undefined;
}

/** PNG: an iTXt chunk before IEND (PNG specification, third edition, 11.3.3.4). */
const png: Format = {
  matches: (file) => ascii(file, 1, 4) === "PNG",
  embed(file, text) {
    const data = join(utf8.encode(`iTXt${KEYWORD}`), new Uint8Array(5), text);
    const chunk = join(u32(data.length - 4), data, u32(crc32(data)));
    return join(file.subarray(0, file.length - 12), chunk, file.subarray(file.length - 12));
  },
  find(file) {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    for (let at = 8; at + 12 <= file.length; ) {
      const length = view.getUint32(at);
      const body = file.subarray(at + 8, at + 8 + length);
      if (ascii(file, at + 4, at + 8) === "iTXt" && ascii(body, 0, KEYWORD.length) === KEYWORD) return body.subarray(KEYWORD.length + 5);
      at += 12 + length;
    }
    return undefined;
  },
};

/** ISO base media (MP4): a last `free` box, which every reader skips (ISO/IEC 14496-12, 8.1.2). */
const mp4: Format = {
  matches: (file) => ascii(file, 4, 8) === "ftyp",
  embed(file, text) {
    const body = join(utf8.encode(`free${KEYWORD}`), new Uint8Array(1), text);
    return join(file, u32(body.length + 4), body);
  },
  find(file) {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    for (let at = 0; at + 8 <= file.length; ) {
      const short = view.getUint32(at);
      const size = short === 1 && at + 16 <= file.length ? Number(view.getBigUint64(at + 8)) : short || file.length - at;
      if (size < 8) return undefined;
      const body = file.subarray(at + 8, at + size);
      if (ascii(file, at + 4, at + 8) === "free" && ascii(body, 0, KEYWORD.length) === KEYWORD) return body.subarray(KEYWORD.length + 1);
      at += size;
    }
    return undefined;
  },
};

/** RIFF (WAV, WebP): an unknown chunk at the end, counted in the header's size. */
const riff: Format = {
  matches: (file) => ascii(file, 0, 4) === "RIFF",
  embed(file, text) {
    const body = join(utf8.encode(KEYWORD), new Uint8Array(1), text);
    const out = join(
      file,
      new Uint8Array(file.length % 2),
      utf8.encode("spdl"),
      u32(body.length, true),
      body,
      new Uint8Array(body.length % 2),
    );
    out.set(u32(out.length - 8, true), 4);
    return out;
  },
  find(file) {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    for (let at = 12; at + 8 <= file.length; ) {
      const length = view.getUint32(at + 4, true);
      if (ascii(file, at, at + 4) === "spdl") return file.subarray(at + 8 + KEYWORD.length + 1, at + 8 + length);
      at += 8 + length + (length % 2);
    }
    return undefined;
  },
};

/** JPEG: COM segments of at most 65,533 bytes after the start marker (ITU-T T.81, B.2.4.5). */
const jpeg: Format = {
  matches: (file) => file[0] === 0xff && file[1] === 0xd8,
  embed(file, text) {
    const head = utf8.encode(KEYWORD);
    const room = 65533 - head.length;
    const segments: Uint8Array[] = [];
    for (let at = 0; at < text.length; at += room) {
      const part = text.subarray(at, at + room);
      const length = 2 + head.length + part.length;
      segments.push(new Uint8Array([0xff, 0xfe, length >> 8, length & 255]), head, part);
    }
    return join(file.subarray(0, 2), ...segments, file.subarray(2));
  },
  find(file) {
    const parts: Uint8Array[] = [];
    for (let at = 2; at + 4 <= file.length && file[at] === 0xff && file[at + 1] !== 0xda; ) {
      const length = ((file[at + 2] as number) << 8) | (file[at + 3] as number);
      const body = file.subarray(at + 4, at + 2 + length);
      if (file[at + 1] === 0xfe && ascii(body, 0, KEYWORD.length) === KEYWORD) parts.push(body.subarray(KEYWORD.length));
      at += 2 + length;
    }
    return parts.length > 0 ? join(...parts) : undefined;
  },
};

const FORMATS = [png, mp4, riff, jpeg];

/** The file with the graph's text inside, or undefined for a format that cannot carry one. */
export function embedGraph(file: Uint8Array, graphText: string): Uint8Array | undefined {
  return FORMATS.find((format) => format.matches(file))?.embed(file, utf8.encode(graphText));
}

/** The graph's text that a file carries; not yet checked in any way. */
export function extractGraph(file: Uint8Array): string | undefined {
  const found = FORMATS.find((format) => format.matches(file))?.find(file);
  return found && found.length <= MAX_GRAPH ? new TextDecoder().decode(found) : undefined;
}
