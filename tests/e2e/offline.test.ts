// Edits that are made while the server cannot be reached outlive the page they were made in.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, openBrowser, shot } from "../support/browser.ts";
import { graphOf, node, type Spindle, startSpindle } from "../support/spindle.ts";

let spindle: Spindle;
let browser: Browser;
beforeAll(async () => {
  [spindle, browser] = await Promise.all([startSpindle({ worker: false }), openBrowser()]);
  browser.context.setDefaultTimeout(60_000);
});
afterAll(async () => {
  await browser?.close();
  await spindle?.stop();
});

const field = (page: Page) => page.getByRole("complementary", { name: "Inspector" }).getByRole("textbox", { name: "template" });
const template = async (id: string) =>
  ((await (await fetch(`${spindle.url}/api/graphs/${id}/export?to=json`)).json()) as { nodes: { params: { template: string } }[] }).nodes[0]
    ?.params.template;
const saved = (page: Page) => page.getByText("All changes saved").waitFor();
const alerts = (page: Page) => page.getByRole("alert");

/** A page of a new graph whose documents' sockets, and they alone, can be cut. */
async function open(text: string): Promise<{ page: Page; id: string; cut: (isCut: boolean) => Promise<void> }> {
  const graph = graphOf([{ ...node("n", "text.template", { template: text }), name: "Prompt" } as never], []);
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  const { id } = (await answer.json()) as { id: string };
  const page = await browser.page();
  page.on("dialog", (dialog) => void dialog.accept()); // a page that has not stored everything asks before it goes
  await page.addInitScript(() => {
    const sockets: WebSocket[] = [];
    Object.assign(window, { sockets });
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        const isDocument = String(url).includes("/collab/");
        super(isDocument && sessionStorage.getItem("cut") === "yes" ? String(url).replace("/collab/", "/nowhere/") : url, protocols);
        if (isDocument) sockets.push(this);
      }
    };
  });
  await page.goto(`${spindle.url}/g/${id}`);
  await saved(page);
  const cut = (isCut: boolean) =>
    page.evaluate((yes) => {
      sessionStorage.setItem("cut", yes ? "yes" : "no");
      if (yes) for (const socket of (window as unknown as { sockets: WebSocket[] }).sockets) socket.close();
    }, isCut);
  return { page, id, cut };
}
const select = (page: Page) => page.locator(".react-flow__node", { hasText: "Prompt" }).click();

test("[C1] what is edited offline is there when the page is opened again, offline still, and is stored on return", async () => {
  const { page, id, cut } = await open("a harbour");
  await cut(true);
  await page.getByText("Offline. Your edits are kept").waitFor();
  await select(page);
  await field(page).fill("a harbour at dawn");
  await field(page).blur();
  await page.reload();
  await select(page);
  await expect.poll(() => field(page).inputValue()).toBe("a harbour at dawn");
  await shot(page, "offline-reopened");
  expect(await page.getByText("All changes saved").count()).toBe(0);
  expect(await template(id)).toBe("a harbour");
  await cut(false);
  await saved(page);
  expect(await template(id)).toBe("a harbour at dawn");
  await page.close();
});

test("[C1] of a graph that was put back to an earlier state the page shows that state, and keeps what it had until it is dismissed", async () => {
  const { page, id, cut } = await open("as it was");
  await cut(true);
  await select(page);
  await field(page).fill("what I had");
  await field(page).blur();
  await page.getByText("Offline. Your edits are kept").waitFor();
  await spindle.db.query("UPDATE graph SET epoch = epoch + 1 WHERE id = $1", [id]);
  await cut(false);
  for (const again of [false, true]) {
    if (again) await page.reload();
    await alerts(page).getByText("The graph was put back to an earlier state since this page opened it.").waitFor();
    await select(page);
    await expect.poll(() => field(page).inputValue()).toBe("as it was");
  }
  await shot(page, "offline-other-epoch");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download your copy" }).click();
  const file = await (await download).createReadStream();
  expect(JSON.parse(Buffer.concat(await file.toArray()).toString()).nodes[0].params.template).toBe("what I had");
  expect(await template(id)).toBe("as it was");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await field(page).fill("goes on");
  await field(page).blur();
  await saved(page);
  await page.reload();
  await saved(page);
  expect(await alerts(page).count()).toBe(0);
  expect(await template(id)).toBe("goes on");
  await page.close();
});

test("a graph that is deleted comes back by Undo, from the list, and on the page of whoever had it open", async () => {
  const { page, id } = await open("kept");
  const list = await browser.page();
  const deleteIt = async () => {
    const shown = list.locator(".graph-card", { has: list.locator(`a[href="/g/${id}"]`) });
    await shown.getByRole("button", { name: /^More for/ }).click();
    await list.getByRole("menuitem", { name: "Delete graph" }).click();
    await shown.waitFor({ state: "detached" });
  };
  const link = list.locator(`a[href="/g/${id}"]`);
  await list.goto(spindle.url);
  await deleteIt();
  await alerts(page).filter({ hasText: "This graph was deleted." }).waitFor();
  await list.getByRole("button", { name: "Undo" }).click();
  await link.waitFor();
  await deleteIt();
  await list.getByText("Deleted graphs").click();
  await shot(list, "graphs-deleted");
  await list.getByRole("button", { name: /^Restore/ }).click();
  await link.waitFor();
  expect(await list.getByText("Deleted graphs").count()).toBe(0);
  await deleteIt();
  await list.goto(`${spindle.url}/g/${id}`);
  await list.getByRole("heading", { name: "The graph was deleted." }).waitFor();
  await shot(list, "graph-deleted");
  await alerts(page).getByRole("button", { name: "Restore it" }).click();
  await saved(page);
  await select(page);
  expect(await field(page).inputValue()).toBe("kept");
  await Promise.all([page.close(), list.close()]);
});
