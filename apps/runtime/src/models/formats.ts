// The kinds of model files, by their names and first bytes. Nothing here loads one: a pickle is a program.
import { type FileHandle, open } from "node:fs/promises";

interface Format {
  name: string;
  endings: readonly string[];
  /** It may hold code, so that only a file whose hash is known is taken. */
  holdsCode?: true;
  begins(head: Buffer): boolean;
  /** What is wrong with a whole file, as far as the file itself tells. */
  whole?(file: FileHandle, size: number): Promise<string | undefined>;
}

/** As many of a file's first bytes are looked at. */
export const HEAD_BYTES = 64;

/** The safetensors library's own limit. */
const MOST_HEADER = 100_000_000;

const FORMATS: readonly Format[] = [
  { name: "safetensors", endings: [".safetensors"], begins: isSafetensors, whole: wholeSafetensors },
  { name: "GGUF", endings: [".gguf"], begins: (head) => head.toString("latin1", 0, 4) === "GGUF" },
  // A protobuf message whose first field is the version of its representation.
  { name: "ONNX", endings: [".onnx"], begins: (head) => head[0] === 0x08 && (head[1] ?? 0) > 0 && (head[1] ?? 0) < 64 },
  {
    name: "PyTorch or NumPy",
    endings: [".pth", ".pt", ".bin"],
    holdsCode: true,
    begins: (head) =>
      head.toString("latin1", 0, 4) === "PK\u0003\u0004" || (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5),
  },
  {
    name: "text",
    endings: [".yaml", ".yml", ".json", ".txt"],
    begins: (head) => head.length > 0 && head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d),
  },
];

const formatOf = (name: string): Format | undefined =>
  FORMATS.find(({ endings }) => endings.some((ending) => name.toLowerCase().endsWith(ending)));

/** Why a file of this name is not fetched, as a sentence; undefined if it may be. */
export function whyNotTaken(name: string, hasHash: boolean): string | undefined {
  const format = formatOf(name);
  if (!format) return `${name} is of no known kind. There are: ${FORMATS.flatMap(({ endings }) => endings).join(", ")}.`;
  if (format.holdsCode && !hasHash)
    return `${name} may hold code, so it is fetched only where an engine's definition gives its SHA-256, and this one has none.`;
  return undefined;
}

/** What a file is instead of what its name says, by its first bytes; undefined if they fit. */
export function whatElseItIs(name: string, head: Buffer): string | undefined {
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(head.toString("latin1"))) return "a web page";
  const format = formatOf(name);
  return format?.begins(head) ? undefined : `no ${format?.name ?? "known"} file`;
}

/** What is wrong with a file that lies there whole; undefined if nothing can be seen without its hash. */
export async function whatIsWrong(name: string, path: string): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const other = whatElseItIs(name, buffer.subarray(0, bytesRead));
    return other ? `it is ${other}` : await formatOf(name)?.whole?.(file, size);
  } finally {
    await file.close();
  }
}

/** Eight bytes with the length of a JSON header, then that header. */
function isSafetensors(head: Buffer): boolean {
  if (head.length < 9) return false;
  const length = head.readBigUInt64LE(0);
  return length >= 2n && length <= BigInt(MOST_HEADER) && head[8] === 0x7b;
}

/** The header says where each tensor lies: the last one ends where the file ends. */
async function wholeSafetensors(file: FileHandle, size: number): Promise<string | undefined> {
  const start = Buffer.alloc(8);
  await file.read(start, 0, 8, 0);
  const length = Number(start.readBigUInt64LE(0));
  if (8 + length > size) return "it ends within its header";
  const text = Buffer.alloc(length);
  await file.read(text, 0, length, 8);
  let header: unknown;
  try {
    header = JSON.parse(text.toString("utf8"));
  } catch {
    return "its header is no JSON";
  }
  const ends = Object.values(header as Record<string, { data_offsets?: unknown }>).map((tensor) => {
    const [, end] = Array.isArray(tensor?.data_offsets) ? tensor.data_offsets : [];
    return typeof end === "number" ? end : 0;
  });
  const whole = 8 + length + ends.reduce((most, end) => Math.max(most, end), 0);
  return whole === size ? undefined : `it has ${size} bytes, and its header tells of ${whole}`;
}
