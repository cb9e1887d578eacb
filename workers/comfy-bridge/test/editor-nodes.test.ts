// What ComfyUI's own editor makes of the nodes in a file: group nodes of older files are taken apart, as it takes them apart. (Of late, as in 1.27, it loses what a reroute inside takes from outside.)
import { exportRegion, importComfy, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { describe, expect, test } from "vitest";
import { mergeLibraries, readObjectInfo } from "../src/library/merge.ts";
import { recordedObjectInfo } from "./fake/object-info.ts";

const library = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(recordedObjectInfo()), live: true }]));

const slot = (name: string, type: string, link: number | null = null) => ({ name, type, link });
const image = { name: "IMAGE", type: "IMAGE", links: [] };
const mask = { name: "MASK", type: "MASK", links: [] };
const made = { type: "EmptyImage", inputs: [], outputs: [image], widgets_values: [512, 256, 1, 7] };
const threshold = { type: "ThresholdMask", inputs: [slot("mask", "MASK", 99)], outputs: [mask], widgets_values: [0.5] };
const composite = {
  type: "ImageCompositeMasked",
  inputs: [slot("destination", "IMAGE"), slot("source", "IMAGE"), slot("mask", "MASK")],
  outputs: [image],
  widgets_values: [0, 0, true],
};
const reroute = { type: "Reroute", inputs: [slot("", "*")], outputs: [{ name: "", type: "*", links: null }] };
/** Two of its nodes take the mask that a reroute in it takes from outside. */
const paste = {
  nodes: [made, threshold, { type: "InvertMask", inputs: [slot("mask", "MASK")], outputs: [mask] }, composite, reroute],
  links: [
    [null, 1, 4, 0, 50, "MASK"],
    [4, 0, 1, 0, 66, "MASK"],
    [4, 0, 2, 0, 66, "MASK"],
    [null, 0, 3, 0, 50, "IMAGE"],
    [0, 0, 3, 1, 62, "IMAGE"],
    [1, 0, 3, 2, 64, "MASK"],
  ],
  external: [[{ type: "ImageCompositeMasked" }, 0, "IMAGE"]],
  config: { "3": { input: { destination: { name: "image" } } }, "4": { input: { MASK: { name: "mask" } } } },
};
const instance = (type: string) => ({
  id: 5,
  type,
  inputs: [slot("image", "IMAGE", 1), slot("mask", "MASK", 2)],
  outputs: [
    { name: "MASK", type: "MASK", links: [4] },
    { name: "IMAGE", type: "IMAGE", links: [3] },
  ],
  widgets_values: [64, 32, 1, 255, 0.25, 8, 9, false],
});
const load = { id: 1, type: "LoadImage", outputs: [image, mask], widgets_values: ["example.png", "image"] };
const workflow = (type: string, groups: object) => ({
  nodes: [
    load,
    instance(type),
    { id: 6, type: "PreviewImage", inputs: [slot("images", "IMAGE", 3)] },
    { id: 7, type: "MaskPreview", inputs: [slot("mask", "MASK", 4)] },
  ],
  links: [
    [1, 1, 0, 5, 0, "IMAGE"],
    [2, 1, 1, 5, 1, "MASK"],
    [3, 5, 1, 6, 0, "IMAGE"],
    [4, 5, 0, 7, 0, "MASK"],
  ],
  extra: { groupNodes: groups },
});

function promptOf(value: unknown): Record<string, unknown> {
  const { graph, issues } = importComfy(value, library);
  expect(issues).toEqual([]);
  const { text = "{}" } = exportRegion(graph as NonNullable<typeof graph>, library);
  const prompt = JSON.parse(text) as Record<string, { class_type: string; inputs: object }>;
  return Object.fromEntries(Object.entries(prompt).map(([id, { class_type, inputs }]) => [id, [class_type, inputs]]));
}

