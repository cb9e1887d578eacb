// What a newcomer does, in a real browser: the template, the graph behind it, a graph of one's own, and a second person.
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { readGraphText } from "@spindle/graph-model";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PYTHON } from "../../infra/launch/build.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { type Browser, newGraph, openBrowser, restingBox, shot } from "../support/browser.ts";
import { PORTRAIT, PROMPT } from "../support/samples.ts";
import { ended, getRun, graphOf, node, type Spindle, startSpindle, wire } from "../support/spindle.ts";

let spindle: Spindle;
let ada: Browser;
let ben: Browser;
let page: Page;
beforeAll(async () => {
  [spindle, ada, ben] = await Promise.all([startSpindle(), openBrowser(), openBrowser(1280)]);
  page = await ada.page();
});
afterAll(async () => {
  await Promise.all([ada?.close(), ben?.close()]);
  await spindle?.stop();
});

const card = (on: Page, title: string) => on.locator(".react-flow__node", { has: on.getByRole("heading", { name: title, exact: true }) });
const port = (on: Page, title: string, side: "in" | "out", name: string) => card(on, title).locator(`.port.${side}[data-port="${name}"]`);

/** The wires that lie upon a card which they do not lead to. */
const wiresOverCards = () =>
  page.evaluate(() =>
    [...document.querySelectorAll<SVGPathElement>(".react-flow__edge-path")].flatMap((path) => {
      const matrix = path.getScreenCTM();
      const length = path.getTotalLength();
      const points = Array.from({ length: 41 }, (_, index) =>
        path.getPointAtLength((length * (index + 0.5)) / 41.5).matrixTransform(matrix ?? undefined),
      );
      const [start, end] = [
        path.getPointAtLength(0).matrixTransform(matrix ?? undefined),
        path.getPointAtLength(length).matrixTransform(matrix ?? undefined),
      ];
      return [...document.querySelectorAll(".react-flow__node")]
        .map((card) => ({ card, box: card.getBoundingClientRect() }))
        .filter(({ box }) => {
          const has = ({ x, y }: DOMPoint, margin: number) =>
            x > box.left - margin && x < box.right + margin && y > box.top - margin && y < box.bottom + margin;
          return !has(start, 8) && !has(end, 8) && points.some((point) => has(point, 4));
        })
        .map(({ card }) => `${path.closest(".react-flow__edge")?.getAttribute("data-id")} over ${card.getAttribute("data-id")}`);
    }),
  );

test("[G4] opens the template, fills the form, watches four nodes, and plays the video", async () => {
  await page.goto(`${spindle.url}/templates/infinitetalk`);
  await page.getByRole("button", { name: /Generate/ }).click();
  await page.getByText("Portrait is needed.").waitFor();
  await page.getByLabel("Portrait").setInputFiles({ name: "no.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") });
  await page.getByText("the file is not a picture that can be used").waitFor();
  await page.getByLabel("Portrait").setInputFiles(PORTRAIT);
  await page.getByLabel("Voice sample").setInputFiles(join(ROOT, "templates/samples/voice.wav"));
  await page.getByLabel("What is said in the sample").fill("The quick crew checked every valve before the final count.");
  await page.getByLabel("Prompt").fill(PROMPT);
  await page.getByText("512 × 512").waitFor();
  await shot(page, "template-form");
  await page.getByRole("button", { name: "Generate with draft engines" }).click();
  await page.locator("[data-testid=stage] :is(img, canvas)").waitFor({ timeout: 60_000 });
  await shot(page, "template-running");
  for (const step of ["script", "f5_to_tts", "infinite_talk", "upscale_video"])
    await page.locator(`[data-testid=step-${step}][data-state=done]`).waitFor({ timeout: 60_000 });
  const video = page.locator("[data-testid=result-video]");
  await video.waitFor();
  const played = await video.evaluate(async (element: HTMLVideoElement) => {
    element.muted = true;
    await element.play();
    await new Promise<void>((resolve) => {
      element.ontimeupdate = () => element.currentTime > 0.2 && resolve();
    });
    return { width: element.videoWidth };
  });
  expect(played).toEqual({ width: 1024 });
  await shot(page, "template-done");
});

