// The palette at a place of the canvas: what is chosen lands there, wired; into wires, and instead of another node.
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restingBox, shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const cards = () => editor.cards();
const card = (title: string) => editor.card(title);
const port = (title: string, side: "in" | "out", name: string) => card(title).locator(`.port.${side}[data-port="${name}"]`);
const palette = () => page.getByRole("dialog", { name: "Add a node" });
const chosen = (text: string) => page.locator("[role=option][data-selected=true]", { hasText: text }).waitFor();
const said = (text: string) => page.getByTestId("said").getByText(text).waitFor({ state: "attached" });
const selected = () => page.locator(".react-flow__node.selected").getByRole("heading").allTextContents();

/** The wires as they are stored: `from.port to.port`, by the titles of the nodes. */
async function wires(id: string): Promise<string[]> {
  const { nodes, edges } = await editor.stored<{
    nodes: { id: string; name?: string }[];
    edges: { from: string; to: string; metadata: { sourcePort: string; targetPort: string } }[];
  }>(id);
  const title = (of: string) => nodes.find((one) => one.id === of)?.name ?? of;
  return edges.map(({ from, to, metadata }) => `${title(from)}.${metadata.sourcePort} ${title(to)}.${metadata.targetPort}`).sort();
}
const middle = async (of: Locator) => {
  const box = await restingBox(of);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
};
const titled = (id: string, service: string, title: string, plane?: string) => named(title, node(id, service, undefined, plane));
const PAIR = graphOf(
  [titled("a", "text.template", "First"), titled("b", "text.template", "Last")],
  [wire("a", "text", "b", "text")],
  placed({ a: [0, 0], b: [760, 0] }),
);

test("a graph is built from the palette: by double click, a dropped link and keys alone", async () => {
  await page.goto(editor.spindle.url);
  await page.getByRole("button", { name: "New graph" }).click();
  await page.getByText("start from a template").waitFor();
  await page.getByText("All changes saved").waitFor();
  const id = page.url().split("/").at(-1) ?? "";
  const box = await restingBox(page.getByTestId("canvas"));
  const start = { x: box.x + 40, y: box.y + 60 };
  await page.mouse.dblclick(start.x, start.y);
  await palette().waitFor();
  await page.keyboard.type("narration");
  await chosen("Write script");
  await page.keyboard.press("Enter");
  await said("Write script was added.");
  await expect.poll(selected).toEqual(["Write script"]);
  await expect.poll(() => page.getByLabel("Node title").inputValue()).toBe("Write script");
  const landed = await restingBox(card("Write script"));
  expect([landed.x, landed.y].map(Math.round)).toEqual([start.x, start.y].map(Math.round));

  const from = await middle(port("Write script", "out", "narration"));
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 80, from.y + 40, { steps: 4 });
  await page.mouse.move(from.x + 120, from.y, { steps: 4 });
  await page.mouse.up();
  await palette()
    .getByText(/^\d+ of \d+$/)
    .waitFor();
  await palette().getByText("Does not fit, and why").waitFor({ state: "attached" });
  await shot(page, "palette-link");
  await page.keyboard.type("fill template");
  await chosen("Fill template");
  await page.keyboard.press("Enter");
  await said("Fill template was added and connected to Write script.");
  await expect.poll(() => wires(id)).toEqual([expect.stringMatching(/^Write script.narration Fill template\./)]);

  // The new card has the focus: the next one comes after it.
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("Fill template");
  await page.mouse.move(5, 5);
  await page.keyboard.press("/");
  await palette().getByText("From Fill template").waitFor();
  await page.keyboard.type("delay");
  await chosen("Delay");
  await page.keyboard.press("Enter");
  await said("Delay was added and connected to Fill template.");
  await expect.poll(() => wires(id)).toHaveLength(2);
  await page.keyboard.press("Control+z");
  await expect.poll(() => Promise.all([cards().count(), wires(id).then(({ length }) => length)])).toEqual([2, 1]);
});

