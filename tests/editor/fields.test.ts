// Help with values to try, and seeds that move on by themselves.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shot, shots } from "../support/browser.ts";
import { comfy, pictureGraph } from "../support/comfy.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ comfy: true });
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const card = (title: string) => editor.card(title);
const inspector = () => editor.inspector();

test("[C3] the example of a node is put into its fields, as one step of undo", async () => {
  const id = await editor.open(graphOf([named("Words", node("words", "text.template"))]));
  await card("Words").getByRole("heading").click();
  await inspector().getByRole("tab", { name: "About" }).click();
  await inspector().getByRole("heading", { name: "Example" }).waitFor();
  await shot(page, "fields-about");
  await inspector().getByRole("button", { name: "Insert" }).click();
  await expect.poll(() => editor.params(id, "words")).toEqual({ template: "Hello {{name}}", values: { name: "Ada" } });
  await expect.poll(() => inspector().getByLabel("template").inputValue()).toBe("Hello {{name}}");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(async () => (await editor.params(id, "words")) ?? {}).toEqual({});
});

test("a seed counts up at each run, which has the seed that is seen", async () => {
  const id = await editor.open(
    pictureGraph(4, {
      nodes: [named("Save", comfy("save", "SaveImage", { filename_prefix: "x" }))],
      wires: [wire("decode", "IMAGE", "save", "images")],
      places: { load: [0, 0], yes: [340, 0], no: [680, 0], empty: [0, 300], sample: [340, 300], decode: [680, 300], save: [0, 600] },
    }),
  );
  await card("Sampler").getByRole("heading").click();
  await inspector().getByLabel("seed at each run").selectOption({ label: "Counts up" });
  await card("Sampler").getByText("seed, counts up").waitFor();
  await shot(page, "fields-seed");
  for (const seed of [6, 7]) {
    await page.getByRole("button", { name: /^Run( with draft engines)?$/ }).click();
    await expect.poll(async () => (await editor.params(id, "sample"))?.seed).toBe(seed);
    await expect.poll(() => JSON.stringify(editor.spindle.fake?.prompts.at(-1))).toContain(`"seed":${seed}`);
    await card("Save").locator("img[alt=Result]").waitFor();
  }
  expect(await page.getByText("Stale").count()).toBe(0);
});

test("the names that a text may use are completed, in the field and in the large editor, and others are marked", async () => {
  const id = await editor.open(graphOf([named("Words", node("words", "text.template", { template: "", values: { name: "Ada" } }))]));
  await card("Words").getByRole("heading").click();
  const field = inspector().locator('[data-field="template"] textarea');
  await field.pressSequentially("To {{");
  const names = inspector().getByRole("listbox", { name: "Names" });
  await expect.poll(() => names.getByRole("option").allTextContents()).toEqual(["text", "name"]);
  await page.keyboard.press("ArrowDown");
  await names.getByRole("option", { name: "name", selected: true }).waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(() => field.inputValue()).toBe("To {{name}}");
  await field.pressSequentially(" of {{town}}");
  await inspector().getByText("Nothing gives {{town}}; there is {{text}}, {{name}}.").waitFor();
  await shots(page, "fields-variables", card("Words"));
  await expect.poll(async () => (await editor.params(id, "words"))?.template).toBe("To {{name}} of {{town}}");
  await inspector().locator('[data-field="template"]').getByRole("button", { name: "Expand" }).click();
  const large = page.getByRole("dialog", { name: "Template" });
  await large.locator(".monaco-editor .squiggly-warning").waitFor();
  await large.locator(".monaco-editor textarea, .monaco-editor .native-edit-context").first().focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.type(" {{na");
  await page.locator(".suggest-widget.visible").getByText("name", { exact: true }).first().waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await editor.params(id, "words"))?.template).toBe("To {{name}} of {{town}} {{name}}");
});

test("[E6] what leaves of several is chosen in the inspector: the first, a list, or each by itself, which makes maps of the wires", async () => {
  const graph = graphOf(
    [
      named("Many", comfy("many", "EmptyImage", { batch_size: 3 })),
      named("Bigger", node("big", "constant.image")),
      named("Shown", node("show", "output.preview")),
    ],
    [wire("many", "IMAGE", "big", "value"), wire("many", "IMAGE", "show", "value")],
    placed({ many: [0, 0], big: [500, 0], show: [500, 400] }),
  );
  const id = await editor.open(graph);
  await editor.card("Many").getByRole("heading").click();
  const choice = editor.inspector().getByLabel("IMAGE: what leaves");
  await expect.poll(() => choice.inputValue()).toBe("first");
  const stored = async () => {
    const { edges, metadata } = await editor.stored<{ edges: { to: string; metadata: { map?: object } }[]; metadata: { nodes?: object } }>(
      id,
    );
    return [metadata.nodes ?? {}, edges.filter(({ metadata: { map } }) => map).map(({ to }) => to)];
  };
  await choice.selectOption("each");
  await expect.poll(stored).toEqual([{ many: { outputs: { IMAGE: "all" } } }, ["big"]]);
  await expect.poll(() => choice.inputValue()).toBe("each");
  expect(await editor.card("Bigger").locator(".card-issue").count()).toBe(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(stored).toEqual([{}, []]);
  await choice.selectOption("all");
  await expect.poll(stored).toEqual([{ many: { outputs: { IMAGE: "all" } } }, []]);
  await editor.card("Bigger").locator(".card-issue").waitFor();
  await choice.selectOption("first");
  await expect.poll(stored).toEqual([{ many: { outputs: { IMAGE: "first" } } }, []]);
  await editor.card("Bigger").locator(".card-issue").waitFor({ state: "detached" });
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
