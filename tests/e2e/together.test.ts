// Two people in one graph, each in a browser of their own.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alerts, shot } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { createGraph, graphOf, named, node } from "../support/spindle.ts";

const PROMPT = "An old harbour at dawn, seen from a fishing boat, in the manner of a Dutch painting of 1650.";

let editor: Editor;
beforeAll(async () => {
  editor = await Editor.start({ people: 2, patienceMs: 60_000 });
});
afterAll(() => editor?.stop());

const field = (page: Page) => editor.inspector(page).getByRole("textbox", { name: "template" });
const create = () => createGraph(editor.spindle.url, graphOf([named("Prompt", node("n", "text.template", { template: PROMPT }))]));
const stored = (id: string) => editor.params(id, "n");
async function open(page: Page, id: string): Promise<void> {
  await page.goto(`${editor.spindle.url}/g/${id}`);
  await page.locator(".react-flow__node", { hasText: "Prompt" }).click();
  await field(page).waitFor();
}
const caretTo = (page: Page, place: number) =>
  field(page).evaluate((element: HTMLTextAreaElement, at) => {
    element.focus();
    element.setSelectionRange(at, at);
  }, place);

test("two people type at both ends of one prompt, and each keeps their words, their caret and their undo", async () => {
  const id = await create();
  const [ada, ben] = await Promise.all(editor.people.map((browser) => browser.page()));
  if (!ada || !ben) throw new Error("Two pages were asked for.");
  await Promise.all([open(ada, id), open(ben, id)]);
  await Promise.all([caretTo(ada, 0), caretTo(ben, PROMPT.length)]);
  await Promise.all([ada.keyboard.type("Misty. ", { delay: 20 }), ben.keyboard.type(" No people.", { delay: 20 })]);
  for (const page of [ada, ben]) await expect.poll(() => field(page).inputValue()).toBe(`Misty. ${PROMPT} No people.`);
  await expect.poll(() => stored(id)).toEqual({ template: `Misty. ${PROMPT} No people.` });

  // Both carets are where their owners left them, although the words of the other came in.
  await Promise.all([ada.keyboard.type("Grey. ", { delay: 20 }), ben.keyboard.type(" No gulls.", { delay: 20 })]);
  for (const page of [ada, ben]) await expect.poll(() => field(page).inputValue()).toBe(`Misty. Grey. ${PROMPT} No people. No gulls.`);
  const beyond = await ada.locator("article.card-node").evaluate((card) => {
    const { right } = card.getBoundingClientRect();
    return [...card.querySelectorAll(".card-field, .card-field *")].filter((part) => part.getBoundingClientRect().right > right).length;
  });
  expect(beyond, "a long value stays in its card").toBe(0);
  await shot(ada, "together-prompt");

  const undo = ada.getByRole("button", { name: "Undo" });
  await expect
    .poll(async () => {
      await undo.evaluate((button: HTMLButtonElement) => button.click()); // as long as there is something to undo
      return field(ada).inputValue();
    })
    .toBe(`${PROMPT} No people. No gulls.`);
  await expect.poll(() => undo.isEnabled()).toBe(false);
  await expect.poll(() => field(ben).inputValue()).toBe(`${PROMPT} No people. No gulls.`);
  await Promise.all([ada.close(), ben.close()]);
});

test("a page that was opened before an update says so, keeps what was edited in it, and offers a copy", async () => {
  const id = await create();
  const page = (await editor.people[0]?.page()) as Page;
  // What the release before did: its sockets name no layout.
  await page.addInitScript(() => {
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(window.name === "old" ? String(url).replace(/\?layout=.*$/, "") : url, protocols);
      }
    };
  });
  await open(page, id);
  await page.getByText("All changes saved").waitFor();
  await page.evaluate(() => {
    window.name = "old";
  });
  await field(page).fill("typed in an old page");
  await page.getByText("All changes saved").waitFor();
  process.kill(editor.spindle.processes.runtime?.pid as number, "SIGKILL");
  await page.getByText("Offline. Your edits are kept").waitFor();
  await field(page).fill("typed while the server was updated");
  await page.getByRole("alert").getByText("This page was opened before Spindle was updated.").waitFor();
  await expect.poll(() => field(page).inputValue()).toBe("typed while the server was updated");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download a copy" }).click();
  expect((await download).suggestedFilename()).toBe("graph-copy.json");
  await shot(page, "together-old-page");
  expect(await stored(id)).toEqual({ template: "typed in an old page" });
  await page.evaluate(() => {
    window.name = "";
  });
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByText("All changes saved").waitFor();
  expect(await alerts(page).count()).toBe(0);
  await page.close();
});

