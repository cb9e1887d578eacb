// The pages beside the canvas, in a real browser: the list of graphs.
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, openBrowser, restingBox, shots } from "../support/browser.ts";
import { PORTRAIT } from "../support/samples.ts";
import { ended, graphOf, node, type Spindle, startSpindle, wire } from "../support/spindle.ts";

let spindle: Spindle;
let ada: Browser;
let page: Page;
beforeAll(async () => {
  [spindle, ada] = await Promise.all([startSpindle(), openBrowser()]);
  page = await ada.page();
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
});

async function create(graph: unknown): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  return ((await answer.json()) as { id: string }).id;
}
const post = async <T>(name: string, body: object): Promise<T> => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${spindle.url}/trpc/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
  return ((await answer.json()) as { result: { data: T } }).result.data;
};

const LONG = "A name that is much longer than a card is wide, as names of graphs become when people write what they are for";

test("a graph is known by its picture and its last result, found by its name, renamed, and copied", async () => {
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(await readFile(PORTRAIT))]), "portrait.jpg");
  const image = await (await fetch(`${spindle.url}/api/artifacts?kind=image`, { method: "POST", body: form })).json();
  const positions = { image: { x: 0, y: 0 }, seen: { x: 420, y: 160 }, other: { x: 420, y: -160 } };
  const moon = await create({
    ...graphOf(
      [node("image", "constant.image", { value: image }), node("seen", "output.preview"), node("other", "dummy.dummy_task", {}, "python")],
      [wire("image", "value", "seen", "value")],
      { editor: { positions } },
    ),
    workflowId: "moon-walk",
  });
  const [other] = [await create({ ...graphOf([node("a", "output.preview")]), workflowId: "apollo" })];
  await post("graphs.rename", { id: other, name: LONG });
  await post("graphs.create", { name: "Nothing yet" });
  const run = await post<string>("runs.start", { graphId: moon, inputs: {} });
  expect((await ended(spindle.url, run)).state).toBe("succeeded");

  await page.goto(spindle.url);
  const card = (name: string) => page.locator(".graph-card", { has: page.getByRole("link", { name, exact: true }) });
  await card("moon-walk").getByAltText("Last result").waitFor();
  // What the server has drawn, in the colours of this page.
  const drawn = () =>
    page.getByTestId(`picture-${moon}`).evaluate((svg: SVGSVGElement) => (svg.querySelector("use") as SVGUseElement).getBBox().width);
  await expect.poll(drawn).toBeGreaterThan(60);
  await shots(page, "pages-graphs", card("moon-walk"), () => expectNoSidewaysScroll());

  const [long, more] = await Promise.all([restingBox(card(LONG)), restingBox(page.getByRole("button", { name: `More for ${LONG}` }))]);
  expect(more.x + more.width, "its menu can be reached").toBeLessThan(long.x + long.width);

  await page.getByLabel("Search graphs").fill("MOON");
  await expect.poll(() => page.locator(".graph-card").count()).toBe(1);
  await card("moon-walk").getByRole("button", { name: "More for moon-walk" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByLabel("New name").fill("Moon base");
  await page.keyboard.press("Enter");
  await card("Moon base").waitFor();
  await page.getByRole("button", { name: "More for Moon base" }).click();
  await page.getByRole("menuitem", { name: "Duplicate" }).click();
  await card("Moon base copy").waitFor();
  await page.getByLabel("Sort by").selectOption({ label: "Name" });
  await expect.poll(() => page.locator(".graph-card h2").allTextContents()).toEqual(["Moon base", "Moon base copy"]);

  await page.reload();
  await expect.poll(() => page.locator(".graph-card h2").allTextContents()).toEqual(["Moon base", "Moon base copy"]);
  await page.getByLabel("Search graphs").fill("nowhere");
  await page.getByText("No graph has “nowhere” in its name.").waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  await card("Nothing yet").waitFor();
  await card("Moon base").getByRole("link").click();
  await page.locator(".react-flow__node").first().waitFor();
  expect(ada.complaints).toEqual([]);
});

test("a template is found among eight, filled with its samples at one press, picked from by looking, and opened as it was filled in", async () => {
  await page.goto(`${spindle.url}/templates`);
  const list = page.getByRole("complementary", { name: "Templates" });
  await expect.poll(() => list.getByRole("link").count()).toBe(8);
  await expect.poll(() => list.getByText("Runs here").count()).toBe(6);
  await list.getByRole("link", { name: /^Text to image Describe/ }).click();
  await page.getByText(/It needs a ComfyUI.*COMFY_URL=/).waitFor();
  await page.getByRole("button", { name: "Cannot run here" }).waitFor();
  await shots(page, "pages-template-off", page.getByRole("heading", { level: 1 }), expectNoSidewaysScroll);

  await list.getByRole("link", { name: /^Batch of takes/ }).click();
  await page.getByRole("heading", { name: "Batch of takes", level: 1 }).waitFor();
  await page.getByRole("button", { name: /^Generate/ }).click();
  await page.getByText("Portrait is needed.").waitFor();
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute("aria-label")), { message: "the first that is wrong" })
    .toBe("Portrait");
  await page.getByRole("button", { name: "Use all samples" }).click();
  await page.getByText("512 × 512").waitFor();
  await page.getByLabel("Lines, one for each take").fill("Good evening.\n\nWelcome back.\n");
  await page.getByRole("button", { name: /^Generate/ }).click();
  await page.getByRole("radio").nth(1).check({ timeout: 120_000 });
  await shots(page, "pages-template-pick", page.getByTestId("questions"), expectNoSidewaysScroll);
  await page.getByRole("button", { name: "Upscale it" }).click();
  await page.getByTestId("result-video").waitFor({ timeout: 120_000 });
  await page.locator("[data-testid=step-upscale][data-state=done]").waitFor();
  await shots(page, "pages-template-done", page.getByTestId("stage"), expectNoSidewaysScroll);

  await page.getByRole("button", { name: "Open the graph" }).click();
  await page.waitForURL(/\/g\//);
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByText("512 × 512").waitFor();
  await inspector.getByText("Welcome back.").waitFor();
  expect(ada.complaints).toEqual([]);
});

async function expectNoSidewaysScroll(): Promise<void> {
  const [scroll, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(scroll).toBeLessThanOrEqual(inner ?? 0);
}
