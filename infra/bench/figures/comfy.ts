// The Comfy plane: what the bridge adds to a prompt and to a preview, and what reading workflows costs.
import { importComfy, readGraph } from "@spindle/graph-model";
import { validateGraph } from "@spindle/schemas";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import type { FakeComfy } from "../../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { isRoot } from "../../launch/paths.ts";
import { until } from "../../launch/ports.ts";
import { knownLibrary, objectInfo, withBridge } from "../comfy-library.ts";
import { type Bench, byTurns, type Figure, type Measure, median, quantile, ratio, timed } from "../figure.ts";
import { type BenchGraph, startRun, took } from "../graphs.ts";

const ROUNDS = 8;

const WARM_UP = 50;
const IMPORTS = 100;

export const comfy: Measure = (bench) =>
  withBridge(bench, "EmptyImage", async (fake) => [await prompts(bench, fake), await previews(bench, fake), imports()]);

let seed = 0;
/** A prompt of about a second. */
const sampling = (steps: number, delay: number): BenchGraph => {
  const node = (id: string, service: string, params: object = {}) => ({ id, service, plane: "comfy", status: "pending", params });
  const wire = (from: string, sourcePort: string, to: string, targetPort: string) => ({ from, to, metadata: { sourcePort, targetPort } });
  return {
    schema: "langgraph.v1",
    workflowId: "bench",
    nodes: [
      node("load", "CheckpointLoaderSimple", { ckpt_name: "a.safetensors" }),
      node("text", "CLIPTextEncode", { text: "x" }),
      node("empty", "EmptyLatentImage"),
      node("sample", "KSampler", { steps, delay, seed: ++seed }),
      node("decode", "VAEDecode"),
    ],
    edges: [
      wire("load", "MODEL", "sample", "model"),
      wire("load", "CLIP", "text", "clip"),
      wire("text", "CONDITIONING", "sample", "positive"),
      wire("text", "CONDITIONING", "sample", "negative"),
      wire("empty", "LATENT", "sample", "latent_image"),
      wire("sample", "LATENT", "decode", "samples"),
      wire("load", "VAE", "decode", "vae"),
    ],
  } as BenchGraph;
};

async function prompts(bench: Bench, fake: FakeComfy): Promise<Figure> {
  const { ours, bare } = await byTurns(ROUNDS, {
    ours: async () => {
      const begin = performance.now();
      await took(bench, await startRun(bench, sampling(10, 100)), 5);
      return performance.now() - begin;
    },
    bare: () => bareClient(fake, { ...(fake.prompts.at(-1)?.prompt as object) }),
  });
  return ratio({
    id: "comfy.prompt",
    ours: median(ours),
    anchor: "a client that only submits, waits and fetches",
    anchorValue: median(bare),
    unit: "ms",
    goal: "<= 1.15",
  });
}

/** Submit, listen until it is over, read the history, fetch the files. */
async function bareClient(fake: FakeComfy, prompt: object): Promise<number> {
  const client = crypto.randomUUID();
  const changed = JSON.parse(JSON.stringify(prompt).replace(/"seed":\d+/, `"seed":${++seed}`)) as object;
  const begin = performance.now();
  const socket = new WebSocket(`${fake.url.replace("http", "ws")}/ws?clientId=${client}`);
  await new Promise((resolve) => socket.once("open", resolve));
  const over = new Promise<void>((resolve) => {
    socket.on("message", (data, isBinary) => {
      if (!isBinary && /"executing"/.test(String(data)) && /"node":null/.test(String(data))) resolve();
    });
  });
  const answer = await fetch(`${fake.url}/prompt`, { method: "POST", body: JSON.stringify({ prompt: changed, client_id: client }) });
  const { prompt_id: id } = (await answer.json()) as { prompt_id: string };
  await over;
  const history = (await (await fetch(`${fake.url}/history/${id}`)).json()) as Record<
    string,
    { outputs: Record<string, { images?: Record<string, string>[] }> }
  >;
  for (const { images = [] } of Object.values(history[id]?.outputs ?? {}))
    for (const image of images) await (await fetch(`${fake.url}/view?${new URLSearchParams(image)}`)).arrayBuffer();
  socket.close();
  return performance.now() - begin;
}

