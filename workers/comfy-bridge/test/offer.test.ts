// A region of a graph as an engine of a capability, with the library of a real server. Here and not in graph-model, which knows no /object_info.
import { readFileSync } from "node:fs";
import {
  blueprintInput,
  type Graph,
  type NodeDefinition,
  type OfferedWorkflow,
  offeredBlueprint,
  suggestedOffer,
  whyNotOffered,
  workflowOf,
} from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { mergeLibraries, readObjectInfo } from "../src/library/merge.ts";

const info = readFileSync(new URL("recordings/object_info.json", import.meta.url), "utf8");
const classes = mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(info), live: true }]);
const library = makeLibrary([...committedManifests.python.capabilities, ...committedManifests.node.capabilities, ...classes]);
const capability = (id: string, plane = "python") => library.find(plane, id) as NodeDefinition;
const upscale = capability("generate.upscale_video");

const comfy = (id: string, service: string, params: Record<string, unknown> = {}) =>
  ({ id, service, plane: "comfy", status: "pending", params }) as Graph["nodes"][number];
const wire = (from: string, sourcePort: string, to: string, targetPort: string) =>
  ({ from, to, kind: "normal", metadata: { id: `${from}-${to}-${targetPort}`, sourcePort, targetPort } }) as Graph["edges"][number];
const graphOf = (nodes: Graph["nodes"], edges: Graph["edges"]): Graph =>
  ({ schema: "langgraph.v1", workflowId: "w", nodes, edges }) as Graph;

/** Every frame of a video, made larger. */
const larger = graphOf(
  [
    comfy("load.v", "LoadVideo"),
    comfy("parts", "GetVideoComponents"),
    comfy("scale", "ImageScaleBy", { upscale_method: "lanczos", scale_by: 2 }),
    comfy("film", "CreateVideo"),
    comfy("save", "SaveVideo", { filename_prefix: "x", format: "mp4", codec: "h264" }),
  ],
  [
    wire("load.v", "VIDEO", "parts", "video"),
    wire("parts", "images", "scale", "image"),
    wire("scale", "IMAGE", "film", "images"),
    wire("parts", "audio", "film", "audio"),
    wire("parts", "fps", "film", "fps"),
    wire("film", "VIDEO", "save", "video"),
  ],
);

function offered(graph: Graph, node = ""): OfferedWorkflow {
  const found = workflowOf(graph, library, node);
  if ("why" in found) throw new Error(found.why);
  return found;
}
const at = (workflow: OfferedWorkflow, label: string) => workflow.places.find((place) => place.label === label)?.at ?? "";
const made = (workflow: OfferedWorkflow, definition: NodeDefinition, more: object = {}): Blueprint =>
  offeredBlueprint(workflow, definition, {
    name: "mine",
    label: "Mine",
    description: "",
    ...suggestedOffer(workflow, definition),
    ...more,
  });

