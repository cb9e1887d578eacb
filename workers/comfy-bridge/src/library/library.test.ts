import { readFileSync } from "node:fs";
import { exportRegion, importComfy, type NodeDefinition, regionInput, resolve, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { validateCapability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { toCapability } from "./capability.ts";
import { mergeLibraries, readObjectInfo } from "./merge.ts";

const text = readFileSync(new URL("../../test/recordings/object_info.json", import.meta.url), "utf8");
const { nodes, unreadable } = readObjectInfo(text);
type Properties = Record<string, Record<string, unknown>>;
const inputs = (name: string): Properties => (nodes.get(name)?.io.input.properties ?? {}) as Properties;
const outputs = (name: string): Properties => (nodes.get(name)?.io.output.properties ?? {}) as Properties;

describe("the library of a real server", () => {
  test("has every node, each a capability as the contract says", () => {
    expect([nodes.size, unreadable.size]).toEqual([377, 0]);
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
    expect(properties.properties["mode.mask"]).toMatchObject({ "x-variants": [{ when: { mode: ["two"] }, required: true }] });
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

test("a class is marked as old or as tried out where ComfyUI says so, and not where it says that it is neither", () => {
  const marks = (info: object) => {
    const { deprecated, experimental } = toCapability("A", info);
    return [deprecated, experimental];
  };
  expect(marks({ deprecated: true, experimental: false })).toEqual([true, undefined]);
  expect(marks({ deprecated: false, experimental: true })).toEqual([undefined, true]);
});

describe("what a pack's author may write", () => {
  const hostile: readonly unknown[] = [null, 0, "x", true, [], {}, [[]], [["x", "y"]], { a: 1 }, "\u0000", 1e308, "é".repeat(300)];

  test("an output without a name that is a list of choices", () => {
    const { nodes: read } = readObjectInfo(
      JSON.stringify({ Choices: { output: ["STRING", ["x", "y"]], output_name: ["STRING", ["x", "y"]] } }),
    );
    expect(read.get("Choices")?.io.output.properties).toMatchObject({ STRING: {}, COMBO: { "x-comfy-type": "COMBO", "x-slot": 1 } });
  });

  test("anything in any place: the class is read or listed with the reason, and the others are as they were", () => {
    const info = JSON.parse(text) as Record<string, Record<string, unknown>>;
    const names = Object.keys(info).filter((_, index) => index % 9 === 0);
    let tried = 0;
    for (const name of names)
      for (const path of pathsOf(info[name], []).filter((_, index) => index % 7 === 0)) {
        const [odd, value] = [structuredClone(info[name]), hostile[tried++ % hostile.length]];
        setAt(odd, path, value);
        const read = readObjectInfo(JSON.stringify({ [name]: odd, SaveImage: info.SaveImage }));
        expect([...read.nodes.keys()], `${name} ${path.join(".")}`).toEqual([name, "SaveImage"]);
        expect(read.nodes.get("SaveImage")).toEqual(nodes.get("SaveImage"));
        for (const capability of read.nodes.values()) expect(validateCapability(capability), `${name} ${path.join(".")}`).toBe(true);
      }
    expect(tried).toBeGreaterThan(200);
  });

  test.each([
    ["words that are none", { a: ["INT", { tooltip: { toString: 1 }, display_name: { toString: null } }] }],
    ["types that are none", { a: ["COMFY_MULTITYPED_V3", { types: [{ toString: 1 }] }] }],
    ["as many rows as memory", { a: ["COMFY_DYNAMICGROUP_V3", { min: 1e9, template: { required: { b: ["INT"] } } }] }],
    ["rows of rows", { a: rows(4) }],
    ["an input called as the prototype", JSON.parse('{ "__proto__": ["INT", {}] }')],
  ])("%s cost the other classes nothing, and little room", (_, required) => {
    const read = readObjectInfo(JSON.stringify({ Odd: { input: { required } }, SaveImage: JSON.parse(text).SaveImage }));
    expect(read.nodes.get("SaveImage")).toEqual(nodes.get("SaveImage"));
    expect(JSON.stringify(read.nodes.get("Odd")).length).toBeLessThan(100_000);
  });

  test("a class that cannot be read has no live engine, and says why; a document that is no object is no library", () => {
    const odd = { ...nodes.get("SaveImage"), label: undefined } as never;
    const [capability] = mergeLibraries([
      {
        id: "a",
        url: "http://a:1",
        nodes: new Map([["Odd", odd]]),
        unreadable: new Map([["Odd", "/io/input must be object"]]),
        live: true,
      },
    ]);
    expect(capability?.engines).toMatchObject([{ live: false, reason: expect.stringContaining("/io/input must be object") }]);
    const away = { id: "a", url: "http://a:1", nodes: new Map([["Odd", odd]]), unreadable: new Map([["Odd", "it is odd"]]), live: false };
    const [silent] = mergeLibraries([{ ...away, reason: "a:1 does not answer." }]);
    expect(silent?.engines).toMatchObject([{ live: false, reason: "a:1 does not answer." }]);
    for (const json of ["[]", "null", "7"]) expect(() => readObjectInfo(json)).toThrow(SyntaxError);
  });
});

function rows(depth: number): unknown {
  return ["COMFY_DYNAMICGROUP_V3", { min: 0, max: 16, template: { required: { b: depth === 0 ? ["INT"] : rows(depth - 1) } } }];
}

function pathsOf(value: unknown, path: (string | number)[]): (string | number)[][] {
  if (value === null || typeof value !== "object") return [path];
  return [
    path,
    ...Object.entries(value)
      .slice(0, 12)
      .flatMap(([key, inner]) => pathsOf(inner, [...path, key])),
  ].filter(({ length }) => length > 0);
}

function setAt(value: unknown, path: readonly (string | number)[], to: unknown): void {
  let at = value as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1) as string] = to;
}

describe("inputs that a choice brings", () => {
  const size = (options: string[]) => ["COMBO", { options }];
  const images = ["COMFY_AUTOGROW_V3", { template: { image: ["IMAGE", {}] }, names: ["image_1", "image_2"], min: 0 }];
  const info = {
    input: {
      required: {
        prompt: ["STRING", { multiline: true }],
        model: [
          "COMFY_DYNAMICCOMBO_V3",
          {
            options: [
              {
                key: "pro",
                inputs: { required: { size: size(["1K", "2K"]), width: ["INT", { default: 2048, min: 1024, max: 6240 }], images } },
              },
              {
                key: "lite",
                inputs: {
                  required: {
                    size: size(["1K", "4K"]),
                    width: ["INT", { default: 2048, min: 1024, max: 6240 }],
                    most: ["INT", { default: 1, min: 1, max: 14 }],
                    images,
                    whole: ["BOOLEAN", { default: false }],
                  },
                },
              },
            ],
          },
        ],
        seed: ["INT", { default: 0, min: 0, max: 100, control_after_generate: true }],
        watermark: ["BOOLEAN", { default: false }],
        loras: [
          "COMFY_DYNAMICGROUP_V3",
          { template: { required: { name: size(["A", "B"]), strength: ["FLOAT", { default: 1 }] } }, min: 0, max: 3 },
        ],
      },
    },
    output: ["IMAGE"],
  };
  const library = makeLibrary(
    mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(JSON.stringify({ Draw: info })), live: true }]),
  );
  const graphOf = (params: Record<string, unknown>) =>
    ({
      schema: "langgraph.v1",
      workflowId: "w",
      nodes: [{ id: "n", service: "Draw", plane: "comfy", status: "pending", params }],
      edges: [],
    }) as never;
  const drawn = (params: Record<string, unknown>) => resolve(graphOf(params), library).root.node("n")?.definition as NodeDefinition;
  const names = (params: Record<string, unknown>) => drawn(params).inputs.map(({ name }) => name);
  const prompt = (params: Record<string, unknown>) =>
    JSON.parse(exportRegion(graphOf(params), library).text ?? "{}").n?.inputs as Record<string, unknown> | undefined;

  test("are those of the choice made, with its limits and lists", () => {
    expect(names({})).toEqual([
      "prompt",
      "model",
      "model.size",
      "model.width",
      "model.images.image_1",
      "model.images.image_2",
      "seed",
      "watermark",
      "loras",
    ]);
    expect(names({ model: "lite" })).toContain("model.most");
    const sizes = (model: string) => drawn({ model }).inputs.find(({ name }) => name === "model.size")?.schema.enum;
    expect([sizes("pro"), sizes("lite"), sizes("none")]).toEqual([
      ["1K", "2K"],
      ["1K", "4K"],
      ["1K", "2K"],
    ]);
    expect(validate(graphOf({ model: "lite", "model.size": "2K" }), library).map(({ code }) => code)).toContain("param.invalid");
    expect(drawn({ model: "lite" })).toBe(drawn({ model: "lite", prompt: "x" }));
  });
  test("are needed where the choice needs them", () => {
    const mode = [
      "COMFY_DYNAMICCOMBO_V3",
      {
        options: [
          { key: "edit", inputs: { required: { image: ["IMAGE", {}] } } },
          { key: "make", inputs: {} },
        ],
      },
    ];
    const json = JSON.stringify({ Draw: { input: { required: { mode } }, output: ["IMAGE"], output_node: true } });
    const one = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(json), live: true }]));
    const said = (params: Record<string, unknown>) => validate(graphOf(params), one).map(({ code, place }) => `${code} ${place.port}`);
    expect([said({ mode: "edit" }), said({ mode: "make" })]).toEqual([["input.for_run mode.image"], []]);
  });
  test("are of the type that the choice gives them", () => {
    const sub = (type: string) => ({ required: { value: [type, { default: 1 }] } });
    const mode = [
      "COMFY_DYNAMICCOMBO_V3",
      {
        options: [
          { key: "number", inputs: sub("INT") },
          { key: "words", inputs: sub("STRING") },
        ],
      },
    ];
    const json = JSON.stringify({ Draw: { input: { required: { mode } }, output: [] } });
    const one = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(json), live: true }]));
    const typeIn = (choice: string) =>
      resolve(graphOf({ mode: choice }), one)
        .root.node("n")
        ?.definition?.inputs.find(({ name }) => name === "mode.value")?.type;
    expect([typeIn("number"), typeIn("words")]).toEqual(["integer", "string"]);
  });
  test("are as many rows as are asked for", () => {
    expect(names({ loras: 2 }).slice(-5)).toEqual(["loras", "loras.0.name", "loras.0.strength", "loras.1.name", "loras.1.strength"]);
    expect(names({ loras: 3 }).at(-1), "as many as there may be").toBe("loras.2.strength");
    expect(names({ loras: 99 }).at(-1)).toBe("loras");
  });
  test("go to ComfyUI with their choice, and those of another do not", () => {
    const sent = prompt({
      model: "lite",
      "model.size": "4K",
      "model.most": 3,
      loras: 1,
      "loras.0.name": "B",
      "loras.1.name": "A",
      extra: 1,
    });
    expect(sent).toMatchObject({ model: "lite", "model.size": "4K", "model.most": 3, "model.width": 2048, "loras.0.name": "B", extra: 1 });
    expect(sent).not.toHaveProperty("loras");
    expect(sent).not.toHaveProperty(["loras.1.name"]);
    expect(prompt({ model: "pro", "model.most": 3 })).not.toHaveProperty(["model.most"]);
  });
  test("are found by position in a file, those of the choice alone", () => {
    const file = (widgets_values: unknown) =>
      importComfy({ nodes: [{ id: 1, type: "Draw", inputs: [], outputs: [], widgets_values }], links: [], version: 0.4 }, library).graph
        ?.nodes[0]?.params;
    expect(file(["a poster", "pro", "1K", 2048, 7, "randomize", false, 0])).toEqual({
      prompt: "a poster",
      model: "pro",
      "model.size": "1K",
      "model.width": 2048,
      seed: 7,
      watermark: false,
      loras: 0,
    });
    expect(file(["a poster", "lite", "4K", 1024, 3, true, 7, "fixed", true, 2, "A", 1, "B", 0.5])).toEqual({
      prompt: "a poster",
      model: "lite",
      "model.size": "4K",
      "model.width": 1024,
      "model.most": 3,
      "model.whole": true,
      seed: 7,
      watermark: true,
      loras: 2,
      "loras.0.name": "A",
      "loras.0.strength": 1,
      "loras.1.name": "B",
      "loras.1.strength": 0.5,
    });
  });
});

