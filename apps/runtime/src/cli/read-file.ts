// Files that a person names: whatever they turn out to be, no more is read of them than can be used.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { LIMITS } from "@spindle/graph-model";

/** A picture, video or sound that carries a graph, and an upload. */
const MOST_MEDIA = 512 * 1024 * 1024;
const MARKS = /[^\t\n\r -~]|^(?:RIFF|OggS|fLaC|ID3)|^.{4}ftyp/s;

/**
 * A graph's document, or a file of another kind that may carry one.
 * @throws Error with a sentence that says why it cannot be read, with the limit
 */
export const readDocument = (path: string): Promise<Buffer> =>
  read(path, async (file, fail) => {
    const head = await bytesOf(file, LIMITS.bytes + 1);
    if (head.length <= LIMITS.bytes) return head;
    if (!MARKS.test(head.toString("latin1", 0, 16)))
      return fail(`it has more than ${LIMITS.bytes.toLocaleString("en")} bytes, the limit of a graph`);
    return media(file, fail);
  });

/** @throws Error with a sentence that says why it cannot be read, with the limit */
export const readMedia = (path: string): Promise<Buffer> => read(path, media);

type Fail = (why: string) => never;

async function media(file: FileHandle, fail: Fail): Promise<Buffer> {
  const bytes = await bytesOf(file, MOST_MEDIA + 1);
  return bytes.length > MOST_MEDIA ? fail(`it is larger than ${MOST_MEDIA / 1024 / 1024} MiB`) : bytes;
}

async function read(path: string, reader: (file: FileHandle, fail: Fail) => Promise<Buffer>): Promise<Buffer> {
  const fail: Fail = (why) => {
    throw new Error(`${path} cannot be read: ${why}.`);
  };
  // A pipe that nobody writes into would never open.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) =>
    fail(error.code === "ENOENT" ? "there is no such file" : error.message),
  );
  try {
    const found = await file.stat();
    if (found.isDirectory()) fail("it is a folder; name a file in it");
    if (!found.isFile()) fail("it is a pipe or a device; write what it gives into a file first");
    return await reader(file, fail);
  } finally {
    await file.close();
  }
}

/** At most so many bytes from the start, however long the file says that it is. */
async function bytesOf(file: FileHandle, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let position = 0; position < most; ) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(Math.min(1024 * 1024, most - position)), position });
    if (bytesRead === 0) break;
    parts.push(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return Buffer.concat(parts);
}