const EXPECTED = {
  "1": ["LoadImage", { image: "example.png" }],
  "5:0": ["EmptyImage", { width: 64, height: 32, batch_size: 1, color: 255 }],
  "5:1": ["ThresholdMask", { mask: ["1", 1], value: 0.25 }],
  "5:2": ["InvertMask", { mask: ["1", 1] }],
  "5:3": ["ImageCompositeMasked", { destination: ["1", 0], source: ["5:0", 0], mask: ["5:1", 0], x: 8, y: 9, resize_source: false }],
  "6": ["PreviewImage", { images: ["5:3", 0] }],
  "7": ["MaskPreview", { mask: ["5:2", 0] }],
};

describe("a group node", () => {
  test.each(["workflow/Paste", "workflow>Paste"])("%s becomes its nodes, with the values and wires of the instance", (type) => {
    expect(promptOf(workflow(type, { Paste: paste }))).toEqual(EXPECTED);
  });
  test("in a subgraph does too", () => {
    const { nodes, links, extra } = workflow("workflow>Paste", { Paste: paste });
    const outer = { nodes: [{ id: 9, type: "inner" }], links: [], extra };
    const prompt = promptOf({ ...outer, definitions: { subgraphs: [{ id: "inner", nodes, links }] } });
    expect(Object.keys(prompt).sort()).toEqual(
      Object.keys(EXPECTED)
        .map((id) => `9:${id}`)
        .sort(),
    );
  });
  test("whose primitive fills a widget gives it the instance's value", () => {
    const seeded = {
      nodes: [
        { type: "PrimitiveNode", outputs: [{ name: "INT", type: "INT", widget: { name: "width" } }], widgets_values: [512, "fixed"] },
        { ...made, inputs: [{ ...slot("width", "INT"), widget: { name: "width" } }] },
      ],
      links: [[0, 0, 1, 0, 1, "INT"]],
    };
    const nodes = [
      { id: 5, type: "workflow>Seeded", inputs: [], outputs: [{ ...image, links: [1] }], widgets_values: [96, "fixed", 256, 1, 7] },
      { id: 6, type: "PreviewImage", inputs: [slot("images", "IMAGE", 1)] },
    ];
    expect(promptOf({ nodes, links: [[1, 5, 0, 6, 0, "IMAGE"]], extra: { groupNodes: { Seeded: seeded } } })).toMatchObject({
      "5:1": ["EmptyImage", { width: 96, height: 256, batch_size: 1, color: 7 }],
    });
  });
  test("whose values cannot be told apart is taken with those of its definition, and says so", () => {
    const raw = workflow("workflow>Paste", { Paste: paste });
    (raw.nodes[1] as { widgets_values: unknown[] }).widgets_values.push("more");
    const { graph, issues } = importComfy(raw, library);
    expect(issues).toMatchObject([{ place: { node: "5" }, message: expect.stringContaining('group node "Paste"') }]);
    expect(graph?.nodes.find(({ id }) => id === "5:0")?.params).toMatchObject({ width: 512, color: 7 });
  });
  test("of a name that the file does not define stays what it is called", () => {
    expect(importComfy(workflow("workflow>Paste", {}), library).graph?.nodes.map(({ service }) => service)).toContain("workflow>Paste");
  });
  test.each([
    ["nothing", {}],
    ["no lists", { nodes: 1, links: "x", external: {}, config: [] }],
    ["links to nowhere", { nodes: [made], links: [[0, 0, 9, 0], [null], {}, [{ toString: 1 }, 0, 0, 0]], external: [[{ toString: 1 }]] }],
  ])("that holds %s throws nothing", (_, Paste) => {
    expect(() => importComfy(workflow("workflow>Paste", { Paste }), library)).not.toThrow();
  });
  test("that holds itself twice is refused as too large", () => {
    const self = { id: 0, type: "workflow>Self", inputs: [], outputs: [] };
    const value = { nodes: [self], links: [], extra: { groupNodes: { Self: { nodes: [self, self], links: [] } } } };
    expect(importComfy(value, library).issues).toMatchObject([{ code: "graph.too_large" }]);
  });
});

