// What a ComfyUI says of its nodes, as recorded.
import { readFileSync } from "node:fs";
import type { JsonObject } from "./program.ts";

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../recordings/${name}`, import.meta.url), "utf8"));

/** As a ComfyUI with a GPU says it. */
export const SYSTEM_STATS = {
  system: { os: "posix", ram_total: 25276514304, ram_free: 24152776704, comfyui_version: "0.3.64", argv: ["main.py"] },
  devices: [{ name: "cuda:0 NVIDIA RTX 4090 : native", type: "cuda", index: 0, vram_total: 25386352640, vram_free: 24000000000 }],
};

/** The nodes of ../odd-pack. */
export const readOddPack = (): JsonObject => read("odd_object_info.json") as JsonObject;

/** The server that was recorded has no model; here everything that loads one has `a.safetensors`. */
export function recordedObjectInfo(): string {
  const info = read("object_info.json") as Record<string, { input: Record<string, Record<string, [unknown, unknown?]>> }>;
  for (const [name, { input }] of Object.entries(info))
    if (/Loader/.test(name))
      for (const spec of Object.values(input.required ?? {}))
        if (Array.isArray(spec[0]) && spec[0].length === 0) spec[0].push("a.safetensors");
  for (const [name, takes] of [
    ["ProbeFail", "IMAGE"],
    ["ProbeMemory", "IMAGE"],
  ] as const)
    info[name] = {
      input: { required: { image: [takes] } },
      output: ["IMAGE"],
      output_name: ["IMAGE"],
      python_module: "custom_nodes.probe_nodes",
      category: "probe",
    } as never;
  return JSON.stringify(info);
}
