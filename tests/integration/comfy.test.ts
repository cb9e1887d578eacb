// The Comfy plane through a whole Spindle: bridge, runtime and engine against the fake ComfyUI.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { solidPng } from "../../workers/comfy-bridge/test/fake/png.ts";
import { ended, getRun, graphOf, node, type Spindle, startSpindle, submit, until, wire } from "../support/spindle.ts";

let fake: FakeComfy;
let spindle: Spindle;

beforeAll(async () => {
  fake = await FakeComfy.start();
  spindle = await startSpindle({ env: { COMFY_URL: fake.url, SPINDLE_COMFY_LIBRARY_MS: "1000" } });
  await until(
    async () => (await capabilities()).some((one) => one.plane === "comfy" && one.live),
    60_000,
    "ComfyUI's nodes are in the library",
  );
});
afterAll(async () => {
  await spindle?.stop();
  await fake?.stop();
});
beforeEach(() => {
  fake.faults = {};
});

const capabilities = async () =>
  ((await (await fetch(`${spindle.url}/api/capabilities`)).json()) as { capabilities: { id: string; plane: string; live: boolean }[] })
    .capabilities;
const comfy = (id: string, service: string, params?: Record<string, unknown>) => node(id, service, params, "comfy");
const link = (from: string, output: string, to: string, input: string) => wire(from, output, to, input);

async function run(graph: unknown, inputs = {}) {
  const { status, body } = await submit(spindle.url, graph, inputs);
  expect(status, JSON.stringify(body)).toBe(202);
  return ended(spindle.url, body.run);
}

const states = (view: { nodes: { node: string; state: string }[] }) => Object.fromEntries(view.nodes.map((one) => [one.node, one.state]));

const sampling = (seed: number, text = "a cat") =>
  graphOf(
    [
      comfy("load", "CheckpointLoaderSimple", { ckpt_name: "a.safetensors" }),
      comfy("yes", "CLIPTextEncode", { text }),
      comfy("no", "CLIPTextEncode", { text: "" }),
      comfy("empty", "EmptyLatentImage", { width: 96, height: 64 }),
      comfy("sample", "KSampler", { seed, steps: 4 }),
      comfy("decode", "VAEDecode"),
    ],
    [
      link("load", "CLIP", "yes", "clip"),
      link("load", "CLIP", "no", "clip"),
      link("load", "MODEL", "sample", "model"),
      link("yes", "CONDITIONING", "sample", "positive"),
      link("no", "CONDITIONING", "sample", "negative"),
      link("empty", "LATENT", "sample", "latent_image"),
      link("sample", "LATENT", "decode", "samples"),
      link("load", "VAE", "decode", "vae"),
    ],
  );

const region = (view: { nodes: { node: string }[] }) =>
  view.nodes.find((one) => one.node.startsWith("group:")) as never as { state: string; reused: boolean; why: string };