test("[C5] a page takes back an edit that is refused, offers a copy with it, and goes on; after the third it stops", async () => {
  const id = await create();
  const [ada, ben] = await Promise.all(editor.people.map((browser) => browser.page()));
  if (!ada || !ben) throw new Error("Two pages were asked for.");
  // What cannot be applied is sent in place of an edit.
  await ada.addInitScript(() => {
    window.WebSocket = class extends WebSocket {
      override send(data: string | Uint8Array<ArrayBuffer>): void {
        const isEdit = window.name === "damaged" && data instanceof Uint8Array && data[0] === 0 && data[1] === 2;
        super.send(isEdit ? Uint8Array.from([0, 2, 3, 255, 255, 255]) : data);
      }
    };
  });
  await Promise.all([open(ada, id), open(ben, id)]);
  await ada.getByText("All changes saved").waitFor();
  const refuse = async (text: string) => {
    await ada.evaluate(() => {
      window.name = "damaged";
    });
    await field(ada).fill(text);
  };
  const alert = ada.getByRole("alert").filter({ hasText: "An edit was refused" });

  await refuse("words that are refused");
  await alert.getByText("It was taken back, with what was not saved by then.").waitFor();
  await ada.evaluate(() => {
    window.name = "";
  });
  const download = ada.waitForEvent("download");
  await alert.getByRole("button", { name: "Download a copy with it" }).click();
  expect(readFileSync(await (await download).path(), "utf8")).toContain("words that are refused");
  await shot(ada, "together-taken-back");
  await expect.poll(() => field(ada).inputValue()).toBe(PROMPT);
  await alert.getByRole("button", { name: "Dismiss" }).click();
  expect(await alert.count()).toBe(0);
  await field(ada).fill("words that are taken");
  await expect.poll(() => stored(id)).toEqual({ template: "words that are taken" });
  await ada.getByText("All changes saved").waitFor();
  await expect.poll(() => field(ben).inputValue()).toBe("words that are taken");

  await refuse("refused again");
  await alert.getByText("It was taken back").waitFor();
  await expect.poll(() => field(ada).inputValue()).toBe("words that are taken");
  await refuse("refused for good");
  await alert.getByText("reload to go on from the saved graph").waitFor();
  await expect.poll(() => field(ada).inputValue(), { message: "it is still to be seen" }).toBe("refused for good");
  expect(await stored(id)).toEqual({ template: "words that are taken" });
  await expect.poll(() => field(ben).inputValue()).toBe("words that are taken");
  await Promise.all([ada.close({ runBeforeUnload: false }), ben.close()]);
});

test("[C5] what a page edits after its browser forgot who it is is refused and kept, and is there again once it is applied", async () => {
  const id = await create();
  const browser = editor.people[0] as (typeof editor.people)[0];
  const page = await browser.page();
  await page.addInitScript(() => {
    const sockets: WebSocket[] = [];
    Object.assign(window, { sockets });
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        if (String(url).includes("/collab/")) sockets.push(this);
      }
    };
  });
  const sockets = () =>
    page.evaluate(() => (window as unknown as { sockets: WebSocket[] }).sockets.map(({ readyState }) => readyState === WebSocket.OPEN));
  await open(page, id);
  await field(page).fill("before");
  await expect.poll(() => stored(id)).toEqual({ template: "before" });
  await browser.context.clearCookies();
  await page.evaluate(() => {
    for (const socket of (window as unknown as { sockets: WebSocket[] }).sockets) socket.close();
  });
  await expect.poll(sockets).toEqual([false, true]);
  await field(page).fill("words of a stranger");
  const taken = page.getByRole("alert").filter({ hasText: "It was made under the name of another page. It was taken back" });
  await taken.getByRole("button", { name: "Dismiss" }).click();
  const kept = page.getByRole("alert").filter({ hasText: "It is kept for you." });
  await expect.poll(() => field(page).inputValue()).toBe("before");
  await page.reload();
  await kept.waitFor();
  await shot(page, "together-kept");
  const download = page.waitForEvent("download");
  await kept.getByRole("button", { name: "Download a copy with it" }).click();
  expect(readFileSync(await (await download).path(), "utf8")).toContain("words of a stranger");
  expect(await stored(id)).toEqual({ template: "before" });
  await kept.getByRole("button", { name: "Apply" }).click();
  await expect.poll(() => stored(id)).toEqual({ template: "words of a stranger" });
  await expect.poll(() => kept.count()).toBe(0);
  await page.reload();
  await page.getByText("All changes saved").waitFor();
  expect(await alerts(page).count()).toBe(0);
  await page.close();
});
