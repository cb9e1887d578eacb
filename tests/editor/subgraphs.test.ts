// Going into a subgraph: the canvas shows what a node calls, and everything that works on the graph itself works there.
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

const template = (id: string, name: string, text = `${name} {{text}}`) =>
  ({ ...node(id, "text.template", { template: text }), name }) as never;
const call = (id: string, name: string, definition: string) => ({ ...node(id, "graph.call", { definition }), name }) as never;
const INNER = {
  nodes: [template("x", "Inner one"), template("y", "Inner two")],
  edges: [wire("x", "text", "y", "text")],
  metadata: {
    label: "Polish",
    interface: {
      inputs: [{ name: "text", label: "Draft", to: [{ node: "x", port: "text" }] }],
      outputs: [{ name: "text", label: "Polished", from: { node: "y", port: "text" } }],
    },
    editor: { positions: { x: { x: 0, y: 0 }, y: { x: 460, y: 0 } } },
  },
};
const GRAPH = graphOf(
  [template("a", "First", "begin"), call("b", "Polish it", "Polish"), call("c", "Polish again", "Polish"), template("d", "Last")],
  [wire("a", "text", "b", "text"), wire("b", "text", "c", "text"), wire("c", "text", "d", "text")],
  {
    editor: { positions: { a: { x: 0, y: 0 }, b: { x: 400, y: 0 }, c: { x: 800, y: 0 }, d: { x: 1200, y: 0 } } },
    definitions: { Polish: INNER },
  },
);

interface Body {
  nodes: { id: string; name?: string; params?: Record<string, unknown> }[];
  edges: { from: string; to: string }[];
  metadata: { interface: { inputs: { name: string; to: object[] }[]; outputs: { name: string; label: string; from: object }[] } };
}
interface Stored extends Omit<Body, "metadata"> {
  metadata: { definitions: Record<string, Body> };
}
const stored = (id: string) => editor.stored<Stored>(id);
const inner = async (id: string, name = "Polish") => (await stored(id)).metadata.definitions[name] as Body;
const names = async (id: string) => (await inner(id)).nodes.map(({ name }) => name);
const cards = () => editor.cards();
const card = (title: string) => editor.card(title);
const head = (title: string) => card(title).getByRole("heading");
const place = () => page.getByRole("navigation", { name: "Place in the graph" });
const trail = async () => (await place().getByRole("listitem").allTextContents()).map((text) => text.trim());
const wires = () => page.locator(".react-flow__edge");
const handle = (of: Locator, port: string, side: "in" | "out") => of.locator(`.port.${side}[data-port="${port}"]`);
async function drag(from: Locator, to: Locator): Promise<void> {
  const [start, end] = [await restingBox(from), await restingBox(to)];
  await page.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
  await page.mouse.down();
  await page.mouse.move(end.x + end.width / 2 + 8, end.y + end.height / 2 + 8, { steps: 4 });
  await page.mouse.move(end.x + end.width / 2, end.y + end.height / 2, { steps: 3 });
  await page.mouse.up();
}

test("[G5] a double click goes into a subgraph, Enter too; the breadcrumb and Escape lead back, and the address keeps the place", async () => {
  await editor.open(GRAPH);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await card("Last").getByText("Last Inner two Inner one Inner two Inner one begin").waitFor();
  await head("Polish again").dblclick();
  await card("Inner one").waitFor();
  expect(await trail()).toEqual(["Graph", "Polish again"]);
  await expect.poll(() => cards().count()).toBe(2);
  // What ran there is on the cards: the second call's own results.
  await card("Inner one").getByText("Inner one Inner two Inner one begin").waitFor();
  await card("Inner two").getByText("Succeeded").waitFor();
  await page.getByRole("region", { name: "Inputs of the subgraph" }).getByRole("textbox", { name: "Name of the input Draft" }).waitFor();
  await page
    .getByRole("region", { name: "Outputs of the subgraph" })
    .getByRole("textbox", { name: "Name of the output Polished" })
    .waitFor();
  await expect.poll(() => wires().count()).toBe(3);
  const outputs = await restingBox(page.getByRole("region", { name: "Outputs of the subgraph" }));
  const canvas = await restingBox(page.getByTestId("canvas"));
  expect(outputs.x + outputs.width, "all of it is in view").toBeLessThan(canvas.x + canvas.width);
  await place().getByText("Used in 2 places").waitFor();
  await shots(page, "subgraph-inside", cards().first());
  await page.reload();
  await card("Inner one").waitFor();
  expect(await trail()).toEqual(["Graph", "Polish again"]);
  // Escape gives up the selection first.
  await head("Inner one").click();
  await page.keyboard.press("Escape");
  expect(await trail()).toEqual(["Graph", "Polish again"]);
  await page.keyboard.press("Escape");
  await card("Polish again").and(page.locator(".selected")).waitFor();
  await expect.poll(() => place().count()).toBe(0);
  expect(new URL(page.url()).search).toBe("");
  await page.keyboard.press("Enter");
  await card("Inner one").waitFor();
  await place().getByRole("button", { name: "Graph" }).click();
  await card("Last").waitFor();
  await head("Polish it").click();
  await page.keyboard.press("Control+ArrowDown");
  // The same definition, and what ran in it for this node.
  await card("Inner one").getByText("Inner one begin", { exact: true }).waitFor();
  await page.goBack();
  await card("Last").waitFor();
});

