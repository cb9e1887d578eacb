// From the empty canvas to a video: docs/tour.md tells what is done here, step by step, each thing found by its visible label.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { newGraph, overlaps, restingBox, shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { PORTRAIT, PROMPT } from "../support/samples.ts";

const MOST_ACTIONS = 15;
const PAGE = join(ROOT, "docs/tour.md");
const WRITES = "SPINDLE_WRITE_SCREENSHOT";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ worker: true });
  ({ page } = editor);
});
afterAll(() => editor?.stop());

/** What a person does: one click, drag, key chord or filled field each. */
const steps: string[] = [];
async function step(says: string, act: () => Promise<unknown>): Promise<void> {
  await act();
  steps.push(says);
}

const fromLibrary = (label: string, x: number, y: number) =>
  step(`Drag **${label}** from the library to the canvas.`, async () => {
    const entry = page.locator(".library-item").filter({ has: page.getByText(label, { exact: true }) });
    await entry.dragTo(page.getByTestId("canvas"), { targetPosition: { x, y } });
    await editor.card(label).waitFor();
  });

const port = (title: string, side: "Input" | "Output", label: string): Locator =>
  editor.card(title).getByRole("img", { name: `${side} ${label}`, exact: true });

const wire = ([title, label]: [string, string], [target, input]: [string, string]) =>
  step(`Drag from the output **${label}** of _${title}_ to the input **${input}** of _${target}_.`, async () => {
    const before = await page.locator(".react-flow__edge").count();
    await link(port(title, "Output", label), port(target, "Input", input));
    await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(before + 1);
  });

async function link(from: Locator, to: Locator): Promise<void> {
  const [start, end] = await Promise.all([restingBox(from), restingBox(to)]);
  await page.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
  await page.mouse.down();
  await page.mouse.move(end.x + end.width / 2, end.y + end.height / 2, { steps: 8 });
  await page.mouse.up();
}

/** A file that a person drags from a folder. */
async function dropFile(on: Locator, file: string, at: { x: number; y: number }): Promise<void> {
  const bytes = (await readFile(file)).toString("base64");
  const box = await restingBox(on);
  const point = { clientX: box.x + at.x, clientY: box.y + at.y };
  const dataTransfer = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    const content = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([content], "portrait.jpg", { type: "image/jpeg" }));
    return transfer;
  }, bytes);
  for (const type of ["dragenter", "dragover", "drop"]) await on.dispatchEvent(type, { dataTransfer, ...point });
}

test("six nodes of two planes run after at most fifteen actions on an empty canvas, and the tour says which", async () => {
  await newGraph(page, editor.spindle.url);
  await fromLibrary("Write script", 40, 40);
  await fromLibrary("Make voice", 400, 40);
  await fromLibrary("Talking head", 760, 40);
  await fromLibrary("Upscale video", 760, 560);
  await fromLibrary("Show result", 400, 560);
  await step("Drop a portrait from a folder of yours on the canvas: it becomes the node _Image_.", async () => {
    await dropFile(page.getByTestId("canvas"), PORTRAIT, { x: 40, y: 440 });
    await editor.card("Image").waitFor();
  });
  await step("Press **Fit the graph**, so that all of it is in view.", () => page.getByRole("button", { name: "Fit the graph" }).click());
  expect(await overlaps(editor.cards())).toBe(0);
  await shot(page, "tour-nodes");
  await wire(["Write script", "Narration"], ["Make voice", "Text"]);
  await wire(["Make voice", "Speech"], ["Talking head", "Speech"]);
  await wire(["Image", "Value"], ["Talking head", "Portrait"]);
  await wire(["Talking head", "Video"], ["Upscale video", "Video"]);
  await wire(["Upscale video", "Video"], ["Show result", "Value"]);
  await step("Write in the field **Prompt** of _Write script_ what the video is about.", () =>
    editor.card("Write script").getByRole("textbox", { name: "Prompt", exact: true }).fill(PROMPT),
  );
  await step("Press **Run with draft engines**.", () => page.getByRole("button", { name: "Run with draft engines" }).click());
  await editor.card("Show result").locator("video").waitFor({ timeout: 120_000 });
  await page.getByTestId("canvas").click({ position: { x: 200, y: 20 } });
  const before = await restingBox(editor.card("Show result"));
  await page.keyboard.press("t");
  await expect.poll(async () => (await editor.card("Show result").boundingBox())?.x).not.toBe(before.x);
  await restingBox(editor.card("Show result"));
  await page.getByRole("button", { name: "Fit the graph" }).click();
  await restingBox(editor.card("Show result"));
  await shot(page, "tour");

  expect(steps.length).toBeLessThanOrEqual(MOST_ACTIONS);
  const planes = await editor.stored<{ nodes: { plane: string }[] }>(page.url().split("/").at(-1) ?? "");
  expect(planes.nodes.map(({ plane }) => plane).sort()).toEqual(["node", "node", "node", "python", "python", "python"]);
  const text = tour();
  if (process.env[WRITES]) {
    await writeFile(PAGE, text);
    await copyFile(join(ROOT, "test-results/tour.png"), join(ROOT, "docs/images/tour.png"));
  }
  expect(await readFile(PAGE, "utf8"), `${WRITES}=1 writes it anew`).toBe(text);
}, 300_000);

const tour = (): string => `# A tour: a talking head from an empty canvas

Six nodes on two planes, ${steps.length} actions: every click, drag, key chord and filled field counts as one. A test does exactly this in a real
browser (\`tests/editor/tour.test.ts\`), and wrote this page and its picture.

Start Spindle with \`npm start\`, open the address that it prints, and press **New graph**.

${steps.map((says, at) => `${at + 1}. ${says}`).join("\n")}

Each card shows its result as soon as there is one: the text, the voice, the portrait that speaks, and the enlarged video. _Draft_ marks an engine
that works on any machine and says so in its result; [GPU engines](gpu.md) says how to get the real ones.

![The graph after its run](images/tour.png)

The picture was taken after \`T\`, which puts the cards in order.

Where to go on: [Building a graph in the editor](editor.md) has what the canvas can do, [Control flow](control-flow.md) conditions, loops, lists and
people, [ComfyUI](comfyui.md) workflows of your own.
`;
