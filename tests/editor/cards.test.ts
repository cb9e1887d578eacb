// A card says what is set, is set itself, and shows what it made and what it showed on the way.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restingBox, shot, shots } from "../support/browser.ts";
import { filmGraph } from "../support/comfy.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, placed, wait, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ comfy: true, worker: true });
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const card = (title: string) => editor.card(title);
const CHAIN = graphOf(
  [
    named("First", node("a", "text.template", { template: "one" })),
    named("Second", node("b", "text.template", { template: "{{text}} two" })),
    named("Script", node("c", "llm.generate_script", { prompt: "a gull" })),
  ],
  [wire("a", "text", "b", "text")],
  placed({ a: [0, 0], b: [400, 0], c: [800, 0] }),
);
const run = () => page.getByRole("button", { name: /^Run( with draft engines)?$/ }).click();

test("the fields of a card are edited where they stand, and Esc gives the keys back to the card", async () => {
  const id = await editor.open(CHAIN);
  await card("First").getByLabel("Template").fill("other");
  await page.keyboard.press("Escape");
  await card("First").and(page.locator(":focus")).waitFor();
  await expect.poll(async () => (await editor.params(id, "a"))?.template).toBe("other");
  await card("Script").getByLabel("Temperature").fill("1.5");
  await page.keyboard.press("Enter");
  await card("Script").and(page.locator(":focus")).waitFor();
  await expect.poll(async () => (await editor.params(id, "c"))?.temperature).toBe(1.5);
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
  await editor.open(CHAIN);
  await card("First").getByRole("heading").click();
  const code = editor.inspector().locator(".monaco-host");
  await code.locator(".monaco-editor").waitFor();
  expect((await restingBox(code)).height).toBeLessThan(50);
});

test("what an edit made stale is seen with the edit that did, and goes with its undo; off and pinned are said in words", async () => {
  await editor.open(CHAIN);
  await run();
  await card("Second").getByText("Succeeded").waitFor();
  await card("Script").getByText("Succeeded").waitFor();
  await card("First").getByLabel("Template").fill("changed");
  await page.keyboard.press("Escape");
  await card("First").getByText("Template changed.").waitFor();
  await card("Second").getByText("Template changed in First.").waitFor();
  await card("Second").getByText("Stale").waitFor();
  expect(await card("Script").getByText("Stale").count()).toBe(0);
  await shots(page, "cards-stale", editor.cards().first());
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
  await editor.open(CHAIN);
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
  const places = {
    load: [0, 0],
    empty: [0, 300],
    yes: [320, 0],
    no: [320, 240],
    sample: [660, 0],
    decode: [320, 480],
    film: [0, 520],
    large: [980, 0],
  } as const;
  const id = await editor.open(filmGraph(60, { places }));
  await card("Sampler").getByRole("spinbutton", { name: "cfg" }).fill("6");
  await page.keyboard.press("Enter");
  await card("Sampler").getByRole("combobox", { name: "scheduler" }).selectOption("simple");
  await expect.poll(async () => await editor.params(id, "sample")).toMatchObject({ cfg: 6, scheduler: "simple" });
  await run();
  await card("Upscale").locator("video").waitFor({ timeout: 60_000 });
  const rewind = card("Sampler").getByRole("slider", { name: "Look back at Sampler" });
  await rewind.waitFor();
  const picture = card("Sampler").getByRole("img", { name: "Preview while it runs" });
  const width = () =>
    picture.evaluate((shown: HTMLImageElement | HTMLCanvasElement) => ("naturalWidth" in shown ? shown.naturalWidth : shown.width));
  const last = await rewind.getAttribute("aria-valuetext");
  await rewind.focus();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => rewind.getAttribute("aria-valuetext")).not.toBe(last);
  await expect.poll(width).toBeGreaterThan(0);
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => rewind.getAttribute("aria-valuetext")).toBe(last);
  await expect.poll(width).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Fit the graph" }).click();
  const play = card("Upscale").getByRole("button", { name: "Play Upscale" });
  const box = await restingBox(play);
  expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(24);
  await play.click();
  await card("Upscale").getByRole("button", { name: "Pause Upscale" }).waitFor();
  await shots(page, "cards-media", editor.cards().first());
  await card("Upscale").getByRole("button", { name: "Show Upscale full screen" }).click();
  await page.getByRole("dialog", { name: "Upscale" }).locator("video").waitFor();
  await shot(page, "cards-look-video");
  await page.keyboard.press("Escape");
});

test("a wire into a node that waits its turn is dotted, and flows while the node runs", async () => {
  const [first, second] = [wait("a", { seconds: 2 }), wait("b", { seconds: 2 })];
  await editor.open(graphOf([first, second], [wire("a", "value", "b", "value")]));
  await run();
  await page.locator(".react-flow__edge.queued:not(.flow)").waitFor({ state: "attached" });
  await page.locator(".react-flow__edge.flow:not(.queued)").waitFor({ state: "attached" });
  await page.getByTestId("run-bar").waitFor({ state: "detached" });
  await expect.poll(() => page.locator(".react-flow__edge:is(.flow, .queued)").count()).toBe(0);
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
