// Who has the keys: a person who types keeps them, whatever others do, and what was typed; the canvas gets them only when it is meant.
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { type Instruments, instruments } from "../support/instruments.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
beforeAll(async () => {
  editor = await Editor.start({ people: 2, patienceMs: 60_000 });
});
afterAll(() => editor?.stop());

declare const window: Window & typeof globalThis & { instruments: Instruments };

const card = (page: Page, title: string) => editor.card(title, page);
const inspector = (page: Page) => editor.inspector(page);
const field = (page: Page) => inspector(page).getByRole("textbox", { name: "template" });
const template = (id: string, name: string) => named(name, node(id, "text.template", { template: name }));
const PAIR = graphOf(
  [template("a", "First"), template("b", "Second")],
  [wire("a", "text", "b", "text")],
  placed({ a: [0, 0], b: [420, 0] }),
);
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute("data-id") ?? document.activeElement?.getAttribute("data-testid"));
const stored = (id: string, of = "a") => editor.params(id, of);

async function open(count = 1, graph = PAIR): Promise<{ id: string; pages: Page[] }> {
  const pages = await Promise.all(editor.people.slice(0, count).map((person) => person.page()));
  return { id: await editor.open(graph, pages), pages };
}

test("a card that comes back takes the focus from nobody who types", async () => {
  const { id, pages } = await open(2);
  const [ada, ben] = pages as [Page, Page];
  await ada.keyboard.press("/");
  await ada.getByRole("dialog", { name: "Add a node" }).waitFor();
  await ada.keyboard.type("delay");
  await ada.locator("[role=option][data-selected=true]", { hasText: "Delay" }).waitFor();
  await ada.keyboard.press("Enter");
  await card(ada, "Delay").and(ada.locator(":focus")).waitFor();
  await card(ben, "Delay").getByRole("heading").click();
  await ben.keyboard.press("Delete");
  await card(ada, "Delay").waitFor({ state: "detached" });
  await card(ada, "First").getByRole("heading").click();
  await field(ada).fill("typed");
  await ben.keyboard.press("Control+z");
  await card(ada, "Delay").waitFor();
  await ada.keyboard.type(" prn");
  await expect.poll(() => field(ada).inputValue()).toBe("typed prn");
  await expect.poll(() => stored(id)).toEqual({ template: "typed prn" });
  await Promise.all(pages.map((page) => page.close()));
});

test("keys meant for a field that another person took away are no commands, until the canvas is clicked", async () => {
  const { pages } = await open(2);
  const [ada, ben] = pages as [Page, Page];
  await card(ada, "Second").getByRole("heading").click();
  await field(ada).focus();
  await card(ben, "Second").getByRole("heading").click();
  await ben.keyboard.press("Delete");
  await ada.getByText("Second was deleted by another person.").waitFor();
  await field(ada).waitFor({ state: "detached" });
  await ada.keyboard.press("n");
  await ada.keyboard.press("`");
  await ada.keyboard.press("Control+k");
  await ada.getByRole("dialog", { name: "All commands" }).waitFor();
  expect(await ada.locator(".palette").count()).toBe(0);
  await ada.keyboard.press("Escape");
  // What lies below a dialog has no roles until it is closed.
  await ada.getByRole("tab", { name: "Problems" }).waitFor();
  await ada.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });
  await ada.keyboard.press("`");
  await ada.getByRole("tab", { name: "Problems" }).waitFor({ state: "hidden" });
  // The browser remembers which panels are hidden, for the tests that follow.
  await ada.keyboard.press("`");
  await ada.getByRole("tab", { name: "Problems" }).waitFor();
  await Promise.all(pages.map((page) => page.close()));
});

test("Esc in a field of the inspector goes to the card, and so does the focus after an edit or a dialog", async () => {
  const { pages } = await open();
  const [page] = pages as [Page];
  await card(page, "First").getByRole("heading").click();
  await field(page).fill("kept");
  await page.keyboard.press("Escape");
  await expect.poll(() => focused(page)).toBe("a");
  await expect.poll(() => field(page).inputValue()).toBe("kept");
  await page.keyboard.press("Control+d");
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(3);
  await card(page, "First").and(page.locator(".selected:focus")).waitFor();
  expect(await focused(page)).not.toBe("a");
  await page.keyboard.press("Delete");
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(2);
  await expect.poll(() => focused(page)).toBe("canvas");
  await page.keyboard.press("Control+z");
  await page.locator(".react-flow__node.selected:focus").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".react-flow__node.selected:focus").waitFor();
  await page.close();
});

test("a card that an edit brought is never hidden once it is drawn, which would take the focus from it", async () => {
  const { pages } = await open();
  const [page] = pages as [Page];
  await card(page, "First").getByRole("heading").click();
  const hidings = await page.evaluateHandle(() => {
    const seen = { drawn: 0, hidden: 0 };
    const follow = (changes: MutationRecord[]) => {
      for (const { target, type, oldValue } of changes) {
        if (type !== "attributes" || !(target instanceof HTMLElement) || !target.matches(".react-flow__node")) continue;
        if (oldValue?.includes("visibility: hidden") && target.style.visibility === "visible") seen.drawn++;
        if (oldValue?.includes("visibility: visible") && target.style.visibility === "hidden") seen.hidden++;
      }
    };
    new MutationObserver(follow).observe(document.body, { subtree: true, attributeFilter: ["style"], attributeOldValue: true });
    return seen;
  });
  await page.keyboard.press("Control+d");
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(3);
  await expect.poll(() => hidings.evaluate(({ drawn }) => drawn)).toBeGreaterThan(0);
  await page.locator(".react-flow__node.selected:focus").waitFor();
  expect(await hidings.evaluate(({ hidden }) => hidden)).toBe(0);
  await page.close();
});