test("the palette opens without touching a card, says when nothing is found, and gives the focus back", async () => {
  await editor.open(PAIR);
  await card("First").focus();
  await page.evaluate(() => {
    const count = { drawn: 0 };
    Object.assign(window, { count });
    const cards = document.querySelector(".react-flow__nodes") as Element;
    new MutationObserver((changes) => {
      count.drawn += changes.length;
    }).observe(cards, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  await page.keyboard.press("/");
  await palette().waitFor();
  await page.keyboard.type("zzzzqqqq");
  await palette().getByText('Nothing is called "zzzzqqqq".').waitFor();
  expect(await page.evaluate(() => (window as unknown as { count: { drawn: number } }).count.drawn)).toBe(0);
  await page.keyboard.press("Escape");
  await palette().waitFor({ state: "detached" });
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-id"))).toBe("a");
});

test("a node goes into a wire: by its +, and dropped upon it", async () => {
  const id = await editor.open(PAIR);
  const line = page.locator(".react-flow__edge-path").first();
  const onWire = await middle(line);
  await page.mouse.move(onWire.x, onWire.y);
  await page.getByRole("button", { name: "Insert a node into this wire" }).click();
  await palette().getByText("Into the wire from First").waitFor();
  await page.keyboard.type("delay");
  await chosen("Delay");
  await page.keyboard.press("Enter");
  await said("Delay was added and connected to First and Last.");
  await expect.poll(() => wires(id)).toEqual(["Delay.value Last.text", "First.text Delay.value"]);
  await page.keyboard.press("Control+z");
  await expect.poll(() => wires(id)).toEqual(["First.text Last.text"]);
  await page
    .locator(".library-item", { hasText: "Delay" })
    .first()
    .dragTo(page.getByTestId("canvas"), {
      targetPosition: await middle(line).then(async ({ x, y }) => {
        const box = await restingBox(page.getByTestId("canvas"));
        return { x: x - box.x, y: y - box.y };
      }),
    });
  await expect.poll(() => wires(id)).toEqual(["Delay.value Last.text", "First.text Delay.value"]);
});

test("a card that is dragged upon a wire goes into it where its ports fit, and another says why not", async () => {
  const more = [titled("c", "text.template", "Between"), titled("d", "generate.upscale_video", "Video", "python")];
  const id = await editor.open({
    ...PAIR,
    nodes: [...PAIR.nodes, ...more],
    metadata: placed({ a: [0, 0], b: [760, 0], c: [380, 240], d: [380, 480] }),
  });
  const drag = async (title: string) => {
    const held = await middle(card(title).getByRole("heading"));
    const aim = await middle(page.locator(".react-flow__edge-path").first());
    await page.mouse.move(held.x, held.y);
    await page.mouse.down();
    // The first step begins the drag, and the card keeps that distance to the pointer.
    await page.mouse.move(held.x, held.y - 4);
    await page.mouse.move(aim.x, aim.y + 40, { steps: 5 });
    await page.mouse.move(aim.x - 20, aim.y - 40, { steps: 5 });
    await page.locator(".react-flow__edge.aimed").waitFor({ state: "attached" });
    await page.mouse.up();
  };
  await drag("Video");
  await page.getByText(/^The node does not fit into the wire\. Takes video/).waitFor();
  await page.keyboard.press("Escape");
  expect(await page.getByText("The node does not fit into the wire.").count()).toBe(0);
  await page.keyboard.press("Control+z");
  await drag("Between");
  await expect.poll(() => wires(id)).toEqual(["Between.text Last.text", "First.text Between.text"]);
});

test("a node is replaced by another, which keeps the wires that fit", async () => {
  const id = await editor.open(PAIR);
  await card("Last").getByRole("heading").click();
  await page.keyboard.press("r");
  const dialog = page.getByRole("dialog", { name: "Replace the node" });
  await dialog.waitFor();
  await page.keyboard.type("write script");
  await chosen("Has no port for any of the wires.");
  await page.keyboard.press("Enter");
  await said("Last was replaced by Write script. 1 wire did not fit and is gone.");
  await expect.poll(() => wires(id)).toEqual([]);
  await page.keyboard.press("Control+z");
  await expect.poll(() => wires(id)).toEqual(["First.text Last.text"]);
  // The palette lies beside the card. The name of the port is another one, and its type fits that one port alone.
  await card("Last").getByRole("heading").click();
  await page.keyboard.press("r");
  await dialog.getByPlaceholder("Search what takes its place").waitFor();
  const [list, taken] = [await restingBox(dialog), await restingBox(card("Last"))];
  expect(list.x >= taken.x + taken.width || list.x + list.width <= taken.x).toBe(true);
  await shot(page, "palette-replace");
  await page.keyboard.type("text");
  await page.locator("[role=option][data-selected=true] b", { hasText: /^Text$/ }).waitFor(); // what is called so comes first
  await page.keyboard.press("Enter");
  await expect.poll(() => wires(id)).toEqual(["First.text Last.value"]);
});

test("a wire that does not fit offers the nodes that make one of the other, and is put through the one that is chosen", async () => {
  const id = await editor.open(
    graphOf([titled("a", "constant.audio", "Speech"), titled("b", "text.template", "Words")], [], placed({ a: [0, 0], b: [760, 0] })),
  );
  const [start, end] = [await middle(port("Speech", "out", "value")), await middle(port("Words", "in", "text"))];
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, end.y + 30, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
  await page
    .locator(".link-hint")
    .getByText(/^This input takes a string/)
    .waitFor();
  await page.mouse.up();
  await palette()
    .getByText(/^This input takes a string.*One of these makes one of the other:$/)
    .waitFor();
  await shot(page, "palette-converter");
  await palette().getByText("Transcribe speech").waitFor();
  await page.keyboard.press("Enter");
  await said("Transcribe speech was added and connected to Speech and Words.");
  await expect.poll(() => wires(id)).toEqual(["Speech.value Transcribe speech.audioArtifact", "Transcribe speech.text Words.text"]);
});

test("while a link is dragged, ports say why it does not fit, in both directions, choices included", async () => {
  const id = await editor.open(
    graphOf(
      [
        titled("a", "text.template", "Text"),
        titled("b", "llm.generate_script", "Script"),
        titled("c", "generate.upscale_video", "Video", "python"),
      ],
      [],
      placed({ a: [0, 0], b: [420, 0], c: [840, 0] }),
    ),
  );
  const hint = page.locator(".link-hint");
  const drag = async (from: Locator, to: Locator) => {
    const [start, end] = [await middle(from), await middle(to)];
    await page.mouse.move(start.x, start.y);
    await page.mouse.down();
    await page.mouse.move((start.x + end.x) / 2, end.y + 30, { steps: 4 });
    await page.mouse.move(end.x, end.y, { steps: 4 });
  };
  /** Over the empty canvas, where a link that is dropped opens the palette. */
  const give = async () => {
    const box = await restingBox(page.getByTestId("canvas"));
    await page.mouse.move(box.x + 40, box.y + box.height - 120);
    await page.locator(".react-flow__connection").waitFor({ state: "attached" });
    await page.keyboard.press("Escape");
    await page.locator(".react-flow__connection").waitFor({ state: "detached" });
    await page.mouse.up();
    await page.mouse.move(5, 300);
  };
  await drag(port("Text", "out", "text"), port("Script", "in", "tone"));
  await hint.getByText("This input takes only casual, formal, playful or dramatic, and the output gives any string.").waitFor();
  await shot(page, "palette-choices");
  await give();
  await drag(port("Text", "out", "text"), port("Script", "in", "prompt"));
  await hint.getByText("Fits.").waitFor();
  await give();
  await drag(port("Video", "in", "videoArtifact"), port("Script", "out", "narration"));
  await hint.getByText("This input takes a video, and the output gives a string.").waitFor();
  await expect.poll(() => port("Text", "out", "text").getAttribute("class")).toContain("unfit");
  await give();
  await drag(port("Text", "out", "text"), port("Script", "in", "prompt"));
  await hint.getByText("Fits.").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".react-flow__connection").waitFor({ state: "detached" });
  await page.mouse.up();
  // The palette and a wire would be there by the time that another one is.
  await page.mouse.move(5, 5);
  await page.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });
  await page.keyboard.press("/");
  await palette().waitFor();
  await expect.poll(() => palette().count()).toBe(1);
  await page.keyboard.press("Escape");
  expect(await wires(id)).toEqual([]);
});

