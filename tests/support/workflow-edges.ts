// The workflows of templates/comfy, and what each may be given at its edges: the prompts that a real ComfyUI checked
// (record-workflow-checks.ts) are those that the tests make.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blueprintInput } from "@spindle/graph-model";
import { committedManifests } from "@spindle/node-library/manifests";
import type { Blueprint, RegionInput } from "@spindle/schemas";
import { ROOT } from "../../infra/launch/paths.ts";
import { withFiles } from "../../workers/comfy-bridge/src/task/run-task.ts";

/** What several versions of ComfyUI said, as `record-workflow-checks.ts` wrote it. */
export const CHECKS = "workers/comfy-bridge/test/recordings/workflow-checks.json";

export interface CheckedServer {
  comfyui: string;
  /** The node packs, each with its commit. */
  packs: Record<string, string>;
  /** Of each workflow that cannot run there, the nodes that the server does not have. */
  lacks: Record<string, string[]>;
  /** What `validate_prompt` answered; `prompt` is the SHA-256 of what was sent. */
  checks: { workflow: string; given: string; prompt: string; valid: boolean; outputs: string[]; errors: string[] }[];
}

interface Edge {
  title: string;
  values: object;
  /** What the workflow answers where it cannot do it. */
  refused?: RegExp;
}

const read = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), "utf8"));

export const blueprints = readdirSync(join(ROOT, "templates/comfy"))
  .filter((file) => file.endsWith(".json"))
  .map((file) => read(`templates/comfy/${file}`) as Blueprint);

export const recordedChecks = (): CheckedServer[] => read(CHECKS) as CheckedServer[];

const MEDIA = ["image/png", "audio/wav", "video/mp4"] as const;
/** A file of one byte. */
const file = (mime: (typeof MEDIA)[number], more: object) => ({
  artifact: `00000000-0000-4000-8000-00000000000${MEDIA.indexOf(mime)}`,
  mime,
  sha256: "0".repeat(64),
  size: 1,
  ...more,
});
const sound = (more: object = {}) => file("audio/wav", more);
const speech = (duration?: number) => ({
  audioArtifact: sound(duration === undefined ? {} : { duration }),
  portrait: file("image/png", { width: 600, height: 900 }),
});
const video = (more: object = {}) => ({ videoArtifact: file("video/mp4", { width: 640, height: 360, duration: 4, ...more }) });
const unknownVideo = (more: object = {}) => ({ videoArtifact: file("video/mp4", more) });

type Schema = Record<"default" | "minimum" | "maximum", unknown>;

/** The inputs and parameters of a capability. */
function partsOf(capability: string): [name: string, schema: Schema][] {
  const entry = committedManifests.python.capabilities.find(({ id }) => id === capability);
  const parameters = (entry?.parameters ?? []).map(({ name, schema }) => [name, schema] as [string, Schema]);
  return [...Object.entries((entry?.io.input.properties ?? {}) as Record<string, Schema>), ...parameters];
}

/** The numbers that a person sets on a node of the capability. */
export const settingsOf = (capability: string): Record<string, Schema> => {
  const entry = committedManifests.python.capabilities.find(({ id }) => id === capability);
  return Object.fromEntries((entry?.parameters ?? []).map(({ name, schema }) => [name, schema as Schema]));
};

const valuesOf = (capability: string, key: keyof Schema): Record<string, unknown> =>
  Object.fromEntries(partsOf(capability).flatMap(([name, schema]) => (schema[key] === undefined ? [] : [[name, schema[key]]])));

