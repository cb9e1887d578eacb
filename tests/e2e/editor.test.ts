// What an editor owes a person: what is added is selected, what is done is stored, and the canvas stays when the network goes.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, newGraph, openBrowser, overlaps, restingBox, shot } from "../support/browser.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { type Instruments, instruments } from "../support/instruments.ts";
import { graphOf, node, type Spindle, startSpindle, until } from "../support/spindle.ts";

let spindle: Spindle;
let proxy: FaultProxy;
let ada: Browser;
let page: Page;
const CLOSED = 3; // a WebSocket's readyState; Node 20 has no WebSocket of its own

beforeAll(async () => {
  [spindle, ada] = await Promise.all([startSpindle({ worker: false }), openBrowser()]);
  proxy = await FaultProxy.start(spindle.url);
  await ada.context.addInitScript(instruments);
  page = await ada.page();
  ada.context.setDefaultTimeout(60_000);
});
afterAll(async () => {
  await ada?.close();
  await proxy?.stop();
  await spindle?.stop();
});

declare const window: Window & typeof globalThis & { instruments: Instruments };

const card = (title: string, on = page) => on.locator(".react-flow__node", { has: on.getByRole("heading", { name: title, exact: true }) });
const inspector = (on = page) => on.getByRole("complementary", { name: "Inspector" });
const selected = (on = page) => on.locator(".react-flow__node.selected");
const titleField = (on = page) => inspector(on).getByLabel("Node title");
const template = (text: string, name: string, id = name.toLowerCase()) =>
  ({ ...node(id, "text.template", { template: text }), name }) as never;
const at = (places: Record<string, [number, number]>) => ({
  editor: { positions: Object.fromEntries(Object.entries(places).map(([id, [x, y]]) => [id, { x, y }])) },
});
const PAIR = graphOf([template("one", "Left"), template("two", "Right")], [], at({ left: [0, 0], right: [420, 0] }));

async function create(graph: unknown): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  return ((await answer.json()) as { id: string }).id;
}
async function openEmpty(): Promise<void> {
  await newGraph(page, spindle.url);
  await page.getByText("All changes saved").waitFor();
}
async function open(graph: unknown, on = page, origin = spindle.url): Promise<string> {
  const id = await create(graph);
  await on.goto(`${origin}/g/${id}`);
  await on.getByTestId("canvas").waitFor();
  await on.getByText("All changes saved").waitFor();
  return id;
}
type Stored = { nodes: { id: string; params?: Record<string, unknown> }[]; metadata: ReturnType<typeof at> };
const stored = async (id: string): Promise<Stored> =>
  (await (await fetch(`${spindle.url}/api/graphs/${id}/export?to=json`)).json()) as Stored;
const param = async (id: string, of: string) => (await stored(id)).nodes.find((one) => one.id === of)?.params?.template;
const places = async (id: string) => (await stored(id)).metadata.editor.positions;

const covered = () => overlaps(page.locator(".react-flow__node"));

test("what the search adds is selected, opens its inspector, and lies on nothing", async () => {
  await openEmpty();
  for (const label of ["Fill template", "Write script", "Fill template", "Fill template"]) {
    await page.getByLabel("Search nodes").fill(label);
    await page.keyboard.press("Enter");
    await expect
      .poll(() =>
        titleField()
          .inputValue()
          .catch(() => ""),
      )
      .toBe(label);
    await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual([label]);
  }
  await page.getByRole("button", { name: "Fit the graph" }).click();
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(4);
  await expect.poll(covered, { message: "the view moves until it fits" }).toBe(0);
  await shot(page, "editor-added");
});

test("the first node stays where it was dropped, selected, and the view with it", async () => {
  await openEmpty();
  const canvas = page.getByTestId("canvas");
  await page
    .locator(".library-item", { hasText: "Fill template" })
    .first()
    .dragTo(canvas, { targetPosition: { x: 60, y: 70 } });
  await expect
    .poll(() =>
      titleField()
        .inputValue()
        .catch(() => ""),
    )
    .toBe("Fill template");
  const place = async () => {
    const [frame, dropped] = [await canvas.boundingBox(), await card("Fill template").boundingBox()];
    return [(dropped?.x ?? 0) - (frame?.x ?? 0), (dropped?.y ?? 0) - (frame?.y ?? 0)].map(Math.round);
  };
  await expect.poll(place).toEqual([60, 70]);
  await expect.poll(() => selected().count()).toBe(1);
  await page
    .locator(".library-item", { hasText: "Write script" })
    .first()
    .dragTo(canvas, { targetPosition: { x: 460, y: 70 } });
  await expect.poll(() => titleField().inputValue()).toBe("Write script");
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Write script"]);
  expect(await place()).toEqual([60, 70]);
});

