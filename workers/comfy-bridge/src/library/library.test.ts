import { readFileSync } from "node:fs";
import { validateCapability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { toCapability } from "./capability.ts";
import { mergeLibraries, readObjectInfo } from "./merge.ts";

const text = readFileSync(new URL("../../test/recordings/object_info.json", import.meta.url), "utf8");
const nodes = readObjectInfo(text);
type Properties = Record<string, Record<string, unknown>>;
const inputs = (name: string): Properties => (nodes.get(name)?.io.input.properties ?? {}) as Properties;
const outputs = (name: string): Properties => (nodes.get(name)?.io.output.properties ?? {}) as Properties;

describe("the library of a real server", () => {
  test("has every node, each a capability as the contract says", () => {
    expect(nodes.size).toBe(377);
    for (const capability of nodes.values())
      expect(validateCapability(capability), `${capability.id}: ${JSON.stringify(validateCapability.errors)}`).toBe(true);
  });
  test("keeps the server's order, ranges, choices and seeds", () => {
    expect(Object.keys(inputs("KSampler"))).toEqual([
      "model",
      "seed",
      "steps",
      "cfg",
      "sampler_name",
      "scheduler",
      "positive",
      "negative",
      "latent_image",
      "denoise",
    ]);
    expect(inputs("KSampler").seed).toMatchObject({
      type: "integer",
      "x-widget": "seed",
      "x-control": true,
      maximum: Number.MAX_SAFE_INTEGER,
    });
    expect(inputs("KSampler").sampler_name).toMatchObject({ enum: expect.arrayContaining(["euler"]), default: "euler" });
    expect(inputs("KSampler").model).toMatchObject({ "x-comfy-type": "MODEL" });
    expect(inputs("CLIPTextEncode").text).toMatchObject({ type: "string", "x-multiline": true });
  });
  test("knows what is a file, what may leave the server and what may not", () => {
    expect(inputs("LoadImage").image).toMatchObject({ "x-artifact": "image", "x-upload": true });
    expect(inputs("LoadVideo").file).toMatchObject({ "x-artifact": "video", "x-upload": true });
    expect(outputs("VAEDecode")).toMatchObject({ IMAGE: { "x-artifact": "image", "x-slot": 0 } });
    expect(outputs("KSampler").LATENT).not.toHaveProperty("x-artifact");
  });
  test("gives output nodes the outputs that they show", () => {
    expect(Object.keys(outputs("SaveImage"))).toEqual(["image", "images"]);
    expect(Object.keys(outputs("SaveVideo"))).toEqual(["video", "videos"]);
    expect(Object.keys(outputs("PreviewAudio"))).toEqual(["audio", "audios"]);
    expect(Object.keys(outputs("PreviewAny"))).toEqual(["text"]);
  });
});

describe("inputs of the newer schema", () => {
  const info = {
    input: {
      required: {
        images: ["COMFY_AUTOGROW_V3", { template: { input: { required: { image: ["IMAGE", {}] } }, prefix: "image", min: 1, max: 3 } }],
        mode: [
          "COMFY_DYNAMICCOMBO_V3",
          {
            options: [
              { key: "one", inputs: { required: { strength: ["FLOAT", { default: 1 }] } } },
              { key: "two", inputs: { required: { mask: ["MASK", {}] } } },
            ],
          },
        ],
        any: ["COMFY_MATCHTYPE_V3", { template: { template_id: "T", allowed_types: "IMAGE,MASK" } }],
        pick: ["COMBO", { options: ["a", "b"], default: "gone" }],
        far: ["COMBO", { remote: { route: "/x" }, options: [] }],
        must: ["INT", { forceInput: true }],
      },
    },
    output: ["IMAGE", "IMAGE", ["a", "b"]],
    output_name: ["IMAGE", "IMAGE", "choice"],
  };
  const properties = toCapability("New", info as never).io.input as {
    properties: Record<string, Record<string, unknown>>;
    required: string[];
  };
  test("grow, bring inputs of their own with a choice, and match", () => {
    expect(Object.keys(properties.properties)).toEqual([
      "images.image0",
      "images.image1",
      "images.image2",
      "mode",
      "mode.strength",
      "mode.mask",
      "any",
      "pick",
      "far",
      "must",
    ]);
    expect(properties.properties["mode.mask"]).toMatchObject({ "x-when": { port: "mode", is: "two" } });
    expect(properties.properties.any).toMatchObject({ "x-comfy-type": "IMAGE,MASK" });
    expect(properties.properties.pick).toMatchObject({ default: "a" });
    expect(properties.required).toEqual(["images.image0", "any", "must"]);
  });
  test("outputs of one name are told apart", () => {
    expect(Object.keys((toCapability("New", info as never).io.output as { properties: object }).properties)).toEqual([
      "IMAGE",
      "IMAGE_2",
      "choice",
    ]);
  });
});

describe("several servers", () => {
  const some = (names: string[]) => new Map(names.map((name) => [name, nodes.get(name) as NonNullable<ReturnType<typeof nodes.get>>]));
  test("are one library, each node with the servers that have it and why one does not answer", () => {
    const merged = mergeLibraries([
      { id: "a", url: "http://a:1", nodes: some(["KSampler", "SaveImage"]), live: true },
      { id: "b", url: "http://b:1", nodes: some(["KSampler"]), live: false, reason: "b:1 does not answer." },
    ]);
    expect(merged.map((capability) => [capability.id, capability.engines?.map(({ id, live }) => [id, live])])).toEqual([
      [
        "KSampler",
        [
          ["a", true],
          ["b", false],
        ],
      ],
      ["SaveImage", [["a", true]]],
    ]);
  });
  test("offer each other's files, and say who has which", () => {
    const loader = (files: string[]) => toCapability("Loader", { input: { required: { name: [files, {}] } }, output: ["MODEL"] });
    const [capability] = mergeLibraries([
      { id: "a", url: "http://a:1", nodes: new Map([["Loader", loader(["x"])]]), live: true },
      { id: "b", url: "http://b:1", nodes: new Map([["Loader", loader(["y"])]]), live: true },
    ]);
    expect(capability?.io.input).toMatchObject({ properties: { name: { enum: ["x", "y"], "x-on": { x: ["a"], y: ["b"] } } } });
  });
});
