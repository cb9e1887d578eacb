// What is on the canvas is copied, selected by boxes, put in order, found, grouped and noted.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restingBox, shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const cards = () => editor.cards();
const card = (title: string) => editor.card(title);
const selected = async () => (await page.locator(".react-flow__node-card.selected").getByRole("heading").allTextContents()).sort();
const note = () => page.locator(".react-flow__node-note");
const template = (id: string, name: string) => named(name, node(id, "text.template", { template: `${name} {{text}}` }));
const PLACES = { a: { x: 0, y: 0 }, b: { x: 400, y: 60 }, c: { x: 800, y: 10 } };
const CHAIN = graphOf(
  [template("a", "First"), template("b", "Second"), template("c", "Third")],
  [wire("a", "text", "b", "text"), wire("b", "text", "c", "text")],
  { editor: { positions: PLACES } },
);

interface Stored {
  nodes: { id: string; name: string }[];
  edges: object[];
  metadata: { editor: { positions: Record<string, { x: number; y: number }>; notes?: object[]; groups?: object[] } };
}
const stored = (id: string) => editor.stored<Stored>(id);
const editorOf = async (id: string) => (await stored(id)).metadata.editor;

const open = (graph = CHAIN) => editor.open(graph);
async function drag(from: { x: number; y: number }, by: { x: number; y: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + by.x / 2, from.y + by.y / 2, { steps: 3 });
  await page.mouse.move(from.x + by.x, from.y + by.y, { steps: 3 });
  await page.mouse.up();
}
const headOf = async (title: string) => {
  const box = await restingBox(card(title).getByRole("heading"));
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
};

test("[C3] a card that is dragged with Alt stays, and its copy lies where it was dropped, as one step", async () => {
  const id = await open();
  const head = await headOf("First");
  await page.keyboard.down("Alt");
  await drag(head, { x: 40, y: 200 });
  await page.keyboard.up("Alt");
  await expect.poll(() => cards().count()).toBe(4);
  await expect.poll(async () => (await editorOf(id)).positions.a).toEqual(PLACES.a);
  await expect.poll(selected).toEqual(["First"]);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => Object.keys((await editorOf(id)).positions).sort()).toEqual(["a", "b", "c"]);
});

test("a box that is drawn to the right selects what it encloses, to the left what it touches", async () => {
  await open();
  const [first, second] = [await restingBox(card("First")), await restingBox(card("Second"))];
  await page.keyboard.down("Shift");
  const corner = { x: first.x - 8, y: first.y - 60 };
  const [across, down] = [second.x + second.width / 2 - corner.x, second.y + second.height + 20 - corner.y];
  await drag(corner, { x: across, y: down });
  await expect.poll(selected).toEqual(["First"]);
  await drag({ x: corner.x + across, y: corner.y + down }, { x: -across, y: -down });
  await page.keyboard.up("Shift");
  await expect.poll(selected).toEqual(["First", "Second"]);
});

test("[C3] keys align, distribute and tidy what is selected, each as one step", async () => {
  const id = await open();
  await card("First").getByRole("heading").click();
  await page.keyboard.press("Control+a");
  await expect.poll(selected).toHaveLength(3);
  const tops = async () => Object.values((await editorOf(id)).positions).map(({ y }) => y);
  await page.keyboard.press("a");
  await page.keyboard.press("u");
  await expect.poll(tops).toEqual([0, 0, 0]);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await editorOf(id)).positions).toEqual(PLACES);
  await page.keyboard.press("a");
  await page.keyboard.press("l");
  await expect.poll(async () => Object.values((await editorOf(id)).positions).map(({ x }) => x)).toEqual([0, 0, 0]);
  await page.keyboard.press("a");
  await page.keyboard.press("v");
  await expect.poll(async () => new Set(await tops()).size).toBe(3);
  await page.keyboard.press("t");
  await expect.poll(async () => Object.values((await editorOf(id)).positions).map(({ x }) => x > 0)).toEqual([false, true, true]);
  const { a, b, c } = (await editorOf(id)).positions;
  expect([(b?.x ?? 0) - (a?.x ?? 0), (c?.x ?? 0) - (b?.x ?? 0)].every((gap) => gap > 300)).toBe(true);
  await shot(page, "editor-tidied");
});

