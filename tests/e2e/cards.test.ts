// A card says what is set, is set itself, and shows what it made and what it showed on the way.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { type Browser, openBrowser, restingBox, shot, shots } from "../support/browser.ts";
import { graphOf, node, type Spindle, startSpindle, until, wire } from "../support/spindle.ts";

let fake: FakeComfy;
let spindle: Spindle;
let ada: Browser;
let page: Page;

beforeAll(async () => {
  fake = await FakeComfy.start();
  [spindle, ada] = await Promise.all([startSpindle({ env: { COMFY_URL: fake.url } }), openBrowser()]);
  ada.context.setDefaultTimeout(30_000);
  page = await ada.page();
  const hasComfy = async () => (await (await fetch(`${spindle.url}/api/capabilities`)).text()).includes('"plane":"comfy"');
  await until(hasComfy, 60_000, "ComfyUI's nodes are there");
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
  await fake?.stop();
});

const card = (title: string) => page.locator(".react-flow__node-card", { has: page.getByRole("heading", { name: title, exact: true }) });
const inspector = () => page.getByRole("complementary", { name: "Inspector" });
const named = (name: string, made: object) => ({ ...made, name }) as never;
const PLACES = { a: { x: 0, y: 0 }, b: { x: 400, y: 0 }, c: { x: 800, y: 0 } };
const CHAIN = graphOf(
  [
    named("First", node("a", "text.template", { template: "one" })),
    named("Second", node("b", "text.template", { template: "{{text}} two" })),
    named("Script", node("c", "llm.generate_script", { prompt: "a gull" })),
  ],
  [wire("a", "text", "b", "text")],
  { editor: { positions: PLACES } },
);
interface Stored {
  nodes: { id: string; params?: Record<string, unknown> }[];
}
const stored = async (id: string) => (await (await fetch(`${spindle.url}/api/graphs/${id}/export?to=json`)).json()) as Stored;
const params = async (id: string, of: string) => (await stored(id)).nodes.find((one) => one.id === of)?.params;

async function open(graph: object, count: number): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`${spindle.url}/g/${id}`);
  await page.getByText("All changes saved").waitFor();
  await expect.poll(() => page.locator(".react-flow__node-card").count()).toBe(count);
  await restingBox(page.locator(".react-flow__node-card").first());
  return id;
}
const run = () => page.getByRole("button", { name: /^Run( with draft engines)?$/ }).click();

test("the fields of a card are edited where they stand, and Esc gives the keys back to the card", async () => {
  const id = await open(CHAIN, 3);
  await card("First").getByLabel("Template").fill("other");
  await page.keyboard.press("Escape");
  await card("First").and(page.locator(":focus")).waitFor();
  await expect.poll(async () => (await params(id, "a"))?.template).toBe("other");
  await card("Script").getByLabel("Temperature").fill("1.5");
  await page.keyboard.press("Enter");
  await card("Script").and(page.locator(":focus")).waitFor();
  await expect.poll(async () => (await params(id, "c"))?.temperature).toBe(1.5);
  await card("Script").getByLabel("Temperature").fill("9");
  await page.keyboard.press("Enter");
  await card("Script").locator('[aria-invalid="true"]').waitFor();
  await page.keyboard.press("Control+z");
  await card("Script").locator('[aria-invalid="true"]').waitFor({ state: "detached" });
  // What is wired is given, and has no field.
  await card("First").getByLabel("Text", { exact: true }).waitFor();
  expect(await card("Second").getByLabel("Text", { exact: true }).count()).toBe(0);
  // Letters in a field are no commands, and a press in one moves no card.
  const before = await restingBox(card("First"));
  const field = await restingBox(card("First").getByLabel("Template"));
  await page.mouse.move(field.x + 20, field.y + 10);
  await page.mouse.down();
  await page.mouse.move(field.x + 80, field.y + 60, { steps: 4 });
  await page.mouse.up();
  expect(await restingBox(card("First"))).toEqual(before);
});

test("an empty JSON field takes one line of the inspector", async () => {
  await open(CHAIN, 3);
  await card("First").getByRole("heading").click();
  const code = inspector().locator(".monaco-host");
  await code.locator(".monaco-editor").waitFor();
  expect((await restingBox(code)).height).toBeLessThan(50);
});

