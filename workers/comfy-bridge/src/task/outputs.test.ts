import type { RegionInput, RegionInputGive } from "@spindle/schemas";
import { expect, test } from "vitest";
import { ComfyAnswer, TooMuch } from "../comfy/answers.ts";
import type { ComfyHttp, FileRef } from "../comfy/http.ts";
import { Collector, leftBehind, leftOut, outputsOf } from "./outputs.ts";
import type { TaskRuntime } from "./runtime.ts";

async function* pieces(text: string) {
  yield Buffer.from(text);
}
const comfy = { view: async ({ filename }: FileRef) => ({ pieces: pieces(filename), mime: "image/png" }) };
const runtime = {
  store: (_: Uint8Array, mime: string, __: string, name: string) =>
    Promise.resolve({ ref: { artifact: name, mime, sha256: "", size: 1, name }, key: name }),
};
const collector = (from: object = comfy, signal = new AbortController().signal) =>
  new Collector(from as ComfyHttp, runtime as unknown as TaskRuntime, { signal, onLimited: () => {}, onSilence: () => () => {} });
const outputs = (picks: RegionInputGive["pick"][], shown: Record<string, unknown>) => {
  const gives = picks.map((pick) => ({ node: "n", port: pick, from: "saver", pick }));
  return outputsOf({ gives } as unknown as RegionInput, { saver: shown }, collector());
};
/** Of an output node of the graph's own. */
const textOf = async (shown: Record<string, unknown>) => {
  const gives = [{ node: "n", port: "text", from: "n", pick: "text" as const }];
  return (await outputsOf({ gives } as unknown as RegionInput, { n: shown }, collector())).n?.text;
};
const file = (filename: string) => ({ filename, subfolder: "", type: "temp" });

test("of texts the first leaves, a json is what that means; with an s each of a list, one of one too", async () => {
  expect(await outputs(["text", "texts", "json", "jsons"], { text: ["0", "True", "x"] })).toEqual({
    n: { text: "0", texts: ["0", "True", "x"], json: 0, jsons: [0, true, "x"] },
  });
  expect(await outputs(["json", "jsons"], { text: ["7"] })).toEqual({ n: { json: 7, jsons: [7] } });
});

test("an empty list leaves as one", async () => {
  expect(await outputs(["texts", "jsons"], { text: ["None"] })).toEqual({ n: { texts: [], jsons: [] } });
  expect(await outputs(["texts", "text"], { text: ["None", "None"] })).toEqual({ n: { texts: ["None", "None"], text: "None" } });
});

test("what an output node of the graph shows is one text, whatever number of lines", async () => {
  expect(await textOf({ text: ["a", "b"] })).toBe("a\nb");
});

test("words that a pack shows under a key of its own are a text; marks and files are none", async () => {
  expect(await textOf({ tags: [["a cat", "a hat"]] })).toBe("a cat\na hat");
  expect(await textOf({ animated: [true], count: [3], images: [file("a.png")] })).toBeUndefined();
  expect(await textOf({ tags: ["no"], text: ["yes"] })).toBe("yes");
  expect(await textOf({ text: [{ score: 0.5 }, 1, null] })).toBe('{"score":0.5}\n1\nnull');
});

test("of files the first or all of a kind", async () => {
  const found = await outputs(["image", "images"], { images: [file("a.png"), file("b.png")] });
  expect(found.n).toMatchObject({ image: { name: "a.png" }, images: [{ name: "a.png" }, { name: "b.png" }] });
});

test("what a saver of ours did not give ends the task with the node's name", async () => {
  await expect(outputs(["jsons"], {})).rejects.toMatchObject({
    error: { code: "comfy.no_output", message: expect.stringContaining("jsons of n") },
  });
});

test("what a saver of ours did not even run for is left out: it was blocked", async () => {
  const gives = [{ node: "n", port: "a", from: "n>a", pick: "image" as const }];
  expect(await outputsOf({ gives } as unknown as RegionInput, {}, collector())).toEqual({});
});