test("Esc during a drag puts the card back, selected as it was, and out of the wire below it", async () => {
  const id = await editor.open({
    ...PAIR,
    nodes: [...PAIR.nodes, titled("c", "text.template", "Between")],
    metadata: placed({ a: [0, 0], b: [760, 0], c: [380, 240] }),
  });
  const held = await middle(card("Between").getByRole("heading"));
  const aim = await middle(page.locator(".react-flow__edge-path").first());
  await page.mouse.move(held.x, held.y);
  await page.mouse.down();
  await page.mouse.move(held.x, held.y - 4);
  await page.mouse.move(aim.x, aim.y + 40, { steps: 5 });
  await page.mouse.move(aim.x - 20, aim.y - 40, { steps: 5 });
  await page.locator(".react-flow__edge.aimed").waitFor({ state: "attached" });
  await page.keyboard.press("Escape");
  await page.locator(".react-flow__edge.aimed").waitFor({ state: "detached" });
  await expect.poll(() => middle(card("Between").getByRole("heading"))).toEqual(held);
  await page.mouse.move(aim.x, aim.y, { steps: 3 });
  await page.mouse.up();
  expect(await middle(card("Between").getByRole("heading"))).toEqual(held);
  expect(await selected()).toEqual(["Between"]);
  expect(await wires(id)).toEqual(["First.text Last.text"]);
});