const PREVIEWS = 40;
const PREVIEW_EVERY_MS = 400;

/** Both in one browser: how long after ComfyUI sent a frame its picture is on the screen. */
async function previews(bench: Bench, fake: FakeComfy): Promise<Figure> {
  const executablePath = process.env.SPINDLE_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: isRoot ? ["--no-sandbox"] : [] });
  try {
    const page = await browser.newPage();
    const { id } = (await (
      await fetch(`${bench.url}/api/graphs`, { method: "POST", body: JSON.stringify(sampling(PREVIEWS, PREVIEW_EVERY_MS)) })
    ).json()) as { id: string };
    await page.goto(`${bench.url}/g/${id}`);
    await page.locator(".react-flow__node").first().waitFor();
    await page.evaluate(watchImages);
    const sent: number[] = [];
    fake.onFrame = () => sent.push(Date.now());
    await fetch(`${bench.url}/trpc/runs.start`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ graphId: id, inputs: {} }),
    });
    await until(
      async () => sent.length >= PREVIEWS,
      60_000,
      () => "the previews did not come",
    );
    await page.waitForTimeout(1000);
    const ours = delays(sent, await page.evaluate(() => (window as unknown as { shown: number[] }).shown));
    const bare = await barePage(fake, await browser.newPage());
    return ratio({
      id: "comfy.preview.p95",
      ours: quantile(ours, 0.95),
      anchor: "the same frames from the socket straight into a page",
      anchorValue: quantile(bare, 0.95),
      unit: "ms",
      goal: "<= 3",
      ...(ours.length < PREVIEWS / 2 ? { failed: `only ${ours.length} of ${PREVIEWS} previews were shown` } : {}),
    });
  } finally {
    fake.onFrame = undefined;
    await browser.close();
  }
}

/** Notes when each new picture of a card has been painted: a size is set before that, each time. No name is given to a function in a page. */
function watchImages(): void {
  const shown: number[] = [];
  (window as unknown as { shown: number[] }).shown = shown;
  new MutationObserver((records) => {
    if (records.some(({ target }) => (target as Element).matches(".card-preview canvas")))
      requestAnimationFrame(() => shown.push(Date.now()));
  }).observe(document, { subtree: true, attributeFilter: ["width"] });
  document.addEventListener(
    "load",
    (event) => (event.target as Element).matches(".card-preview img") && requestAnimationFrame(() => shown.push(Date.now())),
    true,
  );
}

async function barePage(
  fake: FakeComfy,
  page: Awaited<ReturnType<Awaited<ReturnType<typeof chromium.launch>>["newPage"]>>,
): Promise<number[]> {
  const prompt = JSON.parse(JSON.stringify(fake.prompts.at(-1)?.prompt).replace(/"seed":\d+/, `"seed":${++seed}`)) as object;
  const sent: number[] = [];
  fake.onFrame = () => sent.push(Date.now());
  await page.goto(`${fake.url}/queue`); // any page of its own: others may not speak to this machine
  await page.setContent("<img id=i>");
  await page.evaluate((url) => {
    const shown: number[] = [];
    Object.assign(window, { shown });
    const image = document.getElementById("i") as HTMLImageElement;
    const socket = new window.WebSocket(`${url.replace("http", "ws")}/ws?clientId=bare`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } }));
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") return;
      image.src = URL.createObjectURL(new Blob([data.slice(8 + new DataView(data).getUint32(4))]));
    };
    image.onload = () => requestAnimationFrame(() => shown.push(Date.now()));
  }, fake.url);
  await page.waitForTimeout(500);
  await fetch(`${fake.url}/prompt`, { method: "POST", body: JSON.stringify({ prompt, client_id: "bare" }) });
  await until(
    async () => sent.length >= PREVIEWS,
    60_000,
    () => "the previews did not come",
  );
  await page.waitForTimeout(500);
  return delays(sent, await page.evaluate(() => (window as unknown as { shown: number[] }).shown));
}

