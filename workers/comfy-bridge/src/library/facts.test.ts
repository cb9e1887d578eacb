import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countModels, readFacts } from "./facts.ts";
import { readObjectInfo } from "./merge.ts";

const CONVERSATION = new URL("../../test/recordings/conversations/20_http_api.json", import.meta.url);

test("version, memory and queue are read from what a real ComfyUI said", () => {
  const calls = JSON.parse(readFileSync(CONVERSATION, "utf8")) as { http?: string; response?: object }[] | { steps: never };
  const all = (Array.isArray(calls) ? calls : Object.values(calls).find(Array.isArray)) as { http?: string; response?: object }[];
  const said = (call: string) => all.find(({ http }) => http === call)?.response;
  expect(readFacts(said("GET /system_stats"), said("GET /prompt"))).toEqual({
    version: "0.3.64",
    queue: 4,
    memory: [{ name: "RAM", total: 25276514304, free: 24152776704 }],
  });
});

test("the memory of a GPU has its name, and what a server says wrongly is left out", () => {
  const gpu = { name: "cuda:0 NVIDIA H200", type: "cuda", vram_total: 150, vram_free: 200 };
  const stats = { system: { ram_total: -1, comfyui_version: 3 }, devices: [gpu, null, "x", { vram_total: 1.5 }] };
  expect(readFacts(stats, { exec_info: { queue_remaining: "many" } })).toEqual({
    memory: [{ name: "cuda:0 NVIDIA H200", total: 150, free: 150 }],
  });
  for (const wrong of [null, 3, "x", [], { devices: {} }]) expect(readFacts(wrong, wrong)).toEqual({ memory: [] });
  expect(readFacts({ devices: Array(1000).fill(gpu) }, {}).memory?.length).toBeLessThanOrEqual(17);
});

test("a model file counts once, in however many lists it is, and other choices do not", () => {
  const list = (...choices: string[]) => ({ input: { required: { a: [choices] } }, output: [] });
  const { nodes } = readObjectInfo(
    JSON.stringify({ A: list("a.safetensors", "sub/b.GGUF", "euler"), B: list("a.safetensors", "c.png"), C: { input: {} } }),
  );
  expect(countModels(nodes)).toBe(2);
});
