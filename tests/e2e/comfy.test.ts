// What somebody who knows ComfyUI does first: drop a workflow, run it, and wire other planes to it. In a real browser.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shot, shots } from "../support/browser.ts";
import { filmGraph } from "../support/comfy.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ comfy: true, worker: true });
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const card = (title: string) => editor.card(title);
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

const emptyGraph = () => editor.open(graphOf([node("start", "constant.string", { value: "x" })]));

test("the library has ComfyUI's nodes, closed until they are looked for", async () => {
  await emptyGraph();
  await page.getByLabel("Search nodes").fill("ksampler");
  await page.getByLabel("Node library").getByText("KSampler", { exact: true }).waitFor();
  await page.getByLabel("Search nodes").fill("");
  expect(await page.getByLabel("Node library").getByText("KSampler", { exact: true }).count()).toBe(0);
});

test("[M3] a page loads the definitions of what its graph uses, those of what is added once it is; the rest its browser keeps", async () => {
  const asked: string[][] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname.endsWith("/definitions")) asked.push(searchParams.getAll("of"));
  });
  const loads = () =>
    page.evaluate(
      () => performance.getEntriesByType("resource").filter(({ name }) => name.includes("/api/library/")) as PerformanceResourceTiming[],
    );
  await editor.open(graphOf([named("Sampler", node("sample", "KSampler", { seed: 5 }, "comfy"))], [], placed({ sample: [0, 0] })));
  await card("Sampler").locator(".card-issue").first().waitFor();
  expect(asked).toEqual([["KSampler"]]);
  await page.getByLabel("Search nodes").fill("vae decode");
  await page.getByLabel("Search nodes").press("Enter");
  await expect.poll(() => asked).toEqual([["KSampler"], ["VAEDecode"]]);
  const data = JSON.stringify({
    nodes: [{ id: 1, type: "EmptyLatentImage", pos: [0, 0], widgets_values: [640, 320, 2] }],
    links: [],
    version: 0.4,
  });
  await page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, data);
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await expect.poll(() => inspector.getByLabel("width").inputValue()).toBe("640");
  expect(asked.slice(2)).toEqual([["EmptyLatentImage"]]);
  await page.getByText("All changes saved").waitFor();
  await page.reload();
  await expect.poll(() => editor.cards().count()).toBe(3);
  expect(asked.slice(3)).toEqual([["EmptyLatentImage", "KSampler", "VAEDecode"]]);
  const [core, index] = (await loads()).filter(({ name }) => !name.includes("definitions"));
  expect([core?.transferSize, index?.transferSize]).toEqual([0, 0]);
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

test("[E16] text, ComfyUI and Python are one graph; what samples shows its previews", async () => {
  const places = {
    words: [0, 0],
    load: [0, 260],
    empty: [0, 520],
    yes: [360, 0],
    no: [360, 260],
    sample: [740, 0],
    decode: [740, 620],
    film: [1080, 620],
    large: [1080, 0],
  } as const;
  await editor.open(
    filmGraph(60, {
      nodes: [named("Words", node("words", "text.template", { template: "a dog in the rain" }))],
      wires: [wire("words", "text", "yes", "text")],
      places,
    }),
  );
  await page.getByRole("button", { name: "Run with draft engines" }).click();
  await card("Sampler").locator('canvas[aria-label="Preview while it runs"]').waitFor(); // its bytes came with the news of it
  expect(await card("Decode").locator(".card-preview").count()).toBe(0);
  await shot(page, "comfy-sampling");
  await card("Upscale").locator("video").waitFor({ timeout: 60_000 });
  // The nodes of a prompt run together: it has a time, and they have none of their own.
  await page.getByTestId("timeline").getByText("ComfyUI prompt, 7 nodes together").waitFor();
  await page
    .getByTestId("timeline")
    .getByRole("button", { name: /Sampler/ })
    .waitFor();
  await shots(page, "comfy-done", editor.cards().first(), async () => {
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
  expect(JSON.stringify(editor.spindle.fake?.prompts.at(-1))).toContain("a dog in the rain");
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
