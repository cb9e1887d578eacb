import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ROOT } from "../root.ts";
import type { Database } from "../store/database.ts";
import { Artifacts } from "./artifacts.ts";
import { folderStore } from "./folder-store.ts";

const folder = mkdtempSync(join(tmpdir(), "spindle-artifacts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const store = folderStore(join(folder, "store"));
const artifacts = new Artifacts(store, undefined as unknown as Database, join(folder, "scratch")); // no row is read or written here
const sample = (name: string) => readFileSync(join(ROOT, "templates/samples", name));

const keyOf = ({ artifact }: { artifact: string }) => `input/${artifact}`;

async function stored(bytes: Buffer, mime: string, known: object = {}) {
  const ref = { artifact: randomUUID(), mime, sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, ...known };
  await store.put(keyOf(ref), bytes, bytes.length, mime);
  return ref;
}

describe("what a worker stored is looked into when it is committed", () => {
  test("[W6] a sound says how long it is, and a picture how large, where the worker did not", async () => {
    const [voice, portrait] = [await stored(sample("voice.wav"), "audio/wav"), await stored(sample("portrait.jpg"), "image/jpeg")];
    expect(await artifacts.examine(keyOf(voice), voice)).toEqual({ ref: { ...voice, duration: expect.closeTo(6.5, -1) } });
    expect(await artifacts.examine(keyOf(portrait), portrait)).toEqual({
      ref: { ...portrait, width: expect.any(Number), height: expect.any(Number) },
    });
  });
  test("[W6] what the worker said stays, and what cannot be read is no reason to refuse it", async () => {
    const said = await stored(sample("voice.wav"), "audio/wav", { duration: 3 });
    expect(await artifacts.examine(keyOf(said), said)).toEqual({ ref: said });
    const damaged = await stored(sample("portrait.jpg").subarray(0, 40), "image/jpeg");
    expect(await artifacts.examine(keyOf(damaged), damaged)).toEqual({ ref: damaged });
  });
  test("[W6] bytes that are others than was said are refused, looked into or not", async () => {
    for (const known of [{}, { duration: 3 }]) {
      const ref = await stored(sample("voice.wav"), "audio/wav", known);
      expect(await artifacts.examine(keyOf(ref), { ...ref, sha256: "0".repeat(64) })).toEqual({
        why: "the object's hash is another one",
      });
      expect(await artifacts.examine(keyOf(ref), { ...ref, size: ref.size - 1 })).toEqual({ why: expect.stringContaining("bytes, not") });
    }
    const text = await stored(Buffer.from("<html>"), "audio/wav");
    expect(await artifacts.examine(keyOf(text), text)).toEqual({ why: expect.any(String) });
  });
});