describe("a region", () => {
  test("[RG1, RG3, RG4] goes to ComfyUI as one prompt; what leaves it is an artifact, and each node has its row", async () => {
    const before = fake.prompts.length;
    const view = await run(sampling(1));
    expect(view.error).toBeNull();
    expect(states(view)).toMatchObject({ load: "succeeded", sample: "succeeded", decode: "succeeded" });
    expect(fake.prompts.length - before).toBe(1);
    expect(view.outputs).toMatchObject({ IMAGE: { mime: "image/png", width: 96, height: 64 } });
    const image = (view.outputs as { IMAGE: { artifact: string } }).IMAGE;
    const bytes = Buffer.from(await (await fetch(`${spindle.url}/api/artifacts/${image.artifact}`)).arrayBuffer());
    expect(bytes.toString("latin1")).not.toContain("tEXt"); // ComfyUI writes the prompt into it; stored bytes carry none
  });

  test("[E11] that has not changed is not sent again; one changed value is, and says which", async () => {
    await run(sampling(2));
    const before = fake.prompts.length;
    const same = await run(sampling(2));
    expect(region(same).reused).toBe(true);
    expect(same.nodes.every((nodeRun) => nodeRun.state === "succeeded")).toBe(true);
    expect(fake.prompts.length).toBe(before);
    const other = await run(sampling(3));
    expect(other.state).toBe("succeeded");
    expect(fake.prompts.length).toBe(before + 1);
  });

  test("takes a text from the Node plane and gives a video to the Python plane", async () => {
    const graph = sampling(4);
    const nodes = [
      ...graph.nodes,
      node("words", "text.template", { template: "a {{ what }} in the rain", values: { what: "dog" } }),
      comfy("film", "CreateVideo", { fps: 8 }),
      node("large", "upscale.upscale_video", {}, "python"),
    ];
    const all = (await capabilities()).filter((one) => one.plane === "python").map((one) => one.id);
    (nodes.at(-1) as { service: string }).service = all.find((id) => id.includes("upscale")) as string;
    const edges = [
      ...graph.edges,
      wire("words", "text", "yes", "text"),
      link("decode", "IMAGE", "film", "images"),
      wire("film", "VIDEO", "large", "videoArtifact"),
    ];
    const view = await run(graphOf(nodes, edges));
    expect(view.error).toBeNull();
    expect(states(view)).toMatchObject({ words: "succeeded", film: "succeeded", large: "succeeded" });
    expect(JSON.stringify(fake.prompts.at(-1))).toContain("a dog in the rain");
  });

  test("gets pictures from outside by upload, and numbers leave it as numbers", async () => {
    const first = graphOf([comfy("make", "EmptyImage", { width: 32, height: 16, color: 255 })]);
    const made = (await run(first)).outputs as { IMAGE: { artifact: string } };
    const graph = graphOf(
      [
        node("picture", "constant.image", { value: made.IMAGE }),
        comfy("size", "GetImageSize"),
        node("say", "text.template", { template: "{{ values.w }}" }),
      ],
      [wire("picture", "value", "size", "image"), wire("size", "width", "say", "values")],
    );
    const { width } = {
      width: 0,
      ...(
        await run({
          ...graph,
          nodes: graph.nodes.slice(0, 2),
          edges: graph.edges.slice(0, 1),
          metadata: { interface: { outputs: [{ name: "width", from: { node: "size", port: "width" } }] } },
        })
      ).outputs,
    } as { width: number };
    expect(width).toBe(32);
    expect(fake.calls).toContain("POST /upload/image");
  });

  test("[RG5] fans out over a list, one prompt for each element", async () => {
    const graph = graphOf(
      [node("list", "constant.array", { value: [8, 16, 24] }), comfy("make", "EmptyImage", { height: 8 })],
      [{ from: "list", to: "make", metadata: { sourcePort: "value", targetPort: "width", map: {} } }],
    );
    const view = await run(graph);
    expect(view.error).toBeNull();
    expect((view.outputs as { IMAGE: { width: number }[] }).IMAGE.map((one) => one.width)).toEqual([8, 16, 24]);
  });

  test("[RG2] leaves out what is off, and runs only what a part needs", async () => {
    const graph = graphOf(
      [
        comfy("a", "EmptyImage", { width: 8, height: 8, color: 9 }),
        comfy("b", "ImageInvert"),
        comfy("show", "PreviewImage"),
        comfy("other", "PreviewImage"),
      ],
      [link("a", "IMAGE", "b", "image"), link("b", "IMAGE", "show", "images"), link("a", "IMAGE", "other", "images")],
      { nodes: { b: { disabled: true } } },
    );
    const view = await run(graph);
    expect(states(view)).toMatchObject({ a: "succeeded", b: "skipped", show: "skipped", other: "succeeded" });
  });
});