test("a note is written in Markdown, is drawn without HTML of its own, moves, takes a colour, and goes", async () => {
  const id = await open();
  await page.locator(".react-flow__pane").click({ position: { x: 200, y: 60 } });
  await page.keyboard.press("Shift+s");
  await page.getByRole("textbox", { name: "Text of the note" }).waitFor();
  await page.keyboard.type("# Plan\n\n**Bold** <img src=x onerror=alert(1)> and [a link](javascript:alert(1))");
  await page.keyboard.press("Escape");
  await note().getByRole("heading", { name: "Plan" }).waitFor();
  await note().locator("strong", { hasText: "Bold" }).waitFor();
  expect(await note().locator("img").count()).toBe(0);
  expect(await note().locator('a[href^="javascript"]').count()).toBe(0);
  await note().getByRole("button", { name: "Colour 2" }).click();
  await expect.poll(async () => (await editorOf(id)).notes).toEqual([expect.objectContaining({ colour: "#2fb5a8" })]);
  const box = await restingBox(note());
  await drag({ x: box.x + box.width / 2, y: box.y + box.height - 12 }, { x: 0, y: 80 });
  await expect.poll(async () => ((await note().boundingBox())?.y ?? 0) - box.y).toBeGreaterThan(40);
  await shot(page, "editor-note");
  await page.reload();
  await note().getByRole("heading", { name: "Plan" }).waitFor();
  await note().click();
  await page.keyboard.press("Control+d");
  await expect.poll(() => note().count()).toBe(2);
  await page.keyboard.press("Delete");
  await expect.poll(() => note().count()).toBe(1);
  await expect.poll(async () => (await editorOf(id)).notes?.length).toBe(1);
  // A note alone is on the clipboard as a graph, and comes back as a note.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await note().click();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+v");
  await expect.poll(async () => (await editorOf(id)).notes?.length).toBe(2);
  await expect.poll(() => note().count()).toBe(2);
  await page.keyboard.press("Control+x");
  await expect.poll(async () => (await editorOf(id)).notes?.length).toBe(1);
});

test("a group has a name and a frame, takes its cards along, and collapses to one card with the wires that cross it", async () => {
  const id = await open();
  await card("First").getByRole("heading").click();
  await page.keyboard.down("Shift");
  await card("Second").getByRole("heading").click();
  await page.keyboard.up("Shift");
  await page.keyboard.press("Control+g");
  const title = page.getByRole("textbox", { name: "Group title" });
  await title.fill("Words");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await editorOf(id)).groups).toEqual([expect.objectContaining({ title: "Words", nodes: ["a", "b"] })]);
  await shot(page, "editor-group");
  const frame = page.getByRole("region", { name: "Group Words" });
  const box = await restingBox(frame);
  await drag({ x: box.x + box.width - 150, y: box.y + 12 }, { x: 0, y: 70 });
  await expect.poll(async () => (await editorOf(id)).positions.a?.y ?? 0).toBeGreaterThan(40);
  const { a, b, c } = (await editorOf(id)).positions;
  expect([(b?.y ?? 0) - (a?.y ?? 0), c]).toEqual([60, PLACES.c]);
  await frame.getByRole("button", { name: "Collapse Words" }).click();
  await expect.poll(() => cards().count()).toBe(1);
  await frame.getByText("2 nodes").waitFor();
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(1);
  // Its labels are read whole.
  const isWhole = (of: Element) => of.scrollWidth <= of.clientWidth;
  for (const label of [frame.getByText("Second: Text"), frame.getByLabel("Group title")]) expect(await label.evaluate(isWhole)).toBe(true);
  await shot(page, "editor-group-collapsed");
  // Whoever goes to a card in it opens it.
  await page.keyboard.press("Control+f");
  await page.getByRole("textbox", { name: "Find in the graph" }).fill("second");
  await page.keyboard.press("Enter");
  await expect.poll(() => cards().count()).toBe(3);
  await expect.poll(selected).toEqual(["Second"]);
  await page.getByRole("button", { name: "Close the search" }).click();
  await page.keyboard.press("Control+Shift+g");
  await expect.poll(async () => (await editorOf(id)).groups ?? []).toEqual([]);
});

