// Edits that are made while the server cannot be reached outlive the page they were made in.
import type { Download, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alerts, type Browser, openBrowser, shot } from "../support/browser.ts";
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
const putBack = (id: string) => spindle.db.query("UPDATE graph SET epoch = epoch + 1 WHERE id = $1", [id]);
const PUT_BACK = "The graph was restored or repaired since this page opened it.";
async function templateIn(file: Download): Promise<string> {
  return JSON.parse(Buffer.concat(await (await file.createReadStream()).toArray()).toString()).nodes[0].params.template;
}

async function make(text: string): Promise<string> {
  const graph = graphOf([{ ...node("n", "text.template", { template: text }), name: "Prompt" } as never], []);
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  return ((await answer.json()) as { id: string }).id;
}

interface Tab {
  page: Page;
  /** What its page threw. */
  errors: string[];
  /** Cuts the sockets of its documents, and them alone. What it has is kept by then. */
  cut(isCut: boolean): Promise<void>;
  /** Sends what the server refuses. */
  poison(): Promise<void>;
  edit(text: string): Promise<void>;
  shows(text: string): Promise<void>;
}

/** A page that is not on any graph yet. @param prepare runs in it before each document's own scripts */
async function openTab(prepare = () => {}): Promise<Tab> {
  const page = await browser.page();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("dialog", (dialog) => void dialog.accept()); // a page that has not stored everything asks before it goes
  await page.addInitScript(prepare);
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
  return {
    page,
    errors,
    async cut(isCut) {
      await page.bringToFront();
      await page.evaluate((yes) => {
        sessionStorage.setItem("cut", yes ? "yes" : "no");
        if (yes) for (const socket of (window as unknown as { sockets: WebSocket[] }).sockets) socket.close();
      }, isCut);
      if (isCut) await page.getByText(KEPT).waitFor();
    },
    async poison() {
      await page.bringToFront();
      await page.evaluate(() => {
        for (const socket of (window as unknown as { sockets: WebSocket[] }).sockets)
          if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.from([0]));
      });
      await alerts(page).getByText("An edit was refused.").waitFor();
    },
    async edit(text) {
      await page.bringToFront();
      await select(page);
      await field(page).fill(text);
      await field(page).blur();
    },
    async shows(text) {
      await page.bringToFront();
      await select(page);
      await expect.poll(() => field(page).inputValue(), { timeout: 30_000 }).toBe(text);
    },
  };
}

/** Tabs of one graph, opened at the same time. */
async function openTabs<Names extends string>(id: string, names: Names[], prepare?: () => void): Promise<Record<Names, Tab>> {
  const tabs = await Promise.all(names.map(() => openTab(prepare)));
  await Promise.all(tabs.map(({ page }) => page.goto(`${spindle.url}/g/${id}`)));
  for (const { page } of tabs) {
    await page.bringToFront();
    await saved(page);
  }
  return Object.fromEntries(names.map((name, at) => [name, tabs[at]])) as Record<Names, Tab>;
}

const KEPT = "Offline. Your edits are kept";
const select = (page: Page) => page.locator(".react-flow__node", { hasText: "Prompt" }).click();

/** What is edited offline is there after a reload, offline still, and is stored on return. */
async function keeps({ page, cut, edit, shows }: Tab, id: string, text: string): Promise<void> {
  await cut(true);
  await edit(text);
  await page.reload();
  await shows(text);
  expect(await page.getByText("All changes saved").count()).toBe(0);
  expect(await template(id)).not.toBe(text);
  await cut(false);
  await saved(page);
  expect(await template(id)).toBe(text);
}

/** Nothing was thrown. */
async function end(...tabs: Tab[]): Promise<void> {
  expect(tabs.flatMap(({ errors }) => errors)).toEqual([]);
  await Promise.all(tabs.map(({ page }) => page.close()));
}

