// Each workflow of templates/comfy with its inputs at their limits, against what ComfyUI's own nodes take (recorded).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blueprintInput } from "@spindle/graph-model";
import { committedManifests } from "@spindle/node-library/manifests";
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";

type Spec = [kind: string | unknown[], options?: { min?: number; max?: number }];
interface NodeInfo {
  input: { required?: Record<string, Spec>; optional?: Record<string, Spec> };
  output: unknown[];
}

const read = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), "utf8"));
const nodes = read("workers/comfy-bridge/test/recordings/object_info.json") as Record<string, NodeInfo>;
const blueprints = readdirSync(join(ROOT, "templates/comfy"))
  .filter((file) => file.endsWith(".json"))
  .map((file) => read(`templates/comfy/${file}`) as Blueprint);
/** Of nodes that the recorded ComfyUI does not have: what their packs and newer versions say of their numbers. */
const OTHERS: Record<string, Record<string, [min: number, max: number]>> = {
  MultiTalkWav2VecEmbeds: { num_frames: [1, 10_000] },
  WanInfiniteTalkToVideo: { width: [16, 16_384], height: [16, 16_384], length: [1, 16_384] },
};

const file = (more: object) => ({ artifact: "a", mime: "x/y", sha256: "0".repeat(64), size: 1, ...more });
const speech = (duration?: number) => ({
  audioArtifact: file(duration === undefined ? {} : { duration }),
  portrait: file({ width: 600, height: 900 }),
});
const video = (more: object) => ({ videoArtifact: file({ width: 640, height: 360, duration: 4, ...more }) });
/** What a capability may be given at its edges, and what a workflow answers where it cannot do it. */
const EDGES: Record<string, { title: string; values: object; refused?: RegExp }[]> = {
  "generate.infinite_talk": [
    { title: "half a second", values: speech(0.5) },
    { title: "exactly a window", values: speech(3.24) },
    { title: "a minute", values: { ...speech(60), stagePrompt: "", steps: 100 } },
    { title: "a portrait of unknown size", values: { ...speech(10), portrait: file({}) } },
    { title: "500 seconds", values: speech(500), refused: /at most/ },
    { title: "a speech of unknown length", values: speech(), refused: /known how long/ },
  ],
  "generate.f5_to_tts": [
    { title: "a sample and its text", values: { narration: "x".repeat(20_000), voiceSample: file({}), refText: "Some call me nature." } },
    {
      title: "no text of the sample",
      values: { narration: "Hello", voiceSample: file({}), refText: " \n" },
      refused: /text of the voice sample/,
    },
    { title: "no sample", values: { narration: "Hello", refText: "x" }, refused: /voice sample/ },
  ],
  "generate.upscale_video": [
    ...[2, 3, 4].map((scale) => ({ title: `${scale} times`, values: { ...video({}), scale } })),
    { title: "a video of which nothing is known", values: { videoArtifact: file({}), scale: 4 }, refused: /does not say its length/ },
    { title: "a video of unknown length", values: { videoArtifact: file({ width: 64, height: 48 }) }, refused: /does not say its length/ },
    { title: "the longest that the memory holds", values: { ...video({ duration: 96, width: 640, height: 360 }), scale: 2 } },
    { title: "more than the memory holds", values: { ...video({ duration: 600, width: 1920, height: 1080 }), scale: 4 }, refused: /32 GB/ },
  ],
};

const defaults = (capability: string): Record<string, unknown> => {
  const entry = committedManifests.python.capabilities.find(({ id }) => id === capability);
  const ports = Object.entries((entry?.io.input.properties ?? {}) as Record<string, { default?: unknown }>);
  const known = [
    ...ports.map(([name, port]) => [name, port.default] as const),
    ...(entry?.parameters ?? []).map((one) => [one.name, one.default] as const),
  ];
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
};

describe.each(blueprints.map((blueprint) => [blueprint.name, blueprint] as const))("the workflow %s", (_, blueprint) => {
  test("fits its schema, and each of its model files has an address, a licence and one size", () => {
    expect(validateBlueprint(blueprint), JSON.stringify(validateBlueprint.errors)).toBe(true);
    for (const model of blueprint.models) {
      expect([model.licence, model.url], model.file).toEqual([expect.any(String), expect.stringMatching(/^https:/)]);
      expect([model.bytes, model.gigabytes].filter(Boolean), `${model.file}: exact or about`).toHaveLength(1);
    }
  });
  test("names each model file that its prompt loads, so that nothing is fetched while it runs", () => {
    const named = new Set(blueprint.models.map(({ file: name }) => name));
    const weights = JSON.stringify([blueprint.prompt, blueprint.set]).match(/[\w/.-]+\.(?:safetensors|gguf|pth|bin)/g) ?? [];
    expect(weights.filter((name) => !named.has(name))).toEqual([]);
    expect(Object.values(blueprint.prompt).filter(({ class_type }) => class_type.startsWith("DownloadAndLoad"))).toEqual([]);
  });
  test.each(EDGES[blueprint.capability] ?? [])(
    "[M4] given $title, it sends what ComfyUI takes or says what it cannot do",
    ({ values, refused }) => {
      const make = () => blueprintInput(blueprint, "n", { ...defaults(blueprint.capability), ...values });
      if (refused) return expect(make).toThrow(refused);
      const { prompt } = make();
      for (const [id, { class_type, inputs }] of Object.entries(prompt)) {
        const info = nodes[class_type];
        for (const name of Object.keys(info?.input.required ?? {})) expect(Object.keys(inputs), `${id} ${class_type}`).toContain(name);
        for (const [name, value] of Object.entries(inputs)) {
          const place = `${id} ${class_type}.${name}`;
          if (Array.isArray(value)) {
            expect(prompt, `${place} is wired to ${value[0]}`).toHaveProperty([String(value[0])]);
            continue;
          }
          const [kind, options] = info?.input.required?.[name] ?? info?.input.optional?.[name] ?? [];
          const [min, max] = OTHERS[class_type]?.[name] ?? [options?.min, options?.max];
          if (typeof value === "number" && min !== undefined) expect(value, place).toBeGreaterThanOrEqual(min);
          if (typeof value === "number" && max !== undefined) expect(value, place).toBeLessThanOrEqual(max);
          if (kind === "INT") expect(Number.isSafeInteger(value), `${place} is ${value}`).toBe(true);
        }
      }
    },
  );
});

test("[M4] a speech of a minute is 21 windows, chained, and the video is as long as the speech", () => {
  const blueprint = blueprints.find(({ name }) => name === "infinitetalk") as Blueprint;
  const { prompt } = blueprintInput(blueprint, "n", { ...defaults(blueprint.capability), ...speech(60) });
  const samplers = Object.values(prompt).filter(({ class_type }) => class_type === "SamplerCustomAdvanced");
  expect(samplers).toHaveLength(1 + Math.ceil((1500 - 81) / 72));
  expect(prompt["30-2"]?.inputs.previous_frames).toEqual(["40", 0]);
  expect(prompt["43"]?.inputs).toMatchObject({ image: ["40-20", 0], length: 1500 });
  expect(prompt["41"]?.inputs.audio).toEqual(["10", 0]);
  expect([prompt["20"]?.inputs.width, prompt["20"]?.inputs.height]).toEqual([480, 832]);
});