test("an output that is a list is typed as one, and all of it leaves its region", () => {
  const info = { Cut: { input: { required: { n: ["INT"] } }, output: ["IMAGE", "INT", "LATENT"], output_is_list: [true, true, true] } };
  const library = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(JSON.stringify(info)), live: true }]));
  const graph = {
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [{ id: "n", service: "Cut", plane: "comfy", status: "pending" }],
    edges: [],
    metadata: { interface: { outputs: ["IMAGE", "INT"].map((port) => ({ name: port, from: { node: "n", port } })) } },
  } as never;
  const level = resolve(graph, library).root;
  expect(level.node("n")?.definition?.outputs.map(({ type }) => type)).toEqual(["array", "array", "LATENT"]);
  expect(regionInput({ level, values: new Map([["n", {}]]) })?.gives.map(({ port, pick }) => [port, pick])).toEqual([
    ["IMAGE", "images"],
    ["INT", "jsons"],
  ]);
  const before = { ...info.Cut, output_is_list: [false, false, false] };
  expect(toCapability("Cut", before).version).not.toBe(toCapability("Cut", info.Cut).version);
});

test("defaults and limits that are written as text are numbers; of an integer or a number, the number", () => {
  const { properties } = toCapability("Odd", {
    input: { required: { a: ["FLOAT", { default: "1.5", min: "0" }], b: ["INT", { default: "7.9" }], c: ["INT,FLOAT", { default: 0.5 }] } },
  }).io.input as { properties: Record<string, object> };
  expect(properties).toMatchObject({ a: { default: 1.5, minimum: 0 }, b: { default: 7 }, c: { type: "number", default: 0.5 } });
});