test("[G5, C3] nodes are added, wired, found, copied and deleted in a subgraph, its ports made by wires, and undo leads back to where it was done", async () => {
  const id = await editor.open(GRAPH);
  await head("Polish it").dblclick();
  await card("Inner two").waitFor();
  // Copy, paste and delete.
  await head("Inner one").click();
  await card("Inner one").and(page.locator(".selected")).waitFor();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+v");
  await expect.poll(() => cards().count()).toBe(3);
  await expect.poll(async () => (await names(id)).filter((name) => name === "Inner one").length).toBe(2);
  await page.keyboard.press("Delete");
  await expect.poll(() => cards().count()).toBe(2);
  await head("Inner two").click();
  await page.keyboard.press("/");
  const palette = page.getByRole("dialog", { name: "Add a node" });
  await palette.getByText("From Inner two").waitFor();
  await page.keyboard.type("fill template");
  await palette.locator("[role=option][data-selected=true]", { hasText: "Fill template" }).waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(() => cards().count()).toBe(3);
  await card("Fill template").and(page.locator(".selected")).waitFor();
  await expect.poll(async () => (await inner(id)).edges.length).toBe(2);
  expect((await stored(id)).nodes).toHaveLength(4);
  // A new output of the subgraph, by a wire to its rail.
  const outputs = page.getByRole("region", { name: "Outputs of the subgraph" });
  await page.keyboard.press("1");
  await drag(handle(card("Fill template"), "text", "out"), handle(outputs, "new port", "in"));
  await outputs.getByRole("textbox", { name: "Name of the output Text" }).click();
  await outputs.getByRole("textbox", { name: "Name of the output Text" }).fill("Longer");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await inner(id)).metadata.interface.outputs.map(({ label }) => label)).toEqual(["Polished", "Longer"]);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await inner(id)).metadata.interface.outputs.length).toBe(1);
  await page.keyboard.press("Control+f");
  await page.getByRole("textbox", { name: "Find in the graph" }).fill("two");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await card("Inner two").and(page.locator(".selected")).waitFor();
  await page.keyboard.press("Delete");
  await expect.poll(() => cards().count()).toBe(2);
  // Undo at another place goes back to where the edit was.
  await place().getByRole("button", { name: "Graph" }).click();
  await card("Last").waitFor();
  await page.keyboard.press("Control+z");
  await card("Inner two").waitFor();
  expect(await trail()).toEqual(["Graph", "Polish it"]);
  await expect.poll(() => cards().count()).toBe(3);
});

test("[G5] what several nodes call says so and is made unique, a subgraph has subgraphs, and a problem in one is gone to", async () => {
  const id = await editor.open(GRAPH);
  await head("Polish it").dblclick();
  await card("Inner two").waitFor();
  await place().getByRole("button", { name: "Make unique" }).click();
  await expect.poll(async () => Object.keys((await stored(id)).metadata.definitions)).toEqual(["Polish", "Polish 2"]);
  await expect.poll(() => place().getByText("Used in").count()).toBe(0);
  await head("Inner two").click();
  await page.keyboard.press("Control+Shift+e");
  await card("Subgraph").waitFor();
  await head("Subgraph").dblclick();
  await card("Inner two").waitFor();
  expect(await trail()).toEqual(["Graph", "Polish it", "Subgraph"]);
  await expect.poll(() => cards().count()).toBe(1);
  // A value that does not fit, said from outside, is gone to.
  await card("Inner two").getByRole("textbox", { name: "Template" }).fill("");
  await page.keyboard.press("Escape");
  await place().getByRole("button", { name: "Graph" }).click();
  await card("Last").waitFor();
  await page.getByRole("tab", { name: /Problems/ }).click();
  await page
    .getByTestId("problems")
    .getByRole("button", { name: /Inner two.*In Subgraph/ })
    .first()
    .click();
  await card("Inner two").and(page.locator(".selected")).waitFor();
  expect(await trail()).toEqual(["Graph", "Polish it", "Subgraph"]);
  const seen = () => restingBox(card("Inner two"));
  const canvas = await restingBox(page.getByTestId("canvas"));
  await expect
    .poll(async () => (await seen()).x > canvas.x && (await seen()).x + (await seen()).width < canvas.x + canvas.width)
    .toBe(true);
  await editor.inspector().getByText("from the subgraph's input").waitFor();
  await shots(page, "subgraph-nested", cards().first());
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