test("classes that have another name by now have it", () => {
  const types = ["ConditioningAverage ", "T2IAdapterLoader", "SDV_img2vid_Conditioning"];
  const { graph } = importComfy({ nodes: types.map((type, id) => ({ id, type })), links: [] }, library);
  expect(graph?.nodes.map(({ service }) => service)).toEqual(["ConditioningAverage", "ControlNetLoader", "SVD_img2vid_Conditioning"]);
});

describe("a bypassed node", () => {
  const lora = {
    id: 2,
    type: "LoraLoader",
    mode: 4,
    inputs: [slot("model", "MODEL", 1), slot("clip", "CLIP", 2)],
    outputs: [
      { name: "MODEL", type: "MODEL", links: [3] },
      { name: "CLIP", type: "CLIP", links: [4] },
    ],
    widgets_values: ["gone.safetensors", 1, 1],
  };
  const through = (node: object) => ({
    nodes: [
      { id: 1, type: "CheckpointLoaderSimple", outputs: [], widgets_values: ["a.safetensors"] },
      { id: 2, inputs: [], outputs: [], ...node },
      { id: 3, type: "CLIPTextEncode", inputs: [slot("clip", "CLIP", 4)], outputs: [], widgets_values: ["words"] },
      { id: 4, type: "ModelSave", inputs: [slot("model", "MODEL", 3)], widgets_values: ["out"] },
    ],
    links: [
      [1, 1, 0, 2, 0, "MODEL"],
      [2, 1, 1, 2, 1, "CLIP"],
      [3, 2, 0, 4, 0, "MODEL"],
      [4, 2, 1, 3, 0, "CLIP"],
    ],
  });

  test("[G8] stays, bypassed, and the prompt is as without it", () => {
    const { graph, issues } = importComfy(through(lora), library);
    expect([issues, graph?.metadata?.nodes]).toEqual([[], { "2": { bypassed: true } }]);
    expect(graph?.edges.map(({ from, to }) => `${from}>${to}`)).toEqual(["1>2", "1>2", "2>3", "2>4"]);
    expect(validate(graph as NonNullable<typeof graph>, library).filter(({ severity }) => severity === "error")).toEqual([]);
    const { text = "{}" } = exportRegion(graph as NonNullable<typeof graph>, library);
    const prompt = JSON.parse(text);
    expect(Object.keys(prompt)).toEqual(["1", "4"]);
    expect(prompt["4"].inputs.model).toEqual(["1", 0]);
  });
  test("is left out where the server lacks it, or would pass on something else; its wires go straight through", () => {
    const swapped = { ...lora, inputs: [slot("strength_model", "MODEL", 1), ...lora.inputs.slice(1)] };
    for (const node of [{ ...lora, type: "A pack's" }, swapped]) {
      const { graph, issues } = importComfy(through(node), library);
      expect(graph?.edges.map(({ from, to }) => `${from}>${to}`)).toEqual(["1>3", "1>4"]);
      expect(issues.map(({ message }) => message)).toEqual(["1 bypassed nodes are left out; what they passed on goes straight through."]);
    }
  });
  test("whose input has no wire gives nothing: what it leads to keeps its own value", () => {
    const size = { name: "INT", type: "INT", links: [9] };
    const nodes = [
      {
        id: 1,
        type: "PrimitiveInt",
        mode: 4,
        inputs: [{ ...slot("value", "INT"), widget: { name: "value" } }],
        outputs: [size],
        widgets_values: [7],
      },
      {
        id: 2,
        type: "EmptyImage",
        inputs: [{ ...slot("width", "INT", 9), widget: { name: "width" } }],
        outputs: [image],
        widgets_values: [64, 32, 1, 0],
      },
    ];
    const { graph } = importComfy({ nodes, links: [[9, 1, 0, 2, 0, "INT"]] }, library);
    expect(graph?.edges).toEqual([]);
    expect(graph?.nodes.find(({ id }) => id === "2")?.params).toMatchObject({ width: 64 });
  });
});

