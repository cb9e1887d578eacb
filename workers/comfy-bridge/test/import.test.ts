// Real workflows against the library of a real server. Here and not in graph-model, which knows no /object_info.
import { readFileSync } from "node:fs";
import { exportRegion, hasErrors, importComfy, readAnyText, readGraph, resolve, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { describe, expect, test, vi } from "vitest";
import { mergeLibraries, readObjectInfo } from "../src/library/merge.ts";

const folder = new URL("recordings/", import.meta.url);
const text = (path: string) => readFileSync(new URL(path, folder), "utf8");
const library = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(text("object_info.json")), live: true }]));
const { files } = JSON.parse(text("workflows/manifest.json")) as { files: { file: string; format: string; node_types: string[] }[] };
const VIRTUAL = /^(Reroute|PrimitiveNode|Note|MarkdownNote|SetNode|GetNode)$/;

/** Deterministic order that is not the file's. */
function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((one, index) => [one, (index * 7919 + 13) % 104729] as const)
    .sort((a, b) => a[1] - b[1])
    .map(([one]) => one);
}

test("there are 25 workflows", () => expect(files).toHaveLength(25));

describe.each(files)("$file", ({ file, format }) => {
  const raw = JSON.parse(text(`workflows/${file}`)) as { nodes: unknown[]; links: unknown[] };
  const { graph, issues } = importComfy(raw, library);

  test("becomes a graph", () => {
    expect(hasErrors(issues), JSON.stringify(issues.slice(0, 3))).toBe(false);
    expect(readGraph(graph).issues).toEqual([]);
  });
  test("every link starts and ends at a node, every input has one, and no virtual node is left", () => {
    const ids = new Set(graph?.nodes.map((node) => node.id));
    expect(ids.size).toBe(graph?.nodes.length);
    for (const edge of graph?.edges ?? []) expect(ids.has(edge.from) && ids.has(edge.to), JSON.stringify(edge)).toBe(true);
    const targets = graph?.edges.map((edge) => `${edge.to} ${String(edge.metadata?.targetPort)}`);
    expect(new Set(targets).size).toBe(targets?.length);
    expect(graph?.nodes.filter((node) => VIRTUAL.test(node.service))).toEqual([]);
    expect(graph?.edges.length).toBeGreaterThan(0);
  });
  test("has no issue but nodes and files that the server lacks", () => {
    const found = validate(graph as NonNullable<typeof graph>, library).filter((issue) => issue.severity === "error");
    const unknown = new Set(graph?.nodes.filter((node) => !library.find("comfy", node.service)).map((node) => node.id));
    const others = found.filter(
      ({ code, place, message }) =>
        !(
          code === "node.unknown_capability" ||
          (code === "param.invalid" && message.includes("not in the list")) ||
          (place.node && unknown.has(place.node))
        ),
    );
    // A node of the server whose input comes from one that it lacks, or from nothing in the file, is told of as such.
    expect(others.filter(({ code }) => code !== "input.missing").map((issue) => `${issue.code} ${issue.message}`)).toEqual([]);
  });
  test("has nothing in its metadata that the schemas do not know", () => {
    const found = validate(graph as NonNullable<typeof graph>, library);
    expect(found.filter(({ code }) => code === "metadata.unknown" || code === "graph.schema")).toEqual([]);
  });
  if (format === "ui")
    test("is the same whatever the order of nodes and links", () => {
      const again = importComfy({ ...raw, nodes: shuffled(raw.nodes), links: shuffled(raw.links) }, library);
      expect(again).toEqual({ graph, issues });
    });
});

test.each(["cog__sd15_txt2img", "cog__sdxl_simple_example", "cog__txt_to_image_to_video", "cog__wan_21_13b_t2v_api"])(
  "%s could run but for its files",
  (name) => {
    const { graph } = importComfy(JSON.parse(text(`workflows/${name}.json`)), library);
    const errors = validate(graph as NonNullable<typeof graph>, library).filter((issue) => issue.severity === "error");
    expect(
      errors.every((issue) => issue.code === "param.invalid" && issue.message.includes("not in the list")),
      JSON.stringify(errors),
    ).toBe(true);
  },
);