test("that one of many leaves is said with how to go on with all; where all leave, or one was made, nothing is", () => {
  const left = (pick: RegionInputGive["pick"], count: number, from = "n>IMAGE") =>
    leftBehind({ gives: [{ node: "n", port: "IMAGE", from, pick }] } as unknown as RegionInput, {
      [from]: { images: Array.from({ length: count }, (_, at) => file(`${at}.png`)) },
    });
  const words = ["IMAGE of n: the first of 3 leaves ComfyUI. Its settings say what leaves: the first, all, or each by itself."];
  expect(left("image", 3)).toEqual(words);
  const texts = { gives: [{ node: "n", port: "IMAGE", from: "n>IMAGE", pick: "json" }] } as unknown as RegionInput;
  expect(leftBehind(texts, { "n>IMAGE": { text: ["1", "2", "3"] } })).toEqual(words);
  expect(leftBehind(texts, { "n>IMAGE": { text: ["1"] } })).toEqual([]);
  expect([left("image", 1), left("images", 3), left("image", 3, "n"), left("text", 3)]).toEqual([[], [], [], []]);
  expect(leftBehind({ gives: [{ node: "n", port: "IMAGE", from: "n>IMAGE", pick: "image" }] } as unknown as RegionInput, {})).toEqual([]);
});

test("of many files a few are fetched at once, none more once the task is stopped, and none of too many", async () => {
  let [now, most, all] = [0, 0, 0];
  const stop = new AbortController();
  const slow = {
    view: async ({ filename }: FileRef) => {
      most = Math.max(most, ++now);
      if (++all === 20) stop.abort();
      await new Promise(setImmediate);
      now--;
      return comfy.view({ filename } as FileRef);
    },
  };
  const many = (count: number) => ({ images: Array.from({ length: count }, (_, at) => file(`${at}.png`)) });
  await expect(collector(slow).files(many(257), "n")).rejects.toMatchObject({
    error: { class: "user", message: expect.stringContaining("gave 257 files; one prompt may give 256"), details: { node: "n" } },
  });
  expect(all).toBe(0);
  await expect(collector(slow, stop.signal).files(many(100), "n")).rejects.toThrow(/abort/);
  expect([most, now]).toEqual([4, expect.any(Number)]);
  await new Promise((resolve) => setTimeout(resolve));
  expect(all).toBeLessThan(28);
});

test("a picture without a byte is left out and named; where there is no other, the node fails with its name", async () => {
  const emptied = {
    view: async ({ filename }: FileRef) => ({ pieces: pieces(filename.startsWith("empty") ? "" : "x"), mime: "image/png" }),
  };
  const some = collector(emptied);
  const kept = await some.files({ images: [file("a.png"), file("empty.png")] }, "n");
  expect(kept).toMatchObject([{ name: "a.png" }]);
  expect(leftOut(some)).toEqual([expect.stringMatching(/^Left out of n: empty\.png, /)]);
  await expect(collector(emptied).files({ images: [file("empty.png")] }, "n")).rejects.toMatchObject({
    error: { class: "user", code: "comfy.no_output", message: expect.stringContaining("empty.png"), details: { node: "n" } },
  });
  expect(await collector(emptied).files({ files: [file("empty.txt")] }, "n")).toMatchObject([{ name: "empty.txt" }]);
});

test("a file that ComfyUI does not give fails its node, with its name and what to do", async () => {
  const refusing = (error: Error) => ({ view: () => Promise.reject(error) });
  const failing = (error: Error) => collector(refusing(error)).files({ images: [file("a..b.png")] }, "n");
  await expect(failing(new ComfyAnswer(400, "", "the file a..b.png"))).rejects.toMatchObject({
    status: 400,
    error: { class: "user", message: expect.stringMatching(/a\.\.b\.png.*400.*filename_prefix/), details: { node: "n" } },
  });
  await expect(failing(new TooMuch(200, "the file a..b.png", 8192 * 1024 * 1024))).rejects.toMatchObject({
    error: { class: "user", message: expect.stringMatching(/a\.\.b\.png.*8192 MiB.*shorter/), details: { node: "n" } },
  });
  for (const status of [401, 503]) await expect(failing(new ComfyAnswer(status, "", "x"))).rejects.toBeInstanceOf(ComfyAnswer);
});