test("a paste is selected, seen and has the focus, and a second one does not cover the first", async () => {
  await open(graphOf([template("one", "Left")], [], at({ left: [0, 0] })));
  await ada.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await card("Left").getByRole("heading").click();
  await page.keyboard.press("Control+c");
  for (const count of [2, 3]) {
    await page.keyboard.press("Control+v");
    await expect.poll(() => page.locator(".react-flow__node").count()).toBe(count);
    await expect.poll(() => selected().count()).toBe(1);
    await page.locator(".react-flow__node.selected:focus").waitFor();
    await expect.poll(() => selected().evaluate((card) => card.getBoundingClientRect().right <= innerWidth)).toBe(true);
  }
  await expect.poll(() => titleField().inputValue()).toBe("Left");
  await expect.poll(covered).toBe(0);
});

test("a problem and a row of the run select their node and open its inspector", async () => {
  await open(
    graphOf([template("one", "Left"), { ...node("right", "no.such"), name: "Right" } as never], [], at({ left: [0, 0], right: [420, 0] })),
  );
  await page.getByRole("tab", { name: /Problems/ }).click();
  await page.locator(".problem", { hasText: "Right" }).first().click();
  await expect
    .poll(() =>
      titleField()
        .inputValue()
        .catch(() => ""),
    )
    .toBe("Right");
  await expect.poll(() => selected().getByRole("heading").allTextContents()).toEqual(["Right"]);
  const isCentred = async () => {
    const [frame, node] = [await page.getByTestId("canvas").boundingBox(), await card("Right").boundingBox()];
    return frame && node && Math.abs(frame.x + frame.width / 2 - node.x - node.width / 2) < 2;
  };
  await expect.poll(isCentred, { message: "the view has gone there, so that no card moves under the pointer" }).toBe(true);
  // One owner: what the canvas selects is what the inspector shows, and the other way round.
  await card("Left").getByRole("heading").click();
  await expect.poll(() => titleField().inputValue()).toBe("Left");
  await page.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });
  await expect.poll(() => selected().count()).toBe(0);
  await inspector().getByRole("heading", { name: "Run", exact: true }).waitFor();
});

