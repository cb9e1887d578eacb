import { readFileSync } from "node:fs";
import { regionInput, resolve } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { type Capability, validateCapability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { toCapability } from "./capability.ts";
import { mergeLibraries, readObjectInfo, writeManifest } from "./merge.ts";

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

test("a pack's node that takes a picture and names no file may describe it in words", () => {
  const outputsOf = (python_module: string, required: object) =>
    Object.keys(
      toCapability("Shows", { input: { required: { image: ["IMAGE"], ...required } }, output: [], output_node: true, python_module }).io
        .output.properties as Properties,
    );
  expect(outputsOf("custom_nodes.captions", {})).toEqual(["image", "images", "text"]);
  expect(outputsOf("custom_nodes.captions", { filename_prefix: ["STRING", {}] })).toEqual(["image", "images"]);
  expect(outputsOf("nodes", {})).toEqual(["image", "images"]);
});

test("the nodes of the odd pack are all read", () => {
  const odd = readObjectInfo(readFileSync(new URL("../../test/recordings/odd_object_info.json", import.meta.url), "utf8"));
  expect([...odd.unreadable]).toEqual([]);
  const outputsOf = (name: string) => Object.keys(odd.nodes.get(name)?.io.output.properties as Properties);
  expect(outputsOf("OddChoice")).toEqual(["STRING", "COMBO"]);
  expect(outputsOf("OddNames")).toEqual(["INT", "FLOAT", "BOOLEAN"]);
  expect(odd.nodes.get('Odd/Text "🦄" (odd)')?.io.input.properties).toHaveProperty(["who/what 🦄"]);
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
  test("have a node's inputs from a server that describes it well", () => {
    const odd = readObjectInfo(JSON.stringify({ SaveImage: { input: JSON.parse('{ "required": { "__proto__": ["INT"] } }') } }));
    const [capability] = mergeLibraries([
      { id: "a", url: "http://a:1", ...odd, live: true },
      { id: "b", url: "http://b:1", nodes: some(["SaveImage"]), live: true },
    ]);
    expect(odd.unreadable.has("SaveImage")).toBe(true);
    expect(capability?.io).toEqual(nodes.get("SaveImage")?.io);
    expect(capability?.engines?.map(({ id, live }) => [id, live])).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });
  test("share no choice that is no name, and nothing is thrown", () => {
    const odd = toCapability("Odd", { input: { required: { a: ["COMBO", { options: [{ toString: 1 }, "x"] }] } } });
    const [capability] = mergeLibraries(
      ["a", "b"].map((id) => ({ id, url: `http://${id}:1`, nodes: new Map([["Odd", odd]]), live: true })),
    );
    expect(capability?.engines).toHaveLength(2);
  });
  test("offer each other's files, and say who has which", () => {
    const loader = (files: string[]) => toCapability("Loader", { input: { required: { name: [files, {}] } }, output: ["MODEL"] });
    const [capability] = mergeLibraries([
      { id: "a", url: "http://a:1", nodes: new Map([["Loader", loader(["x"])]]), live: true },
      { id: "b", url: "http://b:1", nodes: new Map([["Loader", loader(["y"])]]), live: true },
    ]);
    expect(capability?.io.input).toMatchObject({ properties: { name: { enum: ["x", "y"], "x-on": { x: ["a"], y: ["b"] } } } });
    const picture = (files: string[]) =>
      toCapability("Loader", { input: { required: { image: [files, { image_upload: true }] } }, output: ["IMAGE"] });
    const [uploads] = mergeLibraries([
      { id: "a", url: "http://a:1", nodes: new Map([["Loader", picture(["x.png"])]]), live: true },
      { id: "b", url: "http://b:1", nodes: new Map([["Loader", picture(["y.png"])]]), live: true },
    ]);
    expect(uploads?.io.input).toMatchObject({
      properties: { image: { anyOf: [{ enum: ["x.png", "y.png"] }, { type: "object" }], "x-on": { "x.png": ["a"], "y.png": ["b"] } } },
    });
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
    [
      "a folder of files in each of its rows",
      { a: ["COMFY_DYNAMICGROUP_V3", { template: { required: { b: [Array.from({ length: 20_000 }, (_, n) => `f${n}`)] } } }] },
    ],
    ["an input called as the prototype", JSON.parse('{ "__proto__": ["INT", {}] }')],
  ])("%s cost the other classes nothing, and little room", (_, required) => {
    const read = readObjectInfo(JSON.stringify({ Odd: { input: { required } }, SaveImage: JSON.parse(text).SaveImage }));
    expect(read.nodes.get("SaveImage")).toEqual(nodes.get("SaveImage"));
    expect(JSON.stringify(read.nodes.get("Odd")).length).toBeLessThan(100_000);
  });

  test("classes for which the manifest has no room, the largest first, cost the others nothing", () => {
    const choices = (count: number) => ({ input: { required: { a: [Array.from({ length: count }, (_, n) => `\u4e2d${n}`)] } } });
    const large = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`Large${n}`, choices(1000 + n)]));
    const server = (id: string, classes: object) => ({
      id,
      url: `http://${id}:1`,
      ...readObjectInfo(JSON.stringify({ ...classes, SaveImage: JSON.parse(text).SaveImage })),
      live: true,
    });
    const servers = [server("a", { ...large, Small: choices(2) }), server("b", large)];
    const whole = Buffer.byteLength(writeManifest(servers));
    const json = writeManifest(servers, whole - 12_000);
    expect(Buffer.byteLength(json)).toBeLessThan(whole - 12_000);
    const manifest = JSON.parse(json) as Capability[];
    const away = manifest.filter(({ engines }) => engines?.some(({ live }) => !live));
    expect(away.map(({ id }) => id)).toEqual(["Large7", "Large8"]);
    expect(JSON.parse(writeManifest(servers, 2000)).length).toBeLessThan(manifest.length);
  });

  test("a choice nested deeper than can be written costs the other classes nothing", () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    const odd = `{"input":{"required":{"a":["COMBO",{"options":[${deep}]}],"b":["ANY",{"default":${deep}}]}}}`;
    const read = readObjectInfo(`{"Odd":${odd},"SaveImage":${JSON.stringify(JSON.parse(text).SaveImage)}}`);
    expect(read.nodes.get("SaveImage")).toEqual(nodes.get("SaveImage"));
    expect(read.unreadable.has("Odd")).toBe(true);
    expect(() => JSON.stringify([...read.nodes.values()])).not.toThrow();
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

test("an output of which there may be several says which leave: the first, or all of a list; what stays on the server has none", () => {
  const info = {
    input: { required: { images: ["IMAGE"] } },
    output: ["IMAGE", "STRING", "LATENT"],
    output_is_list: [false, true, false],
    output_node: true,
  };
  expect(toCapability("Cut", info).io.output.properties).toMatchObject({
    IMAGE: { "x-many": "first" },
    STRING: { "x-many": "all", type: "array" },
    image: { "x-many": "first", "x-pick": "image" },
  });
  const many = Object.entries(toCapability("Cut", info).io.output.properties as object).flatMap(([name, schema]) =>
    "x-many" in schema ? [name] : [],
  );
  expect(many).toEqual(["IMAGE", "STRING", "image"]);
});

test("defaults and limits that are written as text are numbers; of an integer or a number, the number", () => {
  const { properties } = toCapability("Odd", {
    input: { required: { a: ["FLOAT", { default: "1.5", min: "0" }], b: ["INT", { default: "7.9" }], c: ["INT,FLOAT", { default: 0.5 }] } },
  }).io.input as { properties: Record<string, object> };
  expect(properties).toMatchObject({ a: { default: 1.5, minimum: 0 }, b: { default: 7 }, c: { type: "number", default: 0.5 } });
});

describe("numbers that Python writes and JSON does not have", () => {
  const of = (spec: string) =>
    readObjectInfo(`{"Odd": {"input": {"required": {"x": ${spec}}}, "output": []}, "Well": {"input": {}, "output": ["IMAGE"]}}`);
  const inputOf = (read: ReturnType<typeof of>) => ((read.nodes.get("Odd")?.io.input.properties ?? {}) as Properties).x;
  test("cost the other classes nothing, and as a limit they are none", () => {
    const read = of('["FLOAT", {"default": 1.0, "min": -Infinity, "max": Infinity, "step": NaN}]');
    expect([[...read.nodes.keys()], read.unreadable.size]).toEqual([["Odd", "Well"], 0]);
    expect(inputOf(read)).toEqual({ title: "x", "x-comfy-type": "FLOAT", type: "number", "x-inline": true, default: 1 });
  });
  test("are no default: the input is asked for", () => {
    const read = of('["FLOAT", {"default": Infinity}]');
    expect(read.nodes.get("Odd")?.io.input).toMatchObject({ required: ["x"] });
    expect(inputOf(read)).not.toHaveProperty("default");
  });
  test("among the choices make the class unreadable, with the reason, and no other", () => {
    const read = of("[[1.0, NaN], {}]");
    expect([...read.unreadable]).toEqual([["Odd", "a choice or value in it is NaN, which cannot be sent"]]);
    expect(read.nodes.get("Well")?.io.output.properties).toHaveProperty("IMAGE");
  });
});