describe("a region that is offered as an engine", () => {
  test("[M4] says which of its inputs can be set and what it gives; files and what comes from outside must be set", () => {
    const workflow = offered(larger, "scale");
    expect(
      Object.values(workflow.prompt)
        .map(({ class_type }) => class_type)
        .sort(),
    ).toEqual(["CreateVideo", "GetVideoComponents", "ImageScaleBy", "LoadVideo", "SaveVideo"]);
    const places = workflow.places.map(({ label, port, isOpen }) => [label, port.type, isOpen]);
    expect(places).toContainEqual(["load.v: file", "video", true]);
    expect(places).toContainEqual(["scale: scale_by", "number", false]);
    expect(workflow.results.map(({ label, port }) => [label, port.type])).toContainEqual(["save: Video", "video"]);
  });

  test("[M4] what fits is suggested, and the same workflow as a file would be is made of it", () => {
    const workflow = offered(larger, "scale");
    const blueprint = made(workflow, upscale);
    expect(validateBlueprint(blueprint), JSON.stringify(validateBlueprint.errors)).toBe(true);
    expect(whyNotOffered(blueprint, library)).toEqual([]);
    expect(blueprint).toMatchObject({ name: "mine", capability: "generate.upscale_video", plane: "python", models: [] });
    const file = { artifact: "00000000-0000-4000-8000-000000000001", mime: "video/mp4", sha256: "1".repeat(64), size: 9 };
    const input = blueprintInput(blueprint, "n", { videoArtifact: file, scale: 3 });
    const load = Object.values(input.prompt).find(({ class_type }) => class_type === "LoadVideo");
    expect(load?.inputs.file).toEqual(file);
    expect(input.gives).toEqual([expect.objectContaining({ node: "n", port: "videoArtifact", pick: "video" })]);
    expect(input.prompt).toHaveProperty([input.sinks[0] ?? ""]);
  });

  test("[M4] a number of the capability goes where a person puts it", () => {
    const workflow = offered(larger, "scale");
    const place = at(workflow, "scale: scale_by");
    const blueprint = made(workflow, upscale, { set: { ...suggestedOffer(workflow, upscale).set, [place]: "scale" } });
    expect(whyNotOffered(blueprint, library)).toEqual([]);
    const { prompt } = blueprintInput(blueprint, "n", { scale: 4 });
    expect(Object.values(prompt).find(({ class_type }) => class_type === "ImageScaleBy")?.inputs.scale_by).toBe(4);
  });

  test("[M4] an optional file that was not given is refused in words before anything is sent", () => {
    const voice = capability("generate.f5_to_tts");
    const graph = graphOf(
      [comfy("load", "LoadAudio"), comfy("save", "SaveAudio", { filename_prefix: "x" })],
      [wire("load", "AUDIO", "save", "audio")],
    );
    const blueprint = made(offered(graph), voice);
    expect(whyNotOffered(blueprint, library)).toEqual([]);
    expect(() => blueprintInput(blueprint, "n", { narration: "x" })).toThrow("Mine needs Voice sample: choose a file, or another engine.");
  });

  test("[M4] a picture or a text from outside the region has a place, too", () => {
    const graph = graphOf(
      [
        { id: "words", service: "constant.string", plane: "node", status: "pending", params: { value: "x" } } as Graph["nodes"][number],
        { id: "file", service: "constant.image", plane: "node", status: "pending" } as Graph["nodes"][number],
        comfy("flip", "ImageInvert"),
        comfy("show", "PreviewAny"),
        comfy("save", "SaveImage", { filename_prefix: "x" }),
      ],
      [wire("words", "value", "save", "filename_prefix"), wire("file", "value", "flip", "image"), wire("flip", "IMAGE", "save", "images")],
    );
    const workflow = offered(graph, "save");
    expect(
      workflow.places
        .filter(({ isOpen }) => isOpen)
        .map(({ label, port }) => [label, port.type])
        .sort(),
    ).toEqual([
      ["flip: image", "image"],
      ["save: filename_prefix", "string"],
    ]);
  });

  test("[M4] what is wrong with it is said for each place", () => {
    const blueprint = made(offered(larger, "scale"), upscale);
    const why = (change: Partial<Blueprint>) => whyNotOffered({ ...blueprint, ...change }, library).join(" ");
    expect(why({ capability: "generate.nothing" })).toContain("There is no capability generate.nothing");
    expect(why({ capability: "ImageInvert", plane: "comfy" })).toContain("is a node of ComfyUI itself");
    expect(why({ capability: "constant.string", plane: "node", set: {}, gives: {} })).toContain("cannot have another engine");
    expect(why({ gives: {} })).toContain("Nothing gives Video");
    expect(why({ gives: { ...blueprint.gives, picture: Object.values(blueprint.gives)[0] as never } })).toContain("has no output picture");
    expect(why({ gives: { videoArtifact: { from: "99", pick: "video" } } })).toContain("has no node 99");
    expect(why({ set: { ...blueprint.set, "99.file": "inputs.scale" } })).toContain("has no node 99");
    expect(why({ set: { ...blueprint.set, "1.file": "inputs.speed" } })).toContain("has no input speed");
    expect(why({ set: { ...blueprint.set, "1.file": "inputs.scale ==" } })).toContain("This is not CEL");
    expect(why({ limits: [{ holds: "nobody > 1", otherwise: "x" }] })).toContain("There is no nobody");
    const [first] = Object.keys(blueprint.prompt);
    const cut = { ...blueprint.prompt, [first as string]: { class_type: "X", inputs: { a: ["77", 0] } } };
    expect(why({ prompt: cut })).toContain("takes something from node 77, which the workflow does not have");
    expect(why({ prompt: {} })).toContain("has no nodes");
    expect(why({ description: "x".repeat(2 * 1024 * 1024) })).toContain("at most");
    const deep = JSON.parse(`${'{"a":'.repeat(60)}1${"}".repeat(60)}`);
    expect(why({ prompt: { ...blueprint.prompt, "1": { class_type: "X", inputs: deep } } })).toContain("nested deeper");
  });

  test("[M4] what no workflow can be made of says why", () => {
    expect(workflowOf(graphOf([comfy("a", "ImageInvert")], []), library, "b")).toEqual({
      why: expect.stringContaining("nodes of ComfyUI"),
    });
    const unset = offeredBlueprint(offered(larger, "scale"), upscale, {
      name: "mine",
      label: "Mine",
      description: "",
      set: {},
      gives: suggestedOffer(offered(larger, "scale"), upscale).gives,
    });
    expect(whyNotOffered(unset, library, offered(larger, "scale")).join(" ")).toContain(
      "load.v: file has no value of its own: choose which input gives it.",
    );
  });
});