/** Each picture shown belongs to the last frame that was sent before it. */
function delays(sent: readonly number[], shown: readonly number[]): number[] {
  return shown.flatMap((at) => {
    const frame = sent.findLast((one) => one <= at);
    return frame === undefined ? [] : [at - frame];
  });
}

function imports(): Figure {
  const known = knownLibrary(objectInfo());
  const text = JSON.stringify(bigWorkflow(100));
  const made = readGraph(importComfy(JSON.parse(text), known).graph).graph;
  const result = JSON.stringify(made);
  const [ours, anchor]: [number[], number[]] = [[], []];
  // As those of graphs: warm, and what the least disturbed tenth took.
  for (let round = 0; round < WARM_UP + IMPORTS; round++) {
    ours.push(timed(() => importComfy(JSON.parse(text), known)));
    anchor.push(timed(() => validateGraph(JSON.parse(result))));
  }
  return ratio({
    id: "comfy.import",
    ours: quantile(ours.slice(WARM_UP), 0.1),
    anchor: "JSON.parse and AJV of the graph that comes out",
    anchorValue: quantile(anchor.slice(WARM_UP), 0.1),
    unit: "ms",
    goal: "<= 5",
  });
}

/** UI format, five nodes for each of `times`. */
function bigWorkflow(times: number): object {
  const nodes: object[] = [];
  const links: unknown[][] = [];
  const link = (from: number, fromSlot: number, to: number, toSlot: number, type: string) =>
    links.push([links.length + 1, from, fromSlot, to, toSlot, type]) as number;
  for (let index = 0; index < times; index++) {
    const id = index * 5;
    const add = (
      own: number,
      type: string,
      inputs: { name: string; type: string; link: number }[],
      widgets: unknown[],
      outputs: string[],
    ) =>
      nodes.push({
        id: id + own,
        type,
        pos: [index * 300, own * 200],
        size: [200, 100],
        mode: 0,
        inputs,
        outputs: outputs.map((name) => ({ name, type: name })),
        properties: {},
        widgets_values: widgets,
      });
    const text = (own: number) =>
      add(
        own,
        "CLIPTextEncode",
        [{ name: "clip", type: "CLIP", link: link(id + 1, 1, id + own, 0, "CLIP") }],
        ["a prompt of some length"],
        ["CONDITIONING"],
      );
    add(1, "CheckpointLoaderSimple", [], ["a.safetensors"], ["MODEL", "CLIP", "VAE"]);
    text(2);
    add(3, "EmptyLatentImage", [], [512, 512, 1], ["LATENT"]);
    add(
      4,
      "KSampler",
      [
        { name: "model", type: "MODEL", link: link(id + 1, 0, id + 4, 0, "MODEL") },
        { name: "positive", type: "CONDITIONING", link: link(id + 2, 0, id + 4, 1, "CONDITIONING") },
        { name: "latent_image", type: "LATENT", link: link(id + 3, 0, id + 4, 3, "LATENT") },
      ],
      [index, "randomize", 20, 8, "euler", "normal", 1],
      ["LATENT"],
    );
    add(
      5,
      "VAEDecode",
      [
        { name: "samples", type: "LATENT", link: link(id + 4, 0, id + 5, 0, "LATENT") },
        { name: "vae", type: "VAE", link: link(id + 1, 2, id + 5, 1, "VAE") },
      ],
      [],
      ["IMAGE"],
    );
  }
  return { nodes, links, groups: [], version: 0.4, last_node_id: times * 5 };
}