/** By workflow, or by capability for all others that serve it. */
const EDGES: Record<string, Edge[]> = {
  chatterbox: [
    { title: "a sample without its text, and 20,000 characters to say", values: { narration: "x".repeat(20_000), voiceSample: sound() } },
    { title: "15 characters to say", values: { narration: "Hello to you 2.", voiceSample: sound({ duration: 0.5 }), seed: 2 ** 31 - 1 } },
    { title: "a sample of 500 seconds", values: { narration: "Good evening to you.", voiceSample: sound({ duration: 500 }), seed: 0 } },
    { title: "a word to say", values: { narration: "Hello, Jackson", voiceSample: sound() }, refused: /at least 15 characters/ },
    { title: "another speed", values: { narration: "Good evening to you.", voiceSample: sound(), speed: 1.1 }, refused: /Speed to 1/ },
    { title: "no sample", values: { narration: "Good evening to you." }, refused: /voice sample/ },
  ],
  "generate.infinite_talk": [
    { title: "half a second", values: speech(0.5) },
    { title: "exactly a window", values: speech(3.24) },
    { title: "a minute and no prompt", values: { ...speech(60), stagePrompt: "", steps: 100 } },
    { title: "a portrait of unknown size", values: { ...speech(10), portrait: file("image/png", {}) } },
    { title: "500 seconds", values: speech(500), refused: /at most/ },
    { title: "a speech of unknown length", values: speech(), refused: /known how long/ },
  ],
  "generate.f5_to_tts": [
    {
      title: "a sample and its text, and 20,000 characters to say",
      values: { narration: "x".repeat(20_000), voiceSample: sound(), refText: "Some call me nature." },
    },
    {
      title: "the lowest numbers and a letter to say",
      values: { narration: "x", voiceSample: sound({ duration: 0.5 }), refText: "x", ...valuesOf("generate.f5_to_tts", "minimum") },
    },
    {
      title: "the highest numbers",
      values: { narration: "Hello.", voiceSample: sound({ duration: 500 }), refText: "x", ...valuesOf("generate.f5_to_tts", "maximum") },
    },
    {
      title: "no text of the sample",
      values: { narration: "Hello", voiceSample: sound(), refText: " \n" },
      refused: /text of the voice sample/,
    },
    { title: "no sample", values: { narration: "Hello", refText: "x" }, refused: /voice sample/ },
  ],
  "generate.upscale_video": [
    ...[2, 3, 4].map((scale) => ({ title: `${scale} times`, values: { ...video(), scale } })),
    { title: "half a second", values: { ...video({ duration: 0.5 }), scale: 2 } },
    { title: "a video of which nothing is known", values: { ...unknownVideo(), scale: 4 }, refused: /does not say its length/ },
    { title: "a video of unknown length", values: unknownVideo({ width: 64, height: 48 }), refused: /does not say its length/ },
    { title: "the longest that may be", values: { ...video({ duration: 34, width: 320, height: 240 }), scale: 2 } },
    { title: "the most that the memory holds", values: { ...video({ duration: 21 }), scale: 2 } },
    { title: "more than the memory holds", values: { ...video({ duration: 28 }), scale: 2 }, refused: /more than 32 GB/ },
    { title: "35 seconds", values: { ...video({ duration: 35, width: 64, height: 48 }), scale: 2 }, refused: /34 s long at most/ },
    { title: "500 seconds", values: { ...video({ duration: 500, width: 1920, height: 1080 }), scale: 4 }, refused: /34 s long at most/ },
  ],
};

export const edgesOf = ({ name, capability }: Blueprint): Edge[] => EDGES[name] ?? EDGES[capability] ?? [];

/** What the bridge gets for the values. @throws ConditionError if the workflow refuses them */
export const inputOf = (blueprint: Blueprint, values: object): RegionInput =>
  blueprintInput(blueprint, "n", { ...valuesOf(blueprint.capability, "default"), ...values });

const UPLOADED = {
  upload: async (_: unknown, __: number, name: string, subfolder: string) => `${subfolder}/${name}`,
  server: { url: "http://comfy", login: {} },
};
const WATCHED = { signal: new AbortController().signal, onLimited: () => {}, onSilence: () => () => {} };

/** The prompt as the bridge sends it, with files of one byte. @param comfy without it the files are only named */
export const promptOf = (blueprint: Blueprint, values: object, comfy: Parameters<typeof withFiles>[2] = UPLOADED) =>
  withFiles(inputOf(blueprint, values), { read: () => oneByte() }, comfy, WATCHED);

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1);
}

export const sha256Of = (prompt: RegionInput["prompt"]): string => createHash("sha256").update(JSON.stringify(prompt)).digest("hex");