test("[C3] the arrow keys move what is selected, for everybody and for good, as one step of undo", async () => {
  const id = await open(PAIR);
  await card("Left").getByRole("heading").click();
  await card("Right").click({ modifiers: ["Shift"] });
  await expect.poll(() => selected().count()).toBe(2);
  // The clock of the undo manager stands still, so that the burst is one burst however slow the machine is.
  await card("Right").evaluate(async (element: HTMLElement) => {
    window.instruments.stoppedAt = Date.now();
    element.focus();
    for (let press = 0; press < 6; press++) {
      element.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", shiftKey: true, bubbles: true }));
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
    }
    window.instruments.stoppedAt = undefined;
  });
  await expect.poll(() => places(id)).toEqual({ left: { x: 120, y: 0 }, right: { x: 540, y: 0 } });
  await page.reload();
  await card("Left").getByRole("heading").click();
  expect(await places(id)).toEqual({ left: { x: 120, y: 0 }, right: { x: 540, y: 0 } });

  await card("Left").press("ArrowDown");
  await expect.poll(() => places(id)).toEqual({ left: { x: 120, y: 5 }, right: { x: 540, y: 0 } });
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(() => places(id)).toEqual({ left: { x: 120, y: 0 }, right: { x: 540, y: 0 } });
  await expect.poll(() => page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
});

test("[C3] one undo takes a burst of arrow keys back", async () => {
  const id = await open(PAIR);
  await card("Left").getByRole("heading").click();
  await card("Left").evaluate(async (element: HTMLElement) => {
    window.instruments.stoppedAt = Date.now();
    for (let press = 0; press < 4; press++) {
      element.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
    }
    window.instruments.stoppedAt = undefined;
  });
  await expect.poll(async () => (await places(id)).left).toEqual({ x: 0, y: 20 });
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(async () => (await places(id)).left).toEqual({ x: 0, y: 0 });
});

test("[C3] a drag is stored when the node is dropped, once, and undone as one step", async () => {
  const id = await open(PAIR);
  const other = await ada.page();
  await other.goto(page.url());
  await card("Left", other).waitFor();
  const edits = async () => (await spindle.db.query("SELECT 1 FROM doc_update WHERE graph_id = $1", [id])).rows.length;
  const before = await edits();
  const grip = card("Left").getByRole("heading");
  const box = await restingBox(grip);
  const there = await restingBox(card("Left", other));
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.down();
  for (let step = 1; step <= 8; step++) await page.mouse.move(box.x + 5 + 10 * step, box.y + 5);
  await expect.poll(async () => Math.round(((await grip.boundingBox())?.x ?? 0) - box.x)).toBeGreaterThan(40);
  expect([await edits(), await card("Left", other).boundingBox()], "it is not dropped yet").toEqual([before, there]);
  await page.mouse.up();
  await expect.poll(async () => (await places(id)).left?.x).toBeGreaterThan(40);
  await expect.poll(async () => (await card("Left", other).boundingBox())?.x).not.toBe(there?.x);
  expect(await edits()).toBe(before + 1);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(() => places(id)).toEqual({ left: { x: 0, y: 0 }, right: { x: 420, y: 0 } });
  await other.close();
});

test("[C1] typed text is not called saved before it is, and leaving the page, the node or the field hands it over", async () => {
  const id = await open(PAIR);
  await card("Left").getByRole("heading").click();
  const field = inspector().getByRole("textbox", { name: "template" });
  const status = await field.evaluate(async (element: HTMLTextAreaElement) => {
    element.focus();
    document.execCommand("insertText", false, "typed ");
    await new Promise((resolve) => setTimeout(resolve));
    return document.querySelector(".top")?.textContent;
  });
  expect(status).not.toContain("All changes saved");
  await page.getByText("All changes saved").waitFor();

  // Each in one breath, so that no pause of the typing stores it first.
  const typeAnd = (text: string, then: "hide" | "navigate") =>
    field.evaluate(
      (element: HTMLTextAreaElement, [typed, next]) => {
        element.focus();
        element.select();
        document.execCommand("insertText", false, typed);
        if (next === "navigate") location.assign("/runs");
        if (next === "hide") window.dispatchEvent(new PageTransitionEvent("pagehide"));
      },
      [text, then] as const,
    );
  await typeAnd("hidden", "hide");
  await expect.poll(() => param(id, "left")).toBe("hidden");
  await page.getByText("All changes saved").waitFor();

  await field.pressSequentially("x");
  await card("Right").getByRole("heading").click();
  await expect.poll(() => param(id, "left")).toMatch(/x/);

  await card("Left").getByRole("heading").click();
  await page.getByText("All changes saved").waitFor();
  page.once("dialog", (dialog) => void dialog.accept());
  await typeAnd("left behind", "navigate");
  await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
  await expect.poll(() => param(id, "left")).toBe("left behind");
});

test("[C1] a run uses what was typed just before it", async () => {
  const id = await open(PAIR);
  await card("Left").getByRole("heading").click();
  await inspector()
    .getByRole("textbox", { name: "template" })
    .evaluate((element: HTMLTextAreaElement) => {
      element.focus();
      element.select();
      document.execCommand("insertText", false, "just typed");
      // No pointer goes down on the button, so the field keeps the focus.
      [...document.querySelectorAll<HTMLButtonElement>("button.run")].at(0)?.click();
    });
  await card("Left").getByText("Succeeded").waitFor();
  const [run] = (await (await fetch(`${spindle.url}/api/jobs`)).json()) as { jobId: string }[];
  const { nodes } = (await (await fetch(`${spindle.url}/api/runs/${run?.jobId}`)).json()) as { nodes: { node: string; output: unknown }[] };
  expect(nodes.find((one) => one.node === "left")?.output).toMatchObject({ text: "just typed" });
  expect(await param(id, "left")).toBe("just typed");
});

test("[C1] offline the canvas stays, editing goes on, and both sides merge on return", async () => {
  const away = await ada.page();
  const id = await open(PAIR, away, proxy.url);
  await page.goto(`${spindle.url}/g/${id}`);
  await card("Left", away).getByRole("heading").click();
  const field = inspector(away).getByRole("textbox", { name: "template" });
  proxy.set({ down: true });
  await away.getByText("Offline. Your edits are kept and merge when you are back").waitFor();
  await expect.poll(() => titleField(away).inputValue()).toBe("Left");
  await field.fill("made offline");
  await card("Left", away).getByText("made offline").waitFor();
  await card("Right").getByRole("heading").click();
  await inspector().getByRole("textbox", { name: "template" }).fill("made by another");
  await expect.poll(() => param(id, "right")).toBe("made by another");
  await shot(away, "editor-offline");
  expect(await param(id, "left")).toBe("one");

  // Leaving now would lose something, so the browser asks; the answer is to stay.
  const asked = away.waitForEvent("dialog");
  await away.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.dismiss();

  proxy.set({});
  for (const on of [page, away]) {
    await card("Left", on).getByText("made offline").waitFor();
    await card("Right", on).getByText("made by another").waitFor();
  }
  await away.getByText("All changes saved").waitFor();
  expect(await away.getByText("Offline. Your edits").count()).toBe(0);
  await expect.poll(() => titleField(away).inputValue()).toBe("Left");
  const closed = away.waitForEvent("close");
  away.on("dialog", (late) => void late.accept().then(() => Promise.reject(new Error("It asked although everything is stored."))));
  await away.close({ runBeforeUnload: true });
  await closed;
});

test("a graph that is left while it loads leaves nothing behind in the page", async () => {
  const id = await create(PAIR);
  const away = await ada.page();
  await away.goto(`${proxy.url}/`);
  const link = away.locator(`a[href="/g/${id}"]`);
  await link.waitFor();
  const visit = async () => {
    await away.evaluate((path) => {
      history.pushState({ idx: 1, key: "there" }, "", path);
      window.dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
    }, `/g/${id}`);
    await away.getByRole("complementary", { name: "Node library" }).waitFor();
  };
  const leave = async () => {
    await away.evaluate(() => history.back());
    await away.getByRole("heading", { name: "Graphs", level: 1 }).waitFor();
  };
  const held = () => away.evaluate(() => Object.fromEntries([...window.instruments.held].filter(([, count]) => count !== 0).sort()));
  const documents = () =>
    away.evaluate(() => window.instruments.sockets.filter((socket) => socket.url.includes("/collab/")).map((socket) => socket.readyState));
  await visit();
  await away.getByText("All changes saved").waitFor();
  await leave();
  const areClosed = async () => (await documents()).every((state) => state === CLOSED);
  await expect.poll(areClosed).toBe(true);
  const before = await held();
  const opened = (await documents()).length;
  proxy.set({ latencyMs: 600 });
  await visit();
  await expect.poll(async () => (await documents()).length).toBe(opened + 1);
  await leave();
  proxy.set({});
  await expect.poll(documents).toEqual(Array.from({ length: opened + 1 }, () => CLOSED));
  await expect.poll(held).toEqual(before);
  await away.close();
});

test("every page opens by itself and from the others, and no page watches its links", async () => {
  const id = await create(PAIR);
  const loads: [string, string][] = [
    ["/", "Graphs"],
    ["/templates", "InfiniteTalk"],
    ["/templates/infinitetalk", "InfiniteTalk"],
    ["/runs", "Runs"],
  ];
  for (const [path, heading] of loads) {
    await page.goto(spindle.url + path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await expect.poll(() => page.title()).toBe(`${heading} | Spindle`);
  }
  for (const [link, path] of [
    ["Graphs", "/"],
    ["Templates", "/templates"],
    ["Runs", "/runs"],
  ] as const) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: link }).click();
    await until(async () => new URL(page.url()).pathname.startsWith(path), 60_000, `${link} opens`);
    await page.getByRole("heading", { level: 1 }).waitFor();
  }
  await page.goto(`${spindle.url}/g/${id}`);
  await card("Left").getByRole("heading").click();
  await page.keyboard.press("Delete");
  await card("Left").waitFor({ state: "detached" });
  expect(await page.evaluate(() => window.instruments.discoveries)).toBe(0);
});

test("nothing complained", () => {
  // While the connection was away: sockets, and the code editor's modules, for which a plain field stands in. "Event" is their loader's.
  const known = /WebSocket connection to .* failed|net::ERR_|Failed to fetch dynamically imported module|^Event$/;
  expect(ada.complaints.filter((complaint) => !known.test(complaint))).toEqual([]);
});