describe("what cannot be taken over whole is refused in words", () => {
  const instance = (id: number, type: string) => ({ id, type, inputs: [], outputs: [], pos: [0, 0], size: [1, 1], mode: 0 });
  test("subgraphs that each hold the next one twice", () => {
    const names = Array.from({ length: 31 }, (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`);
    const subgraphs = names.map((id, index) => ({
      id,
      name: `level ${index}`,
      inputs: [],
      outputs: [],
      links: [],
      nodes: [1, 2].map((node) => instance(node, names[index + 1] ?? "KSampler")),
    }));
    const { graph, issues } = importComfy(
      { nodes: [instance(1, names[0] as string)], links: [], version: 1, last_node_id: 1, definitions: { subgraphs } },
      library,
    );
    expect([graph, issues.map(({ code }) => code)]).toEqual([undefined, ["graph.too_large"]]);
  });
  test("a prompt inside a prompt, 20,000 deep, and inputs that are null", () => {
    const deep = `${'{"prompt":'.repeat(20_000)}{}${"}".repeat(20_000)}`;
    expect(readAnyText(deep, library).issues.map(({ code }) => code)).toEqual(["graph.too_deep"]);
    const { graph } = readAnyText(JSON.stringify({ 1: { class_type: "KSampler", inputs: null } }), library);
    expect(graph?.nodes.map(({ service }) => service)).toEqual(["KSampler"]);
  });
});

describe("with any of its values replaced by another", () => {
  const ODD = [
    null,
    0,
    -1,
    1e308,
    "",
    "x",
    "__proto__",
    true,
    [],
    {},
    [[]],
    [null],
    { length: 3 },
    { toString: null },
    Object.create(null),
  ];
  const EACH = Number(process.env.SEEDS ?? 60);
  /** Every place of a document, as the object that holds it and the key. */
  const places = (value: unknown, found: [Record<string, unknown>, string][] = []): [Record<string, unknown>, string][] => {
    if (value !== null && typeof value === "object")
      for (const key of Object.keys(value)) {
        found.push([value as Record<string, unknown>, key]);
        places((value as Record<string, unknown>)[key], found);
      }
    return found;
  };
  test.each(files)("$file is imported or refused, and nothing is thrown", ({ file }) => {
    const raw = JSON.parse(text(`workflows/${file}`)) as unknown;
    const all = places(raw);
    for (let round = 0; round < EACH; round++) {
      const [holder, key] = all[(round * 7919 + file.length * 104_729) % all.length] as [Record<string, unknown>, string];
      const before = holder[key];
      holder[key] = ODD[round % ODD.length];
      const { graph, issues } = importComfy(raw as never, library);
      expect(graph !== undefined || issues.length > 0).toBe(true);
      if (graph) expect(Array.isArray(validate(graph, library))).toBe(true);
      holder[key] = before;
    }
  });
});

describe("values", () => {
  const ui = (type: string, widgets: unknown, inputs: unknown[] = []) =>
    importComfy(
      {
        nodes: [{ id: 1, type, inputs, outputs: [], widgets_values: widgets, pos: [0, 0], size: [1, 1], mode: 0 }],
        links: [],
        version: 0.4,
        last_node_id: 1,
      },
      library,
    );
  const params = (...args: Parameters<typeof ui>) => ui(...args).graph?.nodes[0]?.params;

  test("are found by position, past the words for what follows a seed", () => {
    expect(params("KSampler", [5, "randomize", 20, 8, "euler", "normal", 1])).toEqual({
      seed: 5,
      steps: 20,
      cfg: 8,
      sampler_name: "euler",
      scheduler: "normal",
      denoise: 1,
    });
  });
  test("are found in files of before 2024, which say of a seed whether it is drawn anew", () => {
    expect(params("KSampler", [156680208700286, true, 20, 8, "euler", "normal", 1])).toEqual({
      seed: 156680208700286,
      steps: 20,
      cfg: 8,
      sampler_name: "euler",
      scheduler: "normal",
      denoise: 1,
    });
  });
  test("are found where a widget was added since, or one is gone", () => {
    const found = { seed: 5, steps: 20, cfg: 8, sampler_name: "euler", scheduler: "normal", denoise: 1 };
    expect(params("KSampler", [5, "randomize", 20, "euler", "normal", 1])).toEqual({ ...found, cfg: undefined });
    expect(params("KSampler", [5, "randomize", 20, 8, "euler", { gone: 1 }, "normal", 1])).toEqual(found);
  });
  test("that are numbers written as text are numbers, and a text that was a number is text", () => {
    expect(params("KSampler", ["5", "fixed", "20", "8.5", "euler", "normal", 1])).toMatchObject({ seed: 5, steps: 20, cfg: 8.5 });
    expect(params("CLIPTextEncode", [7])).toEqual({ text: "7" });
  });
  test("that were stored before the class was known are placed when it is, and never sent by position", () => {
    const stored = [156680208700286, true, 20, 8, "euler", "normal", 1];
    const sampler = (params: object) => ({ id: "n", service: "KSampler", plane: "comfy", status: "pending", params });
    const graphOf = (params: object) =>
      readGraph({ schema: "langgraph.v1", workflowId: "w", nodes: [sampler(params)], edges: [] }).graph as NonNullable<
        ReturnType<typeof readGraph>["graph"]
      >;
    const placed = resolve(graphOf({ widgets_values: stored, steps: 9 }), library).root.node("n")?.node.params;
    expect(placed).toEqual({ seed: stored[0], steps: 9, cfg: 8, sampler_name: "euler", scheduler: "normal", denoise: 1 });
    // The server was updated since: the same node is read anew.
    const document = graphOf({ widgets_values: [1, 2] });
    const serverOf = (...names: string[]) => {
      const required = Object.fromEntries(names.map((name) => [name, ["INT", { default: 0 }]]));
      const json = JSON.stringify({ KSampler: { input: { required }, output: [] } });
      return makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(json), live: true }]));
    };
    const read = (of: typeof library) => resolve(document, of).root.node("n")?.node.params;
    expect([read(serverOf("x", "y")), read(serverOf("u", "v"))]).toEqual([
      { x: 1, y: 2 },
      { u: 1, v: 2 },
    ]);
    const found = validate(graphOf({ widgets_values: stored }), library).filter(({ code }) => code === "param.invalid");
    expect(found).toEqual([]);
    const kept = { id: "p", service: "PreviewAny", plane: "comfy", status: "pending", params: { source: "x", widgets_values: "odd" } };
    const { graph } = readGraph({ schema: "langgraph.v1", workflowId: "w", nodes: [kept], edges: [] });
    expect(exportRegion(graph as NonNullable<typeof graph>, library).text).not.toContain("odd");
  });
  test("that are fractions for an integer are cut, as ComfyUI cuts them, and take no other input's place", () => {
    expect(params("EmptyImage", [512.5, 768.5, 1, 0])).toEqual({ width: 512, height: 768, batch_size: 1, color: 0 });
    expect(params("EmptyImage", [512, 768, true, 7])).toEqual({ width: 512, height: 768, batch_size: 1, color: 7 });
  });
  test("are found past what an upload button leaves", () => {
    expect(params("LoadImage", ["a.png", "image"])).toEqual({ image: "a.png" });
    expect(params("LoadAudio", ["a.mp3", null, ""])).toEqual({ audio: "a.mp3" });
    expect(params("LoadImageMask", ["a.png", "alpha", "image"])).toEqual({ image: "a.png", channel: "alpha" });
  });
  test("by name win; a seed beyond exact numbers is said to differ", () => {
    expect(params("KSampler", { steps: 3, seed: 7 })).toEqual({ steps: 3, seed: 7 });
    const { graph, issues } = ui("KSampler", [18446744073709552000, "fixed", 20, 8, "euler", "normal", 1]);
    expect(graph?.nodes[0]?.params?.seed).toSatisfy(Number.isSafeInteger);
    expect(issues).toMatchObject([{ code: "import.value", place: { node: "1" } }]);
  });
  test("of a node that no server has are kept", () => {
    expect(params("Nobody", [1, 2])).toEqual({ widgets_values: [1, 2] });
    const named = ["seed", "b"].map((name) => ({ name, type: "INT", widget: { name }, link: null }));
    expect(params("Nobody", [1, true, 2], named), "more values than names").toEqual({ widgets_values: [1, true, 2] });
    expect(
      params(
        "Nobody",
        [1, "fixed", 2],
        [
          { name: "seed", type: "INT", widget: { name: "seed" }, link: null },
          { name: "b", type: "INT", widget: { name: "b" }, link: null },
        ],
      ),
    ).toEqual({ seed: 1, b: 2 });
  });
});

describe("a node that no server has", () => {
  const missing = (...nodes: [type: string, properties: object][]) => {
    const raw = { nodes: nodes.map(([type, properties], id) => ({ id, type, pos: [0, 0], properties })), links: [], version: 0.4 };
    const { graph } = readGraph(importComfy(raw, library).graph);
    return validate(graph as never, library).flatMap(({ code, message, fix }) =>
      code === "node.unknown_capability" ? [`${message} ${fix}`] : [],
    );
  };
  test("says which pack it comes from, by the registry's name", () => {
    expect(missing(["Odd", { cnr_id: "odd-pack", ver: "1.2.0" }])).toEqual([
      '"Odd" is not in the library of the comfy plane. It comes from the node pack odd-pack. Install odd-pack with ComfyUI-Manager, or into custom_nodes, and start ComfyUI again.',
    ]);
  });
  test("says where its pack lies, if that has no name in the registry", () => {
    expect(missing(["Odd", { aux_id: "somebody/ComfyUI-Odd.git", ver: "0a1b2c" }])).toEqual([
      '"Odd" is not in the library of the comfy plane. It comes from the node pack ComfyUI-Odd of somebody. Install https://github.com/somebody/ComfyUI-Odd with ComfyUI-Manager, or into custom_nodes, and start ComfyUI again.',
    ]);
  });
  test("that comes with ComfyUI itself asks for another ComfyUI", () => {
    expect(missing(["FromTheFuture", { cnr_id: "comfy-core" }])).toEqual([
      '"FromTheFuture" is not in the library of the comfy plane. It comes with ComfyUI itself, in another version. Update ComfyUI, or replace the node.',
    ]);
  });
  test("takes the pack from another node of its class that names it; else it is said that none does", () => {
    const [first, second, third] = missing(["Odd", {}], ["Odd", { aux_id: "somebody/Odds" }], ["Other", { cnr_id: 7, aux_id: { a: 1 } }]);
    expect(first).toBe(second);
    expect(first).toContain("the node pack Odds of somebody");
    expect(third).toContain("Its workflow does not name its pack: look for Other in ComfyUI-Manager, or replace the node.");
  });
});

describe("what is no workflow", () => {
  test.each([
    ["{}", "graph.schema"],
    ['{"nodes":[],"links":[],"last_node_id":0}', "import.not_a_workflow"],
    ['{"nodes":[{"id":1,"type":"workflow>Mine"}],"links":[],"extra":{"groupNodes":{"Mine":{}}}}', "import.not_a_workflow"],
    ["[1]", "graph.schema"],
    ["hello", "graph.not_json"],
    ['{"1":{"class_type":"KSampler","inputs":{"model":["2",0],"__proto__":1}}}', "graph.forbidden_key"],
  ])("%s is refused with a reason", (given, code) => {
    const read = readAnyText(given, library);
    expect(read.graph).toBeUndefined();
    expect(read.issues[0]?.code).toBe(code);
  });
});

describe("however many inputs lead the same way", () => {
  /** How often a link of the file is looked at. */
  const followed = (workflow: { links: unknown[]; definitions?: { subgraphs: { links: unknown[] }[] } }) => {
    const get = vi.spyOn(Map.prototype, "get");
    try {
      const { graph } = importComfy(workflow, library);
      return { lookedUp: get.mock.calls.length, edges: graph?.edges.length };
    } finally {
      get.mockRestore();
    }
  };
  const sink = (inputs: number, link: number) => ({
    id: "sink",
    type: "Sink",
    inputs: Array.from({ length: inputs }, (_, index) => ({ name: `i${index}`, link })),
  });
  const throughInstances = (inputs: number, instances = 100) => {
    const chain = Array.from({ length: instances }, (_, index) => index);
    const inner = { id: "S", inputs: [{ name: "i" }], outputs: [{ name: "o" }], nodes: [], links: [[9, -10, 0, -20, 0, "*"]] };
    const nodes = chain.map((index) => ({ id: `c${index}`, type: "S", inputs: [{ name: "i", link: index }] }));
    const links = chain.map((index) => [index + 1, `c${index}`, 0, `c${index + 1}`, 0, "*"]);
    return {
      nodes: [{ id: "src", type: "Src" }, ...nodes, sink(inputs, instances)],
      links: [[0, "src", 0, "c0", 0, "*"], ...links],
      definitions: { subgraphs: [inner] },
    };
  };

  test("it is followed once", () => {
    const [few, many] = [followed(throughInstances(10)), followed(throughInstances(500))];
    expect([few.edges, many.edges]).toEqual([10, 500]);
    expect((many.lookedUp - few.lookedUp) / 490, "look-ups for each further input").toBeLessThan(30);
  });
  test("a subgraph that holds itself is refused or ends", () => {
    const link = (id: number, from: unknown, to: unknown) => [id, from, 0, to, 0, "*"];
    const inner = {
      id: "S",
      outputs: [{ name: "o" }],
      nodes: [{ id: 1, type: "S", inputs: [] }],
      links: [link(1, 1, -20)],
    };
    const read = importComfy(
      { nodes: [{ id: 1, type: "S" }, sink(50, 1)], links: [link(1, 1, "sink")], definitions: { subgraphs: [inner] } },
      library,
    );
    expect(read.graph?.edges ?? []).toEqual([]);
  });
  test("a node that many instances repeat is refused where they hold more than a document may", () => {
    const tower = (level: number): object => ({
      id: `S${level}`,
      nodes: Array.from({ length: 8 }, (_, id) =>
        level === 0 ? { id, type: "Fat", widgets_values: ["x".repeat(20_000)] } : { id, type: `S${level - 1}` },
      ),
      links: [],
    });
    const file = { nodes: [{ id: 1, type: "S2" }], links: [], definitions: { subgraphs: [0, 1, 2].map(tower) } };
    expect(importComfy(file, library).issues).toMatchObject([{ code: "graph.too_large" }]);
  });
  test("nodes that have the id of another, or none, are said to be left out", () => {
    const read = importComfy(
      {
        nodes: [
          { id: 1, type: "A" },
          { id: "1", type: "B" },
          { id: {}, type: "C" },
        ],
        links: [],
      },
      library,
    );
    expect(read.graph?.nodes).toHaveLength(1);
    expect(read.issues).toMatchObject([{ severity: "warning", message: expect.stringMatching(/^2 nodes /) }]);
  });
});

describe("a region goes back to API format", () => {
  test("as it came, with what it showed", () => {
    const raw = JSON.parse(text("workflows/cog__sd15_txt2img.json")) as Record<string, { class_type: string; inputs: object }>;
    const { graph } = importComfy(raw, library);
    const exported = JSON.parse(exportRegion(graph as NonNullable<typeof graph>, library).text ?? "{}") as typeof raw;
    expect(Object.keys(exported).sort()).toEqual(Object.keys(raw).sort());
    for (const [id, { class_type, inputs }] of Object.entries(raw)) expect(exported[id]).toMatchObject({ class_type, inputs });
    expect(importComfy(exported, library).graph?.edges).toEqual(graph?.edges);
  });
  test("with loaders where other planes give something", () => {
    const node = (id: string, service: string, plane: string) => ({ id, service, plane, status: "pending" });
    const { graph } = readGraph({
      schema: "langgraph.v1",
      workflowId: "w",
      nodes: [node("pic", "constant.image", "node"), node("turn", "ImageInvert", "comfy")],
      edges: [{ from: "pic", to: "turn", metadata: { sourcePort: "value", targetPort: "image" } }],
    });
    const prompt = JSON.parse(exportRegion(graph as NonNullable<typeof graph>, library).text ?? "{}") as Record<
      string,
      { class_type: string; inputs: object }
    >;
    expect(
      Object.values(prompt)
        .map((one) => one.class_type)
        .sort(),
    ).toEqual(["ImageInvert", "LoadImage", "PreviewImage"]);
    expect(prompt["turn<image"]?.inputs).toEqual({ image: "pic.value.png" });
  });
});
