// The manifest of what ships: it is read from the engines' definitions and the workflows, and each file of it can be fetched.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ROOT } from "../root.ts";
import { whyNotTaken } from "./formats.ts";
import { readManifest, stateOf } from "./manifest.ts";

const folder = mkdtempSync(join(tmpdir(), "spindle-manifest-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const environment = { SPINDLE_MODELS: join(folder, "models"), SPINDLE_COMFY_MODELS: join(folder, "comfy") };
const { sets } = await readManifest(environment);

test("[M4] has the worker's engines, then the workflows, then drafts, each with the capabilities that it serves", () => {
  expect(sets.map(({ name }) => name)).toEqual([
    ...["f5-tts", "faster-whisper", "realesrgan", "comfy/chatterbox", "comfy/f5-tts-suite", "comfy/infinitetalk"],
    ...["comfy/realesrgan-codeformer", "comfy/realesrgan", "comfy/wan-infinitetalk", "kokoro"],
  ]);
  expect(sets.filter(({ serves }) => serves.length === 0)).toEqual([]);
});

describe.each(sets.map((set) => [set.name, set] as const))("the files of %s", (_, set) => {
  test("[M4] have an address of their own, and a hash where they may hold code", () => {
    for (const file of set.files) {
      expect(basename(new URL(file.url).pathname), file.url).toBe(basename(file.path));
      expect(whyNotTaken(basename(file.path), file.sha256 !== undefined)).toBeUndefined();
      expect(file.bytes, file.path).toBeGreaterThan(0);
    }
  });
});

test("[M4] says the same of a file wherever it is needed", () => {
  const said = new Map<string, unknown>();
  for (const { bytes, sha256, licence, commercial, url } of sets.flatMap((set) => set.files)) {
    expect({ bytes, sha256, licence, commercial }).toEqual(said.get(url) ?? { bytes, sha256, licence, commercial });
    said.set(url, { bytes, sha256, licence, commercial });
  }
});

test("[M4] docs/gpu.md names each file whose SHA-256 is not known, and no other", () => {
  const page = readFileSync(join(ROOT, "docs/gpu.md"), "utf8");
  const paragraph = /^The SHA-256 of these files is not known.*?\n\n.*?\n\n/ms.exec(page)?.[0] ?? "";
  const unknown = sets.flatMap(({ files }) => files).filter(({ sha256 }) => sha256 === undefined);
  expect([...paragraph.matchAll(/`([^`]+\.(?:safetensors|gguf))`/g)].map(([, name]) => name).sort()).toEqual(
    unknown.map(({ path }) => basename(path)).sort(),
  );
});

test("[M4] a file is there when its size is right, and its folder may be unknown", async () => {
  const file = sets[0]?.files[0];
  if (!file?.place) throw new Error("no file");
  expect(await stateOf(file)).toBe("missing");
  mkdirSync(dirname(file.place), { recursive: true });
  writeFileSync(file.place, "<!doctype html>");
  expect(await stateOf(file)).toBe("wrong");
  truncateSync(file.place, file.bytes);
  expect(await stateOf(file)).toBe("there");
  const without = await readManifest({ SPINDLE_MODELS: join(folder, "models") });
  const inComfy = without.sets.find(({ name }) => name === "comfy/infinitetalk")?.files[0];
  expect(inComfy && (await stateOf(inComfy))).toBe("unknown");
});

describe("is refused with its place:", () => {
  const good = {
    path: "a/b.safetensors",
    bytes: 5,
    sha256: "0".repeat(64),
    licence: "MIT",
    commercial: true,
    url: "https://example.org/b",
  };
  const sample = join(import.meta.dirname, "../../../../schemas/samples/engine-definition/valid/whole.json");
  const engine = JSON.parse(readFileSync(sample, "utf8")) as object;
  test.each([
    ["a path that leads out", { ...good, path: "../b.safetensors" }, /bad.engine\.json: files\.model\.path leads out/],
    ["an absolute path", { ...good, path: "/etc/b.safetensors" }, /files\.model\.path leads out/],
    ["an address that is not https", { ...good, url: "http://example.org/b" }, /files\.model\.url is no https address/],
    ["a hash that is none", { ...good, sha256: "x" }, /files\.model\.sha256 must match pattern/],
    ["a file without a licence", { ...good, licence: undefined }, /files\.model must have required property 'licence'/],
  ])("%s", async (_, file, words) => {
    const engines = join(folder, "engines");
    mkdirSync(join(engines, "bad"), { recursive: true });
    writeFileSync(join(engines, "bad/engine.json"), JSON.stringify({ ...engine, files: { model: file } }));
    await expect(readManifest({ ...environment, SPINDLE_ENGINES: engines })).rejects.toThrow(words);
  });
  test("a folder that depends on where the command is called", async () => {
    await expect(readManifest({ SPINDLE_MODELS: "models" })).rejects.toThrow('SPINDLE_MODELS is "models", but has to be an absolute path.');
  });
});
