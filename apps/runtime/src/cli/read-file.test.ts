import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LIMITS } from "@spindle/graph-model";
import { afterAll, expect, test } from "vitest";
import { readDocument, readMedia } from "./read-file.ts";

const folder = mkdtempSync(join(tmpdir(), "spindle-read-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function file(name: string, start: string, size: number): string {
  const path = join(folder, name);
  writeFileSync(path, start, "latin1");
  truncateSync(path, size);
  return path;
}

test("a document is read up to its limit, and what may carry one is read whole", async () => {
  expect(await readDocument(file("whole.json", "[".repeat(20), LIMITS.bytes))).toHaveLength(LIMITS.bytes);
  const path = file("long.json", "[".repeat(20), 2 ** 40);
  await expect(readDocument(path)).rejects.toThrow(`${path} cannot be read: it has more than 2,097,152 bytes, the limit of a graph.`);
  expect(await readDocument(file("picture.png", "\x89PNG\r\n\x1a\n", 3_000_000))).toHaveLength(3_000_000);
});
test("what is no file that ends is refused in words", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const read of [readDocument, readMedia]) {
    for (const device of ["/dev/zero", pipe])
      await expect(read(device)).rejects.toThrow(`${device} cannot be read: it is a pipe or a device`);
    await expect(read(folder)).rejects.toThrow(/it is a folder; name a file in it/);
    await expect(read(join(folder, "none"))).rejects.toThrow(/there is no such file/);
  }
});
