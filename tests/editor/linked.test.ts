// Subgraphs that graphs share: added from the library, followed, held, updated, and carried along by a copy.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shots } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, node } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const template = (id: string, name: string, text: string) => ({ ...node(id, "text.template", { template: text }), name }) as never;
const POLISH = {
  nodes: [template("x", "Rewrite", "Better: {{text}}")],
  edges: [],
  metadata: {
    label: "Polish",
    interface: {
      inputs: [{ name: "text", label: "Draft", to: [{ node: "x", port: "text" }] }],
      outputs: [{ name: "text", label: "Polished", from: { node: "x", port: "text" } }],
    },
  },
};
const calling = () =>
  graphOf([{ ...node("b", "graph.call", { definition: "Polish" }), name: "Polish it" } as never], [], { definitions: { Polish: POLISH } });
const plain = () => graphOf([node("a", "constant.string", { value: "Hello" })], []);
interface Linked {
  nodes: { params: Record<string, unknown> }[];
  link?: { definition: string; version: string; held?: boolean };
}
const definitions = async (id: string) =>
  ((await editor.stored(id)) as unknown as { metadata: { definitions?: Record<string, Linked> } }).metadata.definitions ?? {};
const head = (title: string, on = page) => editor.card(title, on).getByRole("heading");
async function share(id: string): Promise<void> {
  const before = (await definitions(id)).Polish?.link?.version;
  await page.goto(`${editor.spindle.url}/g/${id}`);
  await head("Polish it").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Share as a library node" }).click();
  await expect.poll(async () => (await definitions(id)).Polish?.link?.version).not.toBe(before);
}
async function rewrite(id: string, text: string): Promise<void> {
  await page.goto(`${editor.spindle.url}/g/${id}?in=b`);
  await editor.card("Rewrite").getByRole("textbox", { name: "Template" }).fill(text);
  await page.keyboard.press("Escape");
  await expect.poll(async () => (await definitions(id)).Polish?.nodes[0]?.params.template).toBe(text);
}

test("[G1, G5] a subgraph is shared as a library node; its copies follow the newest version or are held, and an update says what differs", async () => {
  const source = await editor.open(calling());
  await share(source);
  expect((await definitions(source)).Polish?.link?.version).toBe("1");
  const target = await editor.open(plain());
  await page.keyboard.press("/");
  await page.keyboard.type("polish");
  await page.getByRole("dialog", { name: "Add a node" }).locator("[role=option][data-selected=true]", { hasText: "Polish" }).waitFor();
  await page.keyboard.press("Enter");
  await editor.card("Polish").and(page.locator(".selected")).waitFor();
  const copy = page.getByRole("region", { name: "Library node" });
  await copy.getByText("Version 1 of a library node").waitFor();
  const link = (await definitions(source)).Polish?.link;
  await expect.poll(async () => (await definitions(target)).Polish?.link).toEqual(link);
  // Another graph follows while it is open in another window.
  const other = await page.context().newPage();
  await other.goto(`${editor.spindle.url}/g/${target}`);
  await head("Polish", other).waitFor();
  await rewrite(source, "Best: {{text}}");
  await share(source);
  await expect.poll(async () => (await definitions(target)).Polish?.link?.version).toBe("2");
  expect((await definitions(target)).Polish?.nodes[0]?.params.template).toBe("Best: {{text}}");
  // Held, it stays, and an update is a person's choice.
  await head("Polish", other).click();
  await other.getByRole("region", { name: "Library node" }).getByRole("switch", { name: "Hold at this version" }).click();
  await expect.poll(async () => (await definitions(target)).Polish?.link?.held).toBe(true);
  await rewrite(source, "Finest: {{text}}");
  await share(source);
  const there = other.getByRole("region", { name: "Library node" });
  await there.getByText("version 3 is there").waitFor();
  await shots(other, "linked-copy", editor.card("Polish", other));
  await there.getByRole("button", { name: "Update" }).click();
  const dialog = other.getByRole("dialog", { name: "Update Polish from version 2 to 3" });
  expect(await dialog.getByRole("list", { name: "What differs" }).getByRole("listitem").allTextContents()).toEqual([
    "ChangedRewrite: Template",
  ]);
  await shots(other, "linked-update", dialog);
  expect((await definitions(target)).Polish?.link?.version).toBe("2");
  await dialog.getByRole("button", { name: "Update", exact: true }).click();
  await expect.poll(async () => (await definitions(target)).Polish?.link).toEqual({ ...link, version: "3", held: true });
  await other.keyboard.press("Control+z");
  await expect.poll(async () => (await definitions(target)).Polish?.link?.version).toBe("2");
  await other.close();
});

test("[G5] what a copied node calls is pasted with it into another graph", async () => {
  await editor.open(calling());
  await head("Polish it").click();
  await page.keyboard.press("Control+c");
  const target = await editor.open(plain());
  await page.getByTestId("canvas").click({ position: { x: 300, y: 500 } });
  await page.keyboard.press("Control+v");
  await editor.card("Polish it").getByText("Draft").first().waitFor();
  await expect.poll(async () => Object.keys(await definitions(target))).toEqual(["Polish"]);
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
