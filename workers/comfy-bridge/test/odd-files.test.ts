// Workflow files that are odd: of a format that is to come, at odds with themselves, or with nodes that nobody has.
import { readFileSync } from "node:fs";
import { extractWorkflow, importComfy, readAnyText, readGraph, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { describe, expect, test } from "vitest";
import { mergeLibraries, readObjectInfo } from "../src/library/merge.ts";

const info = readFileSync(new URL("recordings/object_info.json", import.meta.url), "utf8");
const library = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(info), live: true }]));

test("a node that no server has says which pack a server's Manager knows to have it, where the workflow does not; what is there needs none", () => {
  const packs = new Map([
    ["Odd", "somebody/ComfyUI-Odd"],
    ["KSampler", "somebody/Else"],
  ]);
  const known = { ...library, packOf: (service: string) => packs.get(service) };
  const packsOf = (raw: object) => (readGraph(importComfy(raw, known).graph).graph?.metadata?.editor ?? {}) as { packs?: object };
  expect(packsOf({ "1": { class_type: "Odd", inputs: {} }, "2": { class_type: "KSampler", inputs: {} } }).packs).toEqual({
    "1": "somebody/ComfyUI-Odd",
  });
  const named = { id: 1, type: "Odd", pos: [0, 0], properties: { cnr_id: "odd-pack" } };
  expect(packsOf({ nodes: [named], links: [], version: 0.4 }).packs).toEqual({ "1": "odd-pack" });
});

describe("values of a class that nobody has", () => {
  const params = (names: readonly string[], widgets_values: unknown) => {
    const inputs = names.map((name) => ({ name, type: "STRING", widget: { name }, link: 7 }));
    const raw = { nodes: [{ id: 1, type: "Nobody", pos: [0, 0], inputs, widgets_values }], links: [], version: 0.4 };
    return importComfy(raw, library).graph?.nodes[0]?.params;
  };
  test("of an older file that names one widget, which was made an input, stay in their places, empty ones too", () => {
    for (const values of [
      ["a prompt", "", ""],
      ["a prompt", null],
      ["", ""],
    ])
      expect(params(["text_b"], values)).toEqual({ widgets_values: values });
  });
  test("have their names where each is named, or a button's is left", () => {
    expect(params(["a", "b"], ["x", ""])).toEqual({ a: "x", b: "" });
    expect(params(["image"], ["x.png", "image"])).toEqual({ image: "x.png" });
  });
});

test("a value that the server does not describe is said to be sent, as packs take some; one of another choice is not", () => {
  const said = (service: string, own: object) => {
    const node = { id: "n", service, plane: "comfy", status: "pending", params: own };
    return validate({ schema: "langgraph.v1", workflowId: "w", nodes: [node], edges: [] } as never, library).flatMap(({ code, message }) =>
      code === "param.invalid" ? [message] : [],
    );
  };
  expect(said("EmptyImage", { crf: 19 })).toEqual([
    'The server does not describe a parameter "crf" of EmptyImage; the value is sent to ComfyUI as it is.',
  ]);
  expect(said("EmptyImage", { width: 64 })).toEqual([]);
});

describe("a workflow of a format that is to come", () => {
  const node = { id: 1, type: "EmptyImage", pos: [0, 0], widgets_values: [64, 32, 1, 0] };
  const messages = (raw: object) => importComfy(raw, library).issues.map(({ severity, message }) => `${severity}: ${message}`);
  test("is taken as far as it can be read, and says so", () => {
    const raw = { nodes: [node], links: [], version: 3.2, revolution: { everything: "new" } };
    expect(messages(raw)).toEqual([expect.stringMatching(/^warning: The workflow has format 3\.2, which is newer than 1, .* Compare/)]);
    expect(importComfy(raw, library).graph?.nodes.map(({ params }) => params)).toEqual([
      expect.objectContaining({ width: 64, height: 32 }),
    ]);
    for (const version of [0.4, 1, "1.0", undefined]) expect(messages({ nodes: [node], links: [], version })).toEqual([]);
  });
  test.each([
    ["links that are something else", { nodes: [node], links: { a: 1 }, version: 4 }],
    ["nodes in an object by their ids", { nodes: { "1": node }, links: [], version: 4 }],
    ["values in boxes", { nodes: [{ ...node, widgets_values: { width: { value: { deep: [64] } } } }], links: [], version: 4 }],
    ["nodes that cannot be read", { nodes: { "1": 3 }, links: [], version: "2.1-beta" }],
    ["no nodes, but something else", { graph: { vertices: [node] }, version: 4, last_node_id: 1 }],
  ])("with %s is refused in words or taken over, and nothing is thrown", (_, raw) => {
    const { graph, issues } = readAnyText(JSON.stringify(raw), library);
    if (!graph) expect(issues.some(({ severity, message }) => severity === "error" && message.length > 20)).toBe(true);
    else expect(readGraph(graph).issues).toEqual([]);
  });
});

