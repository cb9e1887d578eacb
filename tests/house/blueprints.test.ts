// Each workflow of templates/comfy: its form, its files, and that a real ComfyUI takes what it sends (recorded).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inWords, modelBytes, modelsName } from "@spindle/graph-model";
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { blueprints, edgesOf, inputOf, promptOf, recordedChecks, settingsOf, sha256Of } from "../support/workflow-edges.ts";

const servers = recordedChecks();
const page = readFileSync(join(ROOT, "docs/gpu.md"), "utf8").split("\n");
const RECORD = "record it anew: workers/comfy-bridge/test/recordings/README.md";

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
  test("stands on the page of engines with its packs, the size of its files and their licences", () => {
    const row = page.find((line) => line.startsWith(`| \`${modelsName(blueprint)}\` `));
    const size = inWords(blueprint.models.reduce((sum, model) => sum + modelBytes(model), 0));
    const licences = blueprint.models.map(({ licence, commercial }) =>
      commercial === false ? `${licence}: **no commercial use**` : licence,
    );
    for (const words of [...(blueprint.packs ?? []), size, ...licences]) expect(row).toContain(words);
  });
  const edges = edgesOf(blueprint);
  test("is tried at its edges, those that it refuses among them", () => {
    expect([edges.some(({ refused }) => refused), edges.some(({ refused }) => !refused)]).toEqual([true, true]);
  });
  const settings = settingsOf(blueprint.capability);
  test.each(Object.keys(settings))("[M4] its setting %s is sent or refused, and never ignored", (setting) => {
    const good = edges.find(({ title, refused }) => !refused && !/number/.test(title))?.values ?? {};
    const sent = [settings[setting]?.minimum, settings[setting]?.maximum].map((value) => {
      try {
        return JSON.stringify(inputOf(blueprint, { ...good, [setting]: value }).prompt);
      } catch (error) {
        return `refused: ${(error as Error).message}`;
      }
    });
    expect(sent[0] !== sent[1] || sent[0]?.startsWith("refused: "), `${setting} changes nothing`).toBe(true);
  });
  test.each(edges.filter(({ refused }) => refused))("[M4] given $title, it says what it cannot do", ({ values, refused }) => {
    expect(() => inputOf(blueprint, values)).toThrow(refused);
  });
  test.each(edges.filter(({ refused }) => !refused))(
    "[M4] given $title, validate_prompt of a real ComfyUI took the very prompt that it sends",
    async ({ title, values }) => {
      const prompt = sha256Of(await promptOf(blueprint, values));
      const said = servers.flatMap(({ checks }) => checks.filter((check) => check.workflow === blueprint.name && check.given === title));
      expect(
        said.map((check) => check.prompt),
        RECORD,
      ).toContain(prompt);
      const outputs = [...new Set(Object.values(blueprint.gives).map(({ from }) => from))];
      for (const check of said) expect(check, RECORD).toMatchObject({ prompt, valid: true, outputs, errors: [] });
    },
  );
});

test("what was recorded is of workflows and edges that there are", () => {
  const known = blueprints.flatMap((blueprint) => edgesOf(blueprint).map(({ title }) => `${blueprint.name}: ${title}`));
  const said = servers.flatMap(({ checks }) => checks.map(({ workflow, given }) => `${workflow}: ${given}`));
  expect(said.filter((name) => !known.includes(name))).toEqual([]);
});

test("[M4] a speech of a minute is 21 windows, chained, and the video is as long as the speech", () => {
  const blueprint = blueprints.find(({ name }) => name === "infinitetalk") as Blueprint;
  const { values = {} } = edgesOf(blueprint).find(({ title }) => title.startsWith("a minute")) ?? {};
  const { prompt } = inputOf(blueprint, values);
  const samplers = Object.values(prompt).filter(({ class_type }) => class_type === "SamplerCustomAdvanced");
  expect(samplers).toHaveLength(1 + Math.ceil((1500 - 81) / 72));
  expect(prompt["30-2"]?.inputs.previous_frames).toEqual(["40", 0]);
  expect(prompt["43"]?.inputs).toMatchObject({ image: ["40-20", 0], length: 1500 });
  expect(prompt["41"]?.inputs.audio).toEqual(["10", 0]);
  expect([prompt["20"]?.inputs.width, prompt["20"]?.inputs.height]).toEqual([480, 832]);
});

test.each(["infinitetalk", "wan-infinitetalk"])("[M4] the video of %s has the speech itself, not what its model hears", (name) => {
  const { prompt, gives } = blueprints.find((each) => each.name === name) as Blueprint;
  const last = gives.videoArtifact?.from ?? "";
  const sources = [last, ...Object.values(prompt[last]?.inputs ?? {}).flatMap((value) => (Array.isArray(value) ? [String(value[0])] : []))];
  const sounds = sources.flatMap((id) => (Array.isArray(prompt[id]?.inputs.audio) ? [prompt[id]?.inputs.audio] : []));
  expect(sounds.map((link) => prompt[String((link as unknown[])[0])]?.class_type)).toEqual(["LoadAudio"]);
});

test.each(["realesrgan", "realesrgan-codeformer"])("[M4] %s gives its model eight frames at a time, and one video of them all", (name) => {
  const blueprint = blueprints.find((each) => each.name === name) as Blueprint;
  const { values = {} } = edgesOf(blueprint).find(({ title }) => title === "the longest that may be") ?? {};
  const { prompt, windows } = inputOf(blueprint, values);
  const behind = (link: unknown) => prompt[(link as [string, number])[0]];
  expect([behind(prompt["3"]?.inputs.image), behind(prompt["8"]?.inputs.images)]).toMatchObject([
    { class_type: "RebatchImages", inputs: { images: ["7", 0], batch_size: 8 } },
    { class_type: "RebatchImages", inputs: { batch_size: 4096 } },
  ]);
  expect(windows).toEqual({ node: "3", count: Math.ceil((34 * 30) / 8) });
});