test("[C1] what is edited offline is there when the page is opened again, offline still, and is stored on return", async () => {
  const id = await make("a harbour");
  const { tab } = await openTabs(id, ["tab"]);
  await keeps(tab, id, "a harbour at dawn");
  await end(tab);
});

test("[C1] of a graph that was put back to an earlier state the page shows that state, and keeps what it had until it is dismissed", async () => {
  const id = await make("as it was");
  const { tab } = await openTabs(id, ["tab"]);
  const { page, cut } = tab;
  await cut(true);
  await tab.edit("what I had");
  await putBack(id);
  await cut(false);
  for (const again of [false, true]) {
    if (again) await page.reload();
    await alerts(page).getByText(PUT_BACK).waitFor();
    await tab.shows("as it was");
  }
  await shot(page, "offline-other-epoch");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download your copy" }).click();
  expect(await templateIn(await download)).toBe("what I had");
  expect(await template(id)).toBe("as it was");
  await saved(page);
  await page.getByRole("button", { name: "Dismiss" }).click();
  await keeps(tab, id, "goes on");
  await page.reload();
  await saved(page);
  expect(await alerts(page).count()).toBe(0);
  await end(tab);
});

test("[C1] what a page had of a graph that was put back is applied to it as one step, which is undone as one", async () => {
  const id = await make("as it was");
  const { tab } = await openTabs(id, ["tab"]);
  const { page, cut } = tab;
  await cut(true);
  await tab.edit("what I had");
  await putBack(id);
  await cut(false);
  await alerts(page).getByText("Your copy differs in 1 part.").waitFor();
  await page.getByRole("button", { name: "Apply to the graph" }).click();
  await tab.shows("what I had");
  await saved(page);
  expect(await template(id)).toBe("what I had");
  expect(await alerts(page).count()).toBe(0);
  await page.locator(".react-flow__node", { hasText: "Prompt" }).press("Control+z");
  await tab.shows("as it was");
  await saved(page);
  expect(await template(id)).toBe("as it was");
  await page.reload();
  await tab.shows("as it was");
  expect(await alerts(page).count()).toBe(0);
  await end(tab);
});

test("[C1] each of two tabs keeps what it has, also when both were opened at once and one of them was refused", async () => {
  const id = await make("start");
  const { a, b } = await openTabs(id, ["a", "b"]);
  await a.poison();
  await b.edit("b online");
  await saved(b.page);
  await keeps(b, id, "b offline");
  await keeps(a, id, "a offline");
  await end(a, b);
});

test("[C1] two tabs of a graph that was put back each show what they had, and each goes on with a copy of its own", async () => {
  const id = await make("as it was");
  const { a, b } = await openTabs(id, ["a", "b"]);
  for (const tab of [a, b]) {
    await tab.cut(true);
    await tab.edit(tab === a ? "had a" : "had b");
  }
  await putBack(id);
  for (const tab of [a, b]) {
    await tab.cut(false);
    await alerts(tab.page).getByText(PUT_BACK).waitFor();
  }
  for (const { page } of [a, b]) {
    await page.bringToFront();
    await saved(page);
    await page.getByRole("button", { name: "Dismiss" }).click();
  }
  await keeps(a, id, "a later");
  await keeps(b, id, "b later");
  expect(await b.page.getByText(PUT_BACK).count()).toBe(0);
  await end(a, b);
});

test.each([
  ["", () => {}],
  [", also where the browser has no locks", () => Object.defineProperty(navigator, "locks", { value: undefined })],
])("[C1] what a closed tab has left outlives the refusal of another, and the next tab stores it%s", async (_, prepare) => {
  const id = await make("start");
  const { a, b } = await openTabs(id, ["a", "b"], prepare);
  await b.cut(true);
  await b.edit("hours of work");
  await b.shows("hours of work");
  await b.page.close();
  await a.poison();
  const { c } = await openTabs(id, ["c"], prepare);
  await c.shows("hours of work");
  await saved(c.page);
  expect(await template(id)).toBe("hours of work");
  await keeps(a, id, "goes on");
  await end(a, c);
});