test("what an edit made stale is seen with the edit that did, and goes with its undo; off and pinned are said in words", async () => {
  await open(CHAIN, 3);
  await run();
  await card("Second").getByText("Succeeded").waitFor();
  await card("Script").getByText("Succeeded").waitFor();
  await card("First").getByLabel("Template").fill("changed");
  await page.keyboard.press("Escape");
  await card("First").getByText("Template changed.").waitFor();
  await card("Second").getByText("Template changed in First.").waitFor();
  await card("Second").getByText("Stale").waitFor();
  expect(await card("Script").getByText("Stale").count()).toBe(0);
  await shots(page, "cards-stale", page.locator(".react-flow__node-card").first());
  await page.keyboard.press("Control+z");
  await card("Second").getByText("Succeeded").waitFor();
  expect(await page.getByText("Stale").count()).toBe(0);
  await card("Second").getByRole("heading").click();
  await page.keyboard.press("p");
  await card("Second").getByText("Pinned, does not run").waitFor();
  await page.keyboard.press("p");
  await page.keyboard.press("d");
  await card("Second").getByText("Off", { exact: true }).waitFor();
});

test("Space shows what is under the pointer full screen, and a space in a field does not", async () => {
  await open(CHAIN, 3);
  await run();
  await card("Second").getByText("Succeeded").waitFor();
  const shown = await restingBox(card("Second").locator(".card-preview"));
  await page.getByTestId("canvas").focus();
  await page.mouse.move(shown.x + shown.width / 2, shown.y + shown.height / 2);
  await page.keyboard.press("Space");
  const dialog = page.getByRole("dialog", { name: "Second" });
  await dialog.getByText("one two").waitFor();
  await shot(page, "cards-look");
  await page.keyboard.press("Space");
  await dialog.waitFor({ state: "detached" });
  const field = card("Second").getByLabel("Template");
  await field.click();
  await page.keyboard.press("End");
  await page.keyboard.press("Space");
  await expect.poll(() => field.inputValue()).toBe("{{text}} two ");
  expect(await page.getByRole("dialog").count()).toBe(0);
});

test("a card looks back at its previews, and its buttons are large enough in a fitted view", async () => {
  const comfy = (id: string, service: string, name: string, given?: Record<string, unknown>) =>
    named(name, node(id, service, given, "comfy"));
  const places: Record<string, [number, number]> = {
    load: [0, 0],
    empty: [0, 300],
    yes: [320, 0],
    no: [320, 240],
    sample: [660, 0],
    decode: [320, 480],
    film: [0, 520],
    large: [980, 0],
  };
  const graph = graphOf(
    [
      comfy("load", "CheckpointLoaderSimple", "Load", { ckpt_name: "a.safetensors" }),
      comfy("yes", "CLIPTextEncode", "Wanted", { text: "a dog" }),
      comfy("no", "CLIPTextEncode", "Unwanted", { text: "blur" }),
      comfy("empty", "EmptyLatentImage", "Empty", { width: 96, height: 64 }),
      comfy("sample", "KSampler", "Sampler", { seed: 5, steps: 60 }),
      comfy("decode", "VAEDecode", "Decode"),
      comfy("film", "CreateVideo", "Film", { fps: 8 }),
      named("Upscale", node("large", "generate.upscale_video", {}, "python")),
    ],
    [
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
  const id = await open(graph, 8);
  await card("Sampler").getByRole("spinbutton", { name: "cfg" }).fill("6");
  await page.keyboard.press("Enter");
  await card("Sampler").getByRole("combobox", { name: "scheduler" }).selectOption("simple");
  await expect.poll(async () => await params(id, "sample")).toMatchObject({ cfg: 6, scheduler: "simple" });
  await run();
  await card("Upscale").locator("video").waitFor({ timeout: 60_000 });
  const rewind = card("Sampler").getByRole("slider", { name: "Look back at Sampler" });
  await rewind.waitFor();
  const picture = card("Sampler").locator(".card-preview img");
  const last = await picture.getAttribute("src");
  await rewind.focus();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => picture.getAttribute("src")).not.toBe(last);
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => picture.getAttribute("src")).toBe(last);
  await page.getByRole("button", { name: "Fit the graph" }).click();
  const play = card("Upscale").getByRole("button", { name: "Play Upscale" });
  const box = await restingBox(play);
  expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(24);
  await play.click();
  await card("Upscale").getByRole("button", { name: "Pause Upscale" }).waitFor();
  await shots(page, "cards-media", page.locator(".react-flow__node-card").first());
  await card("Upscale").getByRole("button", { name: "Show Upscale full screen" }).click();
  await page.getByRole("dialog", { name: "Upscale" }).locator("video").waitFor();
  await shot(page, "cards-look-video");
  await page.keyboard.press("Escape");
});

test("nothing complained", () => expect(ada.complaints).toEqual([]));
