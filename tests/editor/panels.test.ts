// The panels around the canvas: their edges are moved by pointer and by keys, and where they were left is kept.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restingBox, shots } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const LONG = Array.from({ length: 40 }, (_, line) => `Line ${line} of a long text.`).join("\n");
const GRAPH = graphOf(
  [named("First", node("a", "text.template", { template: LONG })), named("Second", node("b", "text.template", { template: "{{text}}" }))],
  [wire("a", "text", "b", "text")],
  placed({ a: [0, 0], b: [460, 60] }),
);
const edge = (name: string) => page.getByRole("separator", { name });
const width = async (of: string) => Math.round((await page.locator(`.editor-page > ${of}`).boundingBox())?.width ?? 0);
const height = async () => Math.round((await page.locator(".editor-page > .bottom").boundingBox())?.height ?? 0);

test("panels are dragged, moved by the arrow keys, put away and given back their size, and stay so for this person", async () => {
  await editor.open(GRAPH);
  expect([await width(".library"), await width(".inspector"), await height()]).toEqual([256, 320, 220]);
  const { x, y, height: tall } = await restingBox(edge("Width of the library"));
  await page.mouse.move(x + 3, y + tall / 2);
  await page.mouse.down();
  await page.mouse.move(x + 33, y + tall / 2, { steps: 3 });
  await page.mouse.move(x + 63, y + tall / 2, { steps: 3 });
  await page.mouse.up();
  await expect.poll(() => width(".library")).toBe(316);
  await edge("Width of the inspector").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  await expect.poll(() => width(".inspector")).toBe(400);
  expect(await edge("Width of the inspector").getAttribute("aria-valuenow")).toBe("400");
  await edge("Height of the run panel").focus();
  await page.keyboard.press("ArrowDown");
  await expect.poll(height).toBe(204);
  await page.keyboard.press("Home");
  await expect.poll(height).toBe(96);
  await shots(page, "panels-moved", editor.cards().first());
  await page.reload();
  await editor.cards().first().waitFor();
  await expect.poll(async () => [await width(".library"), await width(".inspector"), await height()]).toEqual([316, 400, 96]);
  // Put away by its key or by Enter, and as it was when it comes back.
  await edge("Width of the inspector").focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => width(".inspector")).toBe(0);
  await editor.cards().first().focus();
  await page.keyboard.press("]");
  await expect.poll(() => width(".inspector")).toBe(400);
  await edge("Width of the inspector").dblclick();
  await expect.poll(() => width(".inspector")).toBe(320);
});

test("in a fitted view no card lies under the minimap, also once a result has made it larger", async () => {
  await page.evaluate(() => localStorage.removeItem("spindle.panels"));
  await page.setViewportSize({ width: 1280, height: 720 });
  await editor.open(GRAPH);
  const over = async () => {
    const map = await page.locator(".react-flow__minimap").boundingBox();
    if (!map) return 0;
    const boxes = await Promise.all((await editor.cards().all()).map((one) => one.boundingBox()));
    return boxes.filter((box) => box && box.x + box.width > map.x && box.y + box.height > map.y).length;
  };
  await expect.poll(over).toBe(0);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await editor.card("Second").getByText("Succeeded").waitFor();
  await expect.poll(over).toBe(0);
  await shots(page, "panels-minimap", editor.cards().first());
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
