import type { Blueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { engineNamed } from "../library.ts";
import { blueprintEngine, blueprintInput, inWords, serverOfEngine, whyNeverSent, whyNotThere } from "./blueprint.ts";

const base: Blueprint = {
  name: "talk",
  capability: "generate.talk",
  label: "Talk",
  description: "",
  prompt: {
    load: { class_type: "Load", inputs: { sound: "x.wav" } },
    first: { class_type: "Sample", inputs: { sound: ["load", 0], steps: 4 } },
    next: { class_type: "Sample", inputs: { sound: ["load", 0], before: ["first", 0] } },
    join: { class_type: "Join", inputs: { left: ["first", 0], right: ["next", 1] } },
    save: { class_type: "Save", inputs: { frames: ["join", 0] } },
  },
  set: { "first.steps": "inputs.steps" },
  gives: { video: { from: "save", pick: "video" } },
  models: [],
};
const repeated: Blueprint = {
  ...base,
  repeat: {
    nodes: ["next", "join"],
    count: "inputs.seconds > 3 ? int((double(inputs.seconds) - 3.0) / 3.0) : 0",
    carry: { join: "first" },
  },
};
const prompt = (blueprint: Blueprint, values: object) => blueprintInput(blueprint, "n", values as Record<string, unknown>).prompt;

describe("a part of a workflow that is repeated", () => {
  test("[M4] is left out where one window is enough, and what came after it takes what came before it", () => {
    const made = prompt(repeated, { seconds: 2 });
    expect(Object.keys(made)).toEqual(["load", "first", "save"]);
    expect(made.save?.inputs.frames).toEqual(["first", 0]);
  });
  test("[M4] is there once for each further window, each taking what the one before gives", () => {
    const made = prompt(repeated, { seconds: 12, steps: 6 });
    expect(Object.keys(made)).toEqual(["load", "first", "save", "next", "join", "next-2", "join-2", "next-3", "join-3"]);
    expect(made.first?.inputs.steps).toBe(6);
    expect(made.next?.inputs).toEqual({ sound: ["load", 0], before: ["first", 0] });
    expect(made["next-2"]?.inputs).toEqual({ sound: ["load", 0], before: ["join", 0] });
    expect(made["join-3"]?.inputs).toEqual({ left: ["join-2", 0], right: ["next-3", 1] });
    expect(made.save?.inputs.frames).toEqual(["join-3", 0]);
  });
});

test("[M4] a workflow whose repetitions are too many whatever its inputs say is found unusable beforehand", () => {
  const of = (count: string) => whyNeverSent({ ...repeated, repeat: { ...(repeated.repeat as NonNullable<Blueprint["repeat"]>), count } });
  expect(of("1e9")).toMatch(/the limit is 5,000/);
  expect([of("2"), of("inputs.scale * 1e9")]).toEqual([undefined, undefined]);
});

describe("[M4] a part that is repeated too often is refused before any of it is made", () => {
  const often = (count: string, values: object = {}, more: Partial<NonNullable<Blueprint["repeat"]>> = {}) =>
    prompt({ ...repeated, repeat: { ...(repeated.repeat as NonNullable<Blueprint["repeat"]>), ...more, count } }, values);
  test.each([["1000000000"], ["inputs.seconds"], ["2500.0"], ["9223372036854775807"]])("%s times", (count) => {
    expect(() => often(count, { seconds: 1e9 })).toThrow(
      /^The workflow repeats 2 nodes [\d,]+ times, which makes [\d,]+ nodes; the limit is 5,000\. Change the inputs of the node/,
    );
  });
  test("up to the limit it is made", () => {
    expect(Object.keys(often("2498"))).toHaveLength(3 + 2 * 2498);
    expect(Object.keys(often("2498", {}, { nodes: ["next", "join", "next", "join", "next"] }))).toHaveLength(3 + 2 * 2498);
  });
  test.each([["1.0 / 0.0"], ["-1.0 / 0.0"], ["0.0 / 0.0"], ["-1"], ["'often'"], ["inputs"], ["true"]])("%s is no count", (count) => {
    expect(() => often(count)).toThrow(
      /has to be a number from 0 on, and is .* Change the inputs of the node, or choose another engine\.$/,
    );
    expect(() => prompt({ ...base, windows: { node: "first", count } }, {})).toThrow("has to be a number from 0 on");
  });
  test("what its repetitions hold together is bounded, too", () => {
    const large = { ...repeated.prompt, next: { class_type: "Sample", inputs: { text: "x".repeat(1_000_000), before: ["first", 0] } } };
    const made = (count: string) =>
      prompt({ ...repeated, prompt: large, repeat: { ...(repeated.repeat as NonNullable<Blueprint["repeat"]>), count } }, {});
    expect(Object.keys(made("10"))).toHaveLength(23);
    expect(() => made("100")).toThrow("times, which makes more than 16.8 MB; that is the limit. Change the inputs");
  });
});

test("[M4] what a workflow cannot do is refused in words, before anything is sent", () => {
  const limited: Blueprint = { ...base, limits: [{ holds: "inputs.seconds <= 60", otherwise: "At most 60 s can be said at once." }] };
  expect(() => prompt(limited, { seconds: 61 })).toThrow("At most 60 s can be said at once.");
  expect(Object.keys(prompt(limited, { seconds: 60 }))).toHaveLength(5);
});

test("[M4] all that a server lacks is named, each file with its folder, size, licence and address, and the command that fetches it", () => {
  const models = ["a.bin", "b.bin"].map((file) => ({
    file,
    folder: "checkpoints",
    gigabytes: 1.5,
    licence: "MIT",
    url: `https://example.org/${file}`,
  }));
  const blueprint: Blueprint = {
    ...base,
    prompt: { one: { class_type: "Load", inputs: { name: "a.bin" } }, two: { class_type: "Load", inputs: { name: "b.bin" } } },
    models,
  };
  const reason = whyNotThere(blueprint, () => ({ files: () => [] }));
  for (const { file, url } of models) expect(reason).toContain(`${file} (models/checkpoints, 1.5 GB, MIT, ${url})`);
  expect(reason).toContain("Fetch the model files, 3 GB, where this ComfyUI runs: npx spindle models fetch comfy/talk");
});

test("[M4] a server that lists a folder of files under a name of its own lacks all of them where it lacks that name", () => {
  const models = ["voice/a.safetensors", "voice/b.json"].map((file) => ({
    file,
    folder: "tts",
    bytes: 1_500,
    licence: "MIT",
    listed: "local:voice",
  }));
  const blueprint: Blueprint = { ...base, prompt: { load: { class_type: "Load", inputs: { name: "local:voice" } } }, models };
  const server = (...files: string[]) => whyNotThere(blueprint, () => ({ files: () => files }));
  const all = "It lacks voice/a.safetensors (models/tts, 1.5 kB, MIT); voice/b.json (models/tts, 1.5 kB, MIT).";
  expect(server("another")).toBe(`${all} Fetch the model files, 3 kB, where this ComfyUI runs: npx spindle models fetch comfy/talk`);
  expect(server("another", "local:voice")).toBeUndefined();
});

test.each([
  [999, "999 bytes"],
  [1_348_435_761, "1.35 GB"],
  [134_102_714, "134 MB"],
  [2_500, "2.5 kB"],
])("[M4] %d bytes are said as %s", (bytes, words) => {
  expect(inWords(bytes)).toBe(words);
});

describe("[M4] the id of an engine leads back to its server", () => {
  const name = "realesrgan-codeformer";
  test.each([["127.0.0.1-8188"], ["comfyui.machine-learning.svc.cluster.local-8188"], [`${"a".repeat(59)}-8188`]])("of %s", (server) => {
    expect(serverOfEngine(blueprintEngine(name, server))).toBe(server);
  });
  const engine = (id: string) => ({ id, label: id, plane: "comfy" as const, draft: false, live: true });
  const long = "comfyui.machine-learning.svc.cluster.local";
  test("and an id that an earlier release cut is found, where one engine alone can be meant", () => {
    const engines = [engine("default"), engine(blueprintEngine(name, `${long}-8188`)), engine(blueprintEngine("upscale", `${long}-8188`))];
    expect(engineNamed(engines, engines[1]?.id)).toBe(engines[1]);
    expect(engineNamed(engines, `${name}@${long}-8188`.slice(0, 64))).toBe(engines[1]);
    expect(engineNamed(engines, `${name}@${long}`.slice(0, 40))).toBeUndefined();
    const two = [...engines, engine(blueprintEngine(name, `${long}-8189`))];
    expect(engineNamed(two, `${name}@${long}-8188`.slice(0, 64))).toBeUndefined();
  });
});