describe("a file whose workflow and prompt disagree", () => {
  const workflow = {
    nodes: [
      { id: 1, type: "EmptyImage", pos: [0, 0], widgets_values: [64, 32, 1, 0] },
      { id: 2, type: "ImageInvert", pos: [0, 0] },
    ],
    links: [],
    version: 0.4,
  };
  const prompt = (more: object) => ({
    "1": { class_type: "EmptyImage", inputs: { width: 64, height: 32, batch_size: 1, color: 0 } },
    "2": { class_type: "ImageInvert", inputs: { image: ["1", 0] } },
    ...more,
  });
  const said = (made: object) => importComfy({ workflow, prompt: made }, library).issues.map(({ place, message }) => [place.node, message]);
  test("is taken as its workflow says, and each node says what made the file", () => {
    const { graph } = importComfy({ workflow, prompt: prompt({}) }, library);
    expect(graph?.nodes.map(({ id }) => id)).toEqual(["1", "2"]);
    expect(said(prompt({}))).toEqual([]);
    expect(said(prompt({ "1": { class_type: "EmptyImage", inputs: { width: 65, height: 32, batch_size: 1, color: 0 } } }))).toEqual([
      ["1", expect.stringMatching(/The file was made with another value of width: 65, and its workflow has 64/)],
    ]);
    expect(said(prompt({ "2": { class_type: "ImageScale", inputs: {} } }))).toEqual([
      ["2", expect.stringMatching(/The file was made by ImageScale, and its workflow has ImageInvert/)],
    ]);
    expect(said(prompt({ "9": { class_type: "SaveImage", inputs: {} } }))).toEqual([
      [undefined, expect.stringMatching(/The file was made with nodes that its workflow does not have: SaveImage \(9\)/)],
    ]);
  });
  test("says where the file was made with other wires", () => {
    const wired = {
      ...workflow,
      nodes: [
        { ...workflow.nodes[0], outputs: [{ name: "IMAGE", type: "IMAGE", links: [1] }] },
        { ...workflow.nodes[1], inputs: [{ name: "image", type: "IMAGE", link: 1 }] },
        { id: 3, type: "EmptyImage", pos: [0, 0], widgets_values: [64, 32, 1, 0] },
      ],
      links: [[1, 1, 0, 2, 0, "IMAGE"]],
    };
    const saidOf = (made: object) => importComfy({ workflow: wired, prompt: made }, library).issues.map(({ message }) => message);
    const third = { "3": { class_type: "EmptyImage", inputs: {} } };
    expect(saidOf(prompt(third))).toEqual([]);
    expect(saidOf(prompt({ ...third, "2": { class_type: "ImageInvert", inputs: { image: ["3", 0] } } }))).toEqual([
      "The file was made with image wired to output 1 of node 3, and its workflow has output 1 of node 1.",
    ]);
  });
  test("in a picture is told of as well", () => {
    const chunk = (type: string, body: string) => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(Buffer.byteLength(body));
      return Buffer.concat([head, Buffer.from(type), Buffer.from(body), Buffer.alloc(4)]);
    };
    const made = prompt({ "1": { class_type: "EmptyImage", inputs: { width: 65, height: 32, batch_size: 1, color: 0 } } });
    const png = Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
      chunk("tEXt", `prompt\0${JSON.stringify(made)}`),
      chunk("tEXt", `workflow\0${JSON.stringify(workflow)}`),
      chunk("IEND", ""),
    ]);
    const { issues } = readAnyText(extractWorkflow(png) ?? "", library);
    expect(issues.map(({ message }) => message)).toEqual([expect.stringContaining("another value of width")]);
  });
  test.each([
    ["no object", 7],
    ["a list", [1]],
    ["nodes that are none", { "1": 3, "2": { class_type: 4 } }],
    ["a text", "{"],
  ])("with a prompt that is %s is its workflow", (_, made) => {
    expect(importComfy({ workflow, prompt: made }, library).graph?.nodes).toHaveLength(2);
  });
});

test("numbers that an API file has as texts are numbers, as ComfyUI takes them; a wire to nothing is said, whatever its name", () => {
  const size = { class_type: "EmptyImage", inputs: { width: "16", height: "8.0", batch_size: true, color: 0 } };
  const { graph, issues } = importComfy({ "1": size, "2": { class_type: "ImageInvert", inputs: { image: ["toString", 0] } } }, library);
  expect(graph?.nodes[0]?.params).toEqual({ width: 16, height: 8, batch_size: 1, color: 0 });
  expect(issues.map(({ message }) => message)).toEqual(["image is linked to the node toString, which is not in the file."]);
});
