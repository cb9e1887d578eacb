// Files as ComfyUI's editor leaves them after many edits. What it makes of them was seen there (frontend 1.27.10).
import { exportRegion, importComfy } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { expect, test } from "vitest";
import { mergeLibraries, readObjectInfo } from "../src/library/merge.ts";
import { recordedObjectInfo } from "./fake/object-info.ts";

const library = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(recordedObjectInfo()), live: true }]));

type Values = Record<string, Record<string, unknown>>;
function promptOf(file: object): Values {
  const { graph, issues } = importComfy(file, library);
  const { text, why } = exportRegion(graph as NonNullable<typeof graph>, library);
  expect(text, `${why} ${JSON.stringify(issues)}`).toBeDefined();
  const prompt = JSON.parse(text as string) as Record<string, { inputs: Record<string, unknown> }>;
  return Object.fromEntries(Object.entries(prompt).map(([id, { inputs }]) => [id, inputs]));
}

const slot = (name: string, type: string, link: number | null = null, widget = false) => ({
  name,
  type,
  link,
  ...(widget ? { widget: { name } } : {}),
});
const image = { name: "IMAGE", type: "IMAGE" };
const empty = (id: number, more: object = {}) => ({
  id,
  type: "EmptyImage",
  inputs: [],
  outputs: [image],
  widgets_values: [64, 32, 1, 7],
  ...more,
});
const invert = (id: number, link: number, more: object = {}) => ({
  id,
  type: "ImageInvert",
  inputs: [slot("image", "IMAGE", link)],
  outputs: [image],
  ...more,
});
const preview = (id: number, link: number) => ({ id, type: "PreviewImage", inputs: [slot("images", "IMAGE", link)] });

const SUBGRAPH = "11111111-2222-4333-8444-555555555555";
/** One EmptyImage, whose width, height and colour are inputs of the subgraph; a link of a node that is gone leads to its output, too. */
const definition = {
  id: SUBGRAPH,
  inputs: [
    { name: "width", type: "INT", linkIds: [1] },
    { name: "height", type: "INT", linkIds: [2] },
    { name: "colour", type: "INT", linkIds: [3] },
  ],
  outputs: [{ name: "IMAGE", type: "IMAGE", linkIds: [5] }],
  nodes: [empty(20, { inputs: [slot("width", "INT", 1, true), slot("height", "INT", 2, true), slot("color", "INT", 3, true)] })],
  links: [
    { id: 1, origin_id: -10, origin_slot: 0, target_id: 20, target_slot: 0, type: "INT" },
    { id: 2, origin_id: -10, origin_slot: 1, target_id: 20, target_slot: 1, type: "INT" },
    { id: 3, origin_id: -10, origin_slot: 2, target_id: 20, target_slot: 2, type: "INT" },
    { id: 4, origin_id: 99, origin_slot: 0, target_id: -20, target_slot: 0, type: "IMAGE" },
    { id: 5, origin_id: 20, origin_slot: 0, target_id: -20, target_slot: 0, type: "IMAGE" },
  ],
};
const withInstance = (inputs: object[], more: object = {}) => ({
  nodes: [{ id: 2, type: SUBGRAPH, inputs, outputs: [image], widgets_values: [640, 320, 255] }, preview(3, 9)],
  links: [[9, 2, 0, 3, 0, "IMAGE"]],
  definitions: { subgraphs: [{ ...definition, ...more }] },
});

test("a subgraph's instance that leaves out the inputs that have no wire has its values in the subgraph's order", () => {
  const all = ["width", "height", "colour"].map((name) => slot(name, "INT", null, true));
  const expected = { width: 640, height: 320, batch_size: 1, color: 255 };
  expect(promptOf(withInstance(all))["2:20"]).toEqual(expected);
  expect(promptOf(withInstance([slot("height", "INT", null, true)]))["2:20"]).toEqual(expected);
  expect(promptOf(withInstance([]))["2:20"]).toEqual(expected);
});

test("of several links to a subgraph's output the one counts that the output names, and else one whose node is there", () => {
  expect(promptOf(withInstance([]))["3"]).toEqual({ images: ["2:20", 0] });
  expect(promptOf(withInstance([], { outputs: [{ name: "IMAGE", type: "IMAGE" }] }))["3"]).toEqual({ images: ["2:20", 0] });
  expect(promptOf(withInstance([], { outputs: [{ name: "IMAGE", type: "IMAGE", linkIds: [4, 5] }] }))["3"]).toEqual({
    images: ["2:20", 0],
  });
});

test("a muted reroute, primitive or Set node is a wire as others are: it has nothing to do that could be left out", () => {
  const rerouted = promptOf({
    nodes: [empty(1), { id: 2, type: "Reroute", mode: 2, inputs: [slot("", "*", 1)], outputs: [image] }, preview(3, 2)],
    links: [
      [1, 1, 0, 2, 0, "*"],
      [2, 2, 0, 3, 0, "IMAGE"],
    ],
  });
  expect(rerouted["3"]).toEqual({ images: ["1", 0] });
  const given = promptOf({
    nodes: [
      { id: 1, type: "PrimitiveNode", mode: 2, outputs: [{ name: "INT", type: "INT" }], widgets_values: [48, "fixed"] },
      empty(2, { inputs: [slot("width", "INT", 1, true)] }),
      preview(3, 2),
    ],
    links: [
      [1, 1, 0, 2, 0, "INT"],
      [2, 2, 0, 3, 0, "IMAGE"],
    ],
  });
  expect(given["2"]?.width).toBe(48);
  const set = promptOf({
    nodes: [
      empty(1),
      { id: 2, type: "SetNode", mode: 2, inputs: [slot("IMAGE", "IMAGE", 1)], outputs: [image], widgets_values: ["picture"] },
      { id: 3, type: "GetNode", mode: 2, outputs: [image], widgets_values: ["picture"] },
      preview(4, 2),
    ],
    links: [
      [1, 1, 0, 2, 0, "IMAGE"],
      [2, 3, 0, 4, 0, "IMAGE"],
    ],
  });
  expect(set["4"]).toEqual({ images: ["1", 0] });
});

test("a node that is muted gives nothing, whatever it is wired to", () => {
  const { graph } = importComfy(
    {
      nodes: [empty(1, { mode: 2 }), invert(2, 1), preview(3, 2)],
      links: [
        [1, 1, 0, 2, 0, "IMAGE"],
        [2, 2, 0, 3, 0, "IMAGE"],
      ],
    },
    library,
  );
  expect(graph?.nodes.map(({ id }) => id)).toEqual(["2", "3"]);
  expect(graph?.edges.map(({ from, to }) => [from, to])).toEqual([["2", "3"]]);
});

test("what takes anything gets from a bypassed node what that takes in the same place, whatever its type", () => {
  const bypassed = {
    id: 2,
    type: "MaskToImage",
    mode: 4,
    inputs: [slot("mask", "MASK", 1)],
    outputs: [image],
  };
  const prompt = promptOf({
    nodes: [
      { id: 1, type: "SolidMask", inputs: [], outputs: [{ name: "MASK", type: "MASK" }], widgets_values: [1, 64, 32] },
      bypassed,
      { id: 3, type: "PreviewAny", inputs: [slot("source", "*", 2)], outputs: [] },
    ],
    links: [
      [1, 1, 0, 2, 0, "MASK"],
      [2, 2, 0, 3, 0, "*"],
    ],
  });
  expect(prompt["3"]).toEqual({ source: ["1", 0] });
});
