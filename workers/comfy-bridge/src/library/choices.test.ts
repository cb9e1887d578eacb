// Inputs that a node of ComfyUI has under one choice and not under another: dynamic combos and groups, from /object_info to the prompt.
import { exportRegion, importComfy, type NodeDefinition, resolve, validate } from "@spindle/graph-model";
import { joinReports, makeLibrary } from "@spindle/node-library";
import type { Capability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { mergeLibraries, readObjectInfo } from "./merge.ts";

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
    const offered = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(json), live: true }]));
    const said = (params: Record<string, unknown>) => validate(graphOf(params), offered).map(({ code, place }) => `${code} ${place.port}`);
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
    const offered = makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(json), live: true }]));
    const typeIn = (choice: string) =>
      resolve(graphOf({ mode: choice }), offered)
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
  describe("of several servers", () => {
    const server = (id: string, files: Readonly<Record<string, string[]>>) => {
      const options = Object.entries(files).map(([key, own]) => ({ key, inputs: { required: { file: size(own) } } }));
      const json = JSON.stringify({ Draw: { input: { required: { model: ["COMFY_DYNAMICCOMBO_V3", { options }] } }, output: ["IMAGE"] } });
      return { id, url: `http://${id}:1`, ...readObjectInfo(json), live: true };
    };
    const lists = (capabilities: Capability[], model: string) => {
      const definition = resolve(graphOf({ model }), makeLibrary(capabilities)).root.node("n")?.definition;
      const { enum: files, "x-on": on } = definition?.inputs.find(({ name }) => name === "model.file")?.schema ?? {};
      return [files, on];
    };
    const report = (worker: string, ...servers: ReturnType<typeof server>[]) => ({
      worker,
      manifest: { generatedAt: "2026-01-01T00:00:00.000Z", capabilities: mergeLibraries(servers) },
      answers: true,
      reportedAt: new Date(0),
    });
    const ways: [string, (...servers: ReturnType<typeof server>[]) => Capability[]][] = [
      ["of one bridge", (...servers) => mergeLibraries(servers)],
      [
        "of a bridge each",
        (...servers) =>
          joinReports(
            servers.map((one) => report(one.id, one)),
            new Date(0),
          ).capabilities,
      ],
    ];
    describe.each(ways)("%s with two versions of a class", (_, join) => {
      const version = (id: string, sub: string, live = true) => {
        const json = JSON.stringify({ Draw: { input: { required: { file: [[id]], [sub]: ["INT"] } }, output: ["IMAGE"] } });
        return { id, url: `http://${id}:1`, ...readObjectInfo(json), live, ...(live ? {} : { reason: `${id} is away.` }) };
      };
      const said = (capabilities: Capability[]) => {
        const [draw] = capabilities;
        const inputs = Object.keys(draw?.io.input.properties as object);
        return { inputs, engines: draw?.engines?.map(({ id, live, reason }) => [id, live, reason]) };
      };
      test("are not made one: the other server has the class listed, with the reason", () => {
        const { inputs, engines } = said(join(version("a", "old"), version("b", "new")));
        expect(inputs).toHaveLength(2);
        const [live, other] = [engines?.filter(([, isLive]) => isLive), engines?.filter(([, isLive]) => !isLive)];
        expect(live).toHaveLength(1);
        expect(other).toEqual([
          [
            inputs.includes("old") ? "b" : "a",
            false,
            expect.stringMatching(/another version of this node .* inputs or outputs differ\. Update/),
          ],
        ]);
      });
      test("have that of a server that answers, and each its own reason", () => {
        for (const all of [join(version("a", "old", false), version("b", "new")), join(version("b", "new"), version("a", "old", false))]) {
          const { inputs, engines } = said(all);
          expect(inputs).toEqual(["file", "new"]);
          expect(engines?.toSorted()).toEqual([
            ["a", false, "a is away."],
            ["b", true, undefined],
          ]);
        }
      });
    });
    describe.each(ways)("%s", (_, join) => {
      test("offer each other's files under each choice, and say who has which", () => {
        const both = join(server("a", { pro: ["x", "s"], lite: ["l"] }), server("b", { pro: ["y", "s"], lite: ["l", "m"] }));
        expect(lists(both, "pro")).toEqual([["x", "s", "y"], { x: ["a"], y: ["b"] }]);
        expect(lists(both, "lite")).toEqual([["l", "m"], { m: ["b"] }]);
      });
      test("tell apart what one of them puts together", () => {
        const both = [server("a", { pro: ["x"], lite: ["x"] }), server("b", { pro: ["y"], lite: ["z"] })] as const;
        for (const all of [join(...both), join(both[1], both[0])]) {
          expect(lists(all, "pro")).toEqual([
            expect.toSatisfy((files: string[]) => [...files].sort().join() === "x,y"),
            { x: ["a"], y: ["b"] },
          ]);
          expect(lists(all, "lite")).toEqual([
            expect.toSatisfy((files: string[]) => [...files].sort().join() === "x,z"),
            { x: ["a"], z: ["b"] },
          ]);
        }
      });
      test("bring what a choice brings that only others have", () => {
        const all = join(server("a", { pro: ["x"] }), server("b", { pro: ["x"], ultra: ["u"] }), server("c", { ultra: ["v"] }));
        expect(lists(all, "pro")[0]).toEqual(["x"]);
        // Which servers have the choice at all, its own list says.
        expect(lists(all, "ultra")).toEqual([["u", "v"], { u: expect.arrayContaining(["b"]), v: ["c"] }]);
      });
    });
  });
});
