// What a person does with loops, lists, questions and earlier results, in a real browser.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, openBrowser, restingBox, shot } from "../support/browser.ts";
import { graphOf, node, type Spindle, startSpindle, wire } from "../support/spindle.ts";

let spindle: Spindle;
let ada: Browser;
let page: Page;
beforeAll(async () => {
  [spindle, ada] = await Promise.all([startSpindle({ worker: false }), openBrowser()]);
  page = await ada.page();
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
});

const card = (title: string) => page.locator(".react-flow__node", { has: page.getByRole("heading", { name: title, exact: true }) });
const port = (title: string, side: "in" | "out", name: string) => card(title).locator(`.port.${side}[data-port="${name}"]`);
const inspector = () => page.getByRole("complementary", { name: "Inspector" });
const positions = (places: Record<string, [number, number]>) => ({
  editor: { positions: Object.fromEntries(Object.entries(places).map(([id, [x, y]]) => [id, { x, y }])) },
});

async function open(graph: unknown): Promise<void> {
  const { id } = (await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json()) as {
    id: string;
  };
  await page.goto(`${spindle.url}/g/${id}`);
  await restingBox(page.locator(".react-flow__node").first());
}

test("[E6] a wire that is drawn back becomes a loop, with a condition and a limit", async () => {
  await open(
    graphOf(
      [
        { ...node("grow", "text.template", { template: "{{text}}o", text: "a" }), name: "Grow" } as never,
        { ...node("look", "output.preview"), name: "Look" } as never,
      ],
      [wire("grow", "text", "look", "value")],
      positions({ grow: [0, 0], look: [420, 0] }),
    ),
  );
  await port("Look", "out", "value").dragTo(port("Grow", "in", "text"));
  await inspector().getByText("Look to Grow").waitFor();
  await inspector().getByLabel("Condition").fill("size(output.value) <");
  await inspector()
    .getByText(/This is not CEL/)
    .waitFor();
  await inspector().getByLabel("Condition").fill("size(output.value) < 4");
  await inspector().getByLabel("At most").fill("5");
  await page.getByText("repeats up to 5 times, while size(output.value) < 4").waitFor();
  await page.getByText("All changes saved").waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await card("Look").getByText("aooo").waitFor();
  await card("Grow").getByText("visit 3").waitFor();
  await shot(page, "loop");
});

test("[E6] a list wired to an input of its elements runs the node for each of them", async () => {
  await open(
    graphOf(
      [
        { ...node("words", "constant.array", { value: ["sun", "moon"] }), name: "Words" } as never,
        { ...node("loud", "text.template", { template: "{{text}}!" }), name: "Loud" } as never,
      ],
      [],
      positions({ words: [0, 0], loud: [420, 0] }),
    ),
  );
  await port("Words", "out", "value").dragTo(port("Loud", "in", "text"));
  await inspector().getByText("runs once per element").waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await card("Loud").getByText("2 of 2").waitFor();
  await card("Loud").getByText('["sun!","moon!"]').waitFor();
});

test("[E7] a run that waits for a person says so, and goes on with the answer", async () => {
  const form = { type: "object", required: ["title"], properties: { title: { type: "string", title: "Title" } } };
  await open(
    graphOf(
      [
        { ...node("ask", "human.ask_person", { message: "Keep it?", form, buttons: ["Keep", "Drop"] }), name: "Ask" } as never,
        { ...node("kept", "output.preview"), name: "Kept" } as never,
        { ...node("dropped", "output.preview"), name: "Dropped" } as never,
      ],
      [wire("ask", "title", "kept", "value"), wire("ask", "Drop", "dropped", "value")],
      positions({ ask: [0, 0], kept: [480, -120], dropped: [480, 160] }),
    ),
  );
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const question = page.getByTestId("questions");
  await question.getByText("Keep it?").waitFor();
  await question.getByRole("button", { name: "Keep" }).click();
  await question.getByText("Title is needed.").waitFor();
  await question.getByLabel("Title").fill("Moonrise");
  await page.waitForTimeout(500);
  await shot(page, "question");
  await question.getByRole("button", { name: "Keep" }).click();
  await card("Kept").getByText("Moonrise").waitFor();
  await card("Dropped").getByText("Skipped").waitFor();
});