test("of a pack's nodes only those that act on ComfyUI's editor alone are left out", () => {
  const node = (id: number, type: string, link: number | null, links: number[]) => ({
    id,
    type,
    inputs: [{ name: "in", type: "*", link }],
    outputs: [{ name: "out", type: "*", links }],
  });
  const read = importComfy(
    {
      nodes: [
        node(1, "Seed (rgthree)", null, [1]),
        node(2, "Reroute (rgthree)", 1, [2]),
        node(3, "Context (rgthree)", 2, []),
        node(4, "Fast Groups Muter (rgthree)", null, []),
        node(5, "Mute / Bypass Relay (rgthree)", null, []),
        node(6, "Label (rgthree)", null, []),
      ],
      links: [
        [1, 1, 0, 2, 0, "*"],
        [2, 2, 0, 3, 0, "*"],
      ],
    },
    library,
  );
  expect(read.graph?.nodes.map(({ service }) => service)).toEqual(["Seed (rgthree)", "Context (rgthree)"]);
  expect(read.graph?.edges).toMatchObject([{ from: "1", to: "3" }]);
  expect(read.issues.map(({ place }) => place)).toEqual([{ node: "4" }, { node: "5" }, { node: "6" }]);
});

test.each([
  ["KJNodes", "SetNode", "GetNode"],
  ["Easy-Use", "easy setNode", "easy getNode"],
])("a wire that has a name of %s is a wire", (_, set, get) => {
  const image = [{ name: "IMAGE", type: "IMAGE", links: [1] }];
  const read = importComfy(
    {
      nodes: [
        { id: 1, type: "EmptyImage", outputs: image, widgets_values: [64, 64, 1, 0] },
        { id: 2, type: set, inputs: [{ name: "IMAGE", type: "IMAGE", link: 1 }], outputs: [], widgets_values: ["picture"] },
        { id: 3, type: get, inputs: [], outputs: image, widgets_values: ["picture"] },
        { id: 4, type: "PreviewImage", inputs: [{ name: "images", type: "IMAGE", link: 2 }] },
        { id: 5, type: "Note+ (mtb)", widgets_values: ["a note"] },
      ],
      links: [
        [1, 1, 0, 2, 0, "IMAGE"],
        [2, 3, 0, 4, 0, "IMAGE"],
      ],
    },
    library,
  );
  expect(read.graph?.nodes.map(({ service }) => service)).toEqual(["EmptyImage", "PreviewImage"]);
  expect(read.graph?.edges).toMatchObject([{ from: "1", to: "4" }]);
  expect(read.issues).toEqual([]);
});

test("a group node of a newer file, which has all widgets among the inputs, has its own values", () => {
  const widget = (name: string, type: string) => ({ name, type, widget: { name }, link: null });
  const inner = {
    type: "EmptyImage",
    index: 0,
    inputs: [widget("width", "INT"), widget("height", "INT"), widget("batch_size", "INT"), widget("color", "INT")],
    outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }],
    widgets_values: [512, 512, 1, 0],
  };
  const shown = { type: "PreviewImage", index: 1, inputs: [{ name: "images", type: "IMAGE", link: null }], widgets_values: [] };
  const Pair = { nodes: [inner, shown], links: [[0, 0, 1, 0, 1, "IMAGE"]], external: [] };
  const read = importComfy(
    { nodes: [{ id: 7, type: "workflow>Pair", inputs: [], widgets_values: [64, 32, 2, 5] }], links: [], extra: { groupNodes: { Pair } } },
    library,
  );
  expect(read.graph?.nodes[0]?.params).toEqual({ width: 64, height: 32, batch_size: 2, color: 5 });
  expect(read.issues).toEqual([]);
});

test("the name of a group node that is no longer used costs nothing", () => {
  const left = { nodes: [{ id: 1, type: "EmptyImage" }], links: [], extra: { groupNodes: { Mine: {} } } };
  expect(importComfy(left, library)).toMatchObject({ graph: { nodes: [{ service: "EmptyImage" }] }, issues: [] });
});
