// What a person sees of a line, of a node that failed and of its log, in a real browser; the test is the only worker.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, openBrowser, shot } from "../support/browser.ts";
import { graphOf, wait, wire } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let ada: Browser;
let page: Page;
beforeAll(async () => {
  [hand, ada] = await Promise.all([WorkerHand.start(), openBrowser()]);
  page = await ada.page();
});
afterAll(async () => {
  await ada?.close();
  await hand?.stop();
});

const card = (title: string) => page.locator(".react-flow__node", { has: page.getByRole("heading", { name: title, exact: true }) });
const inspector = () => page.getByRole("complementary", { name: "Inspector" });

test("[E14, E15] a task that waits shows its place; a failed one its log, and is tried again; one alone is cancelled", async () => {
  const nodes = ["Blur", "Colour", "After"].map((name) => ({ ...wait(name.toLowerCase(), { seconds: 1 }), name }));
  const places = { blur: { x: 0, y: -120 }, colour: { x: 0, y: 140 }, after: { x: 420, y: -120 } };
  const graph = graphOf(nodes, [wire("blur", "value", "after", "value")], { editor: { positions: places } });
  const created = await fetch(`${hand.spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  const { id } = (await created.json()) as { id: string };
  await page.goto(`${hand.spindle.url}/g/${id}`);
  await card("Blur").waitFor();
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitem", { name: "Run with high priority" }).click();
  await card("Blur").getByText("Queued, position 1").waitFor();
  await card("Colour").getByText("Queued, position 2").waitFor();
  // The bar says what the server says of the run as a whole.
  await page.getByTestId("run-bar").getByText("Queued, position 1.").waitFor();
  await shot(page, "queue");

  const first = await hand.claim();
  const holdsFirst = await hand.hold(first);
  await hand.worker.progress({ v: 1, task: first.task, progress: 0.4 });
  await card("Blur").getByText("40%").waitFor();
  const second = await hand.claim();
  const holdsSecond = await hand.hold(second);
  holdsFirst.end();
  await hand.worker.settle({
    v: 1,
    task: first.task,
    outcome: "failed",
    error: { class: "user", code: "node.user_error", message: "The picture is too dark to blur." },
    log: "reading picture.png\nmean brightness 0.01\n",
  });
  await card("Blur").getByText("The picture is too dark to blur.").waitFor();
  await card("Colour").getByRole("heading").click();
  await inspector().getByRole("tab", { name: "Result" }).click();
  await inspector().getByRole("button", { name: "Cancel this node" }).click();
  await holdsSecond.cancelled;
  await hand.worker.settle({ v: 1, task: second.task, outcome: "cancelled" });
  await card("Colour").getByText("Cancelled").first().waitFor();

  await card("Blur").getByRole("heading").click();
  await inspector().getByRole("tab", { name: "Result" }).click();
  await inspector().getByText("mean brightness 0.01").waitFor();
  await page.waitForTimeout(400);
  await shot(page, "failed");
  await page.getByTestId("run-bar").getByRole("button", { name: "Try again" }).click();
  const again = await hand.claim();
  await hand.done(again, "blurred");
  await hand.done(await hand.claim(), "after");
  await card("After").getByText("Succeeded").waitFor();
  expect(ada.complaints).toEqual([]);

  await page.goto(`${hand.spindle.url}/runs`);
  await page.locator("a.link").last().click();
  await page.getByTestId("node-runs").getByRole("button", { name: "Blur", exact: true }).click();
  await page.getByText("mean brightness 0.01").waitFor();
  await page.getByRole("button", { name: "Try again" }).first().waitFor();
  await shot(page, "failed-run");
});
