// Help with values to try, and seeds that move on by themselves.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { type Browser, openBrowser, restingBox, shot } from "../support/browser.ts";
import { graphOf, node, type Spindle, startSpindle, until, wire } from "../support/spindle.ts";

let fake: FakeComfy;
let spindle: Spindle;
let ada: Browser;
let page: Page;

beforeAll(async () => {
  fake = await FakeComfy.start();
  [spindle, ada] = await Promise.all([startSpindle({ worker: false, env: { COMFY_URL: fake.url } }), openBrowser()]);
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
type Params = Record<string, unknown> | undefined;
async function params(id: string, of: string): Promise<Params> {
  const graph = (await (await fetch(`${spindle.url}/api/graphs/${id}/export?to=json`)).json()) as {
    nodes: { id: string; params?: Params }[];
  };
  return graph.nodes.find((one) => one.id === of)?.params;
}
async function open(graph: object, count: number): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  const { id } = (await answer.json()) as { id: string };
  await page.goto(`${spindle.url}/g/${id}`);
  await page.getByText("All changes saved").waitFor();
  await expect.poll(() => page.locator(".react-flow__node-card").count()).toBe(count);
  await restingBox(page.locator(".react-flow__node-card").first());
  return id;
}

test("[C3] the example of a node is put into its fields, as one step of undo", async () => {
  const id = await open(graphOf([named("Words", node("words", "text.template"))]), 1);
  await card("Words").getByRole("heading").click();
  await inspector().getByRole("tab", { name: "About" }).click();
  await inspector().getByRole("heading", { name: "Example" }).waitFor();
  await shot(page, "fields-about");
  await inspector().getByRole("button", { name: "Insert" }).click();
  await expect.poll(() => params(id, "words")).toEqual({ template: "Hello {{name}}", values: { name: "Ada" } });
  await expect.poll(() => inspector().getByLabel("template").inputValue()).toBe("Hello {{name}}");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(async () => (await params(id, "words")) ?? {}).toEqual({});
});

test("a seed counts up at each run, which has the seed that is seen", async () => {
  const comfy = (id: string, service: string, given?: object) => named(id, node(id, service, given as never, "comfy"));
  const id = await open(
    graphOf(
      [
        comfy("load", "CheckpointLoaderSimple", { ckpt_name: "a.safetensors" }),
        comfy("yes", "CLIPTextEncode", { text: "a dog" }),
        comfy("no", "CLIPTextEncode", { text: "blur" }),
        comfy("empty", "EmptyLatentImage", { width: 96, height: 64 }),
        comfy("sample", "KSampler", { seed: 5, steps: 4 }),
        comfy("decode", "VAEDecode"),
        comfy("save", "SaveImage", { filename_prefix: "x" }),
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
        wire("decode", "IMAGE", "save", "images"),
      ],
      {
        editor: {
          positions: Object.fromEntries(
            ["load", "yes", "no", "empty", "sample", "decode", "save"].map((each, at) => [
              each,
              { x: (at % 3) * 340, y: Math.floor(at / 3) * 300 },
            ]),
          ),
        },
      },
    ),
    7,
  );
  await card("sample").getByRole("heading").click();
  await inspector().getByLabel("seed at each run").selectOption({ label: "Counts up" });
  await card("sample").getByText("seed, counts up").waitFor();
  await shot(page, "fields-seed");
  for (const seed of [6, 7]) {
    await page.getByRole("button", { name: /^Run( with draft engines)?$/ }).click();
    await expect.poll(async () => (await params(id, "sample"))?.seed).toBe(seed);
    await expect.poll(() => JSON.stringify(fake.prompts.at(-1))).toContain(`"seed":${seed}`);
    await card("save").locator("img[alt=Result]").waitFor();
  }
  expect(await page.getByText("Stale").count()).toBe(0);
});

test("nothing complained", () => expect(ada.complaints).toEqual([]));
