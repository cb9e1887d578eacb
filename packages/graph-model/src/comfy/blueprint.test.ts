import type { Blueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { blueprintInput, inWords, whyNotThere } from "./blueprint.ts";

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
