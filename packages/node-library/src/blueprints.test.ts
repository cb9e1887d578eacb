import { blueprintInput, type Graph, resolve, validate } from "@spindle/graph-model";
import { type Blueprint, type Capability, validateCapability } from "@spindle/schemas";
import { expect, test } from "vitest";
import { withBlueprints } from "./blueprints.ts";
import { makeLibrary } from "./index.ts";

const servers = ["one", "two"].map((id) => ({ id, label: id, plane: "comfy", draft: false, live: true }));
const entry = (id: string, plane: string, more: object) =>
  ({ id, label: id, plane, io: { input: {}, output: {} }, ...more }) as unknown as Capability;

test("a workflow is live on the servers that have its files, not on those beside them", () => {
  const input = { properties: { model: { enum: ["big", "both"], "x-on": { big: ["two"] } } } };
  const workflow = (model: string) =>
    ({
      name: model,
      label: model,
      capability: "talk",
      models: [],
      set: {},
      prompt: { a: { class_type: "Load", inputs: { model } } },
    }) as unknown as Blueprint;
  const library = [entry("Load", "comfy", { engines: servers, io: { input, output: {} } }), entry("talk", "python", { engines: [] })];
  const [, talk] = withBlueprints(library, [workflow("big"), workflow("both")]);
  expect(talk?.engines?.map(({ id, live, reason }) => [id, live, reason])).toEqual([
    ["big@one", false, "It lacks big."],
    ["big@two", true, undefined],
    ["both@one", true, undefined],
    ["both@two", true, undefined],
  ]);
});

test("[M4] a server on Windows is sent each file as it lists it, whether the prompt names it or an expression chooses it", () => {
  const input = {
    properties: {
      model: { enum: ["wan\\one.gguf", "wan/one.gguf", "x2.pth"], "x-on": { "wan\\one.gguf": ["two"], "wan/one.gguf": ["one"] } },
    },
  };
  const workflow = {
    ...{ name: "big", label: "big", capability: "talk", gives: {}, set: { "b.model": "inputs.scale == 2 ? 'wan/one.gguf' : 'x2.pth'" } },
    models: ["wan/one.gguf", "x2.pth"].map((file) => ({ file, folder: "unet", bytes: 1, licence: "MIT" })),
    prompt: {
      a: { class_type: "Load", inputs: { model: "wan/one.gguf", words: "wan/one.gguf" } },
      b: { class_type: "Load", inputs: { model: "x2.pth" } },
    },
  } as unknown as Blueprint;
  const library = [entry("Load", "comfy", { engines: servers, io: { input, output: {} } }), entry("talk", "python", { engines: [] })];
  const [, talk] = withBlueprints(library, [workflow]);
  const sent = talk?.engines?.map(({ live, blueprint }) => {
    const { a, b } = blueprintInput(blueprint as unknown as Blueprint, "n", { scale: 2 }).prompt;
    return [live, a?.inputs, b?.inputs.model];
  });
  expect(sent).toEqual([
    [true, { model: "wan/one.gguf", words: "wan/one.gguf" }, "wan/one.gguf"],
    [true, { model: "wan\\one.gguf", words: "wan/one.gguf" }, "wan\\one.gguf"],
  ]);
});

test("an engine on a server with a long name is one that a library may have, and a graph that names it by an earlier release's id means it", () => {
  const id = "comfyui.machine-learning.svc.cluster.local-8188";
  const workflow = {
    name: "realesrgan-codeformer",
    label: "x",
    capability: "talk",
    models: [],
    set: {},
    prompt: {},
  } as unknown as Blueprint;
  const io = { input: { properties: {} }, output: {} };
  const [server] = servers.map((each) => ({ ...each, id }));
  const about = { description: "", version: "1", runtime: {}, handler: {}, category: "x" };
  const library = [entry("Load", "comfy", { engines: [server], io }), entry("talk", "python", { ...about, engines: [], io })];
  const [, talk] = withBlueprints(library, [workflow]);
  const [engine] = talk?.engines ?? [];
  expect(engine?.id).toBe(`realesrgan-codeformer@${id}`);
  validateCapability(talk);
  expect((validateCapability.errors ?? []).filter(({ instancePath }) => instancePath.startsWith("/engines/0/id"))).toEqual([]);
  const node = { id: "a", service: "talk", plane: "python", status: "pending" } as Graph["nodes"][number];
  const graph = {
    ...{ schema: "langgraph.v1", workflowId: "w", nodes: [node], edges: [] },
    metadata: { nodes: { a: { engine: `realesrgan-codeformer@${id}`.slice(0, 64) } } },
  } as unknown as Graph;
  const made = makeLibrary([talk as Capability]);
  expect(resolve(graph, made).root.node("a")?.engine?.id).toBe(engine?.id);
  expect(validate(graph, made).filter(({ code }) => code === "node.unknown_engine")).toEqual([]);
});
