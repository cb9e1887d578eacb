// The view of the canvas, the bends of wires, and parts of a graph that become one node.
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restingBox, shots } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, node, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const cards = () => editor.cards();
const card = (title: string) => editor.card(title);
const template = (id: string, name: string) => ({ ...node(id, "text.template", { template: `${name} {{text}}` }), name }) as never;
const PLACES = { a: { x: 0, y: 0 }, b: { x: 560, y: 60 }, c: { x: 1000, y: 10 } };
const CHAIN = graphOf(
  [template("a", "First"), template("b", "Second"), template("c", "Third")],
  [wire("a", "text", "b", "text"), wire("b", "text", "c", "text")],
  { editor: { positions: PLACES } },
);

interface Stored {
  nodes: { id: string; name: string; service: string; params?: Record<string, unknown> }[];
  edges: { from: string; to: string; metadata: { points?: { x: number; y: number }[] } }[];
  metadata: {
    editor: { positions: Record<string, { x: number; y: number }> };
    definitions?: Record<string, unknown>;
    nodes?: Record<string, { bypassed?: boolean }>;
  };
}
const stored = (id: string) => editor.stored<Stored>(id);
const pointsOf = async (id: string) => (await stored(id)).edges.find(({ from }) => from === "a")?.metadata.points;
const open = (graph: Parameters<Editor["open"]>[0] = CHAIN) => editor.open(graph);

async function drag(from: { x: number; y: number }, by: { x: number; y: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + by.x / 2, from.y + by.y / 2, { steps: 3 });
  await page.mouse.move(from.x + by.x, from.y + by.y, { steps: 3 });
  await page.mouse.up();
}
const middleOf = async (of: Locator) => {
  const { x, y, width, height } = await restingBox(of);
  return { x: x + width / 2, y: y + height / 2 };
};
/** A place on the wire between the first two cards, in the window; its middle has the button that inserts a node. */
const onWire = () =>
  page
    .locator(".react-flow__edge-path")
    .first()
    .evaluate((path: SVGPathElement) => {
      const { x, y } = path.getPointAtLength(path.getTotalLength() / 3).matrixTransform(path.getScreenCTM() ?? undefined);
      return { x, y };
    });