test("Esc closes a dialog from the moment that the dialog has the focus", async () => {
  const { pages } = await open();
  const [page] = pages as [Page];
  await card(page, "First").getByRole("heading").click();
  await page.evaluate(() => {
    const press = ({ target }: FocusEvent) => {
      if (!(target instanceof Element) || !target.closest("[role=dialog]")) return;
      document.removeEventListener("focusin", press);
      target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
      document.body.dataset.pressed = "Escape";
    };
    document.addEventListener("focusin", press);
  });
  await page.keyboard.press("?");
  await page.locator("body[data-pressed=Escape]").waitFor();
  await page.locator(".react-flow__node.selected:focus").waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  await page.close();
});

/** Types into the field and leaves it in one breath, so that no pause of the typing stores it. Returns how much the socket got to send for leaving. */
const typeAndLeave = (on: Locator, way: Way) =>
  on.evaluate((element: HTMLInputElement, left) => {
    // Within one turn of the event loop a socket sends nothing of what it is given.
    const toSend = () =>
      window.instruments.sockets.reduce((sum, socket) => sum + (socket.url.includes("/collab/") ? socket.bufferedAmount : 0), 0);
    element.focus();
    document.execCommand("insertText", false, "7");
    const before = toSend();
    if (left === "blur") element.blur();
    if (left === "pagehide") window.dispatchEvent(new PageTransitionEvent("pagehide"));
    if (left === "beforeunload") window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
    if (left === "visibilitychange") {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      Reflect.deleteProperty(document, "visibilityState");
    }
    return toSend() - before;
  }, way);
type Way = "blur" | "pagehide" | "beforeunload" | "visibilitychange";

test("[C1] what was typed is on its way when its field is left, whatever its kind, or its page, in whatever way", async () => {
  const places = { a: { x: 0, y: 0 }, b: { x: 420, y: 0 }, c: { x: 840, y: 0 } };
  const short = named("Second", node("b", "json.pick", { path: "x" }));
  const number = named("Third", node("c", "control.delay", { milliseconds: 1 }));
  await editor.people[0]?.context.addInitScript(instruments);
  const { id, pages } = await open(1, graphOf([template("a", "First"), short, number], [], { editor: { positions: places } }));
  const [page] = pages as [Page];
  for (const [title, name, of, ways] of [
    ["Second", "Path", "b", ["blur"]],
    ["Third", "Milliseconds", "c", ["blur"]],
    ["First", "Template", "a", ["blur", "pagehide", "beforeunload", "visibilitychange"]],
  ] as const) {
    await card(page, title).getByRole("heading").click();
    for (const [before, way] of ways.entries()) {
      expect(await typeAndLeave(inspector(page).getByLabel(name, { exact: true }), way), `${name}, ${way}`).toBeGreaterThan(0);
      await expect.poll(async () => JSON.stringify(await stored(id, of)).split("7").length - 1).toBe(before + 1);
    }
  }
  await page.close();
});

test("keys alone connect two nodes, walk along the wires, and go from part to part of the page", async () => {
  const { pages } = await open(1, { ...PAIR, edges: [] });
  const [page] = pages as [Page];
  const chosen = (text: string) => page.locator("[role=option][data-selected=true]", { hasText: text }).waitFor();
  await card(page, "First").getByRole("heading").click();
  await page.keyboard.press("k");
  const ports = page.getByRole("dialog", { name: "Connect the node" });
  await ports.getByPlaceholder("A port of First").waitFor();
  await page.keyboard.type("text");
  await chosen("Output");
  await page.keyboard.press("Enter");
  await ports.getByPlaceholder("Connect Text to").waitFor();
  await page.keyboard.press("Tab");
  await chosen("Second: Text");
  await shot(page, "editor-connect");
  await page.keyboard.press("Enter");
  await page.getByTestId("said").getByText("First was connected to Second.").waitFor({ state: "attached" });
  await page.locator(".react-flow__edge").waitFor({ state: "attached" });
  await card(page, "First").and(page.locator(":focus")).waitFor();
  // With a selection the arrows would move it.
  await page.keyboard.press("Escape");
  await page.keyboard.press("ArrowRight");
  await card(page, "Second").and(page.locator(":focus")).waitFor();
  await page.keyboard.press("ArrowLeft");
  await card(page, "First").and(page.locator(":focus")).waitFor();
  await page.keyboard.press("x");
  await card(page, "First").and(page.locator(".selected")).waitFor();
  const part = () =>
    page.evaluate(
      () => document.activeElement?.closest(".top, .library, .canvas-area, .inspector, .editor-page > .bottom")?.className.split(" ")[0],
    );
  for (const next of ["inspector", "bottom"]) {
    await page.keyboard.press("F6");
    await expect.poll(part).toBe(next);
  }
  for (const next of ["inspector", "canvas-area", "library", "top"]) {
    await page.keyboard.press("Shift+F6");
    await expect.poll(part).toBe(next);
  }
  await page.close();
});