test("the search of the graph finds by value, by what is wrong and by type, and goes through what it found", async () => {
  await open({ ...CHAIN, nodes: [...CHAIN.nodes, named("Strange", node("d", "no.such"))] });
  await page.locator(".react-flow__pane").click({ position: { x: 200, y: 60 } });
  await page.keyboard.press("Control+f");
  const field = page.getByRole("textbox", { name: "Find in the graph" });
  const bar = page.getByRole("search");
  await field.fill("template {{text}}");
  await bar.getByText("3", { exact: true }).waitFor();
  for (const [at, title] of [
    ["1 of 3", "First"],
    ["2 of 3", "Second"],
    ["3 of 3", "Third"],
    ["1 of 3", "First"],
  ] as const) {
    await page.keyboard.press("Enter");
    await bar.getByText(at).waitFor();
    await expect.poll(selected).toEqual([title]);
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
  }
  await shot(page, "editor-find");
  await field.fill("is:invalid");
  await page.keyboard.press("Enter");
  await expect.poll(selected).toEqual(["Strange"]);
  await field.fill("type:video");
  await bar.getByText("Nothing").waitFor();
  await page.keyboard.press("Escape");
  await bar.waitFor({ state: "detached" });
});

test("several nodes are set at once, and what differs among them is not shown as one value", async () => {
  const id = await open();
  await card("First").getByRole("heading").click();
  await page.keyboard.press("Control+a");
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByRole("heading", { name: "3 nodes" }).waitFor();
  await inspector.getByText("3 × Fill template").waitFor();
  const field = inspector.getByRole("textbox", { name: "template" });
  await expect.poll(() => field.getAttribute("placeholder")).toBe("Several values");
  await shot(page, "editor-several");
  await field.fill("all alike");
  const params = async () => (await stored(id)).nodes.map((one) => (one as { params?: { template?: string } }).params?.template);
  await expect.poll(params).toEqual(["all alike", "all alike", "all alike"]);
  await inspector.getByRole("switch", { name: "Off" }).click();
  await expect.poll(() => page.getByRole("img", { name: "Off" }).count()).toBe(3);
  await inspector.getByRole("button", { name: "Align top" }).click();
  await expect.poll(async () => Object.values((await editorOf(id)).positions).map(({ y }) => y)).toEqual([0, 0, 0]);
});

/** A paste as the browser reports it. */
const paste = (what: { text?: string; file?: { name: string; type: string; text: string } }) =>
  page.evaluate(({ text, file }) => {
    const clipboardData = new DataTransfer();
    if (text !== undefined) clipboardData.setData("text/plain", text);
    if (file) clipboardData.items.add(new File([file.text], file.name, { type: file.type }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, what);

test("whatever is pasted becomes nodes, or a sentence that says why it cannot", async () => {
  const id = await open();
  await page.locator(".react-flow__pane").click({ position: { x: 200, y: 60 } });
  await paste({ text: "A sentence from somewhere." });
  await expect.poll(selected).toEqual(["Text"]);
  await expect
    .poll(async () => (await stored(id)).nodes.map((one) => (one as { params?: { value?: string } }).params?.value))
    .toContain("A sentence from somewhere.");
  await paste({ file: { name: "words.txt", type: "text/plain", text: "words in a file" } });
  await expect.poll(selected).toEqual(["Text file"]);
  const values = async () => (await stored(id)).nodes.map((one) => (one as { params?: { value?: unknown } }).params?.value);
  await expect.poll(values).toContainEqual(expect.objectContaining({ mime: "text/plain" }));
  const api = {
    "3": { class_type: "KSampler", inputs: { seed: 5, model: ["4", 0] } },
    "4": { class_type: "CheckpointLoaderSimple", inputs: {} },
  };
  await paste({ text: JSON.stringify(api) });
  await expect.poll(() => cards().count()).toBe(7);
  await paste({ text: '{"nodes": 5}' });
  await page.getByText("What was pasted looks like a graph, and is none.").waitFor();
  await paste({});
  await page.getByText("The clipboard holds nothing that can be put on the canvas.").waitFor();
  await paste({ file: { name: "no.png", type: "image/png", text: "no picture" } });
  await page.getByText("the file is not a picture that can be used").waitFor();
  await expect.poll(() => cards().count()).toBe(7);
  await shot(page, "editor-pasted");
});

test("nothing complained", () => {
  expect(editor.complaints.filter((complaint) => !/status of 4/.test(complaint))).toEqual([]);
});
