import { randomUUID } from "node:crypto";
import type { ArtifactRef } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import type { Artifacts } from "../artifacts/artifacts.ts";
import { objectKey } from "./task-name.ts";
import { examine } from "./worker-tasks.ts";

const task = { nodeRun: randomUUID(), fence: 1 };
const file = (name: string, mime = "image/png"): ArtifactRef => ({ artifact: randomUUID(), mime, size: 6, sha256: "a".repeat(64), name });
const [a, b, bad] = [file("a.png"), file("b.png"), file("noise.wav", "audio/wav")];

/** What becomes of an output of these files, of which those of a sound are none. */
async function examined(output: object, input: object | null, plane = "comfy", saved = [a, bad, b]) {
  const removed: string[] = [];
  const artifacts = {
    find: async () => undefined,
    store: { remove: async (key: string) => void removed.push(key) },
    examine: async (_: string, ref: ArtifactRef) => (ref.mime === "audio/wav" ? { why: "the bytes are not audio/wav" } : { ref }),
  } as unknown as Artifacts;
  const objects = saved.map((ref) => ({ key: objectKey("output", "r", task, ref.artifact), ref }));
  const row = { run_id: "r", plane, input: input as never };
  const found = await examine(artifacts, row, task, { v: 1, task: "x", outcome: "succeeded", output: output as never, objects });
  return { ...found, removed: removed.length };
}
const gives = (from: string, ...ports: string[]) => ports.map((port) => ({ node: "n", port, from, pick: port }));
const why = "The result is refused: noise.wav: the bytes are not audio/wav.";

describe("[W6, E13] of a prompt of ComfyUI a file that is not what it is said to be", () => {
  const leftOut = ["A file was left out: noise.wav: the bytes are not audio/wav."];
  test("is left out of a list, by its name, and the others stay", async () => {
    expect(await examined({ n: { images: [a, bad, b] } }, { gives: gives("n", "images") })).toEqual({
      ...{ output: { n: { images: [a, b] } }, leftOut, removed: 1 },
      artifacts: [a, b].map((ref) => ({ key: objectKey("output", "r", task, ref.artifact), ref })),
    });
  });
  test("is left out of what a node saved beside it", async () => {
    const found = await examined({ n: { image: a, images: [a, b], audio: bad } }, { gives: gives("n", "image", "images", "audio") });
    expect(found).toMatchObject({ output: { n: { image: a, images: [a, b] } }, leftOut });
    expect(found).not.toHaveProperty("output.n.audio");
  });
  test("is not the first of what a node saved, if another one is good", async () => {
    const found = await examined({ n: { audio: bad, audios: [bad, a, b] } }, { gives: gives("n", "audio", "audios") });
    expect(found).toMatchObject({ output: { n: { audio: a, audios: [a, b] } }, leftOut });
  });
  test.each([
    ["is all that a node gave", { n: { audio: bad }, m: { image: a } }, { gives: gives("n", "audio") }],
    [
      "is all of an output that the graph needs",
      { n: { image: a, audio: bad } },
      { gives: [...gives("n", "image"), ...gives("s", "audio")] },
    ],
    ["is all that a workflow gives for an output of a capability", { image: a, audio: bad }, { only: "n", gives: gives("s", "audio") }],
  ])("fails the try at the node that saved it, with its name, where it %s", async (_, output, input) => {
    const error = { class: "infra", code: "task.bad_result", message: why, details: { node: "n" } };
    expect(await examined(output, input)).toEqual({ error, removed: 0 });
  });
  describe("that is all a prompt saved, and that none of its outputs is for,", () => {
    const error = { class: "infra", code: "task.bad_result", message: why, details: { node: "n" } };
    test.each([
      ["its only saver", {}, { gives: gives("n", "text") }],
      ["its only saver, of a workflow", {}, { only: "n", gives: gives("n", "text") }],
      [
        "the one saver that gave nothing",
        { m: { text: "x" } },
        { gives: [...gives("n", "text"), { ...gives("m", "text")[0], node: "m", from: "m" }] },
      ],
    ])("fails the try at %s", async (_, output, input) => {
      expect(await examined(output, input, "comfy", [bad])).toEqual({ error, removed: 0 });
    });
    test("is left out where several may have saved it, or the node has another file", async () => {
      const several = { gives: ["n", "m"].map((node) => ({ node, port: "text", from: node, pick: "text" })) };
      expect(await examined({}, several, "comfy", [bad])).toMatchObject({ output: {}, leftOut });
      expect(await examined({}, { gives: gives("n", "text") }, "comfy", [bad, a])).toMatchObject({
        output: {},
        leftOut: [...leftOut, expect.any(String)],
      });
    });
  });
});

describe("[E13] an output node of which nothing came that a graph can use", () => {
  const log = async (output: object, input: object, plane?: string) => {
    const found = await examined(output, input, plane);
    return "leftOut" in found ? found.leftOut.at(-1) : found;
  };
  const prompt = { n: { class_type: "Odd", inputs: {}, _meta: { title: "My saver" } } };
  const said =
    "Nothing of My saver can be used here, though ComfyUI saved a.png, b.png: its class has no output for such files. They are in the folder of that ComfyUI.";
  test("says which files it saved", async () => {
    expect(await log({}, { prompt, gives: gives("n", "text") })).toBe(said);
    expect(await log({}, { prompt, only: "n", gives: gives("n", "text") })).toBe(said);
  });
  test("says nothing where it gave something, or others have the files", async () => {
    expect(await log({ n: { text: "x" } }, { prompt, gives: gives("n", "text") })).not.toContain("Nothing of");
    expect(await log({ m: { images: [a, b] } }, { prompt, gives: gives("n", "text") })).not.toContain("Nothing of");
  });
});

test("[W6] of any other plane such a file fails the try, with its name", async () => {
  expect(await examined({ images: [a, bad, b] }, {}, "python")).toMatchObject({ error: { message: why } });
});