describe("what goes wrong", () => {
  const failing = (service: string) =>
    graphOf(
      [
        comfy("a", "EmptyImage", { width: 8, height: 8, color: Math.floor(Math.random() * 1e6) }),
        comfy("b", service),
        comfy("show", "PreviewImage"),
      ],
      [link("a", "IMAGE", "b", "image"), link("b", "IMAGE", "show", "images")],
    );

  test("[RG4] in a node is told there, without what the node had at hand", async () => {
    const view = await run(failing("ProbeFail"));
    expect(view.state).toBe("failed");
    expect(states(view)).toMatchObject({ a: "succeeded", b: "failed", show: "skipped" });
    expect(view.error).toMatchObject({ node: "b", message: expect.stringContaining("boom") });
    expect(JSON.stringify(await getRun(spindle.url, view.id))).not.toContain("sk-secret");
  });

  test("[E10] for want of memory is tried once more on a freed device", async () => {
    const before = fake.prompts.length;
    const view = await run(failing("ProbeMemory"));
    expect(view.error).toMatchObject({ code: "comfy.out_of_memory" });
    expect(fake.prompts.length - before).toBe(2);
    expect(fake.calls).toContain("POST /free");
  });

  test("at submission names the node and the reason, and leaves nothing in the queue", async () => {
    fake.faults = {
      nodeErrors: {
        b: {
          class_type: "ImageInvert",
          dependent_outputs: ["show"],
          errors: [
            { type: "value_not_in_list", message: "Value not in list", details: "x: 'y' not in ['z']", extra_info: { input_name: "x" } },
          ],
        },
      },
    };
    const view = await run(
      graphOf(
        [comfy("a", "EmptyImage", { color: 77 }), comfy("b", "ImageInvert"), comfy("show", "PreviewImage")],
        [link("a", "IMAGE", "b", "image"), link("b", "IMAGE", "show", "images")],
      ),
    );
    expect(view.error).toMatchObject({ node: "b", code: "comfy.rejected", message: expect.stringContaining("not in ['z']") });
    await until(async () => fake.queue.running + fake.queue.pending === 0, 60_000, "the queue is empty");
  });

  test("a socket that is cut, or a history that is late, costs nothing", async () => {
    fake.faults = { dropAfter: 8 };
    expect((await run(sampling(20))).state).toBe("succeeded");
    fake.faults = { historyLag: 700 };
    expect((await run(sampling(21))).state).toBe("succeeded");
    fake.faults = { old: true };
    expect((await run(sampling(22))).state).toBe("succeeded");
  });

  test("a server that says success and did nothing fails the run", async () => {
    fake.faults = { liesAboutSuccess: true };
    const view = await run(sampling(23));
    expect(view.error).toMatchObject({ message: expect.stringContaining("cycle") });
  });

  test("a server that starts again in the middle is given the prompt again", async () => {
    const before = fake.prompts.length;
    fake.faults = { slow: 60 };
    const { body } = await submit(spindle.url, sampling(24));
    await until(async () => fake.queue.running === 1, 60_000, "the prompt runs");
    fake.restart();
    fake.faults = {};
    expect((await ended(spindle.url, body.run)).state).toBe("succeeded");
    expect(fake.prompts.length - before).toBe(2);
  });

  test("files that ComfyUI's cache names and that are gone are made again", async () => {
    await run(sampling(25, "gone"));
    fake.forgetFiles();
    const graph = sampling(25, "gone");
    const view = await run({
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === "decode" ? { ...one, id: "decoded" } : one)),
      edges: graph.edges.map((edge) => (edge.to === "decode" ? { ...edge, to: "decoded" } : edge)),
    });
    expect(view.error).toBeNull();
  });
});

describe("cancel", () => {
  test("[E13] interrupts the prompt that runs, by its id", async () => {
    const graph = sampling(30);
    const slow = {
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === "sample" ? { ...one, params: { ...one.params, steps: 1000 } } : one)),
    };
    const { body } = await submit(spindle.url, slow);
    await until(async () => fake.queue.running === 1, 60_000, "the prompt runs");
    await fetch(`${spindle.url}/api/runs/${body.run}/cancel`, { method: "POST" });
    const view = await ended(spindle.url, body.run);
    expect(view.state).toBe("cancelled");
    await until(async () => fake.queue.running + fake.queue.pending === 0, 5000, "the queue is empty");
  });
});

describe("a node of a prompt that is cancelled alone", () => {
  test("[E13] ends the prompt, which ComfyUI runs as a whole", async () => {
    const graph = sampling(31);
    const slow = {
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === "sample" ? { ...one, params: { ...one.params, steps: 1000 } } : one)),
    };
    const { body } = await submit(spindle.url, slow);
    await until(async () => fake.queue.running === 1, 60_000, "the prompt runs");
    const answer = await fetch(`${spindle.url}/api/runs/${body.run}/cancel-node`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ path: "sample" }),
    });
    expect(answer.status).toBe(202);
    const view = await ended(spindle.url, body.run);
    expect(view).toMatchObject({ state: "failed", error: { code: "run.cancelled" } });
    expect(states(view)).toMatchObject({ sample: "cancelled", decode: "cancelled" });
    await until(async () => fake.queue.running + fake.queue.pending === 0, 60_000, "the queue is empty");
  });
});

describe("a bridge that dies", () => {
  test("after it submitted a prompt is followed by one that attaches to it", async () => {
    const before = fake.prompts.length;
    const graph = sampling(40);
    const slow = {
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === "sample" ? { ...one, params: { ...one.params, steps: 60 } } : one)),
    };
    const { body } = await submit(spindle.url, slow);
    await until(async () => fake.queue.running === 1, 60_000, "the prompt runs");
    process.kill(spindle.processes.bridge?.pid as number, "SIGKILL");
    const view = await ended(spindle.url, body.run);
    expect(view.error).toBeNull();
    expect(fake.prompts.length - before).toBe(1);
  });
});