test("in a filled graph the new card lands near, wholly seen, and has the focus", async () => {
  const many = Array.from({ length: 12 }, (_, index) => titled(`n${index}`, "text.template", `Node ${index}`));
  const places = many.map((_, index) => [`n${index}`, [(index % 4) * 330, Math.floor(index / 4) * 330]] as const);
  await editor.open(graphOf(many, [], placed(Object.fromEntries(places))));
  await card("Node 5").getByRole("heading").click();
  await page.keyboard.press("0"); // few of the cards are seen now
  await page.getByRole("toolbar", { name: "Zoom" }).getByText("100%").waitFor();
  await page.mouse.move(5, 5);
  await page.keyboard.press("/");
  await palette().waitFor();
  await page.keyboard.type("delay");
  await chosen("Delay");
  await page.keyboard.press("Enter");
  await card("Delay").and(page.locator(":focus")).waitFor();
  const isSeen = async () => {
    const [box, canvas] = await Promise.all([card("Delay").boundingBox(), page.getByTestId("canvas").boundingBox()]);
    if (!box || !canvas) return false;
    const isAcross = box.x >= canvas.x && box.x + box.width <= canvas.x + canvas.width;
    return isAcross && box.y >= canvas.y && box.y + box.height <= canvas.y + canvas.height;
  };
  await expect.poll(isSeen).toBe(true);
});

test("the palette is as high as its offers need, and its search field stays where it is", async () => {
  await editor.open(PAIR);
  await page.locator(".react-flow__pane").dblclick({ position: { x: 420, y: 500 } });
  const search = palette().getByRole("combobox");
  const panel = palette().locator("[cmdk-root]");
  const [before, full] = [await restingBox(search), await restingBox(panel)];
  await search.fill("delay");
  await chosen("Delay");
  await expect.poll(async () => (await panel.boundingBox())?.height).toBeLessThan(full.height / 2);
  expect(await restingBox(search)).toEqual(before);
  await shot(page, "palette-one-offer");
  await page.keyboard.press("Escape");
  await palette().waitFor({ state: "detached" });
});

test("held keys do no more than one press, and the keys of commands choose nothing", async () => {
  await editor.open(PAIR);
  await card("First").getByRole("heading").click();
  await page.mouse.move(5, 5);
  await page.keyboard.down("/");
  await palette().waitFor();
  await page.keyboard.down("/"); // repeats
  await page.keyboard.down("/");
  await page.keyboard.up("/");
  const search = palette().getByRole("combobox");
  await page.keyboard.type("ab");
  await expect.poll(() => search.inputValue()).toBe("ab");
  for (let press = 0; press < 4; press++) await page.keyboard.down("Backspace"); // all but the first repeat
  await page.keyboard.up("Backspace");
  await expect.poll(() => search.inputValue()).toBe("");
  await palette().getByText("From First").waitFor();
  await page.keyboard.press("Control+Enter");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("delay");
  await chosen("Delay");
  await expect.poll(() => cards().count()).toBe(2);
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Escape");
  await palette().waitFor({ state: "detached" });
});
