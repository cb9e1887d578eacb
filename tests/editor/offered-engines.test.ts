// A ComfyUI workflow of one's own becomes an engine, is chosen, runs, and is removed again.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { solidPng } from "../../workers/comfy-bridge/test/fake/png.ts";
import { shot } from "../support/browser.ts";
import { comfy } from "../support/comfy.ts";
import { Editor } from "../support/editor.ts";
import { VOICE } from "../support/samples.ts";
import { graphOf, named, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start({ comfy: true, patienceMs: 60_000 });
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const workflow = graphOf(
  [
    named("Portrait", comfy("load", "LoadImage")),
    named("Film", comfy("film", "CreateVideo", { fps: 8 })),
    named("Saved", comfy("save", "SaveVideo", { filename_prefix: "x", format: "auto", codec: "auto" })),
  ],
  [wire("load", "IMAGE", "film", "images"), wire("film", "VIDEO", "save", "video")],
  placed({ load: [0, 0], film: [400, 0], save: [800, 0] }),
);
/** A picture and a voice, of which an engine makes a film. */
const talking = graphOf(
  [
    named("Face", node("face", "constant.image")),
    named("Voice", node("voice", "constant.audio")),
    named("Talk", node("talk", "generate.infinite_talk", { seed: 7 }, "python")),
  ],
  [wire("face", "value", "talk", "portrait"), wire("voice", "value", "talk", "audioArtifact")],
  placed({ face: [0, 0], voice: [0, 400], talk: [500, 0] }),
);
const dialog = (name: string) => page.getByRole("dialog", { name });

test("[M4] a workflow on the canvas is offered as an engine, which the inspector of the capability lists and a run uses", async () => {
  await editor.open(workflow);
  await editor.card("Film").click({ button: "right" });
  await page.getByRole("menuitem", { name: /^Offer the workflow as an engine/ }).click();
  const form = dialog("Offer the workflow as an engine");
  await form.getByText("The engine needs a name.").waitFor();
  await form.getByLabel("Capability").selectOption("python/generate.infinite_talk");
  await form.getByLabel("Name", { exact: true }).fill("My film");
  await expect.poll(() => form.getByLabel("Short name").inputValue()).toBe("my-film");
  await expect.poll(() => form.getByLabel("Portrait: image").inputValue()).toBe("portrait");
  await form.getByLabel("Portrait: image").selectOption("");
  await form.getByText("Portrait: image has no value of its own: choose which input gives it.").waitFor();
  expect(await form.getByRole("button", { name: "Offer" }).isDisabled()).toBe(true);
  await form.getByLabel("Portrait: image").selectOption("portrait");
  await shot(page, "editor-offer");
  await form.getByRole("button", { name: "Offer" }).click();
  await form.waitFor({ state: "detached" });

  await editor.open(talking);
  const files = [
    ["Face", "face.png", "image/png", solidPng(32, 32, 0x336699)],
    ["Voice", "voice.wav", "audio/wav", readFileSync(VOICE)],
  ] as const;
  for (const [title, name, mimeType, buffer] of files) {
    await editor.card(title).getByRole("heading").click();
    await editor.inspector().locator("input[type=file]").setInputFiles({ name, mimeType, buffer });
    await page.getByText("All changes saved").waitFor();
  }
  await editor.card("Talk").getByRole("heading").click();
  await editor
    .inspector()
    .getByText(/^Next run uses My film on ComfyUI/)
    .waitFor();
  await editor
    .inspector()
    .getByRole("radio", { name: /^My film on ComfyUI/ })
    .click();
  await shot(page, "editor-offered");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await editor.card("Talk").locator("video").waitFor();
});

test("[M4] the list of such engines says what a removal breaks, and removes one", async () => {
  await page.locator(".react-flow__pane").click({ button: "right", position: { x: 20, y: 20 } });
  await page.getByRole("menuitem", { name: /^Workflows as engines/ }).click();
  const list = dialog("Workflows as engines");
  await list.getByRole("button", { name: "Remove My film" }).click();
  await list.getByText(/A graph names it, and then has to choose another engine/).waitFor();
  await list.getByText(/Automatic choice means My film on ComfyUI/).waitFor();
  await shot(page, "editor-engines");
  await list.getByRole("button", { name: "Remove", exact: true }).click();
  await list.getByText("Nobody has offered one yet.", { exact: false }).waitFor();
  await list.getByRole("button", { name: "Done" }).click();
  await editor.card("Talk").getByRole("heading").click();
  await expect
    .poll(() =>
      editor
        .inspector()
        .getByRole("radio", { name: /^My film/ })
        .count(),
    )
    .toBe(0);
  await editor.card("Talk").locator(".card-issue").first().waitFor();
  expect(editor.complaints).toEqual([]);
});
