// Everything has a key, a menu and a place in the command bar, and says why it does not apply.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { type Instruments, instruments } from "../support/instruments.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ patienceMs: 60_000 });
  ({ page } = editor);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.addInitScript(instruments);
});
afterAll(() => editor?.stop());

declare const window: Window & typeof globalThis & { instruments: Instruments };

const cards = () => editor.cards();
const selected = () => page.locator(".react-flow__node.selected");
const card = (title: string) => editor.card(title);
const wires = () => page.locator(".react-flow__edge");
const template = (name: string) =>
  named(name, node(name.toLowerCase(), "text.template", { template: name === "First" ? name : `${name} {{text}}` }));
/** Three templates, each of which fills the next. */
const CHAIN = graphOf(
  [template("First"), template("Second"), template("Third")],
  [wire("first", "text", "second", "text"), wire("second", "text", "third", "text")],
  placed({ first: [0, 0], second: [420, 0], third: [840, 0] }),
);

const open = (graph: { nodes: readonly object[] } = CHAIN) => editor.open(graph);
const settings = async (id: string) => (await editor.stored<{ metadata?: { nodes?: Record<string, object> } }>(id)).metadata?.nodes ?? {};
const bare = () => page.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });

test("[C3] keys duplicate, cut, paste, delete and undo what is selected, each as a step of its own", async () => {
  await open();
  // By the clock of the undo manager all of it happens at once.
  await page.evaluate(() => {
    window.instruments.stoppedAt = Date.now();
  });
  await card("Second").getByRole("heading").click();
  await page.keyboard.press("Control+d");
  await expect.poll(() => cards().count()).toBe(4);
  await expect.poll(() => selected().count()).toBe(1);
  await page.keyboard.press("Control+x");
  await expect.poll(() => cards().count()).toBe(3);
  await page.keyboard.press("Control+v");
  await expect.poll(() => cards().count()).toBe(4);
  await page.keyboard.press("Control+a");
  await expect.poll(() => selected().count()).toBe(4);
  await page.keyboard.press("Delete");
  await expect.poll(() => cards().count()).toBe(0);
  await page.keyboard.press("Control+z");
  await expect.poll(() => cards().count()).toBe(4);
  await expect.poll(() => selected().count()).toBe(4);
  await page.keyboard.press("Control+Shift+z");
  await expect.poll(() => cards().count()).toBe(0);
});

test("a node that is deleted and reconnected leaves its neighbours wired to each other", async () => {
  await open();
  await card("Second").getByRole("heading").click();
  await page.keyboard.press("Control+Backspace");
  await expect.poll(() => cards().count()).toBe(2);
  await expect.poll(() => wires().count()).toBe(1);
  await page.keyboard.press("Control+z");
  await expect.poll(() => Promise.all([cards().count(), wires().count()])).toEqual([3, 2]);
});

test("a right click says what can be done with a node, and why something cannot", async () => {
  const id = await open();
  await card("Second").click({ button: "right" });
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Second"]);
  const menu = page.getByRole("menu");
  await menu.getByRole("menuitem", { name: "Pin or unpin the output" }).getByText("The node has no output yet: run it first.").waitFor();
  await shot(page, "editor-node-menu");
  await menu.getByRole("menuitem", { name: /^Switch off or on/ }).click();
  await expect.poll(() => settings(id)).toEqual({ second: { disabled: true } });
  await menu.waitFor({ state: "detached" }); // an open menu has all keys to itself
  await card("Second").getByRole("img", { name: "Off" }).waitFor();
  await page.keyboard.press("d");
  await expect.poll(() => settings(id)).toEqual({});
  await page.keyboard.press("F9");
  await expect.poll(() => settings(id)).toEqual({ second: { breakpoint: "before" } });
  await card("Second").getByRole("img", { name: "Breakpoint before" }).waitFor();
  await page.keyboard.press("d");
  await card("Second").getByRole("img", { name: "Off" }).waitFor();
  await bare();
  await shot(page, "editor-marks");
});

test("the command bar finds commands, nodes of the graph and nodes of the library", async () => {
  await open();
  await bare();
  await page.keyboard.press("Control+k");
  const bar = page.getByRole("dialog", { name: "All commands" });
  await shot(page, "editor-command-bar");
  await page.keyboard.type("thir");
  await bar.getByRole("option", { name: "Third" }).click();
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Third"]);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("write script");
  await bar.getByRole("option", { name: /Write script/ }).click();
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Write script"]);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("select all");
  await page.keyboard.press("Enter");
  await expect.poll(() => selected().count()).toBe(4);
});