test("[E11, E12, E17] what did not change is not run again; parts, plan, fork and comparison", async () => {
  await open(
    graphOf(
      [
        { ...node("first", "control.delay", { milliseconds: 300, value: "one" }), name: "First" } as never,
        { ...node("second", "control.delay", { milliseconds: 301 }), name: "Second" } as never,
      ],
      [wire("first", "value", "second", "value")],
      positions({ first: [0, 0], second: [420, 0] }),
    ),
  );
  const run = page.getByRole("button", { name: "Run", exact: true });
  await run.click();
  await card("Second").getByText("Succeeded").waitFor();
  await run.click();
  await card("Second").getByText("From cache").waitFor();
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitem", { name: "Show what would run" }).click();
  await page.getByText("Nothing: every earlier result stands.").waitFor();
  await shot(page, "plan");
  await page.getByRole("button", { name: "Done", exact: true }).click();
  await card("Second").getByRole("heading").click();
  await inspector().getByRole("button", { name: "Run a part" }).click();
  await page.getByRole("menuitem", { name: "Run this node" }).click();
  await inspector().getByRole("tab", { name: "Result" }).click();
  await inspector().getByText("Ran: it was asked to run again.").waitFor();

  await page.goto(`${spindle.url}/runs`);
  await page.getByRole("link", { name: "Run 3" }).first().or(page.locator("a.link").first()).first().click();
  await page.getByTestId("node-runs").getByRole("button", { name: "First", exact: true }).click();
  await shot(page, "run-nodes");
  await page.getByRole("button", { name: "Fork from Second" }).click();
  await page.getByRole("heading", { name: /from run/ }).waitFor();
  await page.goBack();
  await page.getByLabel("Compare with").selectOption({ index: 1 });
  await page.getByText("Same inputs and outputs").first().waitFor();
  await shot(page, "compare");
  expect(ada.complaints.filter((complaint) => !/status of 422/.test(complaint))).toEqual([]);
});

test("[M4, E18] a node that nothing can run now is said on the card, on the button, in the problems and in the plan, and a run waits there", async () => {
  await open(
    graphOf(
      [
        { ...node("say", "text.template", { template: "hello" }), name: "Say" } as never,
        { ...node("wait", "dummy.dummy_task", { seconds: 1 }, "python"), name: "Wait" } as never,
      ],
      [],
      positions({ say: [0, 0], wait: [420, 0] }),
    ),
  );
  const sentence = /No engine of .+ is live .+ A run waits at Wait until one is/;
  const run = page.getByRole("button", { name: "Run, and wait" });
  await run.waitFor();
  expect([await run.isDisabled(), await run.getAttribute("title")]).toEqual([false, expect.stringMatching(sentence)]);
  await card("Wait").getByText(sentence).waitFor();
  await page.getByRole("tab", { name: /Problems/ }).click();
  await page.getByText(sentence).nth(1).waitFor();
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitem", { name: "Show what would run" }).click();
  await page.getByRole("dialog").getByText(sentence).waitFor();
  await page.getByRole("dialog").getByText("Waits", { exact: true }).waitFor();
  await shot(page, "not-live");
  await page.getByRole("button", { name: "Done", exact: true }).click();
  await run.click();
  await card("Wait")
    .getByText(/No Python worker answers/)
    .waitFor();
  await shot(page, "waits-for-engine");
  await page.keyboard.press("Control+Alt+Enter");
  await card("Wait")
    .getByText(/[Cc]ancelled/)
    .first()
    .waitFor();
  await page.goto(`${spindle.url}/templates/infinitetalk`);
  await page.getByRole("button", { name: "Generate, and wait" }).waitFor();
  await page
    .getByRole("status")
    .getByText(/A run waits at/)
    .waitFor();
  await shot(page, "not-live-template");
});