test("the talking head follows the sound, and the rest of the picture is still", async () => {
  const [run] = await (await fetch(`${spindle.url}/api/jobs`)).json();
  const { nodes } = await getRun(spindle.url, run.jobId);
  const output = (id: string) =>
    nodes.find((nodeRun) => nodeRun.node === id)?.output as Record<
      string,
      { artifact: string; x: number; y: number; width: number; height: number; duration: number }
    >;
  const { mouth, videoArtifact } = output("infinite_talk");
  const measure = async (artifact: string) => {
    const file = join(spindle.home, `${artifact}.mp4`);
    await writeFile(file, Buffer.from(await (await fetch(`${spindle.url}/api/artifacts/${artifact}`)).arrayBuffer()));
    const box = [mouth?.x, mouth?.y, mouth?.width, mouth?.height].map(String);
    const { stdout } = await promisify(execFile)(PYTHON, [join(ROOT, "workers/python-gpu/tests/mouth_check.py"), file, PORTRAIT, ...box]);
    return JSON.parse(stdout) as Record<string, number>;
  };
  const found = await measure(videoArtifact?.artifact ?? "");
  console.log("talking head", JSON.stringify(found));
  expect(found.fps).toBe(25);
  expect(found.correlation).toBeGreaterThan(0.6);
  expect(found.silent).toBeGreaterThan(0);
  expect(found.silence).toBeLessThan(0.25);
  expect(found.psnr).toBeGreaterThan(35);
  const speech = output("f5_to_tts").audioArtifact?.duration ?? 0;
  expect(Math.abs((found.duration ?? 0) - speech)).toBeLessThan(0.2);
  const large = await measure(output("upscale_video").videoArtifact?.artifact ?? "");
  expect(large).toMatchObject({ fps: 25, frames: found.frames });
  expect(Math.abs((large.duration ?? 0) - speech)).toBeLessThan(0.2);
});

test("[E16] opens the graph behind the form, and runs it on the canvas with previews on the nodes", async () => {
  await page.getByRole("button", { name: "Open the graph" }).click();
  await card(page, "Talking head").waitFor();
  expect(await wiresOverCards()).toEqual([]);
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByLabel("Portrait").setInputFiles(PORTRAIT);
  await inspector.getByLabel("Prompt", { exact: true }).fill(`${PROMPT} ${PROMPT} ${PROMPT}`); // long enough to be watched
  await inspector.getByText("512 × 512").waitFor();
  await page.waitForTimeout(600);
  await page.getByRole("button", { name: "Run with draft engines" }).click();
  await card(page, "Talking head").locator(".card-preview :is(img, canvas)").waitFor({ timeout: 60_000 });
  await shot(page, "editor-running");
  await card(page, "Upscale video").locator(".card-preview video").waitFor({ timeout: 60_000 });
  await card(page, "Write script").getByText("Welcome to the lecture").waitFor();
  await page.getByRole("button", { name: "Fit the graph" }).click();
  await page.waitForTimeout(900);
  await shot(page, "editor-done");
  await mkdir(join(ROOT, "docs/images"), { recursive: true });
  if (process.env.SPINDLE_WRITE_SCREENSHOT)
    await copyFile(join(ROOT, "test-results/editor-done.png"), join(ROOT, "docs/images/editor.png"));
});

test("[C6] builds a graph of one's own by dragging and wiring, while a second person watches and edits", async () => {
  await newGraph(page, spindle.url);
  const other = await ben.page();
  await other.goto(page.url());
  const canvas = page.getByTestId("canvas");
  const drop = (label: string, x: number, y: number) =>
    page.locator(".library-item", { hasText: label }).first().dragTo(canvas, { targetPosition: { x, y } });
  await drop("Fill template", 120, 80);
  await drop("Wait", 620, 120);
  await card(other, "Fill template").waitFor();
  await page.getByRole("button", { name: "Fit the graph" }).click();
  await restingBox(card(page, "Wait"));
  await port(page, "Fill template", "out", "text").dragTo(port(page, "Wait", "in", "value"));
  await other.locator(".react-flow__edge").waitFor({ state: "attached" });

  await other.getByText("Fill template").last().click();
  await other.getByRole("complementary", { name: "Inspector" }).getByLabel("template").fill("Hello from two people");
  await expect
    .poll(() => card(page, "Fill template").getByRole("textbox", { name: "Template" }).inputValue())
    .toBe("Hello from two people");
  await page.getByText("All changes saved").waitFor();

  await page.getByRole("button", { name: "Run", exact: true }).click();
  for (const each of [page, other]) await card(each, "Wait").getByText("Hello from two people").waitFor({ timeout: 30_000 });
  for (const each of [page, other]) await card(each, "Wait").getByText("Succeeded").waitFor();
  await shot(page, "two-people-ada");
  await shot(other, "two-people-ben");
});