test("[C1] a page whose copy cannot be written says so, and goes on", async () => {
  const id = await make("start");
  const { tab } = await openTabs(id, ["tab"], () => {
    const add = IDBObjectStore.prototype.add;
    IDBObjectStore.prototype.add = function (...given) {
      const request = add.apply(this, given);
      this.transaction.abort(); // as it ends when there is no room
      return request;
    };
  });
  await tab.page.evaluate(() => {
    sessionStorage.setItem("cut", "yes");
    for (const socket of (window as unknown as { sockets: WebSocket[] }).sockets) socket.close();
  });
  await tab.page.getByText("Offline. This browser cannot keep your edits").waitFor();
  await tab.edit("no room");
  await shot(tab.page, "offline-not-kept");
  expect(await tab.page.getByText(KEPT).count()).toBe(0);
  await tab.cut(false);
  await saved(tab.page);
  expect(await template(id)).toBe("no room");
  await end(tab);
});

test("[C1] of a graph that is gone for good a page that was offline says so, offers what it has, and forgets it when it is told to", async () => {
  const id = await make("start");
  const { tab } = await openTabs(id, ["tab"]);
  const { page } = tab;
  await tab.cut(true);
  await tab.edit("edited offline");
  await spindle.db.query("DELETE FROM graph WHERE id = $1", [id]);
  await tab.cut(false);
  await alerts(page).filter({ hasText: "This graph was deleted, and cannot be restored." }).waitFor();
  await shot(page, "offline-removed");
  for (const again of [false, true]) {
    if (again) await page.reload();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: again ? "Download your copy" : "Download a copy" }).click();
    expect(await templateIn(await download)).toBe("edited offline");
  }
  await page.getByRole("button", { name: "Remove your copy from this browser" }).click();
  await page.getByText("This browser keeps nothing of it any more.").waitFor();
  const kept = () => page.evaluate(async (graph) => (await indexedDB.databases()).filter(({ name }) => name?.includes(graph)).length, id);
  await expect.poll(kept).toBe(0);
  await page.reload();
  await page.getByRole("heading", { name: "There is no such graph." }).waitFor();
  expect(await page.getByRole("button", { name: "Download your copy" }).count()).toBe(0);
  await end(tab);
});

test("a graph that is deleted comes back by Undo, from the list, and on the page of whoever had it open", async () => {
  const id = await make("kept");
  const { tab } = await openTabs(id, ["tab"]);
  const { page } = tab;
  const list = await browser.page();
  const deleteIt = async () => {
    const shown = list.locator(".graph-card", { has: list.locator(`a[href="/g/${id}"]`) });
    await shown.getByRole("button", { name: /^More for/ }).click();
    await list.getByRole("menuitem", { name: "Delete graph" }).click();
    await shown.waitFor({ state: "detached" });
  };
  const link = list.locator(`a[href="/g/${id}"]`);
  // The first deletion is answered after the list, asked again meanwhile, has lost the card.
  let removal = "";
  await list.routeWebSocket(/trpc/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((sent) => {
      removal ||= /"id":(\d+)[^{}]*"method":"mutation".*"graphs\.remove"/.exec(String(sent))?.[1] ?? "";
      server.send(sent);
    });
    server.onMessage((received) => {
      const isAnswer = removal !== "" && String(received).includes(`"id":${removal},`);
      const ready = isAnswer ? list.locator(".graph-card", { has: link }).waitFor({ state: "detached" }) : Promise.resolve();
      void ready.then(() => socket.send(received));
    });
  });
  await list.goto(spindle.url);
  await deleteIt();
  await list.getByRole("button", { name: "Undo" }).hover(); // the message waits for whoever points at it
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
  await tab.shows("kept");
  await Promise.all([page.close(), list.close()]);
});
