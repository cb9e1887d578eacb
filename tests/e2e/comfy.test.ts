// What somebody who knows ComfyUI does first: drop a workflow, run it, and wire other planes to it. In a real browser.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { type Browser, openBrowser, shot } from "../support/browser.ts";
import { graphOf, node, type Spindle, startSpindle, until, wire } from "../support/spindle.ts";

let fake: FakeComfy;
let spindle: Spindle;
let ada: Browser;
let page: Page;
beforeAll(async () => {
  fake = await FakeComfy.start();
  [spindle, ada] = await Promise.all([startSpindle({ env: { COMFY_URL: fake.url } }), openBrowser()]);
  page = await ada.page();
  await until(
    async () => (await (await fetch(`${spindle.url}/api/capabilities`)).text()).includes('"plane":"comfy"'),
    60_000,
    "ComfyUI's nodes are there",
  );
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
  await fake?.stop();
});

const card = (title: string) => page.locator(".react-flow__node", { has: page.getByRole("heading", { name: title, exact: true }) });
const recording = (path: string) => readFileSync(new URL(`../../workers/comfy-bridge/test/recordings/${path}`, import.meta.url), "utf8");

async function drop(name: string, text: string): Promise<void> {
  const data = await page.evaluateHandle(
    ([file, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content as string], file as string, { type: "application/json" }));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent("[data-testid=canvas]", "drop", { dataTransfer: data });
}

async function emptyGraph(): Promise<void> {
  const { id } = (await (
    await fetch(`${spindle.url}/api/graphs`, {
      method: "POST",
      body: JSON.stringify(graphOf([node("start", "constant.string", { value: "x" })])),
    })
  ).json()) as { id: string };
  await page.goto(`${spindle.url}/g/${id}`);
  await page.locator(".react-flow__node").first().waitFor();
}

test("the library has ComfyUI's nodes, closed until they are looked for", async () => {
  await emptyGraph();
  await page.getByLabel("Search nodes").fill("ksampler");
  await page.getByLabel("Node library").getByText("KSampler", { exact: true }).waitFor();
  await page.getByLabel("Search nodes").fill("");
  expect(await page.getByLabel("Node library").getByText("KSampler", { exact: true }).count()).toBe(0);
});

test("a workflow in API format is dropped, says which file is missing, and runs once it is chosen", async () => {
  await emptyGraph();
  await drop("sd15.json", recording("workflows/cog__sd15_txt2img.json"));
  await card("KSampler").waitFor();
  await card("Load Checkpoint").locator(".card-issue", { hasText: "is not in the list" }).waitFor();
  await shot(page, "comfy-import");
  await card("Load Checkpoint").getByRole("heading").click();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByLabel("ckpt_name").selectOption("a.safetensors");
  await page.getByText("All changes saved").waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await card("Save Image").locator("img[alt=Result]").waitFor();
});

test("a large workflow whose nodes are missing keeps them, and says where each comes from", async () => {
  await emptyGraph();
  await drop("infinitetalk.json", recording("workflows/wan__wanvideo_2_1_14B_I2V_InfiniteTalk_example_03.json"));
  await page.waitForURL(/\/g\//);
  await page.locator(".card-far-away").first().waitFor();
  await page.getByRole("tab", { name: /Problems/ }).click();
  await page
    .getByText(/It comes from the node pack comfyui-/)
    .first()
    .waitFor();
  await page.waitForTimeout(600);
  await shot(page, "comfy-missing");
});

test("text, ComfyUI and Python are one graph; what samples shows its previews", async () => {
  const comfy = (id: string, service: string, name: string, params?: Record<string, unknown>) => ({
    ...node(id, service, params, "comfy"),
    name,
  });
  const places: Record<string, [number, number]> = {
    words: [0, 0],
    load: [0, 260],
    empty: [0, 520],
    yes: [360, 0],
    no: [360, 260],
    sample: [740, 0],
    decode: [740, 620],
    film: [1080, 620],
    large: [1080, 0],
  };
  const graph = graphOf(
    [
      { ...node("words", "text.template", { template: "a dog in the rain" }), name: "Words" } as never,
      comfy("load", "CheckpointLoaderSimple", "Load", { ckpt_name: "a.safetensors" }) as never,
      comfy("yes", "CLIPTextEncode", "Wanted") as never,
      comfy("no", "CLIPTextEncode", "Unwanted", { text: "blur" }) as never,
      comfy("empty", "EmptyLatentImage", "Empty", { width: 96, height: 64 }) as never,
      comfy("sample", "KSampler", "Sampler", { seed: 5, steps: 60 }) as never,
      comfy("decode", "VAEDecode", "Decode") as never,
      comfy("film", "CreateVideo", "Film", { fps: 8 }) as never,
      { ...node("large", "generate.upscale_video", {}, "python"), name: "Upscale" } as never,
    ],
    [
      wire("words", "text", "yes", "text"),
      wire("load", "CLIP", "yes", "clip"),
      wire("load", "CLIP", "no", "clip"),
      wire("load", "MODEL", "sample", "model"),
      wire("yes", "CONDITIONING", "sample", "positive"),
      wire("no", "CONDITIONING", "sample", "negative"),
      wire("empty", "LATENT", "sample", "latent_image"),
      wire("sample", "LATENT", "decode", "samples"),
      wire("load", "VAE", "decode", "vae"),
      wire("decode", "IMAGE", "film", "images"),
      wire("film", "VIDEO", "large", "videoArtifact"),
    ],
    { editor: { positions: Object.fromEntries(Object.entries(places).map(([id, [x, y]]) => [id, { x, y }])) } },
  );
  const { id } = (await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json()) as {
    id: string;
  };
  await page.goto(`${spindle.url}/g/${id}`);
  await card("Sampler").waitFor();
  await page.waitForTimeout(500);
  await page.getByRole("button", { name: "Run with draft engines" }).click();
  await card("Sampler").locator('img[alt="Preview while it runs"]').waitFor();
  expect(await card("Decode").locator("img").count()).toBe(0);
  await shot(page, "comfy-sampling");
  await card("Upscale").locator("video").waitFor({ timeout: 60_000 });
  // The nodes of a prompt run together: it has a time, and they have none of their own.
  await page.getByTestId("timeline").getByText("ComfyUI prompt, 7 nodes together").waitFor();
  await page
    .getByTestId("timeline")
    .getByRole("button", { name: /Sampler/ })
    .waitFor();
  await page.waitForTimeout(300);
  await shot(page, "comfy-done");
  for (const width of [1280, 1920])
    for (const theme of ["dark", "light"]) {
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate((value) => document.documentElement.setAttribute("data-theme", value), theme);
      await page.waitForTimeout(300);
      await shot(page, `comfy-done-${theme}-${width}`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  expect(JSON.stringify(fake.prompts.at(-1))).toContain("a dog in the rain");
});

test("nothing complained", () => expect(ada.complaints).toEqual([]));