test("[G3, C3] says why a wire does not fit, undoes one's own edit alone, and jumps to a problem", async () => {
  const drop = (label: string, x: number, y: number) =>
    page.locator(".library-item", { hasText: label }).first().dragTo(page.getByTestId("canvas"), { targetPosition: { x, y } });
  await drop("Upscale video", 600, 420);
  await page.getByRole("button", { name: "Fit the graph" }).click();
  await restingBox(card(page, "Upscale video"));
  await port(page, "Fill template", "out", "text").hover();
  await page.mouse.down();
  await port(page, "Upscale video", "in", "videoArtifact").hover({ force: true });
  await page.waitForTimeout(200);
  await page.mouse.up();
  await shot(page, "wire-refused");
  await page.getByText("This input takes a video, and the output gives a string.").waitFor();
  await shot(page, "wire-refused");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Undo" }).click();
  await card(page, "Upscale video").waitFor({ state: "detached" });
  await expect.poll(() => card(page, "Fill template").getByText("Hello from two people").count()).toBeGreaterThan(0);
});

test("[G8] exports langgraph.v1, and the file opens as a graph again", async () => {
  await page.getByRole("button", { name: "Graph menu" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "Export as JSON" }).click()]);
  const file = (await download.path()) as string;
  const { graph, issues } = readGraphText(await readFile(file, "utf8"));
  expect(issues).toEqual([]);
  expect(graph?.nodes.map((one) => one.service)).toEqual(["text.template", "dummy.dummy_task"]);
  const before = page.url();
  await page
    .getByLabel("Open a graph file")
    .setInputFiles({ name: "again.json", mimeType: "application/json", buffer: await readFile(file) });
  await page.waitForURL((url) => url.href !== before);
  await card(page, "Wait").waitFor();
});

/** A graph that asks its run for a text. */
const ASKING = graphOf(
  [node("ask", "constant.string"), { ...node("left", "text.template", { template: "{{text}}" }), name: "Left" } as never],
  [wire("ask", "value", "left", "text")],
  { editor: { positions: { ask: { x: 0, y: 0 }, left: { x: 0, y: 320 } } } },
);

async function create(graph: unknown): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  return ((await answer.json()) as { id: string }).id;
}

/** The buttons and links of the page's bars that a finger cannot hit: outside the window, or under something else. */
const unreachable = (on: Page): Promise<string[]> =>
  on.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>(".top button, .top a, .nav a")]
      .filter((element) => element.checkVisibility())
      .filter((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return left < 0 || right > innerWidth || !(hit && element.contains(hit));
      })
      .map((element) => element.getAttribute("aria-label") ?? element.textContent ?? element.tagName),
  );

test.each(["dark", "light"] as const)("on a phone Generate and Run can be tapped and the inspector closes, %s", async (theme) => {
  const phone = await openBrowser(390, { phone: true });
  try {
    const on = await phone.page();
    await on.addInitScript((value) => localStorage.setItem("spindle.theme", value), theme);
    await on.goto(`${spindle.url}/templates/infinitetalk`);
    await on.getByRole("button", { name: /^Generate/ }).tap();
    await on.getByText("Portrait is needed.").waitFor();
    await shot(on, `phone-template-${theme}`);

    const id = await create(ASKING);
    await on.goto(`${spindle.url}/g/${id}`);
    await on.locator(".react-flow__node").first().waitFor();
    await shot(on, `phone-graph-${theme}`);
    await on.getByRole("button", { name: /^Run/ }).tap();
    const sheet = on.getByRole("complementary", { name: "Inspector" });
    await sheet.getByText(/is needed\./).waitFor();
    await shot(on, `phone-ask-${theme}`);
    await sheet.getByRole("textbox").first().fill("tapped");
    await sheet.getByRole("button", { name: "Close the inspector" }).tap();
    await sheet.waitFor({ state: "hidden" });
    await card(on, "Left").tap();
    await sheet.getByLabel("Node title").waitFor();
    await shot(on, `phone-inspector-${theme}`);
    await sheet.getByRole("button", { name: "Close the inspector" }).tap();
    await sheet.waitFor({ state: "hidden" });
    await on.getByRole("button", { name: /^Run/ }).tap();
    await card(on, "Left").getByText("Succeeded").waitFor();
    // The new card is seen above the sheet that it opens.
    await on.getByRole("toolbar", { name: "Tools" }).getByRole("button", { name: "Add a node" }).tap();
    await on.getByRole("dialog", { name: "Add a node" }).getByText("Delay", { exact: true }).tap();
    await card(on, "Delay").waitFor();
    await sheet.waitFor();
    const headIsSeen = async () => {
      const [head, cover] = await Promise.all([card(on, "Delay").getByRole("heading").boundingBox(), sheet.boundingBox()]);
      return head && cover && head.y > 0 && head.y + head.height < cover.y;
    };
    await expect.poll(headIsSeen).toBe(true);
    await shot(on, `phone-added-${theme}`);
  } finally {
    await phone.close();
  }
});