describe("previews", () => {
  test("[E16] show on the node that samples, and nowhere else", async () => {
    const graph = sampling(50);
    const { body } = await submit(spindle.url, {
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === "sample" ? { ...one, params: { ...one.params, steps: 40 } } : one)),
    });
    const live = await until(
      async () => (await getRun(spindle.url, body.run)).live.find((progress) => progress.preview),
      60_000,
      "a preview arrives",
    );
    expect(live.node).toBe("sample");
    expect(live.preview?.mime).toBe("image/png");
    await ended(spindle.url, body.run);
  });
});

describe("a workflow as an engine", () => {
  const blueprint = JSON.parse(readFileSync(new URL("../../templates/comfy/wan-infinitetalk.json", import.meta.url), "utf8"));
  const engines = async () =>
    (
      (await (await fetch(`${spindle.url}/api/capabilities`)).json()) as {
        capabilities: { id: string; engines: { id: string; live: boolean; reason?: string }[] }[];
      }
    ).capabilities.find((capability) => capability.id === "generate.infinite_talk")?.engines ?? [];

  test("[M4] says what the server lacks, until it has it; then the capability runs on it, window by window", async () => {
    const id = `wan-infinitetalk@127.0.0.1-${fake.port}`;
    expect((await engines()).find((one) => one.id === id)).toMatchObject({
      live: false,
      reason: expect.stringContaining("Install the node packs ComfyUI-WanVideoWrapper"),
    });
    const other = structuredClone(blueprint.prompt);
    other["120"].inputs.model = "another.gguf";
    fake.offer(other);
    const lacking = await until(
      async () => (await engines()).find((one) => one.id === id && !one.reason?.includes("node packs")),
      60_000,
      "only a file is missing",
    );
    expect(lacking).toMatchObject({
      live: false,
      reason: expect.stringMatching(
        /^It lacks WanVideo\/InfiniteTalk\/Wan2_1-InfiniteTalk_Single_Q8\.gguf \(.*\)\. Fetch the model files, 2\.65 GB, .*: npx spindle models fetch comfy\/wan-infinitetalk$/,
      ),
    });
    fake.offer(blueprint.prompt);
    await until(async () => (await engines()).some((one) => one.id === id && one.live), 60_000, "the engine is live");
    const graph = graphOf([
      node("say", "generate.f5_to_tts", { narration: "One two three four five six seven eight nine ten eleven twelve." }, "python"),
      node("talk", "generate.infinite_talk", { stagePrompt: "a dog is talking", seed: 7 }, "python"),
    ]);
    graph.edges.push(wire("say", "audioArtifact", "talk", "audioArtifact"));
    const portrait = new Blob([new Uint8Array(solidPng(32, 32, 0x336699))], { type: "image/png" });
    const { status, body } = await submit(
      spindle.url,
      { ...graph, metadata: { nodes: { talk: { engine: id } } } },
      { portrait },
      { portrait: "image" },
    );
    expect(status, JSON.stringify(body)).toBe(202);
    const live = await until(
      async () => (await getRun(spindle.url, body.run)).live.find((progress) => progress.note?.startsWith("Window")),
      60_000,
      "a window is told",
    );
    expect(live).toMatchObject({ node: "talk", note: expect.stringMatching(/^Window \d of \d/) });
    const view = await ended(spindle.url, body.run);
    expect(view.error).toBeNull();
    expect(view.outputs).toMatchObject({ videoArtifact: { mime: "video/mp4" } });
    const prompt = fake.prompts.at(-1)?.prompt as Record<string, { inputs: Record<string, unknown> }>;
    expect(prompt["241"]?.inputs.positive_prompt).toBe("a dog is talking");
    expect(prompt["284"]?.inputs.image).toMatch(/^spindle\/[0-9a-f]{64}\.png$/);
    expect(Number(prompt["194"]?.inputs.num_frames)).toBeGreaterThan(25);
  });
});

describe("a server that is away", () => {
  test("[M2] for a while keeps its nodes in the library; what is started waits, and runs when it is back", async () => {
    const port = fake.port;
    await fake.stop();
    await until(async () => (await capabilities()).every((one) => one.plane !== "comfy" || !one.live), 60_000, "its nodes are offline");
    const { status, body } = await submit(spindle.url, sampling(70));
    expect(status, JSON.stringify(body)).toBe(202);
    fake = await FakeComfy.start(port);
    expect((await ended(spindle.url, body.run)).error).toBeNull();
  });
});
