// Problems stand by cause; each leads to its very field, and a button ends what a button can end.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shots } from "../support/browser.ts";
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
const inspector = () => editor.inspector();
const cause = (title: string) => page.getByTestId("problems").getByRole("region", { name: title });
const fix = (title: string, label: string) => cause(title).getByRole("button", { name: label, exact: true });

interface Stored {
  nodes: { id: string; name: string; service: string; params?: Record<string, unknown> }[];
  edges: object[];
  metadata: { nodes?: Record<string, { engine?: string }> };
}
const stored = (id: string) => editor.stored<Stored>(id);
const of = async (id: string, name: string) => (await stored(id)).nodes.find((one) => one.id === name);

async function openBroken(): Promise<string> {
  const id = await editor.open(BROKEN);
  await page.getByRole("tab", { name: /Problems/ }).click();
  return id;
}
const BROKEN = graphOf(
  [
    named("Sound", node("sound", "constant.audio")),
    named("Words", node("words", "text.template", { template: "{{text}}" })),
    named("Loud", node("loud", "llm.generate_script", { prompt: "a gull", temperature: 9, tone: "casul" })),
    named("Strange", node("strange", "text.templat", { template: "x" })),
    named("Empty", node("empty", "text.template")),
    named("Blank", node("blank", "text.template")),
  ],
  [wire("sound", "value", "words", "text")],
  {
    ...placed({ sound: [0, 0], words: [420, 0], loud: [0, 320], strange: [420, 320], empty: [840, 0], blank: [840, 320] }),
    nodes: { loud: { engine: "ollama" } },
  },
);

test("[G8] an export that is refused says why, and the graph stays open", async () => {
  const id = await openBroken();
  await page.getByRole("button", { name: "Graph menu" }).click();
  await page.getByRole("menuitem", { name: "Export as LangGraph program" }).click();
  await page.getByText("Only a graph that runs can be exported as a program.").waitFor();
  expect(editor.complaints.splice(0), "the browser's own").toEqual([expect.stringContaining("422")]);
  expect(new URL(page.url()).pathname).toBe(`/g/${id}`);
  await page.getByRole("button", { name: "Graph menu" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "Export as Mermaid" }).click()]);
  expect(file.suggestedFilename()).toMatch(/\.mmd$/);
});

test("problems stand by cause, and each leads to the very field, whatever the inspector shows", async () => {
  await openBroken();
  await cause("A value is needed").getByText("2", { exact: true }).waitFor();
  await shots(page, "problems", cards().first(), async () => {
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
  await cause("A value is needed")
    .getByRole("button", { name: /^Blank/ })
    .click();
  await expect.poll(() => inspector().getByLabel("Node title").inputValue()).toBe("Blank");
  await inspector().locator('[data-field="template"] textarea').and(page.locator(":focus")).waitFor();
  // The tab that was open is left for the field.
  await inspector().getByRole("tab", { name: "About" }).click();
  await cause("A value is needed")
    .getByRole("button", { name: /^Empty/ })
    .click();
  await cause("A value is needed")
    .getByRole("button", { name: /^Blank/ })
    .click();
  await inspector().locator('[data-field="template"] textarea').and(page.locator(":focus")).waitFor();
  // The wire itself is shown, with both its ends named.
  await cause("The types of a wire do not fit")
    .getByRole("button", { name: /^Sound to Words/ })
    .click();
  await page.locator(".react-flow__edge.selected").waitFor({ state: "attached" });
});

test("a button ends what it can, as one step of undo", async () => {
  const id = await openBroken();
  await fix("A value does not fit", "Set 2").click();
  await expect.poll(async () => (await of(id, "loud"))?.params?.temperature).toBe(2);
  await fix("A value does not fit", 'Set "casual"').click();
  await expect.poll(async () => (await of(id, "loud"))?.params?.tone).toBe("casual");
  await fix("The engine is not live", "Choose automatically (Text from the prompt)").click();
  await expect.poll(async () => (await stored(id)).metadata.nodes?.loud?.engine).toBeUndefined();
  await fix("Not in the library", "Replace with Fill template").click();
  await expect.poll(async () => (await of(id, "strange"))?.service).toBe("text.template");
  await fix("The types of a wire do not fit", "Insert Transcribe speech").click();
  await expect.poll(() => cards().count()).toBe(7);
  await expect.poll(async () => (await stored(id)).edges.length).toBe(2);
  await page.keyboard.press("Control+z");
  await expect.poll(() => cards().count()).toBe(6);
  await fix("The types of a wire do not fit", "Remove the wire").click();
  await expect.poll(async () => (await stored(id)).edges).toEqual([]);
  for (const title of ["Empty", "Blank"]) {
    await cause("A value is needed")
      .getByRole("button", { name: new RegExp(`^${title}`) })
      .click();
    await inspector().locator('[data-field="template"] textarea').and(page.locator(":focus")).waitFor();
    await page.keyboard.type("now it has one");
    await expect
      .poll(() =>
        cause("A value is needed")
          .getByRole("button", { name: new RegExp(`^${title}`) })
          .count(),
      )
      .toBe(0);
  }
  await page.getByText("No problems. The graph can run.").waitFor();
});

test("what no button can choose is chosen in the palette", async () => {
  await openBroken();
  await fix("Not in the library", "Replace it").click();
  const palette = page.getByRole("dialog", { name: "Replace the node" });
  await palette.getByRole("combobox").fill("delay");
  await page.locator("[role=option][data-selected=true]", { hasText: "Delay" }).waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(() => cause("Not in the library").count()).toBe(0);
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));