test("at every width each bar is within reach and no page scrolls sideways", async () => {
  const id = await create(ASKING);
  const phone = await openBrowser(390, { phone: true });
  try {
    const on = await phone.page();
    for (const path of ["/", "/templates/infinitetalk", "/runs", `/g/${id}`]) {
      await on.goto(spindle.url + path);
      await on
        .locator(path.startsWith("/g") ? ".react-flow__node" : "h1")
        .first()
        .waitFor();
      for (const width of [320, 390, 600, 719, 720, 768, 900, 1023, 1024, 1280]) {
        await on.setViewportSize({ width, height: 844 });
        await expect.poll(() => unreachable(on), { message: `${path} at ${width}` }).toEqual([]);
        const [scroll, inner] = await on.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        expect(scroll, `${path} at ${width} scrolls sideways`).toBeLessThanOrEqual(inner ?? 0);
      }
      await on.setViewportSize({ width: 390, height: 844 });
      await shot(on, `phone-page${path.replaceAll("/", "-").slice(0, 8)}`);
    }
  } finally {
    await phone.close();
  }
});

test("every page is well in both themes and at both widths, and nothing complains", async () => {
  const [run] = await (await fetch(`${spindle.url}/api/jobs`)).json();
  await ended(spindle.url, run.jobId);
  for (const width of [1280, 1920]) {
    await page.setViewportSize({ width, height: width === 1280 ? 800 : 1080 });
    for (const [name, path] of [
      ["graphs", "/"],
      ["runs", `/runs/${run.jobId}`],
      ["templates", "/templates"],
    ] as const) {
      await page.goto(spindle.url + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      for (const theme of ["dark", "light"]) {
        await page.evaluate((value) => (document.documentElement.dataset.theme = value), theme);
        await page.waitForTimeout(300);
        await shot(page, `${name}-${theme}-${width}`);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways at ${width}`).toBe(
        true,
      );
    }
  }
  const known = /status of 422|the server responded with a status of 4/;
  expect([...ada.complaints, ...ben.complaints].filter((complaint) => !known.test(complaint))).toEqual([]);
});

test("what is pressed before the page has its code is done once it has it", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/assets/*.js", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(spindle.url, { waitUntil: "commit" });
  const button = page.getByRole("button", { name: "New graph" });
  await button.click();
  await expect.poll(() => button.getAttribute("aria-busy")).toBe("true");
  release();
  await page.waitForURL(/\/g\//);
  await page.getByText("start from a template").first().waitFor();
  await page.unroute("**/assets/*.js");
});

test("what is searched for before the library has come is added once it has", async () => {
  const own = await ada.context.newPage();
  let send = () => {};
  const isAsked = new Promise<void>((resolve) => {
    send = resolve;
  });
  await own.routeWebSocket(/trpc/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage(
      (message) => void (String(message).includes('"capabilities":[') ? isAsked : Promise.resolve()).then(() => socket.send(message)),
    );
  });
  const answer = await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graphOf([node("n", "pass")], [])) });
  await own.goto(`${spindle.url}/g/${((await answer.json()) as { id: string }).id}`);
  await own.getByText("All changes saved").waitFor();
  await own.getByLabel("Search nodes").fill("Fill template");
  await own.keyboard.press("Enter");
  send();
  await card(own, "Fill template").waitFor();
  await expect.poll(() => own.locator(".react-flow__node").count()).toBe(2);
  await own.close();
});

test("an address of nothing says so, without asking again and again, and leads on", async () => {
  const nothing = "00000000-0000-4000-8000-000000000000";
  await page.goto(`${spindle.url}/g/${nothing}`);
  await page.getByRole("heading", { name: "There is no such graph." }).waitFor();
  await page.getByRole("link", { name: "Back to your graphs" }).waitFor();
  await page.goto(`${spindle.url}/runs/${nothing}`);
  await page.getByText("There is no such run. Those that there are:").waitFor();
  await page.goto(`${spindle.url}/runs/${nothing}/compare/${nothing}`);
  await page.getByRole("heading", { name: "Two runs" }).waitFor();
  await page.getByText("There is no such run.").waitFor();
});