test("a view that shows the whole graph does so in a smaller window too, until somebody moves it", async () => {
  const rows = Array.from({ length: 12 }, (_, at) => template(`n${at}`, `Node ${at}`));
  const positions = Object.fromEntries(rows.map((_, at) => [`n${at}`, { x: 400 * (at % 4), y: 320 * Math.floor(at / 4) }]));
  await open(graphOf(rows, [], { editor: { positions } }));
  const covered = async () => {
    const all = (await Promise.all((await cards().all()).map((one) => one.boundingBox()))).filter((one) => one !== null);
    const above = [page.locator(".react-flow__minimap"), page.locator(".zoom-tools")];
    const over = (await Promise.all(above.map((one) => one.boundingBox()))).filter((one) => one !== null);
    const crosses = (a: (typeof all)[0], b: (typeof all)[0]) =>
      a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
    return all.filter((one) => over.some((other) => crosses(one, other))).length;
  };
  for (const [width, height] of [
    [1280, 640],
    [1024, 800],
    [1440, 900],
  ] as const) {
    await page.setViewportSize({ width, height });
    await expect.poll(covered).toBe(0);
  }
  const before = await restingBox(cards().first());
  await page.mouse.move(before.x + 20, before.y - 30);
  await page.mouse.wheel(0, 40);
  const moved = await restingBox(cards().first());
  expect(moved).not.toEqual(before);
  await page.setViewportSize({ width: 1440, height: 800 });
  expect(await restingBox(cards().first())).toEqual(moved);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("a large graph is opened as the boxes of its view, without a card in full, and its wires end at them", async () => {
  const many = Array.from({ length: 160 }, (_, at) => template(`n${at}`, `Line ${at}`));
  const places = Object.fromEntries(many.map((_, at) => [`n${at}`, { x: 400 * (at % 20), y: 420 * Math.floor(at / 20) }]));
  await page.addInitScript(() => {
    const seen = { full: 0 };
    Object.assign(window, { seen });
    new MutationObserver(() => {
      seen.full = Math.max(seen.full, document.querySelectorAll(".card-node").length);
    }).observe(document, { childList: true, subtree: true });
  });
  await open(graphOf(many, [wire("n0", "text", "n1", "text"), wire("n1", "text", "n2", "text")], { editor: { positions: places } }));
  await expect.poll(() => page.locator(".card-far-away").count()).toBe(160);
  await expect.poll(() => page.locator(".react-flow__edge-path").count()).toBe(2);
  expect(await page.evaluate(() => (window as never as { seen: { full: number } }).seen.full)).toBe(0);
  const ends = await page
    .locator(".react-flow__edge-path")
    .first()
    .evaluate((path: SVGPathElement) => {
      const at = (length: number) => path.getPointAtLength(length).matrixTransform(path.getScreenCTM() ?? undefined);
      const box = (id: string) => (document.querySelector(`[data-id="${id}"] .card-far-away`) as Element).getBoundingClientRect();
      const [start, end] = [at(0), at(path.getTotalLength())];
      const [from, to] = [box("n0"), box("n1")];
      const middle = ({ top, bottom }: DOMRect) => (top + bottom) / 2;
      return [start.x - from.right, start.y - middle(from), end.x - to.left, end.y - middle(to)].map(Math.round).map(Math.abs);
    });
  for (const off of ends) expect(off).toBeLessThanOrEqual(2);
  const drawnMap = await page.locator(".react-flow__minimap").evaluate((map) => {
    const [frame, drawn] = [map, map.querySelector("svg") as SVGElement].map((element) => element.getBoundingClientRect());
    return [(drawn as DOMRect).right - (frame as DOMRect).right, (drawn as DOMRect).bottom - (frame as DOMRect).bottom];
  });
  for (const cutOff of drawnMap) expect(cutOff).toBeLessThanOrEqual(2);
  // Near enough to read, the cards have their ports again.
  await cards().nth(0).click();
  await page.keyboard.press("2");
  await page.locator(".card-node .port.in").first().waitFor();
});

test("wires that come while cards are boxes are drawn: of a subgraph's inputs, and those that are joined", async () => {
  const merges = Array.from({ length: 12 }, (_, at) => ({ ...node(`n${at}`, "json.merge", {}), name: `Merge ${at}` }) as never);
  const positions = Object.fromEntries(merges.map((_, at) => [`n${at}`, { x: 1200 * (at % 4), y: 900 * Math.floor(at / 4) }]));
  const edges = [wire("n0", "merged", "n1", "first")];
  const inputs = ["One", "Two"].map((label, at) => ({ name: label.toLowerCase(), label, to: [{ node: `n${at}`, port: "second" }] }));
  const declared = { inputs, outputs: [{ name: "merged", label: "Merged", from: { node: "n1", port: "merged" } }] };
  const inner = { nodes: merges, edges, metadata: { label: "In", interface: declared, editor: { positions } } };
  const call = { ...node("b", "graph.call", { definition: "In" }), name: "Call" } as never;
  await open(
    graphOf([call, ...merges], edges, { editor: { positions: { ...positions, b: { x: 0, y: -900 } } }, definitions: { In: inner } }),
  );
  await page.locator(".card-far-away").first().waitFor();
  const wires = () => page.locator(".react-flow__edge").evaluateAll((all) => all.map((each) => each.getAttribute("aria-label")));
  await page.locator('[data-id="n7"]').click();
  await page.keyboard.press("k");
  const dialog = page.getByRole("dialog", { name: "Connect the node" });
  await dialog.waitFor();
  await page.keyboard.type("second");
  await dialog
    .getByRole("option", { name: /Second/ })
    .first()
    .click();
  await page.keyboard.type("Merge 6");
  await dialog
    .getByRole("option", { name: /Merge 6/ })
    .first()
    .click();
  await expect.poll(wires).toContain("Wire from Merge 6, Merged to Merge 7, Second");
  await page.keyboard.press("Escape");
  await page.locator('[data-id="b"]').dblclick();
  await expect.poll(wires).toEqual(expect.arrayContaining(["Wire of the subgraph's input One", "Wire of the subgraph's input Two"]));
  await page.locator(".card-far-away").first().waitFor();
});

test("[C3] a wire is bent by a double click, its bend dragged, moved by keys, taken along and removed, each as one step", async () => {
  const id = await open();
  const { x, y } = await onWire();
  await page.mouse.dblclick(x, y);
  await expect.poll(() => pointsOf(id)).toHaveLength(1);
  const [first] = (await pointsOf(id)) ?? [];
  const bend = page.getByRole("button", { name: "Bend 1 of 1" });
  await drag(await middleOf(bend), { x: 0, y: 120 });
  await expect.poll(async () => ((await pointsOf(id))?.[0]?.y ?? 0) - (first?.y ?? 0)).toBeGreaterThan(60);
  await shots(page, "canvas-bend", cards().first());
  const dropped = await pointsOf(id);
  // A drag that is given up leaves the bend where it was.
  const held = await middleOf(bend);
  await page.mouse.move(held.x, held.y);
  await page.mouse.down();
  await page.mouse.move(held.x + 60, held.y, { steps: 3 });
  await page.keyboard.press("Escape");
  await page.mouse.up();
  expect(await middleOf(bend)).toEqual(held);
  await bend.focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => pointsOf(id)).toEqual([{ x: (dropped?.[0]?.x ?? 0) + 5, y: dropped?.[0]?.y }]);
  await page.keyboard.press("Control+z");
  await expect.poll(() => pointsOf(id)).toEqual(dropped);
  // Both cards take it along; one alone does not.
  await card("First").getByRole("heading").click();
  await page.keyboard.down("Control");
  await card("Second").getByRole("heading").click();
  await page.keyboard.up("Control");
  await page.keyboard.press("ArrowDown");
  await expect.poll(async () => (await stored(id)).metadata.editor.positions.b?.y).not.toBe(PLACES.b.y);
  const down = ((await stored(id)).metadata.editor.positions.b?.y ?? 0) - PLACES.b.y;
  await expect.poll(() => pointsOf(id)).toEqual([{ x: dropped?.[0]?.x, y: (dropped?.[0]?.y ?? 0) + down }]);
  await bend.focus();
  await page.keyboard.press("Delete");
  await expect.poll(() => pointsOf(id)).toBeUndefined();
  expect((await stored(id)).edges).toHaveLength(2);
  // The menu of the wire does it, too.
  const again = await onWire();
  await page.mouse.click(again.x, again.y, { button: "right" });
  await page.getByRole("menuitem", { name: "Bend the wire" }).click();
  await expect.poll(() => pointsOf(id)).toHaveLength(1);
  const bent = await onWire();
  await page.mouse.click(bent.x, bent.y, { button: "right" });
  await page.getByRole("menuitem", { name: "Straighten the wire" }).click();
  await expect.poll(() => pointsOf(id)).toBeUndefined();
});

test("[G5, C3] two nodes become a subgraph that gives the same, and come out of it again, each as one step", async () => {
  const lastText = "Third Second First begin";
  const given = { ...(CHAIN.nodes[0] as object), params: { template: "First begin" } };
  const id = await open({ ...CHAIN, nodes: [given, ...CHAIN.nodes.slice(1)] });
  const run = () => page.getByRole("button", { name: "Run", exact: true }).click();
  await run();
  await card("Third").getByText(lastText).waitFor();
  await card("First").getByRole("heading").click();
  await page.keyboard.down("Control");
  await card("Second").getByRole("heading").click();
  await page.keyboard.up("Control");
  await page.keyboard.press("Control+Shift+e");
  await expect.poll(() => cards().count()).toBe(2);
  await card("Subgraph").and(page.locator(".selected")).waitFor();
  await expect.poll(async () => Object.keys((await stored(id)).metadata.definitions ?? {})).toEqual(["Subgraph"]);
  await shots(page, "canvas-subgraph", cards().first());
  await run();
  await card("Subgraph").getByText("Second First begin").waitFor();
  await card("Third").getByText(lastText).waitFor();
  await page.keyboard.press("Control+d");
  await expect.poll(() => cards().count()).toBe(3);
  await card("Subgraph").first().getByRole("heading").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Make the subgraph unique" }).click();
  await expect.poll(async () => Object.keys((await stored(id)).metadata.definitions ?? {})).toEqual(["Subgraph", "Subgraph 2"]);
  await card("Subgraph").first().getByRole("heading").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Unpack the subgraph" }).click();
  await expect.poll(() => cards().count()).toBe(4);
  await expect.poll(async () => Object.keys((await stored(id)).metadata.definitions ?? {})).toEqual(["Subgraph"]);
  await page.keyboard.press("Control+z");
  await expect.poll(() => cards().count()).toBe(3);
  // What cannot be one node says why.
  await open();
  await card("First").getByRole("heading").click();
  await page.keyboard.down("Control");
  await card("Third").getByRole("heading").click();
  await page.keyboard.up("Control");
  await page.keyboard.press("Control+Shift+e");
  await page.getByText("No subgraph was made. Second lies between the selected nodes: select it, too.").waitFor();
});

test("a node is bypassed by its key and says so, and the run passes on what it takes", async () => {
  const given = { ...(CHAIN.nodes[0] as object), params: { template: "First begin" } };
  const id = await open({ ...CHAIN, nodes: [given, ...CHAIN.nodes.slice(1)] });
  await card("Second").getByRole("heading").click();
  await page.keyboard.press("Control+b");
  await card("Second").getByText("Bypassed, passes on what it takes").waitFor();
  await editor.inspector().getByRole("switch", { name: "Bypassed", checked: true }).waitFor();
  await shots(page, "canvas-bypassed", cards().first());
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await card("Third").getByText("Third First begin").waitFor();
  await card("Second").getByRole("heading").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Bypass or run" }).click();
  await card("Second").getByText("Bypassed, passes on what it takes").waitFor({ state: "detached" });
  // Several are switched alike, as one step.
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+b");
  const bypassed = async () => Object.values((await stored(id)).metadata.nodes ?? {}).filter((one) => one.bypassed).length;
  await expect.poll(bypassed).toBe(3);
  await page.keyboard.press("Control+z");
  await expect.poll(bypassed).toBe(0);
});

test("the canvas is one stop of Tab, and its cards and wires have names", async () => {
  const given = { ...(CHAIN.nodes[0] as object), params: { template: "First begin" } };
  await open({ ...CHAIN, nodes: [given, ...CHAIN.nodes.slice(1)] });
  const reached = () =>
    page.evaluate(() => {
      const all = document.querySelectorAll<HTMLElement>(".react-flow__renderer :is([tabindex], input, textarea, select, button, a[href])");
      return [
        ...new Set(
          [...all].filter(({ tabIndex }) => tabIndex >= 0).map((each) => each.closest(".react-flow__node")?.getAttribute("data-id")),
        ),
      ];
    });
  await expect.poll(reached).toEqual(["a"]);
  await page.getByRole("group", { name: "First, Fill template", exact: true }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("group", { name: "Second, Fill template", exact: true }).and(page.locator(":focus")).waitFor();
  await expect.poll(reached).toEqual(["b"]);
  await page.getByLabel("Wire from First, Text to Second, Text").waitFor({ state: "attached" });
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