test("keys run a node and the whole graph, and a key that cannot says why", async () => {
  await open();
  await card("First").getByRole("heading").click();
  await page.keyboard.press("Shift+Enter");
  await card("First").getByText("Succeeded").waitFor();
  await card("First").locator(".card-preview").getByText("First").waitFor(); // what is pinned comes after the word
  expect(await card("Third").getByText("Succeeded").count()).toBe(0);
  await page.keyboard.press("p");
  await page.getByRole("tab", { name: "Result", exact: true }).click();
  await page.getByText("Pinned: it does not run, and gives this.").waitFor();
  await card("First").getByRole("img", { name: "Pinned" }).waitFor();
  await page.getByTestId("run-bar").waitFor({ state: "detached" }); // the run ends after its last node
  await page.keyboard.press("Control+Alt+Enter");
  await page.getByText("Cancel the run: No run is going on.").waitFor();
  await page.getByLabel("Node title").focus();
  await page.keyboard.press("Control+Enter");
  await card("Third").getByText("Succeeded").waitFor();
});

test("the list of shortcuts changes a key, refuses one that is taken, and is remembered", async () => {
  await open();
  await bare();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await shot(page, "editor-shortcuts");
  await sheet.getByRole("button", { name: /^Keys of Select all/ }).click();
  await page.keyboard.press("Control+d");
  await sheet.getByText('Ctrl D is "Duplicate".').waitFor();
  await page.keyboard.press("q");
  await sheet.getByRole("button", { name: "Keys of Select all: Q" }).waitFor();
  await page.reload();
  await expect.poll(() => cards().count()).toBe(3);
  await bare();
  await page.keyboard.press("q");
  await expect.poll(() => selected().count()).toBe(3);
  await page.keyboard.press("?");
  await sheet.getByRole("button", { name: "Original keys of Select all" }).click();
  await sheet.getByRole("button", { name: "Keys of Select all: Ctrl A" }).waitFor();
  await page.keyboard.press("Escape");
});

test("panels go and come by their keys, and stay as they were left", async () => {
  await open();
  await bare();
  await page.keyboard.press("[");
  await page.keyboard.press("]");
  await page.keyboard.press("`");
  const panels = () =>
    Promise.all([
      page.getByRole("complementary", { name: "Node library" }).isVisible(),
      page.getByRole("complementary", { name: "Inspector" }).isVisible(),
      page.getByRole("tab", { name: "Problems" }).isVisible(),
    ]);
  await expect.poll(panels).toEqual([false, false, false]);
  await page.reload();
  await expect.poll(() => cards().count()).toBe(3);
  await expect.poll(panels).toEqual([false, false, false]);
  await shot(page, "editor-canvas-alone");
  await bare();
  await page.keyboard.press("/");
  await page.getByRole("dialog", { name: "Add a node" }).waitFor();
  await page.keyboard.type("Delay");
  await page.keyboard.press("Enter");
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Delay"]);
  await page.getByRole("complementary", { name: "Inspector" }).waitFor();
  await page.keyboard.press("Escape");
});

test("a number out of range, or not whole, is kept as it was typed, and the field says what may stand there", async () => {
  await open(graphOf([named("Delay", node("a", "control.delay", { milliseconds: 5 }))], [], placed({ a: [0, 0] })));
  await card("Delay").getByRole("heading").click();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  const field = inspector.getByRole("spinbutton", { name: "milliseconds" });
  for (const [typed, says] of [
    ["99999999", "From 0 to 3600000 ms; this is 99999999."],
    ["2.5", "A whole number is needed; this is 2.5."],
  ] as const) {
    await field.fill(typed);
    await inspector.getByText(says, { exact: true }).waitFor();
    expect(await field.inputValue()).toBe(typed);
    await expect.poll(() => field.getAttribute("aria-invalid")).toBe("true");
    const described = (await field.getAttribute("aria-describedby")) ?? "";
    await expect.poll(() => page.locator(`[id="${described}"]`).textContent()).toBe(says);
  }
  await shot(page, "editor-field-problem");
  await field.fill("7");
  await expect.poll(() => field.getAttribute("aria-invalid")).toBeNull();
});
