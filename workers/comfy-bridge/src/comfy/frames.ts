// ComfyUI's binary WebSocket frames, big-endian: `u32 event` and what belongs to it (server.py encode_bytes, send_image;
// protocol.py BinaryEventTypes). Numbers are the protocol's.
import { parsePythonObject } from "@spindle/schemas/python-json";

const PREVIEW = 1;
const TEXT = 3;
const PREVIEW_WITH_METADATA = 4;
const FORMATS: Record<number, ImageMime> = { 1: "image/jpeg", 2: "image/png" };

export type ImageMime = "image/jpeg" | "image/png";

export type SocketFrame =
  /** Without `node` the image belongs to the node that was named as executing last. */
  | { type: "preview"; mime: ImageMime; image: Buffer; node?: string; prompt?: string; frame?: number }
  | { type: "text"; node: string; text: string };

/** Undefined for a frame that is cut off, malformed or of a kind that is not known; never throws. */
export function decodeFrame(bytes: Buffer): SocketFrame | undefined {
  if (bytes.length < 8) return undefined;
  const event = bytes.readUInt32BE(0);
  if (event === PREVIEW) return decodePreview(bytes);
  if (event === TEXT) return decodeText(bytes);
  return event === PREVIEW_WITH_METADATA ? decodeWithMetadata(bytes) : undefined;
}

function decodePreview(bytes: Buffer): SocketFrame | undefined {
  const mime = FORMATS[bytes.readUInt32BE(4)];
  const image = bytes.subarray(8);
  if (mime && startsLike(image, mime)) return { type: "preview", mime, image };
  return decodeAnimated(bytes);
}

/** `u32 1 | u32 1 | u32 1 | u32 frame | 16 bytes Pascal string of the node's id | JPEG` (VideoHelperSuite's latent_preview.py). */
function decodeAnimated(bytes: Buffer): SocketFrame | undefined {
  const image = bytes.subarray(32);
  const length = bytes.length > 32 ? (bytes[16] ?? 0) : 0;
  if (!startsLike(image, "image/jpeg") || length > 15) return undefined;
  return { type: "preview", mime: "image/jpeg", image, node: bytes.toString("utf8", 17, 17 + length), frame: bytes.readUInt32BE(12) };
}

function decodeText(bytes: Buffer): SocketFrame | undefined {
  const length = bytes.readUInt32BE(4);
  if (8 + length > bytes.length) return undefined;
  return { type: "text", node: bytes.toString("utf8", 8, 8 + length), text: bytes.toString("utf8", 8 + length) };
}

function decodeWithMetadata(bytes: Buffer): SocketFrame | undefined {
  const length = bytes.readUInt32BE(4);
  if (8 + length > bytes.length) return undefined;
  const about = parsePythonObject(bytes.toString("utf8", 8, 8 + length));
  const image = bytes.subarray(8 + length);
  const mime = about?.image_type;
  if ((mime !== "image/jpeg" && mime !== "image/png") || !startsLike(image, mime)) return undefined;
  const node = text(about?.display_node_id) ?? text(about?.node_id);
  const prompt = text(about?.prompt_id);
  return { type: "preview", mime, image, ...(node ? { node } : {}), ...(prompt ? { prompt } : {}) };
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

function startsLike(image: Buffer, mime: ImageMime): boolean {
  if (image.length < 4) return false;
  return mime === "image/jpeg" ? image.readUInt16BE(0) === 0xffd8 : image.readUInt32BE(0) === 0x89504e47;
}
